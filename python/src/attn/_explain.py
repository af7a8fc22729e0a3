"""explain, intervene: what a translator looks at in each layer and head, and what becomes of it otherwise."""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ._library import ArgumentError
from ._model import encoded
from ._show import Picture, show
from ._text import Translator
from ._tool import run, run_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("encoder", "decoder", "cross")


@dataclass(frozen=True, eq=False)
class ExplainedPart:
    """One of the three attentions: of L layers with H heads, of Q queries on K keys.

    queries, keys: their tokens. weights: [L, H, Q, K], each row with sum 1. rollout: [Q, K], weights multiplied through
    all layers. entropy: [L, H], nats, the mean over queries. distance: [L, H], tokens; None for "cross".
    """
    name: str
    queries: list[str]
    keys: list[str]
    weights: NDArray[np.float32]
    rollout: NDArray[np.float32]
    entropy: NDArray[np.float64]
    distance: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Explanation:
    """All attention of one sentence and its translation; `explain` makes it. In a notebook: the cross attention of the
    last layer, the mean of its heads."""
    sentence: str
    translation: str
    encoder: ExplainedPart
    decoder: ExplainedPart
    cross: ExplainedPart
    _arguments: list[str] = field(repr=False)
    _text: str = field(repr=False)

    def _part(self, part: str) -> ExplainedPart:
        if part not in PARTS:
            raise ArgumentError(f"part is {part!r}", f"it is one of {', '.join(PARTS)}")
        return getattr(self, part)  # type: ignore[no-any-return]

    def show(self, part: str = "cross", *, layer: int | None = None, head: int | None = None) -> Picture:
        """A layer and head as a picture. Both count from 1, as the tool's do; None: the last layer, the mean of its heads."""
        found = self._part(part)
        layers, heads = found.weights.shape[:2]
        for what, number, count in (("layer", layer, layers), ("head", head, heads)):
            if number is not None and not 1 <= number <= count:
                raise ArgumentError(f"{what} is {number}", f"{part} has 1 to {count}")
        weights = found.weights[(layers if layer is None else layer) - 1]
        return show(weights.mean(axis=0) if head is None else weights[head - 1], queries=found.queries, keys=found.keys)

    def save(self, path: str | os.PathLike[str], *, part: str = "cross", layer: int | None = None,
             head: int | None = None) -> None:
        """What `attn show` draws: by the path's ending a web page of everything (.html), or .svg, .png, .pdf of one
        matrix. Pictures need cairo and pango on the system."""
        self._part(part)
        chosen = [] if os.fspath(path).endswith(".html") else ["--part", part]
        for name, number in (("--layer", layer), ("--head", head)):
            chosen += [] if number is None else [name, str(number)]
        run("show", *self._arguments, *chosen, "--output", os.path.abspath(path), "--", self._text)

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.sentence)}<br>{escape(self.translation)}</p>{self.show()._repr_html_()}"


def _chosen(model: Translator, target: str | None, sentence: int, raw: bool) -> list[str]:
    model._open()
    arguments = ["--model", model._path, "--sentence", str(sentence)]
    if model.source and model.target:
        arguments += ["--from", model.source, "--to", model.target]
    if target is not None:
        encoded(target, "target")
        arguments += ["--target", target]
    return arguments + ["--raw"] * raw


def explain(model: Translator, text: str, *, target: str | None = None, beam: int = 4, sentence: int = 1,
            raw: bool = False) -> Explanation:
    """All weights of all layers and heads while a sentence is translated, as `attn show --json` has them.

    target: the translation to look at; None: the model's own, found with this beam. sentence: which sentence of a text
    of several, from 1. raw: the text goes to the model as it is. The model's file is computed in float32, without
    the shortlist and the glossary that the Translator was opened with.

    Raises ToolError with the tool's text.
    """
    encoded(text, "text")
    arguments = [*_chosen(model, target, sentence, raw), "--beam", str(beam)]
    found = run_json("show", *arguments, "--json", "--", text)
    tokens = {"source": found["source"]["tokens"], "target.read": found["target"]["read"]["tokens"],
              "target.written": found["target"]["written"]["tokens"]}

    def part(name: str) -> ExplainedPart:
        p = found["parts"][name]
        distance = None if p["distance"] is None else np.array(p["distance"])
        return ExplainedPart(name, tokens[p["queries"]], tokens[p["keys"]], np.array(p["weights"], np.float32),
                             np.array(p["rollout"], np.float32), np.array(p["entropy"]), distance)

    return Explanation(found["source"]["text"], found["target"]["text"], part("encoder"), part("decoder"), part("cross"),
                       arguments, text)


@dataclass(frozen=True)
class Intervened:
    """A translation, and its log-probability as the model is and with the intervention."""
    text: str
    log_probability: float
    log_probability_edited: float


@dataclass(frozen=True)
class Intervention:
    """What becomes of a translation: before and after."""
    before: Intervened
    after: Intervened


def intervene(model: Translator, text: str, *, part: str = "encoder", mask: str | None = None,
              force: str | None = None, token: str | None = None, layer: int | None = None, head: int | None = None,
              target: str | None = None, sentence: int = 1, raw: bool = False) -> Intervention:
    """What becomes of a translation when heads are silenced, or made to look at one word: `attn explain --mask --force`.

    part: "encoder", "decoder" or "cross". mask: the heads to silence, such as "2.1" (layer.head, from 1), "2.*" or
    "1.1,2.3". force: the word that all queries look at, in `layer` and `head` (None: all). token: for this query alone.

    Raises ToolError with the tool's text.
    """
    if mask is None and force is None:
        raise ArgumentError("neither mask nor force is given", 'give heads, such as mask="2.1"')
    encoded(text, "text")
    arguments = [*_chosen(model, target, sentence, raw), "--part", part]
    options: dict[str, Any] = {"--mask": mask, "--force": force, "--token": token, "--layer": layer, "--head": head}
    for name, value in options.items():
        arguments += [] if value is None else [name, str(value)]
    found = run_json("explain", *arguments, "--json", "--", text)
    return Intervention(Intervened(**found["before"]), Intervened(**found["after"]))
