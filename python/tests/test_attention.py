"""attention and what goes with it: against its formula, against a C program, byte for byte, and refused."""
import array
import pathlib
import subprocess

import attn
import numpy as np
import pytest
import reference
from attn import _attention

B, H, G, TQ, TK, D, E = 2, 4, 2, 9, 13, 8, 5


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


@pytest.fixture
def qkv():
    return draw(B, H, TQ, D), draw(B, G, TK, D), draw(B, G, TK, E)


def seen(*shape):
    """Some places, among them a row that sees nothing."""
    mask = np.random.default_rng(5).random(shape) < 0.7
    mask[..., 3, :] = False
    return mask


OPTIONS = {
    "none": {},
    "causal": {"causal": True},
    "window": {"window_left": 3, "window_right": np.int64(2)},
    "scale": {"scale": 0.3},
    "softcap": {"softcap": 1.5},
    "alibi": {"alibi_slopes": [0.5, 0.25, 0.125, 0.0625]},
    "sinks": {"sinks": draw(H)},
    "bias": {"bias": draw(B, H, TQ, TK)},
    "bias of heads": {"bias": draw(H, TQ, TK)},
    "bias of keys": {"bias": draw(B, 1, 1, TK)},
    "bias of queries": {"bias": draw(TQ, 1)},
    "bias with strides": {"bias": draw(TQ, TK, H).transpose(2, 0, 1)},
    "mask": {"mask": seen(B, 1, TQ, TK)},
    "mask of all": {"mask": seen(TQ, TK)},
    "mask of numbers": {"mask": seen(TQ, TK).astype(np.int32) * 7},
    "mask with strides": {"mask": seen(TK, TQ).T},
    "together": {"causal": True, "softcap": 2.0, "sinks": draw(H), "bias": draw(1, H, 1, TK), "mask": seen(TQ, TK),
                 "alibi_slopes": draw(H) ** 2, "window_left": 6},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_formula(qkv, name):
    result = attn.attention(*qkv, return_lse=True, return_weights=True, **OPTIONS[name])
    output, lse, weights = reference.attention(*qkv, **OPTIONS[name])
    np.testing.assert_allclose(result.output, output, atol=2e-6)
    np.testing.assert_allclose(result.lse, lse, atol=2e-6)
    np.testing.assert_allclose(result.weights, weights, atol=2e-6)
    mean = attn.attention(*qkv, return_weights="mean", **OPTIONS[name])
    np.testing.assert_allclose(mean.weights, weights.mean(axis=1), atol=2e-6)
    assert mean.lse is None
    assert (attn.attention_weights(*qkv[:2], **OPTIONS[name]) == result.weights).all()


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients(name):
    """Against central differences of the formula in double."""
    options = {key: value for key, value in OPTIONS[name].items() if key != "softcap"}
    options["softcap"] = OPTIONS[name].get("softcap", 0.0)
    arrays = {"query": draw(B, H, TQ, D)[:1], "key": draw(B, G, TK, D)[:1], "value": draw(B, G, TK, E)[:1]}
    for key in ("bias", "mask"):
        if key in options and options[key].ndim == 4:
            options[key] = options[key][:1]
    bias = options.get("bias")
    has = [key for key in ("bias", "sinks") if key in options]
    if bias is not None and bias.shape[-1] == 1:
        has.remove("bias")
    result = attn.attention(*arrays.values(), return_lse=True, return_weights=True, **options)
    d_output, d_lse = draw(1, H, TQ, E, seed=1), np.where(np.isfinite(result.lse), draw(1, H, TQ, seed=2), 0)
    d_weights = draw(1, H, TQ, TK, seed=3)
    found = attn.attention_backward(*arrays.values(), result.output, result.lse, d_output, d_lse=d_lse,
                                    d_weights=d_weights, want=list(arrays) + has, **options)
    double = {key: x.astype(np.float64) for key, x in arrays.items()}
    for key in ("bias", "sinks"):
        if key in options:
            options[key] = np.asarray(options[key], np.float64)

    def loss():
        output, lse, weights = reference.attention(**double, **options)
        lse = np.where(np.isfinite(lse), lse, 0)
        return (output * d_output).sum() + (lse * d_lse).sum() + (weights * d_weights).sum()

    for key in list(arrays) + has:
        x = double[key] if key in double else options[key]
        gradient = getattr(found, key)
        assert gradient.shape == x.shape and gradient.dtype == np.float32
        places, slopes = reference.slope(loss, x)
        np.testing.assert_allclose(gradient[places], slopes, atol=5e-5, err_msg=key)
    for key in {"query", "key", "value", "bias", "sinks"} - set(arrays) - set(has):
        assert getattr(found, key) is None


def test_same_bytes_as_a_c_program(source, compiler, tmp_path):
    """Whatever the threads and the instruction set."""
    folder = pathlib.Path(attn.__file__).parent
    subprocess.run([compiler, "-I", source / "include", pathlib.Path(__file__).with_name("attention.c"), "-o",
                    tmp_path / "attention", folder / "libattn.so", f"-Wl,-rpath,{folder}"], check=True)
    sizes = (2, 4, 2, 70, 150, 40, 24)
    b, h, g, tq, tk, d, e = sizes
    query, key, value, d_output = draw(b, h, tq, d), draw(b, g, tk, d), draw(b, g, tk, e), draw(b, h, tq, e, seed=1)
    printed = subprocess.run([tmp_path / "attention", *map(str, sizes)], check=True, capture_output=True,
                             input=b"".join(x.tobytes() for x in (query, key, value, d_output))).stdout
    options = {"causal": True, "softcap": 20}
    for isa in attn.instruction_sets():
        for threads in (1, 3):
            attn.set_instruction_set(isa)
            attn.set_threads(threads)
            result = attn.attention(query, key, value, return_lse=True, **options)
            gradients = attn.attention_backward(query, key, value, result.output, result.lse, d_output, **options)
            found = (result.output, result.lse, gradients.query, gradients.key, gradients.value)
            assert b"".join(x.tobytes() for x in found) == printed, (isa, threads)
    attn.set_instruction_set(None)
    attn.set_threads(0)


def test_views_are_read_in_place(qkv):
    expected = attn.attention(*qkv)
    turned = [np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2) for x in qkv]  # [B, T, H, D] in memory
    wide = np.zeros((B, TQ, 3, H, D), np.float32)
    wide[:, :, 1] = qkv[0].swapaxes(1, 2)
    turned[0] = wide[:, :, 1].swapaxes(1, 2)
    problem = _attention.Problem(*turned, {})
    for mine, given in zip((problem.query, problem.key, problem.value), turned):
        assert np.shares_memory(mine, given)
    assert attn.attention(*turned).tobytes() == expected.tobytes()
    out = np.empty((B, TQ, H, E), np.float32).swapaxes(1, 2)
    assert attn.attention(*turned, out=out) is out
    assert (out == expected).all()
    # With a gap between elements, backwards, and as another machine orders bytes: copied, not misread.
    gaps = np.repeat(qkv[0], 2, axis=3)[..., ::2]
    assert attn.attention(gaps, qkv[1][:, :, :, ::-1][:, :, :, ::-1], qkv[2].astype(">f4")).tobytes() == expected.tobytes()
    assert (attn.attention(qkv[0][:, :, ::-1], *qkv[1:])[:, :, ::-1] == expected).all()
    repeated = np.broadcast_to(qkv[1][:, :1], qkv[1].shape)
    assert (attn.attention(qkv[0], repeated, qkv[2]) == attn.attention(qkv[0], repeated.copy(), qkv[2])).all()


def test_gradients_of_views(qkv):
    """The same bits however the tensors lie."""
    result = attn.attention(*qkv, return_lse=True)
    d_output = draw(*result.output.shape, seed=1)
    expected = attn.attention_backward(*qkv, result.output, result.lse, d_output)
    turned = [np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2) for x in (*qkv, d_output)]
    wide = np.repeat(qkv[1], 2, axis=2)[:, :, ::2]
    found = attn.attention_backward(turned[0], wide, turned[2], result.output, result.lse, turned[3])
    for a, b in zip(expected[:3], found[:3]):
        assert (a == b).all()
    assert found.query.strides == turned[0].strides
    some = attn.attention_backward(*qkv, result.output, result.lse, d_output, want=["key"])
    assert some.query is None and (some.key == expected.key).all()


class Shared:
    """Something that is no array and shares its memory, as tensors of other programs do."""

    def __init__(self, x):
        self.x = x

    def __dlpack__(self, **options):
        return self.x.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.x.__dlpack_device__()


def test_dlpack_and_buffers(qkv):
    expected = attn.attention(*qkv).tobytes()
    assert attn.attention(*map(Shared, qkv)).tobytes() == expected
    assert np.shares_memory(_attention.Problem(*map(Shared, qkv), {}).query, qkv[0])
    buffers = [memoryview(array.array("f", x.ravel())).cast("B").cast("f", x.shape) for x in qkv]
    assert attn.attention(*buffers).tobytes() == expected
    assert np.shares_memory(_attention.Problem(*buffers, {}).key, np.asarray(buffers[1]))

    class Elsewhere(Shared):
        def __dlpack__(self, **options):
            raise BufferError("on another device")

    with pytest.raises(attn.ArgumentError, match="on another device"):
        attn.attention(Elsewhere(qkv[0]), *qkv[1:])


def test_one_sequence_needs_no_batch(qkv):
    one = [x[0] for x in qkv]
    result = attn.attention(*one, return_lse=True, return_weights=True, bias=draw(H, TQ, TK))
    whole = attn.attention(*(x[:1] for x in qkv), return_lse=True, return_weights=True, bias=draw(H, TQ, TK))
    for mine, theirs in zip(result, whole):
        assert (mine == theirs[0]).all()
    d_output = draw(H, TQ, E)
    found = attn.attention_backward(*one, *result[:2], d_output, want=["query", "bias"], bias=draw(H, TQ, TK))
    assert found.query.shape == one[0].shape and found.bias.shape == (H, TQ, TK)
    assert attn.attention_statistics(*one[:2]).entropy.shape == (H, TQ)


def test_padded_and_packed_sequences_are_those_alone(qkv):
    query_lengths, key_lengths = [9, 4], [6, 13]
    padded = attn.attention(*qkv, query_lengths=query_lengths, key_lengths=key_lengths, causal=True, return_lse=True)
    parts = [[qkv[0][b, :, :query_lengths[b]], qkv[1][b, :, :key_lengths[b]], qkv[2][b, :, :key_lengths[b]]]
             for b in range(B)]
    packed = [np.concatenate(x, axis=1) for x in zip(*parts)]
    starts = {"query_starts": [0, 9, 13], "key_starts": [0, 6, 19]}
    together = attn.attention(*packed, causal=True, return_lse=True, **starts)
    gradients = attn.attention_backward(*packed, *together[:2], together.output, causal=True, **starts)
    statistics = attn.attention_statistics(*packed[:2], causal=True, **starts)
    assert together.lse.shape == (H, 13) and statistics.column_sums.shape == (H, 19)
    for b in range(B):
        alone = attn.attention(*parts[b], causal=True, return_lse=True)
        at = slice(*starts["query_starts"][b:b + 2])
        assert (padded.output[b, :, :query_lengths[b]] == alone.output).all()
        assert (padded.output[b, :, query_lengths[b]:] == 0).all()
        assert (together.output[:, at] == alone.output).all() and (together.lse[:, at] == alone.lse).all()
        mine = attn.attention_backward(*parts[b], *alone[:2], alone.output, causal=True)
        assert (gradients.query[:, at] == mine.query).all()
        assert (gradients.key[:, slice(*starts["key_starts"][b:b + 2])] == mine.key).all()
    weights = attn.attention_weights(*packed[:2], causal=True, **starts)
    assert weights.shape == (B, H, 9, 13)


def test_distance_bias(qkv):
    table = draw(H, TQ + TK - 1)
    i, j = np.arange(TQ)[:, None], np.arange(TK)[None]
    bias = np.ascontiguousarray(table[:, j - i + TQ - 1])
    result = attn.attention(*qkv, distance_bias=table, return_lse=True)
    assert (result.output == attn.attention(*qkv, bias=bias)).all()
    d_output = draw(B, H, TQ, E, seed=1)
    found = attn.attention_backward(*qkv, *result[:2], d_output, want=["bias"], distance_bias=table).bias
    whole = attn.attention_backward(*qkv, *result[:2], d_output, want=["bias"], bias=bias).bias
    expected = np.zeros(table.shape)
    np.add.at(expected, (slice(None), j - i + TQ - 1), whole)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert [attn.attention_bucket(n) for n in (0, -1, 1, 7, 200, -200)] == [0, 1, 17, 23, 31, 15]


def test_mask_of_bits(qkv):
    mask = seen(B, 1, TQ, TK)
    bits = np.packbits(mask, axis=-1, bitorder="little")
    assert attn.attention(*qkv, mask_bits=bits).tobytes() == attn.attention(*qkv, mask=mask).tobytes()


def test_dropout(qkv):
    ones = np.ones((B, G, TK, E), np.float32)
    one, same, other = (attn.attention(*qkv[:2], ones, dropout=0.5, dropout_key=k) for k in (1, 1, 2))
    assert (one == same).all() and (one != other).any()
    assert abs(one.mean() - 1) < 0.2


@pytest.mark.parametrize("shape", [(0, H, TQ, TK), (B, H, 0, TK), (B, H, TQ, 0)])
def test_nothing(shape):
    b, h, tq, tk = shape
    output = attn.attention(draw(b, h, tq, D), draw(b, G, tk, D), draw(b, G, tk, E))
    assert output.shape == (b, h, tq, E) and (output == 0).all()


def test_float16(qkv):
    halves = [x.astype(np.float16) for x in qkv]
    wide = [x.astype(np.float32) for x in halves]
    result = attn.attention(*halves, return_lse=True, return_weights=True)
    expected = attn.attention(*wide, return_lse=True, return_weights=True)
    assert result.output.dtype == np.float16 and (result.output == expected.output.astype(np.float16)).all()
    assert (result.lse == expected.lse).all() and (result.weights == expected.weights).all()
    d_output = draw(B, H, TQ, E).astype(np.float16)
    found = attn.attention_backward(*halves, result.output, result.lse, d_output)
    expected = attn.attention_backward(*wide, result.output.astype(np.float32), result.lse, d_output.astype(np.float32))
    for mine, theirs in zip(found[:3], expected[:3]):
        assert mine.dtype == np.float32 and (mine == theirs).all()


def test_bfloat16(qkv):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    halves = [x.astype(bfloat16) for x in qkv]
    result = attn.attention(*halves, bias=draw(H, TQ, TK).astype(bfloat16))
    expected = attn.attention(*(x.astype(np.float32) for x in halves),
                              bias=draw(H, TQ, TK).astype(bfloat16).astype(np.float32))
    assert result.dtype == bfloat16 and (result == expected.astype(bfloat16)).all()


def test_statistics(qkv):
    options = {"causal": True, "sinks": draw(H)}
    found = attn.attention_statistics(*qkv[:2], largest=3, **options)
    _, _, weights = reference.attention(*qkv, **options)
    logarithm = np.log(np.where(weights > 0, weights, 1))
    np.testing.assert_allclose(found.entropy, -(weights * logarithm).sum(-1), atol=1e-5)
    np.testing.assert_allclose(found.column_sums, weights.sum(2), atol=1e-5)
    np.testing.assert_allclose(found.largest_weights, -np.sort(-weights, axis=-1)[..., :3], atol=1e-6)
    assert (np.take_along_axis(weights, found.largest_keys, -1) > found.largest_weights - 1e-6).all()
    lse = attn.attention(*qkv, return_lse=True, **options).lse
    some = attn.attention_statistics(*qkv[:2], lse=lse, entropy=False, **options)
    assert some.entropy is None and some.largest_keys is None and (some.column_sums == found.column_sums).all()


def test_score_hook(qkv):
    """A hook may do what an option does; it runs on the threads of the call, and what it raises comes out."""
    def double(run, scores):
        scores *= 1 + run.head

    def double_backward(run, _scores, d_scores):
        d_scores *= 1 + run.head

    attn.set_threads(2)
    bias = np.zeros((H, 1, TK), np.float32)
    hooks = {"score_hook": double, "score_hook_backward": double_backward}
    result = attn.attention(*qkv, return_lse=True, **hooks)
    scaled = qkv[0] * (1 + np.arange(H, dtype=np.float32))[:, None, None]
    np.testing.assert_allclose(result.output, attn.attention(scaled, *qkv[1:]), atol=2e-6)
    found = attn.attention_backward(*qkv, *result[:2], result.output, **hooks)
    expected = attn.attention(scaled, *qkv[1:], return_lse=True)
    gradients = attn.attention_backward(scaled, *qkv[1:], *expected[:2], expected.output, bias=bias)
    np.testing.assert_allclose(found.key, gradients.key, atol=1e-5)

    def broken(run, scores):
        raise KeyError("my own")

    with pytest.raises(KeyError, match="my own"):
        attn.attention(*qkv, score_hook=broken)
    attn.set_threads(0)


def test_plan(qkv):
    plan = attn.attention_plan(*qkv, causal=True, bias=draw(H, TQ, TK))
    assert plan.isa == attn.instruction_set() and plan.threads >= 1 and plan.division in ("heads", "blocks", "few")
    assert plan.memory > 0 and 0 < plan.visited <= 1 and plan.costs and all(plan.costs)


def wrong(**changes):
    arguments = dict(zip(("query", "key", "value"), (draw(B, H, TQ, D), draw(B, G, TK, D), draw(B, G, TK, E))))
    return {**arguments, **changes}


@pytest.mark.parametrize("changes, kind, text", [
    (wrong(query=np.zeros((B, H, TQ, D))), attn.ShapeError, r"query has the type float64.*astype"),
    (wrong(query=[[1.0]]), attn.ShapeError, "query has the shape"),
    (wrong(key=draw(B, G, TK, D + 1)), attn.ShapeError, "vectors of 9 numbers, query of 8"),
    (wrong(value=draw(B, G, TK + 1, E)), attn.ShapeError, "value has the shape"),
    (wrong(key=draw(1, G, TK, D), value=draw(1, G, TK, E)), attn.ShapeError, "key has 1 sequences, query 2"),
    (wrong(key=draw(B, 3, TK, D), value=draw(B, 3, TK, E)), attn.ArgumentError, "heads"),
    (wrong(value=draw(B, G, TK, E).astype(np.float16)), attn.ShapeError, "value has the type float16"),
    (wrong(bias=draw(TQ, TK + 1)), attn.ShapeError, r"bias has the shape \(9, 14\)"),
    (wrong(bias=np.zeros((TQ, TK))), attn.ShapeError, "bias has the type float64"),
    (wrong(mask=draw(TQ, TK)), attn.ShapeError, "given as bias"),
    (wrong(mask=seen(TQ, TK), mask_bits=seen(TQ, TK)), attn.ArgumentError, "both given"),
    (wrong(mask_bits=np.zeros((TQ, 1), np.uint8)), attn.ShapeError, "mask_bits has the shape"),
    (wrong(alibi_slopes=[1.0]), attn.ShapeError, r"alibi_slopes has the shape \(1,\), not \(4,\)"),
    (wrong(key_lengths=[1.0, 2.0]), attn.ShapeError, "whole numbers"),
    (wrong(key_lengths=[1, TK + 1]), attn.ArgumentError, "key_lengths"),
    (wrong(dropout=1.0), attn.ArgumentError, "dropout"),
    (wrong(softcap=-1.0), attn.ArgumentError, "softcap"),
    (wrong(scale=0.0), attn.ArgumentError, "scale is 0"),
    (wrong(query_starts=[0, TQ]), attn.ShapeError, "all tokens"),
    (wrong(out=np.zeros((B, H, TQ, D), np.float32)), attn.ShapeError, "out has the shape"),
    (wrong(out=[]), attn.ArgumentError, "out cannot be written"),
    (wrong(return_weights="all"), attn.ArgumentError, "return_weights is 'all'"),
])
def test_refused(changes, kind, text):
    with pytest.raises(kind, match=text):
        attn.attention(**changes)


def test_refused_more(qkv):
    packed = [draw(H, 6, D), draw(G, 6, D), draw(G, 6, E)]
    for starts in ([0, 7], [1, 6], [0, 4, 3, 6], [0, 5], []):
        with pytest.raises(attn.ArgumentError, match="does not cut 6 tokens"):
            attn.attention(*packed, query_starts=starts, key_starts=[0, 6])
    with pytest.raises(attn.ArgumentError, match="key_starts is missing"):
        attn.attention(*packed, query_starts=[0, 6])
    with pytest.raises(attn.ArgumentError, match="shares memory"):
        attn.attention(qkv[0], qkv[1], draw(B, G, TK, D), out=qkv[0])
    with pytest.raises(TypeError, match="no option caussal"):
        attn.attention_weights(*qkv[:2], caussal=True)
    result = attn.attention(*qkv, return_lse=True)
    with pytest.raises(attn.ArgumentError, match="no gradient of keys"):
        attn.attention_backward(*qkv, *result[:2], result.output, want=["keys"])
    with pytest.raises(attn.ArgumentError, match="there is no bias"):
        attn.attention_backward(*qkv, *result[:2], result.output, want=["bias"])
    with pytest.raises(attn.ShapeError, match="lse has the shape"):
        attn.attention_backward(*qkv, result.output, result.lse[0], result.output)
    with pytest.raises(attn.ShapeError, match="no gradient here"):
        attn.attention_backward(*qkv, *result[:2], result.output, want=["bias"], bias=draw(TQ, 1))
    for arguments in ({"buckets": 3}, {"longest": 8}):
        with pytest.raises(attn.ArgumentError):
            attn.attention_bucket(1, **arguments)


def test_options_are_the_same_everywhere():
    """The signature of attention, the defaults, the type for other functions and the struct in C."""
    import inspect
    parameters = inspect.signature(attn.attention).parameters
    named = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    for own in ("return_lse", "return_weights", "out"):
        del named[own]
    assert named == _attention.DEFAULTS
    text = pathlib.Path(_attention.__file__).read_text().split("class Options(")[1].split("DEFAULTS:")[0]
    typed = [line.split(":")[0].strip() for line in text.splitlines() if line.startswith("        ") and ": " in line]
    assert typed == list(named)
