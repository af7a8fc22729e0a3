"""PyTorch's attention on the CPU, computed by attn: import it by name, `import attn.torch`.

    scaled_dot_product_attention    in place of torch.nn.functional's, with the same arguments
    attention                       with attn's own options: windows, softcap, sinks, slopes; and LSE
    attention_weights               the weights, which PyTorch's does not give
    replace                         a context in which torch.nn.functional's is this one
    enable_transformers             attn_implementation="attn" in Hugging Face's transformers

The operator torch.ops.attn.attention has gradients and works under torch.compile. Tensors lie on the CPU and are
float32, bfloat16 or float16; float32 is what is computed in. There is no second derivative, and no vmap.
"""
# Types are read at run time by torch.library: no postponed annotations here, and those of Python 3.9.
import contextlib
from typing import Any, Dict, Iterator, Optional, Tuple

import torch
from torch import Tensor

from . import _attention
from ._library import ArgumentError, ShapeError

NO_WINDOW = -1
TYPES = (torch.float32, torch.bfloat16, torch.float16)
BITS = {torch.bfloat16: _attention.HALVES["bfloat16"], torch.float16: _attention.HALVES["float16"]}


# ---- tensors as arrays: the same memory ----

def _array(x: Optional[Tensor]) -> Any:
    if x is None:
        return None
    x = x.detach()
    return (x.view(torch.int16) if x.dtype in BITS else x).numpy()


def _options(bias: Optional[Tensor], mask: Optional[Tensor], sinks: Optional[Tensor], slopes: Optional[Tensor],
             seed: Optional[Tensor], scale: float, causal: bool, window_left: int, window_right: int, softcap: float,
             dropout: float) -> Any:
    return dict(bias=_array(bias), mask=_array(mask), sinks=_array(sinks), alibi_slopes=_array(slopes),
                dropout_key=0 if seed is None else int(seed) % 2**64, scale=scale or None, causal=causal,
                window_left=None if window_left < 0 else window_left,
                window_right=None if window_right < 0 else window_right, softcap=softcap, dropout=dropout)


def _problem(query: Tensor, key: Tensor, value: Tensor, options: Any) -> _attention.Problem:
    return _attention.Problem(_array(query), _array(key), _array(value), options, half=BITS.get(query.dtype))


def _empty_output(query: Tensor, value: Tensor) -> Tensor:
    """As PyTorch's lies: tokens before heads, so that heads can be joined without a copy."""
    batch, heads, tokens, _ = query.shape
    return query.new_empty((batch, tokens, heads, value.shape[3])).transpose(1, 2)


# ---- the operator ----

@torch.library.custom_op("attn::attention", mutates_args=(), device_types="cpu")
def _forward(query: Tensor, key: Tensor, value: Tensor, bias: Optional[Tensor], mask: Optional[Tensor],
             sinks: Optional[Tensor], slopes: Optional[Tensor], seed: Optional[Tensor], scale: float, causal: bool,
             window_left: int, window_right: int, softcap: float, dropout: float) -> Tuple[Tensor, Tensor]:
    problem = _problem(query, key, value, _options(bias, mask, sinks, slopes, seed, scale, causal, window_left,
                                                   window_right, softcap, dropout))
    output = _empty_output(query, value)
    lse = query.new_empty(query.shape[:3], dtype=torch.float32)
    _attention.forward(problem, _array(output), _array(lse))
    return output, lse


@_forward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, *_rest: Any) -> Tuple[Tensor, Tensor]:
    return _empty_output(query, value), query.new_empty(query.shape[:3], dtype=torch.float32)


def _given_back(found: Any, like: Tensor) -> Tensor:
    """A gradient as autograd wants it: type and strides as empty_like has them."""
    out = torch.empty_like(like)
    tensor = torch.from_numpy(found)
    return tensor if tensor.dtype == out.dtype and tensor.stride() == out.stride() else out.copy_(tensor)


@torch.library.custom_op("attn::attention_backward", mutates_args=(), device_types="cpu")
def _backward(d_output: Tensor, d_lse: Optional[Tensor], output: Tensor, lse: Tensor, query: Tensor, key: Tensor,
              value: Tensor, bias: Optional[Tensor], mask: Optional[Tensor], sinks: Optional[Tensor],
              slopes: Optional[Tensor], seed: Optional[Tensor], scale: float, causal: bool, window_left: int,
              window_right: int, softcap: float, dropout: float, want_bias: bool, want_sinks: bool,
              ) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    problem = _problem(query, key, value, _options(bias, mask, sinks, slopes, seed, scale, causal, window_left,
                                                   window_right, softcap, dropout))
    want = ["query", "key", "value"] + ["bias"] * want_bias + ["sinks"] * want_sinks
    found = _attention.backward(problem, _array(output), _array(lse), _array(d_output), d_lse=_array(d_lse), want=want)
    nothing = [query.new_empty(0, dtype=torch.float32) for _ in range(2)]
    return (_given_back(found.query, query), _given_back(found.key, key), _given_back(found.value, value),
            _given_back(found.bias, bias) if bias is not None and want_bias else nothing[0],
            _given_back(found.sinks, sinks) if sinks is not None and want_sinks else nothing[1])


@_backward.register_fake
def _(d_output: Tensor, d_lse: Optional[Tensor], output: Tensor, lse: Tensor, query: Tensor, key: Tensor, value: Tensor,
      bias: Optional[Tensor], mask: Optional[Tensor], sinks: Optional[Tensor], slopes: Optional[Tensor],
      seed: Optional[Tensor], scale: float, causal: bool, window_left: int, window_right: int, softcap: float,
      dropout: float, want_bias: bool, want_sinks: bool) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    nothing = [query.new_empty(0, dtype=torch.float32) for _ in range(2)]
    return (torch.empty_like(query), torch.empty_like(key), torch.empty_like(value),
            torch.empty_like(bias) if bias is not None and want_bias else nothing[0],
            torch.empty_like(sinks) if sinks is not None and want_sinks else nothing[1])


def _setup(ctx: Any, inputs: Any, output: Any) -> None:
    tensors, ctx.numbers = inputs[:8], inputs[8:]
    ctx.save_for_backward(*output, *tensors)
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, d_output: Optional[Tensor], d_lse: Optional[Tensor]) -> Any:
    output, lse, *tensors = ctx.saved_tensors
    if d_output is None and d_lse is None:
        return (None,) * (8 + len(ctx.numbers))
    if d_output is None:
        d_output = torch.zeros_like(output)
    want_bias, want_sinks = ctx.needs_input_grad[3], ctx.needs_input_grad[5]
    d_query, d_key, d_value, d_bias, d_sinks = _backward(d_output, d_lse, output, lse, *tensors, *ctx.numbers, want_bias,
                                                         want_sinks)
    return (d_query, d_key, d_value, d_bias if want_bias else None, None, d_sinks if want_sinks else None, None, None,
            *(None for _ in ctx.numbers))


_forward.register_autograd(_differentiate, setup_context=_setup)


# ---- functions ----

def _check(**tensors: Tensor) -> None:
    for name, x in tensors.items():
        if x.device.type != "cpu":
            raise ArgumentError(f"{name} is on {x.device}", f"attn computes on the CPU: pass {name}.cpu()")
        if x.dtype not in TYPES:
            raise ShapeError(f"{name} has the type {x.dtype}",
                             f"attn computes in float32: pass {name}.float(), or bfloat16 or float16")
        if x.dim() != 4:
            raise ShapeError(f"{name} has the shape {tuple(x.shape)}", "it is [batch, heads, tokens, size]")


def _float(x: Optional[Tensor]) -> Optional[Tensor]:
    """Of 16 bits widened, which is exact; other types are refused by name later."""
    return x.float() if x is not None and x.dtype in BITS else x


def _widened(x: Tensor) -> Any:
    return (x.float() if x.dtype in BITS else x).detach().numpy()


def attention(query: Tensor, key: Tensor, value: Tensor, *, bias: Optional[Tensor] = None,
              mask: Optional[Tensor] = None, causal: bool = False, window_left: Optional[int] = None,
              window_right: Optional[int] = None, scale: Optional[float] = None, softcap: float = 0.0,
              sinks: Optional[Tensor] = None, alibi_slopes: Optional[Tensor] = None, dropout: float = 0.0,
              return_lse: bool = False) -> Any:
    """`attn.attention` on tensors, with gradients of query, key, value, bias and sinks.

    Shapes: query [B, H, Tq, D], key [B, G, Tk, D], value [B, G, Tk, E] give [B, H, Tq, E]. causal aligns the last query
    with the last key. mask: bool, True where a query may see a key. dropout draws from PyTorch's generator. With
    return_lse, (output, lse), lse [B, H, Tq] in float32 with its gradient. Padded and packed sequences, hooks and masks
    of bits are in `attn.attention` alone.
    """
    _check(query=query, key=key, value=value)
    if scale == 0:
        raise ArgumentError("scale is 0", "leave it out for 1 / sqrt(size)")
    seed = torch.randint(2**63 - 1, ()) if dropout > 0 else None
    bias = _float(bias)
    if bias is not None and bias.requires_grad and bias.shape[-1:] != key.shape[2:3]:
        bias = bias.expand(*bias.shape[:-1], key.shape[2])
    output, lse = _forward(query, key, value, bias, mask, _float(sinks), _float(alibi_slopes), seed, scale or 0.0,
                           causal, NO_WINDOW if window_left is None else window_left,
                           NO_WINDOW if window_right is None else window_right, softcap, dropout)
    return (output, lse) if return_lse else output


def attention_weights(query: Tensor, key: Tensor, *, mean: bool = False, **options: Any) -> Tensor:
    """The weights of `attention`, [B, H, Tq, Tk], before dropout; with mean=True [B, Tq, Tk], their mean over heads.

    Without gradients. Options as for `attn.attention`, tensors among them.
    """
    arrays = {name: _widened(x) if isinstance(x, Tensor) else x for name, x in options.items()}
    return torch.from_numpy(_attention.attention_weights(_widened(query), _widened(key), mean=mean, **arrays))


def _four(x: Tensor, lead: Tuple[int, ...]) -> Tensor:
    """[..., tokens, size] as [batch, heads, tokens, size]: what comes before is broadcast to `lead`."""
    x = x.expand(*lead, *x.shape[-2:])
    if len(lead) < 2:
        return x.reshape(*lead, *(1,) * (2 - len(lead)), *x.shape[-2:])
    return x if len(lead) == 2 else x.flatten(0, len(lead) - 2)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Optional[Tensor] = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, scale: Optional[float] = None,
                                 enable_gqa: bool = False) -> Tensor:
    """As torch.nn.functional.scaled_dot_product_attention: its arguments, shapes and meaning.

    query [..., H, L, E], key [..., H, S, E], value [..., H, S, Ev] give [..., H, L, Ev]; with enable_gqa key and value
    have fewer heads. attn_mask: bool, True where a query may see a key, or float, added to the scores, with its
    gradient. is_causal aligns the first query with the first key, as PyTorch does. A query that sees no key gives 0.
    """
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise ShapeError("query, key and value need two axes at least", "they are [..., tokens, size]")
    if is_causal and attn_mask is not None:
        raise ArgumentError("attn_mask and is_causal are both given", "put one into the other")
    leads = [tuple(x.shape[:-2]) for x in (query, key, value)]
    if enable_gqa:
        heads = [lead[-1:] for lead in leads]
        batch = torch.broadcast_shapes(*(lead[:-1] for lead in leads))  # type: ignore[no-untyped-call]
        leads = [tuple(batch) + tuple(head) for head in heads]
    else:
        leads = [tuple(torch.broadcast_shapes(*leads))] * 3  # type: ignore[no-untyped-call]
    four = [_four(x, lead) for x, lead in zip((query, key, value), leads)]
    window_right = None
    queries, keys = query.shape[-2], key.shape[-2]
    if is_causal and keys > queries:  # no query sees what lies beyond the last
        four[1], four[2] = four[1][:, :, :queries], four[2][:, :, :queries]
    elif is_causal:
        window_right = queries - keys
    mask = attn_mask
    if mask is not None and mask.dim() > 2:
        mask = _four(mask, leads[0])
    is_bool = mask is not None and mask.dtype == torch.bool
    output: Tensor = attention(*four, bias=None if is_bool else mask, mask=mask if is_bool else None,
                       causal=is_causal and window_right is None, window_right=window_right, scale=scale,
                       dropout=dropout_p)
    if len(leads[0]) == 2:
        return output
    return output.reshape(*leads[0], queries, value.shape[-1])


# ---- under existing programs ----

@contextlib.contextmanager
def replace() -> Iterator[None]:
    """A context in which torch.nn.functional.scaled_dot_product_attention is this one, for every thread.

    What attn does not compute (another device, float64, heads above 576, tensors of a subclass) goes to PyTorch's own,
    and so do calls that PyTorch makes from C++, such as the fast path of torch.nn.TransformerEncoder in evaluation.
    """
    functional = torch.nn.functional
    own = functional.scaled_dot_product_attention

    def chosen(query: Tensor, key: Tensor, value: Tensor, attn_mask: Optional[Tensor] = None, dropout_p: float = 0.0,
               is_causal: bool = False, scale: Optional[float] = None, enable_gqa: bool = False) -> Tensor:
        fits = (query.device.type == "cpu" and query.dtype in TYPES and key.dtype == value.dtype == query.dtype and
                0 < query.shape[-1] <= 576 and 0 < value.shape[-1] <= 576 and
                not (is_causal and attn_mask is not None) and scale != 0)
        return (scaled_dot_product_attention if fits else own)(query, key, value, attn_mask, dropout_p, is_causal,
                                                               scale=scale, enable_gqa=enable_gqa)

    functional.scaled_dot_product_attention = chosen
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = own


def _for_transformers(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Optional[Tensor],
                      dropout: float = 0.0, scaling: Optional[float] = None, is_causal: Optional[bool] = None,
                      position_bias: Optional[Tensor] = None, softcap: Optional[float] = None,
                      s_aux: Optional[Tensor] = None, **rest: Any) -> Tuple[Tensor, Optional[Tensor]]:
    """What transformers calls: [B, H, T, D] in, [B, T, H, D] and the weights, where they were asked for, out."""
    queries, keys = query.shape[2], key.shape[2]
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    causal = bool(causal) and queries > 1 and attention_mask is None
    if causal and keys > queries:  # a cache of fixed size that is still empty behind the queries
        key, value = key[:, :, :queries], value[:, :, :queries]
        position_bias = None if position_bias is None else position_bias[..., :queries]
    mask, bias = attention_mask, position_bias
    if mask is not None and mask.dtype != torch.bool:
        bias, mask = mask if bias is None else bias + mask, None
    options: Dict[str, Any] = dict(mask=mask, bias=bias, causal=causal, scale=scaling, softcap=softcap or 0.0,
                                   sinks=s_aux)
    output = attention(query, key, value, dropout=dropout if module.training else 0.0, **options)
    weights = attention_weights(query, key, **options) if rest.get("output_attentions") else None
    return output.transpose(1, 2).contiguous(), weights


def enable_transformers(name: str = "attn") -> None:
    """Makes attn known to Hugging Face's transformers: from_pretrained(..., attn_implementation="attn").

    Softcap, sinks and a bias of positions are computed as the model has them, and so are sliding windows, which come as
    masks. model(..., output_attentions=True) gives the weights, without gradients; a configuration that already says
    output_attentions is refused by transformers itself.
    """
    import transformers
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    transformers.AttentionInterface.register(name, _for_transformers)
    AttentionMaskInterface.register(name, sdpa_mask)
