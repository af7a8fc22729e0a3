#!/usr/bin/env python3
"""Models of Marian, Hugging Face and CTranslate2, made here and imported, give the translations and scores of their makers.

Exits 77 when ctranslate2, pymarian, sentencepiece, torch or transformers is missing.
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
    import pymarian
    import sentencepiece
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed "
          "(pip install ctranslate2 pymarian sentencepiece torch transformers)")
    sys.exit(77)

TOOL = os.environ["ATTN_TOOL"]
WORDS = {
    "en": "the house stands near a river and children play with small dogs while evening comes slowly over green hills".split(),
    "fr": "la maison est près de la rivière et les enfants jouent avec l'été où un garçon naïf a bientôt du cœur".split(),
}


def make_lines(language, count, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS[language], k=draw.randint(2, 14))).capitalize() + "." for _ in range(count)]


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines))


def train_segmenter(folder, name, texts, size):
    sentencepiece.SentencePieceTrainer.train(
        input=",".join(str(text) for text in texts), model_prefix=str(folder / name), vocab_size=size,
        bos_id=-1, eos_id=0, unk_id=1, pad_id=-1, hard_vocab_limit=False, minloglevel=2)
    os.replace(folder / f"{name}.model", folder / f"{name}.spm")


def attn(*arguments):
    run = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, (arguments, run.stderr)
    return run.stdout


def translate(model, lines, *options):
    """Greedy, as the model writes, without attn's own guards: [(text, log p, log p of each token)]."""
    source = pathlib.Path(model).parent / "asked"
    write(source, lines)
    out = attn("translate", "--model", model, "--raw", "--beam", 1, "--no-repeat-guard", "--no-length-guard", "--json",
               *options, source)
    best = [json.loads(line)["sentences"][0]["hypotheses"][0] for line in out.splitlines()]
    return [(h["text"], h["log_probability"], h["token_log_probabilities"]) for h in best]


def assert_close(what, found, expected, limit):
    worst = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    assert worst <= limit, f"{what}: scores differ by up to {worst}"
    print(f"{what}: {len(found)} scores within {worst:.1e}")


# ---- Marian ----

MARIAN = {
    "swish, post-norm, one table": "--transformer-ffn-activation swish --tied-embeddings-all",
    "gelu, post-norm, a table for each side": "--transformer-ffn-activation gelu --tied-embeddings",
    "relu, post-norm, three tables": "--transformer-ffn-activation relu",
    "relu, pre-norm": "--transformer-ffn-activation relu --tied-embeddings-all --transformer-preprocess n "
                      "--transformer-postprocess da --transformer-postprocess-top n",
}


def train_marian(folder, name, options, kind="npz"):
    model = folder / f"{name}.{kind}"
    post = "" if "postprocess" in options else "--transformer-postprocess dan"
    spm = folder / "joint.spm"
    pymarian.Trainer(
        f"--type transformer --model {model} --train-sets {folder}/en {folder}/fr --vocabs {spm} {spm} --dim-emb 32 "
        f"--enc-depth 2 --dec-depth 2 --transformer-heads 4 --transformer-dim-ffn 48 --mini-batch 16 --after-batches 12 "
        f"--learn-rate 0.01 --cpu-threads 1 --seed 7 --workspace 200 --quiet --overwrite {post} {options}").train()
    return model


def marian_translate(model, spm, lines):
    """[(text, log p, log p of the first word)]"""
    marian = pymarian.Translator(models=str(model), vocabs=[str(spm), str(spm)], beam_size=1, normalize=0, n_best=True,
                                 word_scores=True, max_length_factor=3, quiet=True, cpu_threads=1)
    answers = []
    for line in marian.translate(lines):
        _, text, *features, score = line.rstrip("\n").split(" ||| ")
        words = " ".join(features).split("WordScores=")[1].split()
        answers.append((text, float(score), float(words[0])))
    return answers


def check_marian(folder):
    write(folder / "en", make_lines("en", 300, 1))
    write(folder / "fr", make_lines("fr", 300, 2))
    train_segmenter(folder, "joint", [folder / "en", folder / "fr"], 150)
    lines = make_lines("en", 30, 3)
    for number, (what, options) in enumerate(MARIAN.items()):
        model = train_marian(folder, f"m{number}", options)
        theirs = marian_translate(model, folder / "joint.spm", lines)
        longest = "--max-length", 200
        ours = translate(model, lines, *longest)
        if "pre-norm" in what:
            # From the second word on, Marian's decoder does not norm the keys of earlier words, as its training does.
            assert_close(f"Marian, {what}", [o[2][0] for o in ours], [t[2] for t in theirs], 1e-3)
            continue
        for a, b in zip(ours, theirs):
            assert a[0] == b[0] or len(a[2]) > 40, (what, a[0], b[0])
        pairs = [(a[1], b[1]) for a, b in zip(ours, theirs) if a[0] == b[0]]
        assert len(pairs) > 10, f"{what}: only {len(pairs)} translations end"
        assert_close(f"Marian, {what}", [a for a, _ in pairs], [b for _, b in pairs], 1e-3)
        attn("import", model, "-o", folder / "kept.safetensors")
        assert translate(folder / "kept.safetensors", lines, *longest) == ours, f"{what}: the saved model is another"
    check_marian_files(folder, lines)


def check_marian_files(folder, lines):
    """The first model again: as a .bin, and with a vocabulary in YAML and a segmenter for each side, as OPUS-MT has it."""
    expected = translate(folder / "m0.npz", lines)
    model = train_marian(folder, "b0", MARIAN["swish, post-norm, one table"], "bin")
    assert translate(model, lines) == expected, "Marian .bin: other translations"
    place = folder / "opus"
    place.mkdir()
    shutil.copy(folder / "m0.npz", place / "opus.npz")
    segmenter = sentencepiece.SentencePieceProcessor(model_file=str(folder / "joint.spm"))
    (place / "opus.vocab.yml").write_text("".join(
        f"{json.dumps(segmenter.id_to_piece(i))}: {i}\n" for i in range(segmenter.get_piece_size())))
    for side in ("source.spm", "target.spm"):
        shutil.copy(folder / "joint.spm", place / side)
    (place / "decoder.yml").write_text("models:\n  - opus.npz\nvocabs:\n  - opus.vocab.yml\n  - opus.vocab.yml\n")
    assert translate(place, lines) == expected, "Marian, vocabulary in YAML: other translations"
    print("Marian: .bin and a vocabulary in YAML, the same")


# ---- Hugging Face and CTranslate2 ----


def make_hugging_face(folder, activation, separate):
    """A MarianMT with random weights, its tokenizer of two segmenters over one list or two."""
    model = folder / "marian"
    model.mkdir()
    for side, language in (("source", "en"), ("target", "fr")):
        write(folder / language, make_lines(language, 300, 4))
        train_segmenter(model, side, [folder / language], 120)
    pieces = []
    for side in ("source", "target"):
        spm = sentencepiece.SentencePieceProcessor(model_file=str(model / f"{side}.spm"))
        own = [spm.id_to_piece(i) for i in range(2, spm.get_piece_size())]
        pieces.append([piece for piece in own if not pieces or separate or piece not in pieces[0]])
    lists = pieces if separate else [pieces[0] + pieces[1]]
    longest = max(map(len, lists))
    lists = [["</s>", "<unk>", *own, *(f"<{i}>" for i in range(longest - len(own))), "<pad>"] for own in lists]
    for name, words in zip(("vocab.json", "target_vocab.json"), lists):
        (model / name).write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (model / "tokenizer_config.json").write_text(
        json.dumps({"source_lang": "en", "target_lang": "fr", "separate_vocabs": separate}))
    sizes = [len(words) for words in lists]
    pad = sizes[-1] - 1
    config = transformers.MarianConfig(
        vocab_size=sizes[0], decoder_vocab_size=sizes[-1], d_model=32, encoder_layers=2, decoder_layers=3,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48,
        activation_function=activation, scale_embedding=not separate, pad_token_id=pad, eos_token_id=0,
        decoder_start_token_id=pad, forced_eos_token_id=0, max_position_embeddings=128, max_length=60,
        share_encoder_decoder_embeddings=not separate, tie_word_embeddings=True)
    torch.manual_seed(5)
    network = transformers.MarianMTModel(config)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if "embed_positions" not in name:
                value.copy_(torch.randn_like(value) * (0.3 if "embed" in name or "shared" in name else 0.15)
                            + (1 if "norm.weight" in name else 0))
        network.final_logits_bias.copy_(torch.randn_like(network.final_logits_bias) * 0.5)
    network.eval()
    network.save_pretrained(model)
    return model, network


def score_pairs(model, lines, references):
    write(model.parent / "source", lines)
    write(model.parent / "target", references)
    out = attn("score", "--model", model, "--raw", "--json", "--source", model.parent / "source", "--target",
               model.parent / "target")
    return [json.loads(line)["log_probability"] for line in out.splitlines()]


def hugging_face_scores(model, network, lines, references):
    tokenizer = transformers.MarianTokenizer.from_pretrained(model)
    scores = []
    for line, reference in zip(lines, references):
        source = tokenizer(line, return_tensors="pt")
        target = tokenizer(text_target=reference, return_tensors="pt").input_ids
        read = torch.cat([torch.tensor([[network.config.decoder_start_token_id]]), target[:, :-1]], 1)
        with torch.no_grad():
            logits = network(**source, decoder_input_ids=read).logits.log_softmax(-1)
        scores.append(logits.gather(-1, target.unsqueeze(-1)).sum().item())
    return scores


def check_hugging_face(folder):
    lines, references = make_lines("en", 40, 6), make_lines("fr", 40, 7)
    for number, (activation, separate) in enumerate((("swish", False), ("gelu", True))):
        place = folder / f"hf{number}"
        place.mkdir()
        model, network = make_hugging_face(place, activation, separate)
        what = f"{activation}, {'a vocabulary for each side' if separate else 'one vocabulary'}"
        expected = hugging_face_scores(model, network, lines, references)
        assert_close(f"Hugging Face, {what}", score_pairs(model, lines, references), expected, 1e-3)
        attn("import", model, "-o", place / "kept.safetensors", "--storage", "f32")
        again = score_pairs(place / "kept.safetensors", lines, references)
        assert_close(f"Hugging Face, {what}, saved", again, expected, 1e-3)
        if not separate:
            for quantization in (None, "int8", "float16", "int16"):
                check_ctranslate2(model, place / f"ct2-{quantization}", quantization, lines, references)
            check_argos(place / "ct2-None", make_lines("fr", 30, 8))
            check_specified(place, model / "target.spm", make_lines("fr", 30, 9))


def check_ctranslate2(source, model, quantization, lines, references):
    ctranslate2.converters.TransformersConverter(str(source)).convert(str(model), quantization=quantization)
    for side in ("source.spm", "target.spm"):
        shutil.copy(source / side, model / side)
    tokenizer = transformers.MarianTokenizer.from_pretrained(source)
    engine = ctranslate2.Translator(str(model), compute_type="float32")
    words = [tokenizer.convert_ids_to_tokens(tokenizer(line).input_ids) for line in lines]
    answers = [tokenizer.convert_ids_to_tokens(tokenizer(text_target=line).input_ids)[:-1] for line in references]
    expected = [sum(result.log_probs) for result in engine.score_batch(words, answers)]
    assert_close(f"CTranslate2, {quantization}", score_pairs(model, lines, references), expected, 1e-3)
    results = engine.translate_batch(words, beam_size=1, max_decoding_length=40)
    theirs = [tokenizer.decode(tokenizer.convert_tokens_to_ids(result.hypotheses[0])) for result in results]
    ours = [text for text, _, _ in translate(model, lines, "--max-length", 40)]
    assert ours == theirs, f"CTranslate2, {quantization}: other translations"


def fill(spec, draw):
    """Random weights of width 32, 48 in the feed-forward, for what a specification leaves open."""
    for name, value in vars(spec).items():
        if isinstance(value, ctranslate2.specs.LayerSpec):
            fill(value, draw)
        elif isinstance(value, list):
            for item in value:
                fill(item, draw)
        elif value is None and name in ("gamma", "beta"):
            setattr(spec, name, torch.randn(32, generator=draw).mul(0.1).add(name == "gamma").numpy())


def linear(layer, rows, columns, draw):
    layer.weight = torch.randn(rows, columns, generator=draw).mul(0.25).numpy()
    layer.bias = torch.randn(rows, generator=draw).mul(0.1).numpy()


def fill_linears(spec, draw):
    for side in (spec.encoder, spec.decoder):
        for layer in side.layer:
            attention = layer.self_attention.linear
            linear(attention[0], 96, 32, draw)
            linear(attention[1], 32, 32, draw)
            if side is spec.decoder:
                for part, rows in zip(layer.attention.linear, (32, 64, 32)):
                    linear(part, rows, 32, draw)
            linear(layer.ffn.linear_0, 48, 32, draw)
            linear(layer.ffn.linear_1, 32, 48, draw)
            if hasattr(layer.ffn, "linear_0_noact"):
                linear(layer.ffn.linear_0_noact, 48, 32, draw)


SPECIFIED = {
    "pre-norm, positions built in": {"pre_norm": True},
    "pre-norm, RMSNorm, gated": {"pre_norm": True, "rms_norm": True, "ffn_glu": True},
    "post-norm, embeddings normed": {"pre_norm": False, "layernorm_embedding": True},
}


def check_specified(folder, segmenter_path, lines):
    """Networks that no converter here makes, from CTranslate2's own specifications, three tables, started by <s>."""
    segmenter = sentencepiece.SentencePieceProcessor(model_file=str(segmenter_path))
    words = ["<unk>", "<s>", "</s>", *(segmenter.id_to_piece(i) for i in range(2, segmenter.get_piece_size()))]
    for number, (what, options) in enumerate(SPECIFIED.items()):
        draw = torch.Generator().manual_seed(number)
        spec = ctranslate2.specs.TransformerSpec.from_config(
            (2, 3), 4, activation=ctranslate2.specs.Activation.SWISH, **options)
        fill(spec, draw)
        fill_linears(spec, draw)
        tables = [torch.randn(len(words), 32, generator=draw).mul(0.3).numpy() for _ in range(3)]
        spec.encoder.embeddings[0].weight, spec.decoder.embeddings.weight, spec.decoder.projection.weight = tables
        spec.decoder.projection.bias = torch.randn(len(words), generator=draw).mul(0.3).numpy()
        spec.register_source_vocabulary(words)
        spec.register_target_vocabulary(words)
        spec.config.add_source_eos = True
        spec.config.decoder_start_token = "<s>"
        spec.validate()
        spec.optimize()
        model = folder / f"specified{number}"
        model.mkdir()
        spec.save(str(model))
        shutil.copy(segmenter_path, model / "sentencepiece.model")
        engine = ctranslate2.Translator(str(model), compute_type="float32")
        pieces = [segmenter.encode(line, out_type=str) for line in lines]
        expected = [sum(result.log_probs) for result in engine.score_batch(pieces, pieces)]
        assert_close(f"CTranslate2, {what}", score_pairs(model, lines, lines), expected, 1e-3)


def check_argos(model, lines):
    """The same model.bin in an Argos package, whose models read no </s> after a source."""
    place = model.parent / "package" / "translate-en_fr-1"
    shutil.copytree(model, place / "model")
    for side in ("source.spm", "target.spm"):
        os.remove(place / "model" / side)
    shutil.copy(model / "target.spm", place / "sentencepiece.model")
    (place / "metadata.json").write_text(json.dumps({"from_code": "en", "to_code": "fr", "type": "translate"}))
    package = shutil.make_archive(str(model.parent / "translate-en_fr"), "zip", place.parent)
    segmenter = sentencepiece.SentencePieceProcessor(model_file=str(place / "sentencepiece.model"))
    engine = ctranslate2.Translator(str(model), compute_type="float32")
    words = [segmenter.encode(line, out_type=str) for line in lines]
    results = engine.translate_batch(words, beam_size=1, max_decoding_length=40, return_scores=True)
    theirs = [segmenter.decode(result.hypotheses[0]) for result in results]
    ours = [text for text, _, _ in translate(package, lines, "--max-length", 40)]
    assert ours == theirs, "an Argos package: other translations"
    print(f"Argos package: {len(ours)} translations")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_marian(folder)
        check_hugging_face(folder)
    print("all as expected")


main()
