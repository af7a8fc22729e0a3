#!/usr/bin/env python3
"""Includes go one way only (docs/architecture.md):

    base <- cpu <- kernels <- tape <- layers <- models <- search <- pipeline <- import <- train <- show <- document <- serve, bench <- cli
    base <- io, text, image
    text <- align

Within a room there are no loops: no file needs one that needs it again, where NAME.h, NAME.c and NAME_parts.h are
one. In kernels the contract NAME.h lies below the table of kernels, its driver NAME.c above: those are two.
Names every include that goes another way, and exits 1 when there is one.
"""
import pathlib
import re
import sys

CHAIN = [["base"], ["cpu"], ["kernels"], ["tape"], ["layers"], ["models"], ["search"], ["pipeline"], ["import"], ["train"],
         ["show"], ["document"], ["serve", "bench"], ["cli"]]
SIDE = {"io", "text", "image", "align"}
# The rooms of the chain that may use files, text and pictures.
USES_SIDE = {"models", "search", "pipeline", "import", "train", "show", "document", "serve", "bench",
             "cli"}

# A public header belongs to the room that implements it. attn.h includes all the others.
PUBLIC = {"status": "base", "memory": "base", "threads": "cpu", "attention": "kernels", "cache": "kernels",
          "matmul": "kernels", "matmul_i8": "kernels", "tape": "tape", "params": "tape", "optimizer": "tape", "layers": "layers",
          "images": "layers", "segmenter": "models", "translator": "models", "encoder": "models", "decoder": "models", "shortlist": "models",
          "search": "search", "generate": "search", "model": "pipeline", "translate": "pipeline", "segment": "pipeline", "embed": "pipeline",
          "classify": "pipeline",
          "tokenizer": "text", "safetensors": "io", "export": "base", "version": "base",
          "attn": "cli"}


def allowed_rooms():
    """For each room the set of rooms whose headers it may include, itself among them."""
    allowed, below = {}, set()
    for level in CHAIN:
        for room in level:
            allowed[room] = below | {room} | (SIDE if room in USES_SIDE else set())
        below = below | set(level)
    # Files are read through io; the number of threads is public and below everything.
    allowed["io"] = {"io", "base", "cpu"}
    allowed["text"] = {"text", "io", "base", "cpu"}
    allowed["align"] = {"align", "text", "io", "base", "cpu"}
    allowed["image"] = {"image", "io", "base", "cpu"}
    return allowed


def room_of(include):
    folder, _, rest = include.partition("/")
    if folder != "attn":
        return folder if rest else None  # a neighbour in the same folder
    name = rest.removesuffix(".h")
    if name not in PUBLIC:
        sys.exit(f"attn/{name}.h: say in {__file__} which room implements it")
    return PUBLIC[name]


def sources(root):
    """(room, path) of every source file, in order."""
    files = [(path.relative_to(root / "src").parts[0], path) for path in (root / "src").rglob("*")]
    files += [(room, path) for room in ("bench", "cli") for path in (root / room).rglob("*")]
    return [(room, path) for room, path in sorted(files) if path.suffix in {".c", ".h", ".cpp", ".hpp", ".inc"}]


def includes(path):
    """(line number, what is included) of our own headers in a file."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        if match and ('"' in line or match.group(1).startswith("attn/")):
            yield number, match.group(1)


def check_rooms(root):
    allowed = allowed_rooms()
    wrong = []
    for room, path in sources(root):
        if room not in allowed:
            wrong.append(f"{path.relative_to(root)}: no room is called {room}")
            continue
        for number, target in includes(path):
            other = room_of(target)
            if other is not None and other not in allowed[room]:
                wrong.append(f"{path.relative_to(root)}:{number}: {room} may not include {target}")
    return wrong


def modules(root):
    """For each module the modules whose headers it includes."""
    def module_of(path):
        name = str(path.relative_to(root))
        if not name.startswith("src/kernels/"):
            name = name.removesuffix(path.suffix).removesuffix("_parts")
        return name

    needs = {}
    for _, path in sources(root):
        for _, target in includes(path):
            found = [folder / target for folder in (root / "src", root, path.parent) if (folder / target).exists()]
            if found:
                needs.setdefault(module_of(path), set()).add(module_of(found[0]))
    return needs


def find_loops(needs):
    """Loops of modules, each once: follows the includes and looks for a module that is under way."""
    loops, done, path = [], set(), []

    def visit(module):
        if module in path:
            loops.append(path[path.index(module):] + [module])
        elif module not in done:
            path.append(module)
            for other in sorted(needs.get(module, set()) - {module}):
                visit(other)
            path.pop()
            done.add(module)

    for module in sorted(needs):
        visit(module)
    return ["a loop: " + " -> ".join(loop) for loop in loops]


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    wrong = check_rooms(root) + find_loops(modules(root))
    print("\n".join(wrong) if wrong else "every include goes the right way")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
