"""The examples of docs/python.md and of the README run, and print what the page says."""
import doctest
import importlib.util
import re

import pytest


def blocks(page):
    """(line, code) of each block of examples."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```python\n(.*?)^```", text, re.S | re.M):
        yield text[:match.start()].count("\n") + 1, match[1]


def test_examples(source, monkeypatch):
    monkeypatch.chdir(source)
    page = source / "docs" / "python.md"
    runner, names, left_out = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), {}, 0
    for line, code in blocks(page):
        if any(f"{module}" in code and importlib.util.find_spec(module) is None
               for module in ("torch", "transformers")):
            left_out += 1
            continue
        example = doctest.DocTestParser().get_doctest(code, names, "python.md", str(page), line)
        runner.run(example, clear_globs=False)
        names = example.globs
    assert runner.summarize().failed == 0 and runner.summarize().attempted > 20
    if left_out:
        pytest.skip("the rest passed; without PyTorch its examples were left out")


def test_readme(source, monkeypatch):
    """The package's own page: what it shows runs."""
    monkeypatch.chdir(source / "models")
    code, = (code for _, code in blocks(source / "python" / "README.md"))
    exec(compile(code, "README.md", "exec"), {})
