"""Encoder, Classifier: from a text or a picture to a vector or to classes (include/attn/embed.h, classify.h)."""
from __future__ import annotations

import os
from ctypes import byref, c_char_p
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, overload

import numpy as np

from ._library import ArgumentError, EmbedLook, EmbedOptions, call, pipeline, sized
from ._model import Model, decoded, encoded
from ._picture import pixels_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# attn_embed_pooling; attn_embed_length
POOLING = {None: 0, "mean": 1, "first": 2}
NORMALIZE = {None: 0, True: 1, False: 2}


def _options(pooling: str | None, normalize: bool | None) -> EmbedOptions:
    if pooling not in POOLING:
        raise ArgumentError(f"pooling is {pooling!r}", 'it is "mean", "first" or None, as the model does')
    c: EmbedOptions = sized(pipeline(), "attn_embed_options_init", EmbedOptions())
    c.pooling, c.length = POOLING[pooling], NORMALIZE[normalize]
    return c


class EncoderAttention(NamedTuple):
    """What the pieces of a text attend to. weights: [tokens, tokens], float32; each row has the sum 1."""
    tokens: list[str]
    weights: NDArray[np.float32]


class Encoder(Model):
    """An encoder of text, such as a sentence transformer, from one .safetensors file of `attn import`."""

    kind = "encoder of text"

    def __init__(self, path: str | os.PathLike[str]):
        super().__init__(path)

    @property
    def size(self) -> int:
        """How many numbers a vector has."""
        return int(pipeline().attn_model_vector_size(self._open()))

    @overload
    def embed(self, text: str, *, pooling: str | None = None,
              normalize: bool | None = None) -> NDArray[np.float32]: ...

    @overload
    def embed(self, text: Iterable[str], *, pooling: str | None = None,
              normalize: bool | None = None) -> NDArray[np.float32]: ...

    def embed(self, text: Any, *, pooling: str | None = None, normalize: bool | None = None) -> Any:
        """The vector of a text, [size], or of many together, which is faster, [texts, size]: those of `attn embed`.

        A text of more pieces than the model reads is cut at its end. pooling: "mean" over all tokens, or the "first".
        normalize: whether vectors are divided by their length. None: as the model's makers do.

        Raises ArgumentError, FormatError, OutOfMemoryError.
        """
        c = _options(pooling, normalize)
        texts = [text] if isinstance(text, str) else list(text)
        array = (c_char_p * len(texts))(*(encoded(one, f"text {i}") for i, one in enumerate(texts)))
        vectors = np.empty((len(texts), self.size), np.float32)
        call(pipeline().attn_embed_texts, self._open(), array, len(texts), byref(c), vectors.ctypes.data)
        return vectors[0] if isinstance(text, str) else vectors

    def attention(self, text: str, *, layer: int = 0, head: int = 0) -> EncoderAttention:
        """What the pieces of a text attend to. layer and head count from 1; layer 0 is the last, head 0 the mean of all."""
        library, look = pipeline(), EmbedLook()
        try:
            call(library.attn_embed_attend, self._open(), encoded(text, "text"), layer, head, byref(look))
            tokenizer = library.attn_model_tokenizer(self._open())
            tokens = [decoded(library.attn_tokenizer_piece(tokenizer, look.ids[i])) for i in range(look.count)]
            return EncoderAttention(tokens, np.ctypeslib.as_array(look.weights, (look.count, look.count)).copy())
        finally:
            library.attn_embed_look_free(byref(look))


class Classifier(Model):
    """An encoder of pictures, such as ViT, from one .safetensors file of `attn import`."""

    kind = "encoder of pictures"

    def __init__(self, path: str | os.PathLike[str]):
        super().__init__(path)

    @property
    def size(self) -> int:
        """How many numbers a vector has."""
        return int(pipeline().attn_model_vector_size(self._open()))

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of their numbers."""
        library, handle = pipeline(), self._open()
        return [decoded(library.attn_model_class_name(handle, i)) for i in range(library.attn_model_classes(handle))]

    def classify(self, picture: ArrayLike) -> NDArray[np.float32]:
        """The probability of each class, [classes], with sum 1. picture: as for `Segmenter.segment`.

        Raises ArgumentError, ShapeError, NumericError, OutOfMemoryError.
        """
        pixels, keep = pixels_of(picture)
        found = np.empty(pipeline().attn_model_classes(self._open()), np.float32)
        call(pipeline().attn_classify, self._open(), byref(pixels), found.ctypes.data)
        del keep
        return found

    def embed(self, picture: ArrayLike, *, pooling: str | None = None,
              normalize: bool | None = None) -> NDArray[np.float32]:
        """The vector of a picture, [size]. Of a ViT "first" is the class token's; a SegFormer has the mean alone."""
        pixels, keep = pixels_of(picture)
        vector = np.empty(self.size, np.float32)
        call(pipeline().attn_embed_picture, self._open(), byref(pixels), byref(_options(pooling, normalize)),
             vector.ctypes.data)
        del keep
        return vector
