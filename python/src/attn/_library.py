"""The two shared libraries, loaded with ctypes: functions, structs, errors.

A call releases Python's global lock while it computes. The structs below mirror those of include/attn, field by field;
tests/test_layout.py compares them with what a C compiler says. Those that may grow carry their size, so the inits
of the library fill them. Next: _attention.py, _text.py, _picture.py.
"""
from __future__ import annotations

import ctypes
import os
import sys
from ctypes import (POINTER, byref, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t,
                    c_uint8, c_uint64, c_void_p)
from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))
SUFFIX = ".dylib" if sys.platform == "darwin" else ".so"


# ---- errors ----

class Error(Exception):
    """What the library refuses, and why. Every error of this package is one; each is also an error of Python's own.

    Attributes: `what` is wrong; `hint`, what to do about it, or ""; `where`, the file, tensor or function concerned,
    or ""; `position`, the line or byte there, or -1.
    """

    def __init__(self, what: str, hint: str = "", where: str = "", position: int = -1, text: str | None = None):
        super().__init__(text if text is not None else f"{what}: {hint}" if hint else what)
        self.what, self.hint, self.where, self.position = what, hint, where, position


class ArgumentError(Error, ValueError):
    """An argument has no meaning or does not fit the others."""


class OutOfMemoryError(Error, MemoryError):
    """Memory could not be had."""


class FileError(Error, OSError):
    """Reading or writing failed."""


class FormatError(Error, ValueError):
    """A file or a text is malformed."""


class ShapeError(Error, ValueError):
    """An array or a tensor has the wrong shape or type."""


class UnsupportedError(Error, NotImplementedError):
    """Valid, but this build cannot do it."""


class NumericError(Error, ArithmeticError):
    """NaN or infinity where a finite number is needed."""


class StoppedError(Error):
    """Somebody asked to stop."""


_ERRORS = {1: ArgumentError, 2: OutOfMemoryError, 3: FileError, 4: FormatError, 5: ShapeError, 6: UnsupportedError,
           7: NumericError, 8: StoppedError}


# ---- structs ----

class Mirror(ctypes.Structure):
    """A struct of include/attn: `name` there, with the same fields in the same order."""
    name = ""


class CError(Mirror):
    name = "attn_error"
    _fields_ = [("status", c_int), ("position", c_int64), ("where", c_char * 256), ("what", c_char * 512),
                ("hint", c_char * 256)]


class ScoreRun(Mirror):
    """Which scores a hook is given: those of keys first_key .. first_key + count - 1 with one query of one head."""
    name = "attn_score_run"
    _fields_ = [("sequence", c_int64), ("head", c_int64), ("query", c_int64), ("first_key", c_int64),
                ("count", c_int64), ("query_length", c_int64), ("key_length", c_int64)]


class Strides(Mirror):
    name = "attn_strides"
    _fields_ = [("batch", c_int64), ("token", c_int64), ("head", c_int64)]


class Attention(Mirror):
    name = "attn_attention"
    _fields_ = [
        ("size", c_size_t), ("batch", c_int64), ("heads", c_int64), ("kv_heads", c_int64), ("query_length", c_int64),
        ("key_length", c_int64), ("head_size", c_int64), ("value_size", c_int64), ("query", Strides), ("key", Strides),
        ("value", Strides), ("output", Strides), ("scale", c_float), ("query_lengths", c_void_p),
        ("key_lengths", c_void_p), ("query_starts", c_void_p), ("key_starts", c_void_p), ("causal", c_bool),
        ("window_left", c_int64), ("window_right", c_int64), ("softcap", c_float), ("alibi_slopes", c_void_p),
        ("bias", c_void_p), ("bias_batch", c_int64), ("bias_head", c_int64), ("bias_query", c_int64),
        ("score_hook", c_void_p), ("score_hook_backward", c_void_p), ("score_hook_user", c_void_p),
        ("sinks", c_void_p), ("dropout", c_float), ("dropout_key", c_uint64), ("mask", c_void_p),
        ("mask_kind", c_int), ("mask_batch", c_int64), ("mask_head", c_int64), ("mask_query", c_int64)]


class Plan(Mirror):
    name = "attn_plan"
    _fields_ = [("size", c_size_t), ("isa", c_char_p), ("isa_reason", c_char_p), ("threads", c_int),
                ("threads_reason", c_char_p), ("division", c_int), ("division_reason", c_char_p), ("memory", c_size_t),
                ("visited", c_double)]


class Gradients(Mirror):
    name = "attn_attention_gradients"
    _fields_ = [("size", c_size_t), ("d_query", c_void_p), ("d_key", c_void_p), ("d_value", c_void_p),
                ("d_bias", c_void_p), ("d_sinks", c_void_p), ("d_lse", c_void_p), ("d_weights", c_void_p)]


class Statistics(Mirror):
    name = "attn_weight_statistics"
    _fields_ = [("size", c_size_t), ("entropy", c_void_p), ("largest", c_int64), ("largest_weights", c_void_p),
                ("largest_keys", c_void_p), ("column_sums", c_void_p)]


class ModelOptions(Mirror):
    name = "attn_model_options"
    _fields_ = [("size", c_size_t), ("compute", c_int), ("whole", c_bool), ("shortlist", c_char_p),
                ("glossary", c_char_p), ("source", c_char_p), ("target", c_char_p)]


class SearchOptions(Mirror):
    name = "attn_search_options"
    _fields_ = [
        ("size", c_size_t), ("beam", c_int64), ("n_best", c_int64), ("length_penalty", c_double), ("sample", c_bool),
        ("temperature", c_double), ("top_k", c_int64), ("seed", c_uint64), ("max_length", c_int64),
        ("length_guard", c_bool), ("repeat_guard", c_bool), ("attention", c_bool), ("start_token", c_int32),
        ("end_token", c_int32), ("forbidden_below", c_int32), ("progress", c_void_p), ("progress_context", c_void_p),
        ("shortlist", c_void_p), ("given_up", c_void_p), ("given_up_context", c_void_p), ("first_token", c_int32)]


class Hypothesis(Mirror):
    name = "attn_hypothesis"
    _fields_ = [("ids", POINTER(c_int32)), ("length", c_int64), ("score", c_double), ("log_probability", c_double),
                ("token_log_probability", POINTER(c_float)), ("attention", POINTER(c_float)),
                ("source_length", c_int64), ("cut", c_bool)]


class TranslateOptions(Mirror):
    name = "attn_translate_options"
    _fields_ = [("size", c_size_t), ("format", c_int), ("search", POINTER(SearchOptions)), ("batch", c_int64),
                ("first_text", c_uint64), ("progress", c_void_p), ("progress_context", c_void_p),
                ("translate_all", c_bool), ("attributes", c_bool)]


class TranslatedSentence(Mirror):
    name = "attn_translated_sentence"
    _fields_ = [("sent", c_char_p), ("source", c_char_p), ("source_ids", POINTER(c_int32)), ("source_length", c_int64),
                ("best", POINTER(Hypothesis))]


class Pixels(Mirror):
    name = "attn_pixels"
    _fields_ = [("width", c_int64), ("height", c_int64), ("rgb", c_void_p)]


class SegmentOptions(Mirror):
    name = "attn_segment_options"
    _fields_ = [("size", c_size_t), ("tile", c_int64), ("overlap", c_int64), ("flip", c_bool), ("scales", c_char_p)]


class EmbedOptions(Mirror):
    name = "attn_embed_options"
    _fields_ = [("size", c_size_t), ("pooling", c_int), ("length", c_int)]


class EmbedLook(Mirror):
    name = "attn_embed_look"
    _fields_ = [("count", c_int64), ("ids", POINTER(c_int32)), ("weights", POINTER(c_float))]


SCORE_HOOK = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ScoreRun), POINTER(c_float))
SCORE_HOOK_BACKWARD = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ScoreRun), POINTER(c_float), POINTER(c_float))
PROGRESS = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_char_p)


# ---- functions ----

def _declare(library: ctypes.CDLL, table: dict[str, tuple[Any, ...]]) -> None:
    """Each row: what a function returns, then what it takes."""
    for name, (result, *arguments) in table.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


_STATUS = c_int
_ATTENTION = POINTER(Attention)
_LIBATTN = {
    "attn_version": (c_char_p,),
    "attn_error_format": (c_void_p, POINTER(CError), c_char_p, c_int),
    "attn_set_threads": (None, c_int),
    "attn_get_threads": (c_int,),
    "attn_isa_at": (c_char_p, c_int),
    "attn_isa_name": (c_char_p,),
    "attn_isa_check": (_STATUS, POINTER(CError)),
    "attn_set_isa": (_STATUS, c_char_p, POINTER(CError)),
    "attn_attention_init_sized": (None, _ATTENTION, c_size_t) + (c_int64,) * 7,
    "attn_attention_distance_bias": (None, _ATTENTION, c_void_p),
    "attn_attention_bucket": (c_int64, c_int64, c_bool, c_int64, c_int64),
    "attn_attention_cost": (c_char_p, _ATTENTION, c_size_t),
    "attn_plan_init_sized": (None, POINTER(Plan), c_size_t),
    "attn_attention_plan": (_STATUS, _ATTENTION, c_bool, POINTER(Plan), POINTER(CError)),
    "attn_attention_forward": (_STATUS, _ATTENTION) + (c_void_p,) * 5 + (POINTER(CError),),
    "attn_attention_forward_half": (_STATUS, _ATTENTION, c_int) + (c_void_p,) * 5 + (POINTER(CError),),
    "attn_attention_gradients_init_sized": (None, POINTER(Gradients), c_size_t),
    "attn_attention_backward": (_STATUS, _ATTENTION) + (c_void_p,) * 6 + (POINTER(Gradients), POINTER(CError)),
    "attn_attention_backward_half":
        (_STATUS, _ATTENTION, c_int) + (c_void_p,) * 6 + (POINTER(Gradients), POINTER(CError)),
    "attn_attention_weights": (_STATUS, _ATTENTION) + (c_void_p,) * 5 + (POINTER(CError),),
    "attn_weight_statistics_init_sized": (None, POINTER(Statistics), c_size_t),
    "attn_attention_statistics":
        (_STATUS, _ATTENTION) + (c_void_p,) * 3 + (POINTER(Statistics), POINTER(CError)),
}
_MODEL, _TRANSLATION = c_void_p, c_void_p
_PIPELINE = {
    "attn_model_options_init_sized": (None, POINTER(ModelOptions), c_size_t),
    "attn_model_open": (_STATUS, c_char_p, POINTER(ModelOptions), POINTER(_MODEL), POINTER(CError)),
    "attn_model_close": (None, _MODEL),
    "attn_model_get_kind": (c_int, _MODEL),
    "attn_model_name": (c_char_p, _MODEL),
    "attn_model_source_language": (c_char_p, _MODEL),
    "attn_model_target_language": (c_char_p, _MODEL),
    "attn_model_pair": (c_bool, _MODEL, c_size_t, POINTER(c_char_p), POINTER(c_char_p)),
    "attn_model_tokenizer": (c_void_p, _MODEL),
    "attn_tokenizer_target": (c_void_p, c_void_p),
    "attn_tokenizer_piece": (c_char_p, c_void_p, c_int32),
    "attn_tokenizer_decode": (_STATUS, c_void_p, POINTER(c_int32), c_size_t, POINTER(c_void_p), POINTER(CError)),
    "attn_tokenizer_release": (None, c_void_p),
    "attn_translate_options_init_sized": (None, POINTER(TranslateOptions), c_size_t),
    "attn_translate_free": (None, c_void_p),
    "attn_translate_texts": (_STATUS, _MODEL, POINTER(c_char_p), c_size_t, POINTER(TranslateOptions),
                             POINTER(_TRANSLATION), POINTER(CError)),
    "attn_translation_free": (None, _TRANSLATION),
    "attn_translation_ranks": (c_int64, _TRANSLATION, c_size_t),
    "attn_translation_text": (_STATUS, _TRANSLATION, c_size_t, c_int64, POINTER(c_void_p), POINTER(CError)),
    "attn_translation_score": (c_double, _TRANSLATION, c_size_t, c_int64),
    "attn_translation_sentence": (c_bool, _TRANSLATION, c_size_t, c_size_t, POINTER(TranslatedSentence)),
    "attn_translation_hypothesis": (POINTER(Hypothesis), _TRANSLATION, c_size_t, c_size_t, c_int64),
    "attn_segment_options_init_sized": (None, POINTER(SegmentOptions), c_size_t),
    "attn_segment": (_STATUS, _MODEL, POINTER(Pixels), POINTER(SegmentOptions), c_void_p, POINTER(CError)),
    "attn_embed_options_init_sized": (None, POINTER(EmbedOptions), c_size_t),
    "attn_model_vector_size": (c_int64, _MODEL),
    "attn_embed_texts": (_STATUS, _MODEL, POINTER(c_char_p), c_size_t, POINTER(EmbedOptions), c_void_p,
                         POINTER(CError)),
    "attn_embed_attend": (_STATUS, _MODEL, c_char_p, c_int64, c_int64, POINTER(EmbedLook), POINTER(CError)),
    "attn_embed_look_free": (None, POINTER(EmbedLook)),
    "attn_classify": (_STATUS, _MODEL, POINTER(Pixels), c_void_p, POINTER(CError)),
    "attn_embed_picture": (_STATUS, _MODEL, POINTER(Pixels), POINTER(EmbedOptions), c_void_p, POINTER(CError)),
    "attn_model_classes": (c_int, _MODEL),
    "attn_model_class_name": (c_char_p, _MODEL, c_int),
    "attn_model_class_color": (POINTER(c_uint8), _MODEL, c_int),
}
_SEARCH = {"attn_search_options_init_sized": (None, POINTER(SearchOptions), c_size_t)}

libattn = ctypes.CDLL(os.path.join(FOLDER, "libattn" + SUFFIX))
_declare(libattn, _LIBATTN)
_declare(libattn, _SEARCH)
_pipeline: ctypes.CDLL | None = None


def pipeline() -> ctypes.CDLL:
    """libattn-pipeline, loaded when it is first needed: attention alone does without SentencePiece and ICU."""
    global _pipeline
    if _pipeline is None:
        path = os.path.join(FOLDER, "libattn-pipeline" + SUFFIX)
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            raise FileError(f"libattn-pipeline cannot be loaded ({error})",
                            "install SentencePiece and ICU of the version that this package was built with, or build "
                            "it here", path) from error
        _declare(library, _PIPELINE)
        _pipeline = library
    return _pipeline


def sized(library: Any, init: str, struct: Mirror, *arguments: int) -> Any:
    """The struct, filled by its init."""
    getattr(library, init + "_sized")(byref(struct), ctypes.sizeof(struct), *arguments)
    return struct


def call(function: Any, *arguments: Any) -> None:
    """Calls a function that returns a status and takes an attn_error last; raises what that says."""
    error = CError()
    status = function(*arguments, byref(error))
    if status:
        text = ctypes.create_string_buffer(1200)
        libattn.attn_error_format(byref(error), text, len(text))
        raise _ERRORS.get(status, Error)(
            error.what.decode(errors="replace"), error.hint.decode(errors="replace"),
            error.where.decode(errors="replace"), error.position, text.value.decode(errors="replace"))
