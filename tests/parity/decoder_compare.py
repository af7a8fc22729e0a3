#!/usr/bin/env python3
"""Decoders of CTranslate2, made here with random weights, give the scores and the greedy continuations of CTranslate2's own engine.

Exits 77 when ctranslate2, sentencepiece, tokenizers, torch or transformers is missing.
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.simplefilter("ignore")
try:
    import ctranslate2
    import numpy
    import sentencepiece
    import tokenizers
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed "
          "(pip install ctranslate2 sentencepiece tokenizers torch transformers)")
    sys.exit(77)

torch.set_num_threads(1)  # small products: more threads only wait for each other
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
TOOL = os.environ["ATTN_TOOL"]
WORDS = "the house stands near a river and children play with small dogs while evening comes slowly over green hills".split()
TOKENS = ["<unk>", "<s>", "</s>", *WORDS]


def make_lines(count, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 40))) for _ in range(count)]


def attn(*arguments, lines=()):
    run = subprocess.run([TOOL, *map(str, arguments)], input="".join(line + "\n" for line in lines), capture_output=True,
                         text=True)
    assert run.returncode == 0, (arguments, run.stderr)
    return run.stdout


def asked(model, lines, *options):
    return [json.loads(line) for line in attn("generate", "--model", model, "--json", *options, lines=lines).splitlines()]


def assert_close(what, found, expected, limit=1e-3):
    worst = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    assert worst <= limit, f"{what}: log-probabilities differ by up to {worst}"
    print(f"{what}: {len(found)} log-probabilities within {worst:.1e}")


def check_scores(what, model, engine, lines, tokens):
    """tokens: those of each line, as the engine is to read them. Returns the log-probabilities that attn finds."""
    expected = [p for result in engine.score_batch(tokens) for p in result.log_probs]
    found = [p for line in asked(model, lines, "--score") for p in line["token_log_probabilities"]]
    assert_close(what, found, expected)
    return found


def continuations(engine, tokens):
    """Alone: in a batch the engine lets shorter texts wait for longer ones, and says something else."""
    return engine.generate_batch(tokens, sampling_topk=1, max_length=25, include_prompt_in_result=False, max_batch_size=1)


def check_same(what, ours, theirs):
    other = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert not other, f"{what}: {len(other)} other continuations, such as {other[0]}"
    print(f"{what}: the same {len(ours)} continuations")


# ---- by CTranslate2's own specifications ----

Activation = ctranslate2.specs.Activation
GPT2 = {"activation": Activation.GELUTanh}
LLAMA = {"activation": Activation.SWISH, "rms_norm": True, "ffn_glu": True, "rotary_dim": 0, "rotary_interleave": False,
         "num_heads_kv": 2}
# What it is; the specification; what else is done to it.
SPECIFIED = {
    "as GPT-2": (GPT2, {"learned", "tied", "biases"}),
    "as Llama": (LLAMA, set()),
    "as Llama, int8": (LLAMA, {"int8"}),
    "as Llama, float16": (LLAMA, {"float16", "tied"}),
    "one key for all heads, neighbours of some channels turned":
        ({"activation": Activation.GELU, "multi_query_attention": True, "rotary_dim": 4, "rotary_base": 100},
         {"biases", "output bias"}),
    "norms behind, sinusoids, embeddings scaled and normed":
        ({"activation": Activation.RELU, "pre_norm": False, "layernorm_embedding": True}, {"biases", "scaled", "long"}),
    "gates, sinusoids, another epsilon": ({"activation": Activation.SWISH, "ffn_glu": True}, {"biases", "epsilon"}),
}


def fill_norms(spec, draw):
    for name, value in vars(spec).items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ctranslate2.specs.LayerSpec):
                fill_norms(item, draw)
        if value is None and name in ("gamma", "beta"):
            setattr(spec, name, torch.randn(32, generator=draw).mul(0.1).add(name == "gamma").numpy())


def linear(layer, rows, columns, draw, bias):
    layer.weight = torch.randn(rows, columns, generator=draw).mul(0.25).numpy()
    if bias:
        layer.bias = torch.randn(rows, generator=draw).mul(0.1).numpy()


def specify(model, options, also, seed):
    """Of width 32, 4 heads, 48 in the feed-forward, 3 layers."""
    draw = torch.Generator().manual_seed(seed)
    spec = ctranslate2.specs.TransformerDecoderModelSpec.from_config(3, 4, **options)
    fill_norms(spec.decoder, draw)
    kv_heads = 1 if options.get("multi_query_attention") else options.get("num_heads_kv", 4)
    for layer in spec.decoder.layer:
        linear(layer.self_attention.linear[0], 8 * (4 + 2 * kv_heads), 32, draw, "biases" in also)
        linear(layer.self_attention.linear[1], 32, 32, draw, "biases" in also)
        linear(layer.ffn.linear_0, 48, 32, draw, "biases" in also)
        linear(layer.ffn.linear_1, 32, 48, draw, "biases" in also)
        if options.get("ffn_glu"):
            linear(layer.ffn.linear_0_noact, 48, 32, draw, "biases" in also)
    small = 0.02 if "epsilon" in also else 0.5
    tables = [torch.randn(len(TOKENS), 32, generator=draw).mul(small).numpy() for _ in range(2)]
    spec.decoder.embeddings.weight = tables[0]
    spec.decoder.projection.weight = tables[0] if "tied" in also else tables[1] / small
    if "output bias" in also:
        spec.decoder.projection.bias = torch.randn(len(TOKENS), generator=draw).numpy()
    if "learned" in also:
        spec.decoder.position_encodings.encodings = torch.randn(80, 32, generator=draw).mul(0.3).numpy()
    spec.decoder.scale_embeddings = "scaled" in also
    if "epsilon" in also:
        spec.config.layer_norm_epsilon = 1e-3
    spec.register_vocabulary(TOKENS)
    spec.validate()
    spec.optimize(quantization=next(iter(also & {"int8", "float16"}), None))
    model.mkdir()
    spec.save(str(model))
    return spec


def refused(model, said):
    run = subprocess.run([TOOL, "import", str(model), "-o", str(model / "no")], capture_output=True, text=True)
    assert run.returncode == 1 and said in run.stderr and run.stderr.count("\n") == 1, (said, run.stderr)
    assert not (model / "no").exists()


def check_specified(folder):
    lines = make_lines(30, 1)
    tokens = [line.split() for line in lines]
    for number, (what, (options, also)) in enumerate(SPECIFIED.items()):
        model = folder / f"specified{number}"
        spec = specify(model, options, also, number)
        engine = ctranslate2.Generator(str(model), compute_type="float32", intra_threads=1)
        check_scores(what, model, engine, lines, tokens)
        ours = [[token.removeprefix("\u2581") for token in line["tokens"]] for line in asked(model, lines, "--max-tokens", 25)]
        check_same(what, ours, [result.sequences[0] for result in continuations(engine, tokens)])
        kept = folder / f"kept{number}.safetensors"
        attn("import", model, "-o", kept)
        for option in ("--score", "--sample"):
            assert asked(kept, lines, option) == asked(model, lines, option), f"{what}: the saved model is another"
            assert asked(kept, lines[7:8] if option == "--score" else lines[:1], option, "-j", 1)[0]["token_log_probabilities"] == \
                asked(kept, lines, option)[7 if option == "--score" else 0]["token_log_probabilities"], f"{what}: other alone"
    # Settings that attn does not compute.
    first = vars(spec.decoder.layer[1].self_attention)
    for setting, value, said in (("num_heads_kv", numpy.int32(2), "num_heads_kv"), ("head_dim", numpy.int32(16), "head_dim"),
                                 ("rotary_dim", numpy.int32(8), "not the same in every layer"),
                                 ("sliding_window", numpy.int32(8), "sliding_window"),
                                 ("relative_attention_bias", numpy.zeros((32, 4), numpy.float32), "relative positions")):
        first[setting] = ctranslate2.specs.model_spec.NumpyVariable(value)
        spec.save(str(model))
        refused(model, said)
        del first[setting]
    spec.decoder.alibi = ctranslate2.specs.model_spec.NumpyVariable(numpy.int8(1))
    spec.save(str(model))
    refused(model, "ALiBi")


# ---- by its converters, with tokenizers ----


def randomize(network, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.copy_(torch.randn_like(value) * (0.5 if "wte" in name or "embed" in name else 0.2)
                        + (1 if ("norm" in name or ".ln_" in name) and name.endswith("weight") else 0))
    return network.eval()


def check_converted(what, folder, beside, network, lines, ids, tokens, decode):
    """What the converter makes of a model of transformers, with a tokenizer beside it. ids, tokens: of each line, as both are to read it."""
    source, model = folder / "source", folder / "model"
    network.save_pretrained(source)
    ctranslate2.converters.TransformersConverter(str(source)).convert(str(model))
    shutil.copy(beside, model)
    engine = ctranslate2.Generator(str(model), compute_type="float32", intra_threads=1)
    found = check_scores(what, model, engine, lines, tokens)
    expected = []
    for line in ids:
        with torch.no_grad():
            scores = network(torch.tensor([line])).logits[0].log_softmax(-1)
        expected += scores[range(len(line) - 1), line[1:]].tolist()
    assert_close(f"{what}, transformers itself", found, expected)
    theirs = [decode(result.sequences_ids[0]).strip() for result in continuations(engine, tokens)]
    check_same(what, [line["text"].strip() for line in asked(model, lines, "--max-tokens", 25)], theirs)


def check_gpt2(folder):
    """With its tokenizer.json, BPE over bytes."""
    folder.mkdir()
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(make_lines(300, 3), vocab_size=320, special_tokens=["<|endoftext|>"], show_progress=False)
    made.save(str(folder / "tokenizer.json"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), unk_token="<|endoftext|>",
                                                     bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    tokenizer.save_pretrained(folder / "source")
    config = transformers.GPT2Config(vocab_size=made.get_vocab_size(), n_embd=32, n_layer=3, n_head=4, n_positions=200)
    lines = make_lines(20, 5)
    ids = [tokenizer(line).input_ids for line in lines]
    check_converted("GPT-2, converted", folder, folder / "tokenizer.json", randomize(transformers.GPT2LMHeadModel(config), 4),
                    lines, ids, [tokenizer.convert_ids_to_tokens(line) for line in ids],
                    lambda line: tokenizer.decode(line, skip_special_tokens=True))


def check_llama(folder):
    """With its SentencePiece file, and so <s> in front of every text."""
    folder.mkdir()
    (folder / "text").write_text("".join(f"{line}\n" for line in make_lines(300, 3)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "sentencepiece"), vocab_size=400, model_type="bpe", byte_fallback=True,
        hard_vocab_limit=False, minloglevel=2, num_threads=1)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sentencepiece.model"))
    words = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    # Only its list of words is looked at.
    listed = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    transformers.PreTrainedTokenizerFast(tokenizer_object=listed, unk_token="<unk>", bos_token="<s>",
                                         eos_token="</s>").save_pretrained(folder / "source")
    config = transformers.LlamaConfig(vocab_size=len(words), hidden_size=32, intermediate_size=48, num_hidden_layers=3,
                                      num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512)
    lines = make_lines(20, 5)
    check_converted("Llama, converted", folder, folder / "sentencepiece.model",
                    randomize(transformers.LlamaForCausalLM(config), 4), lines,
                    [[1, *pieces.encode(line)] for line in lines],
                    [["<s>", *pieces.encode(line, out_type=str)] for line in lines],
                    lambda line: pieces.decode([i for i in line if i != pieces.unk_id()]))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_specified(folder)
        check_gpt2(folder / "gpt2")
        check_llama(folder / "llama")
    print("all as expected")


main()
