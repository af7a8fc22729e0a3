"""Weights as a picture: one square for each query and key, darker where the weight is larger."""
from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Sequence

import numpy as np

from ._attention import _array
from ._library import ArgumentError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SIDE, LETTER, GAP = 18, 7.5, 6  # pixels: a square, the width of a letter, between label and square
MOST = 40_000  # squares that a browser still draws at once


@dataclass(frozen=True)
class Picture:
    """A drawing as SVG, which a notebook shows."""
    svg: str

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg}</div>'

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the SVG to a file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg)


def _width(label: str) -> float:
    """Of a label, about: wide letters count twice."""
    return LETTER * sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in label)


def _labels(given: Sequence[str] | None, count: int, name: str) -> list[str]:
    labels = [str(i) for i in range(count)] if given is None else [str(label) for label in given]
    if len(labels) != count:
        raise ShapeError(f"there are {len(labels)} {name} and {count} of them in weights", "give one label for each")
    return labels


def show(weights: ArrayLike, *, queries: Sequence[str] | None = None, keys: Sequence[str] | None = None,
         title: str = "") -> Picture:
    """Draws weights [queries, keys], such as one head of `attention_weights` or `Hypothesis.attention`.

    queries, keys: a label for each row and column; their numbers unless given. A square's darkness is its weight's share
    of the largest; pointing at it tells the number.
    """
    matrix = np.asarray(_array(weights, "weights"), np.float64)
    if matrix.ndim != 2:
        raise ShapeError(f"weights has the shape {matrix.shape}, not [queries, keys]",
                         "choose a sequence and a head, such as weights[0, 3]")
    if matrix.size > MOST:
        raise ArgumentError(f"weights holds {matrix.size} numbers, more than {MOST}", "draw a part of it")
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ArgumentError("weights holds numbers that are negative or not finite")
    rows, columns = _labels(queries, matrix.shape[0], "queries"), _labels(keys, matrix.shape[1], "keys")
    left = max(map(_width, rows), default=0) + GAP
    top = max(map(_width, columns), default=0) + GAP + (SIDE if title else 0)
    width, height = left + SIDE * len(columns) + GAP, top + SIDE * len(rows) + GAP
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" font-family="sans-serif" '
             f'font-size="12" fill="currentColor" role="img">']
    if title:
        parts.append(f'<text x="0" y="12" font-weight="bold">{escape(title)}</text>')
    for j, label in enumerate(columns):
        x = left + SIDE * (j + 0.5) + 4
        parts.append(f'<text transform="translate({x:g} {top - GAP:g}) rotate(-90)">{escape(label)}</text>')
    largest = matrix.max(initial=0) or 1
    for i, label in enumerate(rows):
        y = top + SIDE * i
        parts.append(f'<text x="{left - GAP:g}" y="{y + 13:g}" text-anchor="end">{escape(label)}</text>')
        for j in range(len(columns)):
            what = escape(f"{label} -> {columns[j]}: {matrix[i, j]:.4f}")
            parts.append(f'<rect x="{left + SIDE * j:g}" y="{y:g}" width="{SIDE - 1}" height="{SIDE - 1}" fill="#2f6db5" '
                         f'fill-opacity="{matrix[i, j] / largest:.3f}" stroke="#88888844"><title>{what}</title></rect>')
    return Picture("\n".join(parts) + "\n</svg>\n")
