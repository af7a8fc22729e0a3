"""The tool `attn` that lies in the package: found, run, its errors as exceptions."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, NoReturn, Sequence

from ._library import FOLDER, Error, FileError

TOOL = os.path.join(FOLDER, "bin", "attn")
MISUSE = 2  # exit status


class ToolError(Error):
    """The tool refused or failed; the text is what it said. `status`: its exit status."""

    def __init__(self, text: str, status: int):
        super().__init__(text)
        self.status = status


def tool() -> str:
    """The path of the tool."""
    if not os.access(TOOL, os.X_OK):
        raise FileError("the tool attn is not in this package", "build the package without ATTN_PYTHON_TOOL=OFF", TOOL)
    return TOOL


def said(stderr: str, status: int) -> ToolError:
    """What the tool printed, without its name in front."""
    text = stderr.strip()
    return ToolError(text[len("attn: "):] if text.startswith("attn: ") else text or f"attn: exit status {status}", status)


def run(*arguments: str | os.PathLike[str]) -> str:
    """What the tool prints."""
    done = subprocess.run([tool(), *arguments], stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        raise said(done.stderr.decode(errors="replace"), done.returncode)
    return done.stdout.decode(errors="replace")


def run_json(*arguments: str | os.PathLike[str]) -> Any:
    return json.loads(run(*arguments))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The console script `attn`, and `python -m attn`: becomes the tool."""
    try:
        path = tool()
        os.execv(path, [path, *(sys.argv[1:] if arguments is None else arguments)])
    except (Error, OSError) as error:
        sys.exit(f"attn: {error}")
