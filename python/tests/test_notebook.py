"""docs/python.ipynb runs, and what it shows is what comes out: the same numbers on every machine. What a model says
is not compared: another model may lie in its place.

    python test_notebook.py NOTEBOOK    writes the outputs into it again
"""
import ast
import contextlib
import io
import json
import os
import pathlib
import sys


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


def test_notebook(source):
    _, cells = run(source / "docs" / "python.ipynb")
    assert len(cells) > 3
    for cell, outputs in cells:
        code = "".join(cell["source"])
        assert bool(cell["outputs"]) == bool(outputs) and (cell["outputs"] == outputs or "Translator" in code), code


if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1])
    book, found = run(file)
    for entry, new in found:
        entry["outputs"] = new
    file.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
