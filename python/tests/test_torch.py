"""attn.torch: against PyTorch's own attention, its checks of operators, and models of transformers."""
import attn
import pytest

torch = pytest.importorskip("torch")
import attn.torch as attn_torch  # noqa: E402

sdpa = torch.nn.functional.scaled_dot_product_attention


def draw(*shape, dtype=torch.float32, grad=False):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator).to(dtype).requires_grad_(grad)


def compare(shapes, dtype=torch.float32, atol=2e-6, **options):
    """Outputs and gradients, against PyTorch's in double."""
    mine = [draw(*shape, dtype=dtype, grad=True) for shape in shapes]
    theirs = [x.detach().double().requires_grad_() for x in mine]
    given = dict(options)
    mask = options.get("attn_mask")
    if mask is not None and mask.dtype != torch.bool:
        mine.append(mask.detach().clone().requires_grad_())
        theirs.append(mask.detach().double().requires_grad_())
        options["attn_mask"], given["attn_mask"] = mine[3], theirs[3]
    output, expected = attn_torch.scaled_dot_product_attention(*mine[:3], **options), sdpa(*theirs[:3], **given)
    assert output.dtype == dtype and output.shape == expected.shape
    torch.testing.assert_close(output.double(), expected, atol=atol, rtol=0)
    d_output = draw(*output.shape, dtype=dtype)
    output.backward(d_output)
    expected.backward(d_output.double())
    for a, b in zip(mine, theirs):
        assert a.grad.dtype == a.dtype
        torch.testing.assert_close(a.grad.double(), b.grad, atol=atol * 5, rtol=0)


SQUARE = [(2, 4, 9, 8), (2, 4, 13, 8), (2, 4, 13, 6)]
SEEN = torch.rand(9, 13, generator=torch.Generator().manual_seed(0)) < 0.7
SEEN[:, 0] = True


@pytest.mark.parametrize("options", [
    {},
    {"scale": 0.3},
    {"is_causal": True},
    {"attn_mask": SEEN},
    {"attn_mask": SEEN[None, None]},
    {"attn_mask": draw(9, 13)},
    {"attn_mask": draw(2, 1, 1, 13)},
    {"attn_mask": draw(4, 9, 1)},
])
def test_as_pytorch(options):
    compare(SQUARE, **options)


@pytest.mark.parametrize("shapes, options", [
    ([(9, 8), (13, 8), (13, 6)], {"attn_mask": SEEN}),
    ([(3, 9, 8), (3, 13, 8), (3, 13, 6)], {"attn_mask": draw(3, 9, 13)}),
    ([(2, 3, 4, 9, 8), (2, 3, 4, 13, 8), (2, 3, 4, 13, 6)], {"attn_mask": draw(2, 1, 4, 9, 13)}),
    ([(2, 4, 9, 8), (1, 4, 13, 8), (1, 4, 13, 6)], {}),
    ([(2, 4, 9, 8), (2, 2, 13, 8), (2, 2, 13, 6)], {"enable_gqa": True}),
    ([(2, 4, 13, 8), (2, 4, 9, 8), (2, 4, 9, 6)], {"is_causal": True}),
    ([(2, 4, 9, 8), (2, 4, 9, 8), (2, 4, 9, 8)], {"is_causal": True}),
])
def test_shapes(shapes, options):
    compare(shapes, **options)


@pytest.mark.parametrize("dtype, atol", [(torch.bfloat16, 0.02), (torch.float16, 0.002)])
def test_halves(dtype, atol):
    compare(SQUARE, dtype=dtype, atol=atol, is_causal=True)
    compare(SQUARE, dtype=dtype, atol=atol, attn_mask=draw(9, 13).to(dtype))


def test_same_bits_as_numpy():
    query, key, value = (draw(*shape) for shape in SQUARE)
    output, lse = attn_torch.attention(query, key, value, causal=True, softcap=3.0, return_lse=True)
    expected = attn.attention(query.numpy(), key.numpy(), value.numpy(), causal=True, softcap=3.0, return_lse=True)
    assert (output.numpy() == expected.output).all() and (lse.numpy() == expected.lse).all()
    shared = attn.attention(query, key, value, causal=True, softcap=3.0)  # through DLPack
    assert (shared == expected.output).all()
    # Heads can be joined without a copy.
    assert output.transpose(1, 2).is_contiguous()


def full(sinks_grad=True):
    return dict(bias=draw(4, 9, 13, grad=True), mask=SEEN, sinks=draw(4, grad=sinks_grad), slopes=draw(4).abs(),
                seed=torch.tensor(7), scale=0.5, causal=True, window_left=6, window_right=-1, softcap=2.0, dropout=0.2)


def plain(**changes):
    return {**dict(bias=None, mask=None, sinks=None, slopes=None, seed=None, scale=0.0, causal=False, window_left=-1,
                   window_right=-1, softcap=0.0, dropout=0.0), **changes}


@pytest.mark.parametrize("options", [full(), plain(), plain(causal=True, sinks=draw(4, grad=True))])
def test_opcheck(options):
    tensors = [draw(*shape, grad=True) for shape in SQUARE]
    torch.library.opcheck(attn_torch._forward, (*tensors, *options.values()))
    turned = [draw(2, 9, 4, 8).transpose(1, 2).requires_grad_(), *tensors[1:]]
    torch.library.opcheck(attn_torch._forward, (*turned, *options.values()),
                          test_utils=("test_schema", "test_faketensor", "test_autograd_registration"))


def test_gradcheck():
    """Central differences in float32: steps are large, and so is what they may differ by."""
    tensors = [draw(1, 2, 3, 4, grad=True), draw(1, 1, 5, 4, grad=True), draw(1, 1, 5, 2, grad=True),
               draw(2, 3, 5, grad=True), draw(2, grad=True)]

    def run(query, key, value, bias, sinks):
        return attn_torch.attention(query, key, value, bias=bias, sinks=sinks, causal=True, softcap=4.0,
                                    return_lse=True)

    with pytest.warns(UserWarning, match="double precision"):
        assert torch.autograd.gradcheck(run, tensors, eps=1e-2, atol=5e-3, rtol=5e-3)


def test_lse_alone_has_a_gradient():
    query, key, value = (draw(*shape, grad=True) for shape in SQUARE)
    attn_torch.attention(query, key, value, return_lse=True)[1].sum().backward()
    expected = [x.detach().clone().requires_grad_() for x in (query, key)]
    torch.logsumexp(expected[0] @ expected[1].transpose(-1, -2) / 8**0.5, -1).sum().backward()
    torch.testing.assert_close(query.grad, expected[0].grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(key.grad, expected[1].grad, atol=1e-5, rtol=0)
    assert (value.grad == 0).all()


def test_compile():
    """Without a break in the graph; aot_eager traces forward and backward and needs no compiler."""
    def run(query, key, value, bias):
        return attn_torch.scaled_dot_product_attention(query * 2, key, value, bias).sin().sum()

    eager = [draw(*shape, grad=True) for shape in (*SQUARE, (4, 9, 13))]
    compiled = [x.detach().clone().requires_grad_() for x in eager]
    run(*eager).backward()
    torch.compile(run, backend="aot_eager", fullgraph=True)(*compiled).backward()
    for a, b in zip(eager, compiled):
        assert (a.grad == b.grad).all()


def test_dropout():
    query, key, value = (draw(*shape, grad=True) for shape in SQUARE)
    ones = torch.ones_like(value, requires_grad=True)
    torch.manual_seed(1)
    first = attn_torch.scaled_dot_product_attention(query, key, ones, dropout_p=0.5)
    second = attn_torch.scaled_dot_product_attention(query, key, ones, dropout_p=0.5)
    torch.manual_seed(1)
    again = attn_torch.scaled_dot_product_attention(query, key, ones, dropout_p=0.5)
    assert (first == again).all() and (first != second).any()
    again.sum().backward()  # sum over keys of what each gives: the output's own sum
    torch.testing.assert_close(ones.grad.sum(), first.sum(), atol=1e-3, rtol=0)


def test_weights():
    query, key, value = (draw(*shape) for shape in SQUARE)
    weights = attn_torch.attention_weights(query, key, mask=SEEN)
    torch.testing.assert_close(weights @ value, sdpa(query, key, value, SEEN), atol=2e-6, rtol=0)
    mean = attn_torch.attention_weights(query.bfloat16(), key.bfloat16(), mean=True)
    assert mean.shape == (2, 9, 13)


def test_refused():
    query, key, value = (draw(*shape) for shape in SQUARE)
    with pytest.raises(attn.ShapeError, match="float64.*float32"):
        attn_torch.scaled_dot_product_attention(query.double(), key.double(), value.double())
    with pytest.raises(attn.ArgumentError, match="is on meta"):
        attn_torch.scaled_dot_product_attention(*(x.to("meta") for x in (query, key, value)))
    with pytest.raises(attn.ArgumentError, match="both given"):
        attn_torch.scaled_dot_product_attention(query, key, value, SEEN, is_causal=True)
    with pytest.raises(attn.ShapeError, match="value has the shape"):
        attn_torch.scaled_dot_product_attention(query, key, value[:, :, :3])
    with pytest.raises(attn.ShapeError):
        attn_torch.scaled_dot_product_attention(query, key, value, SEEN[:3])
    x = draw(1, 1, 3, 4, grad=True)
    first, = torch.autograd.grad(attn_torch.scaled_dot_product_attention(x, x, x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        first.sum().backward()


def test_replace():
    layer = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    x = draw(2, 5, 8)
    expected, own = layer(x, x, x, need_weights=False)[0], torch.nn.functional.scaled_dot_product_attention
    with attn_torch.replace():
        assert torch.nn.functional.scaled_dot_product_attention is not own
        torch.testing.assert_close(layer(x, x, x, need_weights=False)[0], expected, atol=2e-6, rtol=0)
        double = [draw(*shape).double() for shape in SQUARE]  # PyTorch's own
        assert (torch.nn.functional.scaled_dot_product_attention(*double) == own(*double)).all()
    assert torch.nn.functional.scaled_dot_product_attention is own


# ---- transformers ----

def build(name, **sizes):
    transformers = pytest.importorskip("transformers")
    attn_torch.enable_transformers()
    common = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=60)
    config = getattr(transformers, name + "Config")(**{**common, **sizes})
    kind = {"Bert": "BertModel", "T5": "T5EncoderModel"}.get(name, name + "ForCausalLM")
    torch.manual_seed(0)
    return getattr(transformers, kind)(config).eval()


DECODER = dict(num_key_value_heads=2, intermediate_size=40, head_dim=8, pad_token_id=0)


@pytest.mark.parametrize("name, sizes", [
    ("Bert", dict(intermediate_size=40)),
    ("T5", dict(d_ff=40, d_kv=8)),
    ("Llama", DECODER),
    ("Gemma2", dict(DECODER, sliding_window=4, attn_logit_softcapping=0.5, initializer_range=0.2)),
    ("GptOss", dict(DECODER, sliding_window=4, num_local_experts=2, num_experts_per_tok=1)),
])
def test_transformers(name, sizes):
    """Models with a bias of positions, grouped queries, windows, softcap and sinks give what they give with their own attention."""
    model = build(name, **sizes)
    ids = torch.arange(14).reshape(2, 7) % 50 + 3
    mask = torch.ones_like(ids)
    mask[0, :2] = 0  # padding on the left, as decoders have it
    for inputs in ({"input_ids": ids}, {"input_ids": ids, "attention_mask": mask}):
        found = {}
        for implementation in ("eager", "attn"):
            model.set_attn_implementation(implementation)
            result = model(**inputs)
            output = result[0].detach()
            model.zero_grad()
            (result[0] * draw(*output.shape) * mask[..., None]).sum().backward()
            found[implementation] = output, [p.grad.clone() for p in model.parameters() if p.grad is not None]
        real = mask.bool() if "attention_mask" in inputs else torch.ones_like(mask).bool()
        torch.testing.assert_close(found["attn"][0][real], found["eager"][0][real], atol=2e-5, rtol=0)
        if "attention_mask" not in inputs:
            for a, b in zip(found["attn"][1], found["eager"][1]):
                torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-3)


def test_transformers_generate():
    model, found = build("Llama", **DECODER), {}
    for implementation in ("eager", "attn"):
        model.set_attn_implementation(implementation)
        found[implementation] = model.generate(torch.tensor([[5, 6, 7, 8]]), max_new_tokens=6, do_sample=False)
    assert (found["attn"] == found["eager"]).all()


def test_transformers_weights():
    model, found = build("Bert", intermediate_size=40), {}
    ids = torch.arange(14).reshape(2, 7) % 50 + 3
    for implementation in ("eager", "attn"):
        model.set_attn_implementation(implementation)
        found[implementation] = model(input_ids=ids, output_attentions=True).attentions
    assert len(found["attn"]) == 2
    for a, b in zip(found["attn"], found["eager"]):
        torch.testing.assert_close(a, b, atol=2e-6, rtol=0)
