"""Segmenter: from a picture to the class of each of its pixels (include/attn/segment.h)."""
from __future__ import annotations

import operator
import os
from ctypes import byref
from typing import TYPE_CHECKING, Sequence

import numpy as np

from ._library import Pixels, SegmentOptions, ShapeError, call, pipeline, sized
from ._model import Model, decoded

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def pixels_of(picture: ArrayLike) -> tuple[Pixels, NDArray[np.uint8]]:
    """A picture as C takes it, and the array whose memory that is."""
    array = np.asarray(picture)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ShapeError(f"the picture has the shape {array.shape} and the type {array.dtype}",
                         'give [height, width, 3] of uint8: of a PIL image, convert("RGB")')
    array = np.ascontiguousarray(array)
    return Pixels(array.shape[1], array.shape[0], array.ctypes.data), array


class Segmenter(Model):
    """A segmenter from one .safetensors file, as `attn train` and `attn import` write it."""

    kind = "segmenter"

    def __init__(self, path: str | os.PathLike[str]):
        super().__init__(path)

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of their numbers."""
        library, handle = pipeline(), self._open()
        return [decoded(library.attn_model_class_name(handle, i)) for i in range(library.attn_model_classes(handle))]

    @property
    def colors(self) -> NDArray[np.uint8]:
        """[classes, 3]: red, green and blue of each class, so that `colors[mask]` is a picture."""
        library, handle = pipeline(), self._open()
        count = library.attn_model_classes(handle)
        colors = [library.attn_model_class_color(handle, i)[:3] for i in range(count)]
        return np.array(colors, np.uint8).reshape(count, 3)

    def segment(self, picture: ArrayLike, *, tile: int = 1024, overlap: int = 128, flip: bool = False,
                scales: Sequence[float] | None = None) -> NDArray[np.uint8]:
        """The likeliest class of each pixel, [height, width].

        picture: [height, width, 3], uint8: red, green, blue; also a PIL image in mode RGB. tile, overlap: pictures larger
        than a tile are done in tiles that overlap so many pixels, so that memory stays bounded. flip: the mean of what
        is said of a tile and of its mirror image. scales: the mean over these sizes of the picture.

        Raises ArgumentError, ShapeError, OutOfMemoryError.
        """
        pixels, keep = pixels_of(picture)
        classes = np.empty((pixels.height, pixels.width), np.uint8)
        c = sized(pipeline(), "attn_segment_options_init", SegmentOptions())
        c.tile, c.overlap, c.flip = operator.index(tile), operator.index(overlap), flip
        if scales is not None:
            c.scales = ",".join(f"{float(scale):.9g}" for scale in scales).encode()
        call(pipeline().attn_segment, self._open(), byref(pixels), byref(c), classes.ctypes.data)
        del keep
        return classes
