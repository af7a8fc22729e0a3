"""The package itself: what it needs, how it is told to compute, what it says when something is wrong."""
import subprocess
import sys

import attn
import pytest


def test_version_is_that_of_the_headers(source):
    text = (source / "include" / "attn" / "version.h").read_text()
    numbers = [text.split(f"#define ATTN_VERSION_{part} ")[1].split()[0] for part in ("MAJOR", "MINOR", "PATCH")]
    assert attn.__version__ == ".".join(numbers)


def test_version_of_the_package_is_that_of_the_library():
    from importlib import metadata
    assert metadata.version("attn") == attn.__version__


def test_import_is_light():
    """It brings NumPy and the standard library alone, even where PyTorch is installed, and not yet what only texts need;
    and it takes less than 2 s, at the best of three."""
    program = ("import sys, time\n"
               "before, start = set(sys.modules), time.perf_counter()\n"
               "import attn\n"
               "print(time.perf_counter() - start)\n"
               "assert attn._library._pipeline is None\n"
               "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n")
    if sys.version_info < (3, 10):
        pytest.skip("this Python does not say what its standard library is")
    printed = [subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
               for _ in range(3)]
    assert set(printed[0][1:]) - sys.stdlib_module_names <= {"attn", "numpy"}
    assert min(float(seconds) for seconds, *_ in printed) < 2


def test_threads():
    before = attn.get_threads()
    attn.set_threads(3)
    assert attn.get_threads() == 3
    attn.set_threads(0)
    assert attn.get_threads() == before


def test_instruction_sets():
    names = attn.instruction_sets()
    assert names[0] == "ref"
    attn.set_instruction_set("ref")
    assert attn.instruction_set() == "ref"
    attn.set_instruction_set(None)
    assert attn.instruction_set() == names[-1]


def test_errors_carry_the_library_s_text():
    with pytest.raises(attn.UnsupportedError) as caught:
        attn.set_instruction_set("abacus")
    assert "abacus" in str(caught.value) and "ref" in str(caught.value)
    assert isinstance(caught.value, NotImplementedError) and isinstance(caught.value, attn.Error)
    assert caught.value.what in str(caught.value) and caught.value.hint in str(caught.value)
