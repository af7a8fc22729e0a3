"""Attention on arrays: shapes are checked here, the rest by the library (include/attn/attention.h).

Letters: B sequences, H query heads, G key heads (H a multiple of G), Tq queries, Tk keys, D head size, E value size.
Arrays are [B, heads, T, size], or [heads, T, size] for one sequence, or for several one after another where starts are
given. What the library can read in place is not copied: any strides, as long as the last axis is contiguous.
"""
from __future__ import annotations

import ctypes
import operator
from ctypes import byref
from typing import TYPE_CHECKING, Any, Callable, Collection, NamedTuple, Optional, Union, overload

import numpy as np

from ._library import (SCORE_HOOK, SCORE_HOOK_BACKWARD, ArgumentError, Attention, Gradients, Plan, ScoreRun, ShapeError,
                       Statistics, Strides, call, libattn, sized)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Literal, TypedDict, Unpack

    class Options(TypedDict, total=False):
        """What `attention` takes by name, for the functions that go with it."""
        causal: bool
        window_left: int | None
        window_right: int | None
        scale: float | None
        softcap: float
        bias: ArrayLike | None
        distance_bias: ArrayLike | None
        alibi_slopes: ArrayLike | None
        mask: ArrayLike | None
        mask_bits: ArrayLike | None
        sinks: ArrayLike | None
        dropout: float
        dropout_key: int
        query_lengths: ArrayLike | None
        key_lengths: ArrayLike | None
        query_starts: ArrayLike | None
        key_starts: ArrayLike | None
        score_hook: Callable[[ScoreRun, NDArray[np.float32]], None] | None
        score_hook_backward: Callable[[ScoreRun, NDArray[np.float32], NDArray[np.float32]], None] | None

DEFAULTS: dict[str, Any] = dict(
    causal=False, window_left=None, window_right=None, scale=None, softcap=0.0, bias=None, distance_bias=None,
    alibi_slopes=None, mask=None, mask_bits=None, sinks=None, dropout=0.0, dropout_key=0, query_lengths=None,
    key_lengths=None, query_starts=None, key_starts=None, score_hook=None, score_hook_backward=None)

# attn_half: how the library names the types of 16 bits.
HALVES = {"bfloat16": 0, "float16": 1}
MASK_BYTES, MASK_BITS = 0, 1


class AttentionResult(NamedTuple):
    """What `attention` gives when more than the output is asked for."""
    output: NDArray[Any]
    lse: Optional[NDArray[np.float32]]
    weights: Optional[NDArray[np.float32]]


class AttentionGradients(NamedTuple):
    """What `attention_backward` gives, each like its tensor; None where it was not wanted."""
    query: Optional[NDArray[np.float32]]
    key: Optional[NDArray[np.float32]]
    value: Optional[NDArray[np.float32]]
    bias: Optional[NDArray[np.float32]]
    sinks: Optional[NDArray[np.float32]]


class WeightStatistics(NamedTuple):
    """What `attention_statistics` gives; None where it was not wanted."""
    entropy: Optional[NDArray[np.float32]]
    largest_weights: Optional[NDArray[np.float32]]
    largest_keys: Optional[NDArray[np.int64]]
    column_sums: Optional[NDArray[np.float32]]


class AttentionPlan(NamedTuple):
    """How a call would run; see `attention_plan`."""
    isa: str
    isa_reason: str
    threads: int
    threads_reason: str
    division: str
    division_reason: str
    memory: int
    visited: float
    costs: list[str]


# ---- arrays ----

def _array(x: Any, name: str) -> NDArray[Any]:
    """x as an array over the same memory, where x has memory to share."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise ArgumentError(f"{name}: its memory cannot be shared ({error})",
                                "pass an array in this computer's memory that needs no gradient") from error
    return np.asarray(x)


def _in_place(x: NDArray[Any]) -> NDArray[Any]:
    """x itself where the library can read it as it lies, else a copy."""
    usable = (x.flags.aligned and x.dtype.isnative and (x.shape[-1] <= 1 or x.strides[-1] == x.itemsize) and
              all(stride % x.itemsize == 0 for stride in x.strides))
    return x if usable else np.array(x, dtype=x.dtype.newbyteorder("="), order="C")


def _float32(x: NDArray[Any], name: str) -> NDArray[Any]:
    if x.dtype.name != "float32":
        raise ShapeError(f"{name} has the type {x.dtype}, not float32", f"pass {name}.astype(numpy.float32)")
    return x


def _numbers(x: ArrayLike, name: str, count: int, dtype: Any) -> NDArray[Any]:
    """A vector of `count` numbers: small, so lists and other types will do."""
    vector = np.asarray(x)
    if np.issubdtype(dtype, np.integer) and not np.issubdtype(vector.dtype, np.integer) and vector.size:
        raise ShapeError(f"{name} has the type {vector.dtype}, not whole numbers")
    if vector.shape != (count,):
        raise ShapeError(f"{name} has the shape {vector.shape}, not ({count},)")
    return np.ascontiguousarray(vector, dtype=dtype)


def _own_places(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """x and an array for its gradient with the same strides. Where elements of x share a place, or lie apart, x is
    copied first."""
    gradient = np.empty_like(x, order="K", subok=False)
    if any(n > 1 and a != b for n, a, b in zip(x.shape, x.strides, gradient.strides)):
        x = np.array(x, order="C")
        gradient = np.empty_like(x)
    return x, gradient


def _pointer(x: NDArray[Any] | None) -> int | None:
    return None if x is None else x.ctypes.data


class Problem:
    """The arrays of a call, checked, and their description in C."""

    def __init__(self, query: Any, key: Any, value: Any, options: dict[str, Any], half: int | None = None):
        """value None: of no interest. half: the arrays hold 16-bit patterns of this type."""
        unknown = set(options) - set(DEFAULTS)
        if unknown:
            raise TypeError(f"attention has no option {', '.join(sorted(unknown))}")
        self.options = {**DEFAULTS, **options}
        self.packed = self.options["query_starts"] is not None or self.options["key_starts"] is not None
        self.query, self.key = _array(query, "query"), _array(key, "key")
        self.value = np.zeros(1, np.float32) if value is None else _array(value, "value")
        self.half = HALVES.get(self.query.dtype.name) if half is None else half
        self.single = self.query.ndim == 3 and not self.packed
        self.keep: list[Any] = []  # what C has pointers to
        self.failure: BaseException | None = None  # of a hook
        if value is None:
            self.value = np.broadcast_to(self.value, self.key.shape[:-1] + (1,))
        self._check_arrays(half)
        self._measure()

    def _check_arrays(self, half: int | None) -> None:
        arrays = {"query": self.query, "key": self.key, "value": self.value}
        axes, dtype = 3 if self.packed or self.single else 4, self.query.dtype
        for name, x in arrays.items():
            if x.ndim != axes:
                raise ShapeError(
                    f"{name} has the shape {x.shape}",
                    "with query_starts and key_starts it is [heads, all tokens, size]" if self.packed else
                    "query, key and value are [batch, heads, tokens, size], or all [heads, tokens, size]")
            if half is None and self.half is None:
                _float32(x, name)
            elif x.dtype != dtype:
                raise ShapeError(f"{name} has the type {x.dtype}, query has {dtype}", "give all of them one type")
            if self.single:
                x = x[np.newaxis]
            setattr(self, name, _in_place(x))

    def _measure(self) -> None:
        query, key, value = self.query, self.key, self.value
        self.heads, self.kv_heads = query.shape[-3], key.shape[-3]
        self.head_size, self.value_size = query.shape[-1], value.shape[-1]
        if key.shape[-1] != query.shape[-1]:
            raise ShapeError(f"key has vectors of {key.shape[-1]} numbers, query of {query.shape[-1]}",
                             "give both the same last axis")
        if key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(f"value has the shape {value.shape}, key {key.shape}",
                             "give both the same batch, heads and tokens")
        self.query_starts = self.key_starts = None
        if self.packed:
            self.query_starts = self._starts("query_starts", query.shape[1])
            self.key_starts = self._starts("key_starts", key.shape[1])
            self.batch = len(self.query_starts) - 1
            self.query_length = int(np.diff(self.query_starts).max(initial=0))
            self.key_length = int(np.diff(self.key_starts).max(initial=0))
            if len(self.key_starts) != len(self.query_starts):
                raise ShapeError(f"query_starts tells of {self.batch} sequences, key_starts of "
                                 f"{len(self.key_starts) - 1}")
            return
        self.batch, self.query_length, self.key_length = query.shape[0], query.shape[2], key.shape[2]
        if key.shape[0] != self.batch:
            raise ShapeError(f"key has {key.shape[0]} sequences, query {self.batch}", "give both the same first axis")

    def _starts(self, name: str, tokens: int) -> NDArray[np.int64]:
        """The library cannot know how many tokens an array has."""
        given = self.options[name]
        if given is None:
            raise ArgumentError(f"{name} is missing", "give query_starts and key_starts, or neither")
        starts = _numbers(given, name, np.size(given), np.int64)
        if starts.size == 0 or starts[0] != 0 or starts[-1] != tokens or (np.diff(starts) < 0).any():
            raise ArgumentError(f"{name} does not cut {tokens} tokens into sequences",
                                f"it begins with 0, never falls and ends with {tokens}")
        return starts

    # Shapes of results.

    def rows(self) -> tuple[int, ...]:
        """Of one number for each query, as LSE."""
        return (self.heads, self.query.shape[1]) if self.packed else (self.batch, self.heads, self.query_length)

    def columns(self) -> tuple[int, ...]:
        return (self.heads, self.key.shape[1]) if self.packed else (self.batch, self.heads, self.key_length)

    def output_shape(self) -> tuple[int, ...]:
        return self.query.shape[:-1] + (self.value_size,)

    def unwrap(self, x: NDArray[Any] | None) -> Any:
        """A result without the axis that was added to the arguments."""
        return x[0] if self.single and x is not None else x

    def wrap(self, x: Any, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """The reverse, of something that is given back with this shape."""
        array = _array(x, name)
        if self.single:
            array = array[np.newaxis]
        if array.shape != shape:
            raise ShapeError(f"{name} has the shape {np.shape(x)}, not {shape[1:] if self.single else shape}")
        return array

    # The description.

    def describe(self, output: NDArray[Any] | None = None, bias_gradient: bool = False) -> Attention:
        """With the strides that the arrays have now."""
        c: Attention = sized(libattn, "attn_attention_init", Attention(), self.batch, self.heads, self.kv_heads,
                             self.query_length, self.key_length, self.head_size, self.value_size)
        self.struct = c
        c.query, c.key, c.value = (self.strides(x) for x in (self.query, self.key, self.value))
        if output is not None:
            c.output = self.strides(output)
        o = self.options
        c.causal, c.softcap = o["causal"], o["softcap"]
        c.window_left, c.window_right = (-1 if o[side] is None else operator.index(o[side])
                                         for side in ("window_left", "window_right"))
        c.dropout, c.dropout_key = o["dropout"], operator.index(o["dropout_key"])
        if o["scale"] is not None:
            if o["scale"] == 0:
                raise ArgumentError("scale is 0", "leave it out for 1 / sqrt(size)")
            c.scale = o["scale"]
        self._describe_vectors(c)
        self._describe_bias(c, bias_gradient)
        self._describe_mask(c)
        self._describe_hooks(c)
        return c

    def strides(self, x: NDArray[Any]) -> Strides:
        batch, head, token, _ = (0,) * (4 - x.ndim) + x.strides
        return Strides(batch // x.itemsize, token // x.itemsize, head // x.itemsize)

    def _hold(self, x: NDArray[Any]) -> int:
        self.keep.append(x)
        return x.ctypes.data

    def _describe_vectors(self, c: Attention) -> None:
        for name, count, dtype in (("query_lengths", self.batch, np.int64), ("key_lengths", self.batch, np.int64),
                                   ("alibi_slopes", self.heads, np.float32), ("sinks", self.heads, np.float32)):
            if self.options[name] is not None:
                setattr(c, name, self._hold(_numbers(self.options[name], name, count, dtype)))
        c.query_starts, c.key_starts = _pointer(self.query_starts), _pointer(self.key_starts)

    def over_scores(self, x: NDArray[Any], name: str, last: int) -> NDArray[Any]:
        """x with four axes; those of length 1 repeat."""
        shape = (self.batch, self.heads, self.query_length, last)
        fits = x.ndim <= 4 and all(n in (1, m) for n, m in zip(x.shape[::-1], shape[::-1]))
        if not fits or (name == "mask_bits" and x.shape[-1:] != (last,)):
            raise ShapeError(f"{name} has the shape {x.shape}, which does not broadcast to {shape}",
                             "its axes are [batch, heads, queries, keys]; those of length 1 repeat")
        four: NDArray[Any] = x.reshape((1,) * (4 - x.ndim) + x.shape)
        return _in_place(four if four.shape[-1] == last else np.broadcast_to(four, four.shape[:-1] + (last,)))

    @staticmethod
    def _broadcast_strides(x: NDArray[Any], unit: int) -> tuple[int, ...]:
        return tuple(0 if n == 1 else stride // unit for n, stride in zip(x.shape[:3], x.strides[:3]))

    def _describe_bias(self, c: Attention, gradient: bool) -> None:
        bias, table = self.options["bias"], self.options["distance_bias"]
        if bias is not None and table is not None:
            raise ArgumentError("bias and distance_bias are both given", "give one of them")
        self.bias: NDArray[Any] | None = None
        if table is not None:
            self.bias = np.ascontiguousarray(_float32(_array(table, "distance_bias"), "distance_bias"))
            shape = (self.heads, self.query_length + self.key_length - 1)
            if self.bias.shape != shape:
                raise ShapeError(f"distance_bias has the shape {self.bias.shape}, not {shape}",
                                 "it is [heads, queries + keys - 1]")
            libattn.attn_attention_distance_bias(byref(c), self.bias.ctypes.data)
        elif bias is not None:
            given = _array(bias, "bias")
            if given.dtype.name in HALVES:
                given = given.astype(np.float32)
            self.bias = self.over_scores(_float32(given, "bias"), "bias", self.key_length)
            self.bias_shape = given.shape
            if gradient and given.shape[-1:] != (self.key_length,):
                raise ShapeError(f"bias has the shape {given.shape}: of one that is the same for all keys there is no "
                                 "gradient here", "broadcast it over the keys")
            if gradient:
                self.bias = np.ascontiguousarray(self.bias)
            c.bias = self.bias.ctypes.data
            c.bias_batch, c.bias_head, c.bias_query = self._broadcast_strides(self.bias, 4)

    def _describe_mask(self, c: Attention) -> None:
        mask, bits = self.options["mask"], self.options["mask_bits"]
        if mask is not None and bits is not None:
            raise ArgumentError("mask and mask_bits are both given", "give one of them")
        if mask is None and bits is None:
            return
        name = "mask" if bits is None else "mask_bits"
        given = _array(mask if bits is None else bits, name)
        if bits is not None and given.dtype != np.uint8:
            raise ShapeError(f"mask_bits has the type {given.dtype}, not uint8",
                             "make it with numpy.packbits(mask, axis=-1, bitorder='little')")
        if given.dtype.kind not in "biu":
            raise ShapeError(f"mask has the type {given.dtype}, not bool",
                             "what is added to the scores is given as bias")
        if given.itemsize != 1:
            given = given != 0
        last = self.key_length if bits is None else (self.key_length + 7) // 8
        array = self.over_scores(given, name, last)
        c.mask, c.mask_kind = self._hold(array), MASK_BYTES if bits is None else MASK_BITS
        c.mask_batch, c.mask_head, c.mask_query = self._broadcast_strides(array, 1)

    def _describe_hooks(self, c: Attention) -> None:
        for name, prototype in (("score_hook", SCORE_HOOK), ("score_hook_backward", SCORE_HOOK_BACKWARD)):
            if self.options[name] is not None:
                hook = prototype(self._hook(self.options[name]))
                self.keep.append(hook)
                setattr(c, name, ctypes.cast(hook, ctypes.c_void_p).value)

    def _hook(self, function: Callable[..., None]) -> Callable[..., None]:
        def run(_user: Any, position: Any, *pointers: Any) -> None:
            if self.failure is not None:
                return
            try:
                count = position[0].count
                function(ScoreRun.from_buffer_copy(position[0]),
                         *(np.ctypeslib.as_array(pointer, (count,)) for pointer in pointers))
            except BaseException as error:  # it cannot pass through C: raised again after the call
                self.failure = error
        return run

    def run(self, name: str, *arguments: Any) -> None:
        """Calls attn_attention_NAME, or its sibling for 16 bits."""
        suffix, half = ("", ()) if self.half is None else ("_half", (self.half,))
        call(getattr(libattn, f"attn_attention_{name}{suffix}"), byref(self.struct), *half, *arguments)
        if self.failure is not None:
            raise self.failure


def _output(problem: Problem, out: NDArray[Any] | None) -> NDArray[Any]:
    if out is None:
        return np.empty(problem.output_shape(), problem.query.dtype)
    if not isinstance(out, np.ndarray) or out.dtype != problem.query.dtype or not out.flags.writeable:
        raise ArgumentError("out cannot be written to", f"give a writable NumPy array of type {problem.query.dtype}")
    array = problem.wrap(out, "out", problem.output_shape())
    if _in_place(array) is not array:
        raise ArgumentError("the elements of the last axis of out do not lie side by side")
    if any(np.may_share_memory(array, x) for x in (problem.query, problem.key, problem.value)):
        raise ArgumentError("out shares memory with query, key or value", "give memory of its own")
    return array


def forward(problem: Problem, output: NDArray[Any], lse: NDArray[Any] | None) -> None:
    problem.describe(output)
    problem.run("forward", _pointer(problem.query), _pointer(problem.key), _pointer(problem.value), _pointer(output),
                _pointer(lse))


@overload
def attention(query: ArrayLike, key: ArrayLike, value: ArrayLike, *, return_lse: Literal[False] = ...,
              return_weights: Literal[False] = ..., out: NDArray[Any] | None = ...,
              **options: Unpack[Options]) -> NDArray[Any]: ...


@overload
def attention(query: ArrayLike, key: ArrayLike, value: ArrayLike, *, return_lse: Literal[True],
              return_weights: bool | Literal["mean"] = ..., out: NDArray[Any] | None = ...,
              **options: Unpack[Options]) -> AttentionResult: ...


@overload
def attention(query: ArrayLike, key: ArrayLike, value: ArrayLike, *, return_lse: bool = ...,
              return_weights: Literal[True, "mean"], out: NDArray[Any] | None = ...,
              **options: Unpack[Options]) -> AttentionResult: ...


def attention(
    query: ArrayLike, key: ArrayLike, value: ArrayLike, *, causal: bool = False, window_left: int | None = None,
    window_right: int | None = None, scale: float | None = None, softcap: float = 0.0, bias: ArrayLike | None = None,
    distance_bias: ArrayLike | None = None, alibi_slopes: ArrayLike | None = None, mask: ArrayLike | None = None,
    mask_bits: ArrayLike | None = None, sinks: ArrayLike | None = None, dropout: float = 0.0, dropout_key: int = 0,
    query_lengths: ArrayLike | None = None, key_lengths: ArrayLike | None = None,
    query_starts: ArrayLike | None = None, key_starts: ArrayLike | None = None,
    score_hook: Callable[[ScoreRun, NDArray[np.float32]], None] | None = None,
    score_hook_backward: Callable[[ScoreRun, NDArray[np.float32], NDArray[np.float32]], None] | None = None,
    return_lse: bool = False, return_weights: Union[bool, str] = False, out: NDArray[Any] | None = None,
) -> Any:
    """Scaled dot-product attention: dropout(softmax(mask(hook(softcap(scale * Q K^T) - ALiBi + bias)))) V.

    Shapes: query [B, H, Tq, D], key [B, G, Tk, D], value [B, G, Tk, E] give [B, H, Tq, E], H a multiple of G: query
    head h uses key head h // (H / G). Without B: one sequence. float32, float16 or bfloat16 (ml_dtypes), from NumPy or
    through DLPack or the buffer protocol. Computed in float32. Nothing is copied unless the last axis has gaps, but
    16-bit arrays are widened.

    causal: query i sees key j when j <= i + Tk - Tq, so the last query sees all keys (PyTorch aligns the first).
    window_left, window_right: how far before and after that place a query sees; None: no limit.
    scale: 1 / sqrt(D) unless given.  softcap: S becomes softcap * tanh(S / softcap); 0: off.
    bias: added to the scores, float32, broadcast to [B, H, Tq, Tk]; -inf masks.
    distance_bias: [H, Tq + Tk - 1], added by distance: entry n where j - i = n - (Tq - 1).
    alibi_slopes: [H], the slope times the distance is taken off.
    mask: bool, True where a query may see a key, broadcast to [B, H, Tq, Tk]. mask_bits: the same with 8 keys in a
    byte, the first in the lowest bit.
    sinks: [H], a score that each query sees beside its keys, with the value 0.
    dropout: the probability with which a weight is zeroed; which ones depends on dropout_key and place alone.
    query_lengths, key_lengths: [B], real lengths of padded sequences.
    query_starts, key_starts: [B + 1], for sequences one after another without padding: then query is [H, tokens, D],
    key and value likewise.
    score_hook(run, scores): changes in place the scores of the keys run.first_key + 0, 1, ... of query run.query, head
    run.head, sequence run.sequence. score_hook_backward(run, scores, d_scores) turns gradients of its results into
    those of the scores. Both are called very often, from several threads: they serve experiments, not speed.
    out: where the output goes.

    Gives the output; with return_lse or return_weights an AttentionResult. lse is [B, H, Tq], the logarithm of the sum
    of exp(score); weights are [B, H, Tq, Tk] before dropout, or [B, Tq, Tk], their mean over heads, with
    return_weights="mean". With starts, lse is [H, tokens].

    A query that sees no key gives 0. The result has the same bits whatever the threads, the batch, the padding or the
    processor. Raises ArgumentError, ShapeError, OutOfMemoryError.
    """
    given = locals()
    options = {name: given[name] for name in DEFAULTS}
    problem = Problem(query, key, value, options)
    output = _output(problem, out)
    lse = np.empty(problem.rows(), np.float32) if return_lse or return_weights else None
    forward(problem, output, lse)
    result = out if out is not None else problem.unwrap(output)
    if lse is None:
        return result
    weights = None
    if return_weights:
        weights = attention_weights(query, key, lse=problem.unwrap(lse), mean=_mean(return_weights), **options)
    return AttentionResult(result, problem.unwrap(lse) if return_lse else None, weights)


def _mean(wanted: Union[bool, str]) -> bool:
    if wanted not in (True, "mean"):
        raise ArgumentError(f"return_weights is {wanted!r}", 'it is True, False or "mean"')
    return wanted == "mean"


def backward(problem: Problem, output: Any, lse: Any, d_output: Any, *, d_lse: Any = None, d_weights: Any = None,
             want: Collection[str] = ("query", "key", "value")) -> AttentionGradients:
    """attention_backward on a problem whose arrays may still be copied."""
    unknown = set(want) - {"query", "key", "value", "bias", "sinks"}
    if unknown:
        raise ArgumentError(f"there is no gradient of {', '.join(sorted(unknown))}",
                            "want is of query, key, value, bias, sinks")
    found: dict[str, Any] = dict.fromkeys(AttentionGradients._fields)
    for name in ("query", "key", "value"):
        if name in want and problem.half is None:
            array, found[name] = _own_places(getattr(problem, name))
            setattr(problem, name, array)
        elif name in want:  # tokens before heads, whatever the strides
            shape = list(getattr(problem, name).shape)
            shape[-3], shape[-2] = shape[-2], shape[-3]
            found[name] = np.empty(shape, np.float32)
    output = _in_place(problem.wrap(output, "output", problem.output_shape()))
    d_output = _in_place(problem.wrap(d_output, "d_output", problem.output_shape()))
    for name, x in (("output", output), ("d_output", d_output)):
        if x.dtype != problem.query.dtype:
            raise ShapeError(f"{name} has the type {x.dtype}, query has {problem.query.dtype}",
                             "give both the same type")
    if any(n > 1 and a != b for n, a, b in zip(output.shape, output.strides, d_output.strides)):
        output, d_output = np.ascontiguousarray(output), np.ascontiguousarray(d_output)
    problem.describe(output, bias_gradient="bias" in want)
    given = Given(problem, lse, d_lse, d_weights)
    c = sized(libattn, "attn_attention_gradients_init", Gradients())
    c.d_query, c.d_key, c.d_value = (_pointer(found[name]) for name in ("query", "key", "value"))
    c.d_lse, c.d_weights = _pointer(given.d_lse), _pointer(given.d_weights)
    if "bias" in want:
        if problem.bias is None:
            raise ArgumentError("the gradient of bias is wanted, and there is no bias")
        found["bias"] = np.zeros_like(problem.bias)
        table = problem.options["distance_bias"] is not None
        c.d_bias = found["bias"].ctypes.data + (4 * (problem.query_length - 1) if table else 0)
    if "sinks" in want:
        if problem.options["sinks"] is None:
            raise ArgumentError("the gradient of sinks is wanted, and there are no sinks")
        found["sinks"] = np.zeros(problem.heads, np.float32)
        c.d_sinks = found["sinks"].ctypes.data
    problem.run("backward", _pointer(problem.query), _pointer(problem.key), _pointer(problem.value), _pointer(output),
                _pointer(given.lse), _pointer(d_output), byref(c))
    for name in ("query", "key", "value"):
        if found[name] is not None:
            x = found[name] if problem.half is None else found[name].swapaxes(-3, -2)
            found[name] = problem.unwrap(x)
    if found["bias"] is not None and problem.options["bias"] is not None:
        found["bias"] = found["bias"].reshape(problem.bias_shape)
    return AttentionGradients(**found)


class Given:
    """What the backward is given beside the tensors, contiguous."""

    def __init__(self, problem: Problem, lse: Any, d_lse: Any, d_weights: Any):
        weights = (problem.batch, problem.heads, problem.query_length, problem.key_length)
        self.lse = self._take(problem, lse, "lse", problem.rows())
        self.d_lse = self._take(problem, d_lse, "d_lse", problem.rows())
        self.d_weights = self._take(problem, d_weights, "d_weights", weights)

    @staticmethod
    def _take(problem: Problem, x: Any, name: str, shape: tuple[int, ...]) -> NDArray[Any] | None:
        if x is None:
            return None
        return np.ascontiguousarray(_float32(problem.wrap(x, name, shape), name))


def attention_backward(
    query: ArrayLike, key: ArrayLike, value: ArrayLike, output: ArrayLike, lse: ArrayLike, d_output: ArrayLike, *,
    d_lse: ArrayLike | None = None, d_weights: ArrayLike | None = None,
    want: Collection[str] = ("query", "key", "value"), **options: Unpack[Options],
) -> AttentionGradients:
    """Gradients of a scalar whose gradient with respect to the output of `attention` is d_output.

    query, key, value and options as for `attention`, output and lse as it gave them (return_lse=True). d_lse, like lse,
    and d_weights, [B, H, Tq, Tk]: gradients with respect to lse and to the weights, where the scalar depends on them.
    want: which gradients, of "query", "key", "value", "bias" (or distance_bias) and "sinks".

    Each gradient has the shape of its tensor and is float32. An array whose elements share places, or lie with gaps, is
    copied where its gradient is wanted. Every sum has one order, whatever the threads.
    """
    return backward(Problem(query, key, value, dict(options)), output, lse, d_output, d_lse=d_lse,
                    d_weights=d_weights, want=want)


def _widened(x: Any, name: str) -> NDArray[Any]:
    array = _array(x, name)
    return array.astype(np.float32) if array.dtype.name in HALVES else array


def _looking(query: Any, key: Any, lse: Any, options: dict[str, Any]) -> tuple[Problem, NDArray[Any]]:
    """The problem without values, and its LSE, which a forward over values of one number finds."""
    problem = Problem(_widened(query, "query"), _widened(key, "key"), None, options)
    if lse is not None:
        problem.describe()
        return problem, np.ascontiguousarray(_float32(problem.wrap(lse, "lse", problem.rows()), "lse"))
    found = np.empty(problem.rows(), np.float32)
    forward(problem, np.empty(problem.output_shape(), np.float32), found)
    return problem, found


def attention_weights(query: ArrayLike, key: ArrayLike, *, lse: ArrayLike | None = None, mean: bool = False,
                      **options: Unpack[Options]) -> NDArray[np.float32]:
    """The weights of `attention`, before dropout: [B, H, Tq, Tk]; with mean=True [B, Tq, Tk], the mean over heads.

    lse: as `attention` gave it; it is computed unless given. Places that are masked or padding are 0. With sinks a row
    sums to less than 1. With starts, sequence b is the b-th matrix, of the size of the longest.
    """
    problem, lse = _looking(query, key, lse, dict(options))
    shape = (problem.batch, problem.heads, problem.query_length, problem.key_length)
    weights = np.empty(shape[:1] + shape[2:] if mean else shape, np.float32)
    pointers = (None, _pointer(weights)) if mean else (_pointer(weights), None)
    problem.run("weights", _pointer(problem.query), _pointer(problem.key), _pointer(lse), *pointers)
    result: NDArray[np.float32] = problem.unwrap(weights)
    return result


def attention_statistics(
    query: ArrayLike, key: ArrayLike, *, lse: ArrayLike | None = None, entropy: bool = True, largest: int = 0,
    column_sums: bool = True, **options: Unpack[Options],
) -> WeightStatistics:
    """What the weights of `attention` are like, without storing them.

    entropy: [B, H, Tq], of each row, in nats. largest: so many of the largest weights of each row are given, [B, H, Tq,
    largest], falling, with their keys; where a row sees fewer, the weight is 0 and the key -1. column_sums: [B, H, Tk],
    what each key receives. With starts, [H, tokens] in place of [B, H, T].
    """
    problem, lse = _looking(query, key, lse, dict(options))
    if largest < 0:
        raise ArgumentError(f"largest is {largest}", "give 0 or more")
    rows = problem.rows()
    found = WeightStatistics(
        np.empty(rows, np.float32) if entropy else None,
        np.empty(rows + (largest,), np.float32) if largest else None,
        np.empty(rows + (largest,), np.int64) if largest else None,
        np.empty(problem.columns(), np.float32) if column_sums else None)
    c = sized(libattn, "attn_weight_statistics_init", Statistics())
    c.largest = largest
    c.entropy, c.largest_weights, c.largest_keys, c.column_sums = map(_pointer, found)
    problem.run("statistics", _pointer(problem.query), _pointer(problem.key), _pointer(lse), byref(c))
    return WeightStatistics(*map(problem.unwrap, found))


def attention_plan(query: ArrayLike, key: ArrayLike, value: ArrayLike, *, backward: bool = False,
                   **options: Unpack[Options]) -> AttentionPlan:
    """How `attention` (or its backward) would run: instruction set, threads, how they share the work, temporary memory
    in bytes, the share of the scores that masks and lengths leave, and what the options cost, in sentences."""
    problem = Problem(query, key, value, dict(options))
    problem.describe(np.empty(problem.output_shape(), problem.query.dtype))
    c = sized(libattn, "attn_plan_init", Plan())
    call(libattn.attn_attention_plan, byref(problem.struct), backward, byref(c))
    costs: list[str] = []
    while (sentence := libattn.attn_attention_cost(byref(problem.struct), len(costs))) is not None:
        costs.append(sentence.decode())
    return AttentionPlan(c.isa.decode(), c.isa_reason.decode(), c.threads, c.threads_reason.decode(),
                         ("heads", "windows", "blocks", "few")[c.division], c.division_reason.decode(), c.memory,
                         c.visited, costs)


def attention_bucket(distance: int, *, both_ways: bool = True, buckets: int = 32, longest: int = 128) -> int:
    """T5's bucket of the distance j - i between a key and a query, to fill a table for `distance_bias`."""
    side = buckets // 2 if both_ways else buckets
    if side < 2:
        raise ArgumentError(f"buckets is {buckets}", f"give {4 if both_ways else 2} or more")
    if longest <= side // 2:
        raise ArgumentError(f"longest is {longest}", f"give more than {side // 2}: nearer ones have a bucket each")
    return int(libattn.attn_attention_bucket(distance, both_ways, buckets, longest))
