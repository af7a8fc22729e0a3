"""A model file, opened: what translators and segmenters share (include/attn/model.h)."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref
from typing import TYPE_CHECKING, Any

from ._library import ArgumentError, Error, FormatError, ModelOptions, call, pipeline, sized

if TYPE_CHECKING:
    from typing_extensions import Self

# attn_model_kind, and what opens each.
KINDS = ("translator", "segmenter", "encoder of text", "encoder of pictures", "decoder of text")
OPENED_BY = {"translator": "open it with attn.Translator", "segmenter": "open it with attn.Segmenter",
             "encoder of text": "open it with attn.Encoder", "encoder of pictures": "open it with attn.Classifier",
             "decoder of text": "run `attn generate`"}
COMPUTE_F32, COMPUTE_I8 = 0, 1


def encoded(text: str, name: str) -> bytes:
    """UTF-8 without NUL, as C takes it."""
    if not isinstance(text, str):
        raise TypeError(f"{name} is {type(text).__name__}, not str")
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"{name} is no UTF-8: {error.reason}", position=error.start) from error
    if b"\0" in data:
        raise FormatError(f"{name} holds a NUL character", "leave it out", position=data.index(b"\0"))
    return data


def decoded(text: bytes | None) -> str:
    return (text or b"").decode(errors="replace")


class Model:
    """An open model. It is only read, so threads may share it; close() it, or leave that to Python."""

    kind = ""

    def __init__(self, path: str | os.PathLike[str], **options: Any):
        c = sized(pipeline(), "attn_model_options_init", ModelOptions())
        for name, value in options.items():
            if isinstance(value, (str, os.PathLike)):
                value = os.fsencode(value)
            if value is not None:
                setattr(c, name, value)
        self._handle: ctypes.c_void_p | None = ctypes.c_void_p()
        call(pipeline().attn_model_open, os.fsencode(path), byref(c), byref(self._handle))
        found = KINDS[pipeline().attn_model_get_kind(self._handle)]
        if found != self.kind:
            self.close()
            raise ArgumentError(f"the model is a {found}, not a {self.kind}",
                                OPENED_BY[found], os.fspath(path),
                                text=f"{os.fspath(path)}: the model is a {found}, not a {self.kind}: "
                                     f"{OPENED_BY[found]}")
        self._path = os.path.abspath(os.fsdecode(path))

    def close(self) -> None:
        """Frees the model; it cannot be used any more. Not while a thread uses it."""
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            pipeline().attn_model_close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except (AttributeError, TypeError):  # Python itself is closing
            pass

    def _open(self) -> ctypes.c_void_p:
        if not self._handle:
            raise Error("the model is closed", "open it again")
        return self._handle

    @property
    def name(self) -> str:
        """What the model is called: in its file, else the file's name without folder and ending."""
        return decoded(pipeline().attn_model_name(self._open()))
