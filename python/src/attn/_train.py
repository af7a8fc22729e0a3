"""train: `attn train` as a function. The tool trains in a process of its own; its log is read while it does."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence, Union

from ._library import ArgumentError
from ._tool import said, tool

Path = Union[str, "os.PathLike[str]"]
SECONDS = 0.1  # between two looks at the log


@dataclass(frozen=True)
class Training:
    """What a training made. model: the file. best: that of the best validation so far, None where none was kept.
    history: all events of the log, also those before a resume."""
    model: str
    best: str | None
    log: str
    history: list[dict[str, Any]] = field(repr=False)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Those of one kind: "step", "validation", "final"."""
        return [event for event in self.history if event["event"] == kind]


def train(kind: str, *, out: Path, recipe: Path | None = None, settings: Mapping[str, Any] | None = None,
          source: Path | Sequence[Path] = (), target: Path | Sequence[Path] = (), pairs: str | Sequence[str] = (),
          languages: str | Sequence[str] = (), valid: tuple[Path, Path] | str | None = None,
          valid_languages: str | Sequence[str] = (), tokenizer: Path | None = None,
          target_tokenizer: Path | None = None, images: Path | None = None, masks: Path | None = None,
          classes: Path | None = None, ignore: int | None = None, mask_colors: bool = False,
          init: Path | None = None, freeze: str | Sequence[str] = (), seed: int | None = None, threads: int | None = None, resume: bool = False, force: bool = False,
          callback: Callable[[dict[str, Any]], object] | None = None) -> Training:
    """Trains a model from files, as `attn train KIND` does, with the same result to the bit.

    kind: "translator" or "segmenter". out: the model file. recipe: a file, or the name of one of the tool's, such as
    "dates"; settings: single keys over it, such as {"max_steps": 100} (`attn train KIND --list` prints all).
    translator: source and target, files of lines; or pairs, files of both sides; languages of each, such as "en-fr".
    segmenter: images and masks, two folders; or pairs, a file; classes, a file. ignore: the mask's value that counts for
    nothing. mask_colors: masks hold the colours of the classes, not their numbers.
    valid: what to validate on: (source, target), (images, masks), or a file of pairs; None: some is held out.
    init: a model to start from; freeze: parameters to leave as they are. seed, threads: as the tool's.
    resume: go on from the checkpoint of an earlier call. force: overwrite an earlier training.

    callback(event): called on this thread with each event of the log of this run: a dict whose "event" is "begin" or
    "resume", "data", "step", "validation" or "final"; docs/training.md lists the rest.

    Ctrl-C, or an exception from the callback, stops the training as Ctrl-C stops the tool: a checkpoint is kept for
    resume=True; then the exception goes on. On Linux the training ends so too when Python ends or is killed.

    Raises ToolError with the tool's text.
    """
    if kind not in ("translator", "segmenter"):
        raise ArgumentError(f"kind is {kind!r}", 'it is "translator" or "segmenter"')
    sides = ("source", "target") if kind == "translator" else ("images", "masks")
    options: dict[str, Any] = {
        "recipe": recipe, "source": source, "target": target,
        "pairs": pairs, "languages": languages, "valid-languages": valid_languages, "tokenizer": tokenizer,
        "target-tokenizer": target_tokenizer, "images": images, "masks": masks, "classes": classes, "ignore": ignore,
        "init": init, "freeze": freeze, "seed": seed, "threads": threads,
        "set": [f"{key}={_value(value)}" for key, value in (settings or {}).items()]}
    if isinstance(valid, tuple):
        options.update(zip((f"valid-{side}" for side in sides), valid))
    else:
        options["valid-pairs"] = valid
    arguments = ["train", kind, "--quiet", "--out", os.fspath(out)]
    for name, value in options.items():
        for one in () if value is None else value if isinstance(value, (list, tuple)) else (value,):
            arguments += [f"--{name}", str(one) if isinstance(one, int) else os.fspath(one)]
    arguments += ["--mask-colors"] * mask_colors + ["--resume"] * resume + ["--force"] * force
    stem = os.fspath(out)
    stem = stem[:-len(".safetensors")] if stem.endswith(".safetensors") else stem
    log = _Log(stem + ".log.jsonl", resume, callback)
    _run(arguments, log)
    best = stem + ".best.safetensors"
    return Training(stem + ".safetensors", best if os.path.exists(best) else None, log.path, log.history())


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _run(arguments: list[str], log: _Log) -> None:
    if sys.platform == "linux":  # where this process is killed the training must not go on
        arguments += ["--parent", str(os.getpid())]
    with tempfile.TemporaryFile() as errors:
        # A session of its own: Ctrl-C in a terminal comes here alone, and is passed on once.
        process = subprocess.Popen([tool(), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=errors, start_new_session=True)
        try:
            while True:
                try:
                    process.wait(SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    log.look()
            log.look()
        except BaseException:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait()
            raise
        if process.returncode:
            errors.seek(0)
            raise said(errors.read().decode(errors="replace"), process.returncode)


class _Log:
    """The log of a training while it grows. The tool cuts an older one back when it resumes, and empties it otherwise."""

    def __init__(self, path: str, resume: bool, callback: Callable[[dict[str, Any]], object] | None):
        self.path, self.resume, self.callback = path, resume, callback
        self.before, self.told = self._lines(), 0

    def _lines(self) -> list[str]:
        """The whole lines."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                return file.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def history(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._lines()]

    def look(self) -> None:
        """Tells of the lines that are new in this run."""
        if self.callback is None:
            return
        lines = self._lines()
        events = [json.loads(line) for line in lines]
        starts = [i for i, event in enumerate(events) if event["event"] in ("begin", "resume")]
        if not starts:
            return
        # Whether the last start is this run's, or still that of an earlier one.
        first = lines[starts[-1]]
        cut = not self.resume and lines[:len(self.before)] != self.before
        if cut or lines.count(first) > self.before.count(first):
            for event in events[starts[-1] + self.told:]:
                self.told += 1
                self.callback(event)
