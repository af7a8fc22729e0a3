"""The structs of _library.py are those of the C headers: sizes, offsets and sizes of fields as a C compiler has them."""
import ctypes
import re
import subprocess

from attn import _library


def mirrors():
    return _library.Mirror.__subclasses__()


def test_structs_lie_as_in_c(source, compiler, tmp_path):
    lines, expected = [], []
    for mirror in mirrors():
        lines.append(f'printf("{mirror.name} %zu\\n", sizeof({mirror.name}));')
        expected.append(f"{mirror.name} {ctypes.sizeof(mirror)}")
        for field, *_ in mirror._fields_:
            here = getattr(mirror, field)
            lines.append(f'printf("{mirror.name}.{field} %zu %zu\\n", offsetof({mirror.name}, {field}), '
                         f"sizeof((({mirror.name} *)0)->{field}));")
            expected.append(f"{mirror.name}.{field} {here.offset} {here.size}")
    program = tmp_path / "layout.c"
    program.write_text("#include <attn/attn.h>\n#include <attn/classify.h>\n#include <attn/translate.h>\n"
                       "#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0;\n}\n")
    subprocess.run([compiler, "-I", source / "include", program, "-o", tmp_path / "layout"], check=True)
    printed = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout
    assert printed.splitlines() == expected


def declared(headers, name):
    """The names of a struct's fields, in order."""
    body = headers.split(f"typedef struct {name} {{")[1].split(f"}} {name};")[0]
    for declaration in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(";"):
        pointer = re.search(r"\(\*(\w+)\)\(", declaration)
        if pointer:
            yield pointer[1]
        elif declaration.strip():
            yield from (re.search(r"(\w+)(\[\w+\])?\s*$", part)[1] for part in declaration.split(","))


def test_fields_are_those_of_the_headers(source):
    """Sizes do not tell of a new field that fits into padding."""
    headers = "".join(path.read_text() for path in sorted((source / "include" / "attn").glob("*.h")))
    for mirror in mirrors():
        assert list(declared(headers, mirror.name)) == [field for field, *_ in mirror._fields_], mirror.name
