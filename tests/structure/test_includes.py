#!/usr/bin/env python3
"""Includes go one way only (docs/architecture.md):

    base <- cpu <- kernels <- tape <- layers <- models <- search, train <- show <- serve, bench <- cli
    base <- io, text, image

Names every include that goes another way, and exits 1 when there is one.
"""
import pathlib
import re
import sys

CHAIN = [["base"], ["cpu"], ["kernels"], ["tape"], ["layers"], ["models"], ["search"], ["train"],
         ["show"], ["serve", "bench"], ["cli"]]
SIDE = {"io", "text", "image"}
# The rooms of the chain that may use files, text and pictures.
USES_SIDE = {"models", "search", "train", "show", "serve", "bench", "cli"}

# A public header belongs to the room that implements it. attn.h includes all the others.
PUBLIC = {"status": "base", "memory": "base", "threads": "cpu", "attention": "kernels", "cache": "kernels",
          "matmul": "kernels", "matmul_i8": "kernels", "tape": "tape", "params": "tape", "layers": "layers",
          "images": "layers", "segmenter": "models", "translator": "models", "shortlist": "models",
          "search": "search", "safetensors": "io", "export": "base", "version": "base", "attn": "cli"}


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


def check(root):
    allowed = allowed_rooms()
    wrong = []
    files = [(path.relative_to(root / "src").parts[0], path) for path in (root / "src").rglob("*")]
    files += [(room, path) for room in ("bench", "cli") for path in (root / room).rglob("*")]
    for room, path in sorted(files):
        if path.suffix not in {".c", ".h", ".cpp", ".inc"}:
            continue
        if room not in allowed:
            wrong.append(f"{path.relative_to(root)}: no room is called {room}")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
            if not match:
                continue
            quoted = '"' in line
            target = match.group(1)
            if not quoted and not target.startswith("attn/"):
                continue
            other = room_of(target)
            if other is not None and other not in allowed[room]:
                wrong.append(f"{path.relative_to(root)}:{number}: {room} may not include {target}")
    return wrong


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    wrong = check(root)
    print("\n".join(wrong) if wrong else "every include goes the right way")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
