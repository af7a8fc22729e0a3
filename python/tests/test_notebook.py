"""The notebooks docs/python*.ipynb run, and what they show is what comes out: the same numbers on every machine. What a
model of models/ says is not compared: another model may lie in its place.

    python test_notebook.py NOTEBOOK    writes the outputs into it again
"""
import ast
import contextlib
import io
import json
import os
import pathlib
import sys

import pytest
from conftest import SOURCE


def run_cell(code, names):
    """What a cell prints, and what its last line gives."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(True)})
    if value is not None:
        svg = value._repr_svg_() if hasattr(value, "_repr_svg_") else None
        data = {"image/svg+xml": svg.splitlines(True)} if svg else {"text/plain": repr(value).splitlines(True)}
        outputs.append({"data": data, "metadata": {}, "output_type": "display_data"})
    return outputs


def run(path):
    """(cell, its outputs) of each cell of code, run in the notebook's folder."""
    notebook, names, before = json.loads(path.read_text(encoding="utf-8")), {}, os.getcwd()
    os.chdir(path.parent)
    try:
        cells = [(cell, run_cell("".join(cell["source"]), names)) for cell in notebook["cells"]
                 if cell["cell_type"] == "code"]
    finally:
        os.chdir(before)
    return notebook, cells


def kinds(outputs):
    return [(output["output_type"], *output.get("data", ())) for output in outputs]


@pytest.mark.parametrize("path", sorted(SOURCE.glob("docs/*.ipynb")), ids=lambda path: path.stem)
def test_notebook(path):
    assert path.stat().st_size < 200_000
    _, cells = run(path)
    assert len(cells) > 3
    of_model = False  # from the cell on that opens it
    for cell, outputs in cells:
        code = "".join(cell["source"])
        of_model = of_model or "../models/" in code
        assert kinds(cell["outputs"]) == kinds(outputs) and (of_model or cell["outputs"] == outputs), code


if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1])
    book, found = run(file)
    for entry, new in found:
        entry["outputs"] = new
    file.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
