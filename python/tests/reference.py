"""Attention as its formula reads, in NumPy and double: what the tests compare with."""
import numpy as np


def scores(query, key, *, causal=False, window_left=None, window_right=None, scale=None, softcap=0.0, bias=None,
           alibi_slopes=None, mask=None):
    """S [B, H, Tq, Tk]."""
    heads, groups = query.shape[1], key.shape[1]
    key = np.repeat(key, heads // groups, axis=1)
    s = np.einsum("bhid,bhjd->bhij", query, key) * (scale or 1 / np.sqrt(query.shape[-1]))
    if softcap:
        s = softcap * np.tanh(s / softcap)
    queries, keys = s.shape[2:]
    distance = np.arange(keys)[None] - np.arange(queries)[:, None] - (keys - queries)
    if alibi_slopes is not None:
        s = s - np.asarray(alibi_slopes, np.float64)[:, None, None] * np.abs(distance)
    if bias is not None:
        s = s + bias
    seen = np.ones(s.shape, bool)
    if causal:
        seen &= distance <= 0
    if window_left is not None:
        seen &= distance >= -window_left
    if window_right is not None:
        seen &= distance <= window_right
    if mask is not None:
        seen &= np.asarray(mask, bool)
    return np.where(seen, s, -np.inf)


def weights_and_lse(s, sinks=None):
    sink = np.full(s.shape[1], -np.inf) if sinks is None else np.asarray(sinks, np.float64)
    sink = np.broadcast_to(sink[:, None, None], s.shape[:3] + (1,))
    top = np.maximum(s.max(axis=-1, keepdims=True, initial=-np.inf), sink)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.exp(s - top).sum(axis=-1, keepdims=True) + np.exp(sink - top)
        return np.where(total > 0, np.exp(s - top) / total, 0), (top + np.log(total))[..., 0]


def attention(query, key, value, sinks=None, **options):
    """Output, LSE and weights."""
    query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
    weights, lse = weights_and_lse(scores(query, key, **options), sinks)
    value = np.repeat(value, query.shape[1] // value.shape[1], axis=1)
    return np.einsum("bhij,bhje->bhie", weights, value), lse, weights


def slope(function, x, most=40, step=1e-5):
    """The gradient of function() with respect to the double array x, by central differences, at some places of x:
    their indices, and what is found there."""
    places = [tuple(place) for place in np.argwhere(np.ones(x.shape, bool))[::max(1, x.size // most)]]
    found = []
    for i in places:
        kept = x[i]
        x[i] = kept + step
        above = function()
        x[i] = kept - step
        found.append((above - function()) / (2 * step))
        x[i] = kept
    return tuple(np.array(places).T), found
