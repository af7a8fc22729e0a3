#!/usr/bin/env python3
"""README.md and README.zh-CN.md show the same commands, and every relative link of a page leads somewhere.

A command is a line of code, indented or fenced, without its trailing comment: comments are translated.
"""
import pathlib
import re
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["*.md", "docs/*.md", "models/*.md", "results/*.md"]
READMES = ["README.md", "README.zh-CN.md"]


def split(text):
    """The lines of code of a page, and the rest of it as one text."""
    code, rest, fenced = [], [], False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or re.match(r" {4}\S", line):
            code.append(re.sub(r"\s+# .*", "", line.rstrip()))
        else:
            rest.append(line)
    return code, "\n".join(rest)


def anchors(text):
    """Names of the headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)", split(text)[1], re.M)}


def wrong_links(root, page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", split(text)[1]):
        target, _, name = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        path = page.parent / urllib.parse.unquote(target) if target else page
        if not path.exists():
            yield f"{page.relative_to(root)}: nothing is at {link}"
        elif name and path.suffix == ".md" and name not in anchors(path.read_text(encoding="utf-8")):
            yield f"{page.relative_to(root)}: no heading is called {link}"


def different_commands(root):
    first, second = (split((root / name).read_text(encoding="utf-8"))[0] for name in READMES)
    for line in first:
        if line not in second:
            yield f"{READMES[1]} lacks: {line.strip()}"
    for line in second:
        if line not in first:
            yield f"{READMES[0]} lacks: {line.strip()}"
    if first != second:
        yield f"{READMES[0]} and {READMES[1]} show their commands in different orders"


def main():
    pages = sorted(page for pattern in PAGES for page in ROOT.glob(pattern))
    wrong = [line for page in pages for line in wrong_links(ROOT, page)]
    wrong += different_commands(ROOT)
    if wrong:
        sys.exit("\n".join(wrong))


main()
