#!/usr/bin/env python3
"""Models of Marian, Hugging Face and CTranslate2, made here and imported, give the translations and scores of their makers.

Exits 77 when ctranslate2, pymarian, sentencepiece, torch or transformers is missing.
"""
import argparse
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
    import pymarian
    import sentencepiece
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed "
          "(pip install ctranslate2 pymarian sentencepiece torch transformers)")
    sys.exit(77)

torch.set_num_threads(1)  # small products: more threads only wait for each other
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
    "relu, post-norm, SSRU decoder": "--transformer-ffn-activation relu --tied-embeddings-all "
                                     "--transformer-decoder-autoreg rnn --dec-cell ssru",
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


def score_pairs(model, lines, references, *options):
    write(model.parent / "source", lines)
    write(model.parent / "target", references)
    out = attn("score", "--model", model, "--raw", "--json", "--source", model.parent / "source", "--target",
               model.parent / "target", *options)
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


# ---- many languages in one model: M2M-100, NLLB, mBART ----

# Of each: what the network is; the type of its segmenter; its languages as it writes them; where the languages are told.
LANGUAGES = {
    "M2M-100": ("m2m_100", "bpe", ("__de__", "__en__", "__fr__"), "both"),
    "NLLB": ("m2m_100", "bpe", ("deu_Latn", "eng_Latn", "fra_Latn"), "both"),
    "NLLB as it was": ("m2m_100", "bpe", ("deu_Latn", "eng_Latn", "fra_Latn"), "both_after"),
    "mBART-50": ("mbart", "unigram", ("de_DE", "en_XX", "fr_XX"), "both"),
    "mBART-25": ("mbart", "unigram", ("de_DE", "en_XX", "fr_XX"), "start"),
}


def randomize(network, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.copy_(torch.randn_like(value) * (0.3 if "embed" in name or "shared" in name else 0.15)
                        + (1 if "norm" in name and name.endswith("weight") else 0))
    network.eval()


def make_languages(model, what):
    """A network with random weights and the files of its tokenizer; and the pieces of a line by id."""
    kind, segmenter_type, languages, tagging = LANGUAGES[what]
    model.mkdir()
    write(model.parent / "text", make_lines("en", 300, 4) + make_lines("fr", 300, 5))
    sentencepiece.SentencePieceTrainer.train(
        input=str(model.parent / "text"), model_prefix=str(model / "sp"), vocab_size=140, model_type=segmenter_type,
        hard_vocab_limit=False, minloglevel=2)
    os.replace(model / "sp.model", model / "sentencepiece.bpe.model")
    os.remove(model / "sp.vocab")
    segmenter = sentencepiece.SentencePieceProcessor(model_file=str(model / "sentencepiece.bpe.model"))
    pieces = ["<s>", "<pad>", "</s>", "<unk>",
              *(segmenter.id_to_piece(i) for i in range(3, segmenter.get_piece_size()))]
    settings = {"tokenizer_class": {"mBART-50": "MBart50Tokenizer", "mBART-25": "MBartTokenizer"}.get(what, "-"),
                "legacy_behaviour": tagging == "both_after"}
    if what == "M2M-100":  # its own list, in another order
        pieces[4:] = reversed(pieces[4:])
        (model / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
        (model / "special_tokens_map.json").write_text(json.dumps({"additional_special_tokens": languages}))
    elif what == "mBART-50":
        settings["added_tokens_decoder"] = {str(len(pieces) + i): {"content": code, "special": True}
                                            for i, code in enumerate(languages)}
    else:
        (model / "special_tokens_map.json").write_text(json.dumps({"additional_special_tokens": languages}))
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    ids = {piece: i for i, piece in enumerate([*pieces, *languages])}
    start = ids[languages[2]] if tagging == "start" else 2
    shape = dict(vocab_size=len(ids) + 5, d_model=32, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4,
                 decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, activation_function="relu",
                 scale_embedding=kind == "m2m_100", max_position_embeddings=128, decoder_start_token_id=start,
                 forced_eos_token_id=None)
    if kind == "mbart":
        network = transformers.MBartForConditionalGeneration(transformers.MBartConfig(**shape))
    else:
        network = transformers.M2M100ForConditionalGeneration(transformers.M2M100Config(**shape))
    randomize(network, 6)
    network.save_pretrained(model)
    return network, segmenter, ids, languages, tagging


def check_segmenter(model, what, lines, cut):
    """transformers' own tokenizer cuts alike; that of NLLB is written to the folder."""
    if what == "M2M-100":
        theirs = transformers.M2M100Tokenizer(str(model / "vocab.json"), str(model / "sentencepiece.bpe.model"))
    elif what == "NLLB":
        theirs = transformers.NllbTokenizer.from_pretrained(model, extra_special_tokens=list(LANGUAGES[what][2]),
                                                            mask_token=None)
        theirs.save_pretrained(model)
    elif what == "mBART-25":
        theirs = transformers.MBartTokenizer.from_pretrained(model)
    else:
        return
    for line in lines:
        assert theirs(line, add_special_tokens=False).input_ids == cut(line), (what, line)


def check_languages(folder):
    lines, references = make_lines("en", 12, 6), make_lines("fr", 12, 7)
    lines[3] += " \u4e2d\u4e2d zed"
    for what in LANGUAGES:
        place = folder / what.replace(" ", "-")
        place.mkdir()
        model = place / "model"
        network, segmenter, ids, (_, source, target), tagging = make_languages(model, what)

        def cut(line):
            return [ids.get(piece, 3) for piece in segmenter.encode(line, out_type=str)]

        start = [ids[target]] if tagging == "start" else [2, ids[target]]
        expected, theirs = [], []
        for line, reference in zip(lines, references):
            read = [ids[source], *cut(line), 2] if tagging == "both" else [*cut(line), 2, ids[source]]
            written = [*cut(reference), 2]
            read = torch.tensor([read])
            with torch.no_grad():
                logits = network(input_ids=read, decoder_input_ids=torch.tensor([start + written[:-1]])).logits
                scores = logits.log_softmax(-1)[0, len(start) - 1:]
                made = network.generate(read, decoder_input_ids=torch.tensor([start]), max_new_tokens=20, num_beams=1,
                                        do_sample=False, suppress_tokens=[0, 1, 3, *([ids[target]] if tagging == "start" else [])])
            expected.append(scores[range(len(written)), written].sum().item())
            theirs.append([i for i in made[0].tolist()[len(start):] if i != 2])
        code = {"M2M-100": ("en", "fr"), "mBART-50": ("en", "fr")}.get(what, (source, target))
        pair = "--from", code[0], "--to", code[1]
        attn("import", model, "-o", place / "kept.safetensors")
        for path in (model, place / "kept.safetensors"):
            assert_close(f"{what}, {path.name}", score_pairs(path, lines, references, *pair), expected, 1e-3)
        ours = translate(model, lines, "--max-length", 20, *pair)
        by_id = {i: piece for piece, i in ids.items()}
        for (text, _, each), made in zip(ours, theirs, strict=True):
            words = [by_id.get(i, "") for i in made if by_id.get(i) not in LANGUAGES[what][2]]
            assert text == segmenter.decode(words), (what, text, words)
            assert len(each) == len(made) + 1, (what, text)
        assert translate(place / "kept.safetensors", lines, "--max-length", 20, *pair) == ours
        check_segmenter(model, what, [*lines, *references], cut)
        if what == "NLLB":  # the same tokenizer in the one file that transformers writes
            for name in ("sentencepiece.bpe.model", "tokenizer_config.json", "special_tokens_map.json"):
                os.remove(model / name)
            again = score_pairs(model, lines, references, *pair)
            assert_close(f"{what}, tokenizer.json", again, expected, 1e-3)
        refusals = {
            "--from": ("translate", "--model", model),
            "does not know the language": ("translate", "--model", model, "--from", "xx", "--to", "fr"),
            "training has no key for the tagging": ("train", "translator", "--init", model, "--source", place / "source",
                                                    "--target", place / "target", "--out", place / "new"),
        }
        for said, arguments in refusals.items():
            run = subprocess.run([TOOL, *map(str, arguments)], input="", capture_output=True, text=True)
            assert run.returncode == 1 and said in run.stderr and run.stderr.count("\n") == 1, (said, run.stderr)


# ---- fairseq, and PyTorch's own nn.Transformer ----


def words_of(language):
    return sorted(set(" ".join(make_lines(language, 200, 11)).split()))


def attend(weights, name, x, y, heads, mask=None):
    """fairseq's MultiheadAttention of one sentence."""
    def project(part, z):
        return (z @ weights[f"{name}.{part}.weight"].T + weights[f"{name}.{part}.bias"]).view(len(z), heads, -1).transpose(0, 1)
    q, k, v = project("q_proj", x), project("k_proj", y), project("v_proj", y)
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    scores = scores if mask is None else scores + mask
    mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(len(x), -1)
    return mixed @ weights[f"{name}.out_proj.weight"].T + weights[f"{name}.out_proj.bias"]


def fairseq_positions(weights, side, count, width, learned):
    if learned:
        return weights[f"{side}.embed_positions.weight"][2:2 + count]
    rate = torch.exp(torch.arange(width // 2) * -(torch.log(torch.tensor(10000.0)) / (width // 2 - 1)))
    angles = torch.arange(2, 2 + count).unsqueeze(1) * rate
    return torch.cat([angles.sin(), angles.cos()], 1)


def fairseq_forward(weights, args, source, target):
    """What fairseq's TransformerModel computes, written anew: log-probabilities of each next word."""
    def norm(name, x):
        return torch.nn.functional.layer_norm(x, (x.shape[-1],), weights[name + ".weight"], weights[name + ".bias"])

    def sublayer(x, name, change):
        return x + change(norm(name, x)) if args["encoder_normalize_before"] else norm(name, x + change(x))

    def feed(name, x):
        act = getattr(torch.nn.functional, args["activation_fn"])
        return (act(x @ weights[name + ".fc1.weight"].T + weights[name + ".fc1.bias"]) @ weights[name + ".fc2.weight"].T
                + weights[name + ".fc2.bias"])

    def embed(side, ids):
        x = weights[f"{side}.embed_tokens.weight"][ids] * (1 if args["no_scale_embedding"] else args["encoder_embed_dim"] ** 0.5)
        x = x + fairseq_positions(weights, side, len(ids), x.shape[1], args["encoder_learned_pos"])
        return norm(f"{side}.layernorm_embedding", x) if args["layernorm_embedding"] else x

    heads, last = args["encoder_attention_heads"], args["encoder_normalize_before"]
    x = embed("encoder", source)
    for i in range(args["encoder_layers"]):
        name = f"encoder.layers.{i}"
        x = sublayer(x, name + ".self_attn_layer_norm", lambda h: attend(weights, name + ".self_attn", h, h, heads))
        x = sublayer(x, name + ".final_layer_norm", lambda h: feed(name, h))
    memory = norm("encoder.layer_norm", x) if last else x
    x = embed("decoder", target)
    mask = torch.full((len(target), len(target)), float("-inf")).triu(1)
    for i in range(args["decoder_layers"]):
        name = f"decoder.layers.{i}"
        x = sublayer(x, name + ".self_attn_layer_norm", lambda h: attend(weights, name + ".self_attn", h, h, heads, mask))
        x = sublayer(x, name + ".encoder_attn_layer_norm",
                     lambda h: attend(weights, name + ".encoder_attn", h, memory, heads))
        x = sublayer(x, name + ".final_layer_norm", lambda h: feed(name, h))
    x = norm("decoder.layer_norm", x) if last else x
    return (x @ weights["decoder.output_projection.weight"].T).log_softmax(-1)


FAIRSEQ = {
    "post-norm, relu": {},
    "pre-norm, gelu, learned positions": {"encoder_normalize_before": True, "decoder_normalize_before": True,
                                          "encoder_learned_pos": True, "decoder_learned_pos": True,
                                          "activation_fn": "gelu", "layernorm_embedding": True,
                                          "no_scale_embedding": True, "share_decoder_input_output_embed": True},
}


def make_fairseq(args, sizes, draw):
    width, hidden, weights = 32, 48, {}

    def put(name, *shape):
        weights[name] = torch.randn(*shape, generator=draw) * (0.3 if "embed" in name else 0.2)

    def put_linear(name, rows, columns):
        put(name + ".weight", rows, columns)
        put(name + ".bias", rows)

    def put_norm(name):
        put_linear(name, width, width)
        weights[name + ".weight"] = 1 + weights[name + ".bias"].flip(0)

    for side, size in zip(("encoder", "decoder"), sizes):
        put(f"{side}.embed_tokens.weight", size, width)
        if args["encoder_learned_pos"]:
            put(f"{side}.embed_positions.weight", 66, width)
        else:
            put(f"{side}.embed_positions._float_tensor", 1)
        if args["layernorm_embedding"]:
            put_norm(f"{side}.layernorm_embedding")
        if args["encoder_normalize_before"]:
            put_norm(f"{side}.layer_norm")
        for i in range(2):
            name = f"{side}.layers.{i}"
            for attention in ("self_attn", "encoder_attn")[:1 if side == "encoder" else 2]:
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    put_linear(f"{name}.{attention}.{part}", width, width)
                put_norm(f"{name}.{attention}_layer_norm")
            put_linear(name + ".fc1", hidden, width)
            put_linear(name + ".fc2", width, hidden)
            put_norm(name + ".final_layer_norm")
    if args["share_decoder_input_output_embed"]:
        weights["decoder.output_projection.weight"] = weights["decoder.embed_tokens.weight"]
    else:
        put("decoder.output_projection.weight", sizes[1], width)
    return weights


def check_fairseq(folder):
    for number, (what, options) in enumerate(FAIRSEQ.items()):
        place = folder / f"fairseq{number}"
        place.mkdir()
        lists = {}
        for language in ("en", "fr"):
            lists[language] = ["<s>", "<pad>", "</s>", "<unk>", *words_of(language)]
            write(place / f"dict.{language}.txt", [f"{word} {10 + i}" for i, word in enumerate(lists[language][4:])])
        args = dict(encoder_embed_dim=32, decoder_embed_dim=32, encoder_ffn_embed_dim=48, decoder_ffn_embed_dim=48,
                    encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
                    encoder_normalize_before=False, decoder_normalize_before=False, encoder_learned_pos=False,
                    decoder_learned_pos=False, activation_fn="relu", layernorm_embedding=False, no_scale_embedding=False,
                    share_decoder_input_output_embed=False, share_all_embeddings=False, max_source_positions=64,
                    max_target_positions=64, source_lang="en", target_lang="fr")
        args.update(options)
        weights = make_fairseq(args, [len(words) for words in lists.values()], torch.Generator().manual_seed(number))
        settings = {"args": argparse.Namespace(arch="transformer", **args)} if number == 0 else {
            "args": None, "cfg": {"model": argparse.Namespace(_name="transformer", **args), "task": {"source_lang": "en"}}}
        torch.save({**settings, "model": weights, "extra_state": {"epoch": 3},
                    "last_optimizer_state": {"state": {0: {"exp_avg": torch.zeros(3)}}}}, place / "checkpoint_best.pt")
        lines, references = make_lines("en", 20, 12), make_lines("fr", 20, 13)
        ids = {language: {word: i for i, word in enumerate(words)} for language, words in lists.items()}
        expected = []
        for line, reference in zip(lines, references):
            source = [ids["en"].get(word, 3) for word in line.split()] + [2]
            target = [ids["fr"].get(word, 3) for word in reference.split()] + [2]
            scores = fairseq_forward(weights, args, source, [2, *target[:-1]])
            expected.append(scores[range(len(target)), target].sum().item())
        assert_close(f"fairseq, {what}", score_pairs(place / "checkpoint_best.pt", lines, references), expected, 1e-3)
        made = translate(place / "checkpoint_best.pt", lines[:3], "--max-length", 12)
        assert all(set(text.split()) <= set(lists["fr"]) for text, _, _ in made), made
        for said, changed in (("no_cross_attention", {"no_cross_attention": True}), ("is missing", {"encoder_layers": 3}),
                              ("encoder_layers is 99", {"encoder_layers": 99}), ("belongs to", {"decoder_layers": 1}),
                              ("do not divide", {"encoder_attention_heads": 5, "decoder_attention_heads": 5}),
                              ("dict.de.txt", {"target_lang": "de"}))[number::2]:
            torch.save({"args": argparse.Namespace(**{**args, **changed}), "model": weights}, place / "bad.pt")
            run = subprocess.run([TOOL, "import", str(place / "bad.pt"), "-o", str(place / "no.safetensors")],
                                 capture_output=True, text=True)
            assert run.returncode == 1 and said in run.stderr and run.stderr.count("\n") == 1, (said, run.stderr)
            assert not (place / "no.safetensors").exists()


def check_opennmt(folder):
    """OpenNMT-py's names over the computation above: norms first, no biases in attention, interleaved sinusoids from 0."""
    place = folder / "opennmt"
    place.mkdir()
    lists = {language: ["<unk>", "<blank>", "<s>", "</s>", *words_of(language)] for language in ("en", "fr")}
    args = dict(encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, encoder_normalize_before=True,
                encoder_embed_dim=32, encoder_learned_pos=True, activation_fn="gelu", layernorm_embedding=False,
                no_scale_embedding=False, share_decoder_input_output_embed=False)
    weights = make_fairseq(args, [len(words) for words in lists.values()], torch.Generator().manual_seed(3))
    rate = torch.exp(torch.arange(0, 32, 2) * -(torch.log(torch.tensor(10000.0)) / 32))
    angles = torch.arange(64).unsqueeze(1) * rate
    places = torch.stack([angles.sin(), angles.cos()], 2).reshape(64, 32)
    renamed = {}
    for name, value in weights.items():
        if "embed_positions" in name:
            value.copy_(torch.cat([torch.zeros(2, 32), places]))
            renamed[name.replace("embed_positions.weight", "embeddings.make_embedding.pe.pe")] = places.unsqueeze(1)
            continue
        if ".attn" in name.replace("_attn", ".attn") and name.endswith("proj.bias"):
            value.zero_()
            continue
        cross = name.startswith("decoder")
        for old, new in (("embed_tokens", "embeddings.make_embedding.emb_luts.0"), ("encoder.layers", "encoder.transformer"),
                         ("decoder.layers", "decoder.transformer_layers"),
                         ("self_attn_layer_norm", "layer_norm_1" if cross else "layer_norm"),
                         ("encoder_attn_layer_norm", "layer_norm_2"), ("final_layer_norm", "feed_forward.layer_norm"),
                         ("encoder_attn", "context_attn"), ("fc", "feed_forward.w_"), ("q_proj", "linear_query"),
                         ("k_proj", "linear_keys"), ("v_proj", "linear_values"), ("out_proj", "final_linear")):
            name = name.replace(old, new)
        renamed[name] = value
    generator = {"weight": renamed.pop("decoder.output_projection.weight"), "bias": torch.zeros(len(lists["fr"]))}
    opt = argparse.Namespace(encoder_type="transformer", decoder_type="transformer", enc_layers=2, dec_layers=2, heads=4,
                             hidden_size=32, transformer_ff=48, position_encoding=True, max_relative_positions=0,
                             pos_ffn_activation_fn="gelu", norm_eps=1e-5, share_embeddings=False,
                             share_decoder_embeddings=False, model_task="seq2seq", self_attn_type="scaled-dot")
    vocab = {"src": lists["en"], "tgt": lists["fr"], "data_task": "seq2seq", "decoder_start_token": "<s>"}
    whole = {"model": renamed, "generator": generator, "vocab": vocab, "opt": opt, "optim": {"training_step": 1}}
    torch.save(whole, place / "model_step_1.pt")
    lines, references = make_lines("en", 20, 12), make_lines("fr", 20, 13)
    ids = {language: {word: i for i, word in enumerate(words)} for language, words in lists.items()}
    expected = []
    for line, reference in zip(lines, references):
        source = [ids["en"].get(word, 0) for word in line.split()]
        target = [ids["fr"].get(word, 0) for word in reference.split()] + [3]
        scores = fairseq_forward(weights, args, source, [2, *target[:-1]])
        expected.append(scores[range(len(target)), target].sum().item())
    assert_close("OpenNMT-py's names", score_pairs(place / "model_step_1.pt", lines, references), expected, 1e-3)
    opt.max_relative_positions = 20
    torch.save(whole, place / "model_step_1.pt")
    run = subprocess.run([TOOL, "import", str(place / "model_step_1.pt")], capture_output=True, text=True)
    assert run.returncode == 1 and "max_relative_positions: 20" in run.stderr, run.stderr


class PlainTransformer(torch.nn.Module):
    """As PyTorch's tutorials wire it."""

    def __init__(self, words, norm_first):
        super().__init__()
        self.embed = torch.nn.Embedding(words, 32)
        self.place = torch.nn.Parameter(torch.zeros(64, 32))
        self.net = torch.nn.Transformer(32, 4, 2, 2, 48, dropout=0, activation="gelu", batch_first=True, norm_first=norm_first)
        self.head = torch.nn.Linear(32, words)

    def forward(self, source, target):
        x, y = (self.embed(ids) + self.place[:ids.shape[1]] for ids in (source, target))
        mask = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.head(self.net(x, y, tgt_mask=mask)).log_softmax(-1)


def check_mapped(folder):
    words = ["[pad]", "[start]", "[end]", "[unk]", *sorted({*words_of("en"), *words_of("fr")})]
    ids = {word: i for i, word in enumerate(words)}
    lines, references = make_lines("en", 20, 12), make_lines("fr", 20, 13)
    for norm_first in (False, True):
        place = folder / f"mapped{norm_first}"
        place.mkdir()
        network = PlainTransformer(len(words), norm_first)
        randomize(network, 8)
        torch.save(network.state_dict(), place / "net.pt")
        write(place / "words.txt", words)
        (place / "attn.ini").write_text(f"""
[model]
d_model = 32
ffn = 48
heads = 4
kv_heads = 4
encoder_layers = 2
decoder_layers = 2
max_length = 64
activation = gelu
learned_positions = true
plain_embeddings = true
embeddings = untied
{'pre_norm' if norm_first else 'final_norm'} = true
[vocabulary]
source = words.txt
pad = [pad]
unk = [unk]
bos = [start]
eos = [end]
[tensors]
torch = net.
source_embedding = embed.weight
target_embedding = embed.weight
output = head.weight
output.bias = head.bias
positions = place
""")
        expected = []
        for line, reference in zip(lines, references):
            source = [ids.get(word, 3) for word in line.split()] + [2]
            target = [ids.get(word, 3) for word in reference.split()] + [2]
            with torch.no_grad():
                scores = network(torch.tensor([source]), torch.tensor([[1, *target[:-1]]]))[0]
            expected.append(scores[range(len(target)), target].sum().item())
        what = f"nn.Transformer by a mapping, {'pre' if norm_first else 'post'}-norm"
        assert_close(what, score_pairs(place / "net.pt", lines, references), expected, 1e-3)
        attn("import", place, "-o", folder / "kept.safetensors")
        assert_close(what + ", saved", score_pairs(folder / "kept.safetensors", lines, references), expected, 1e-3)


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
    results = engine.translate_batch(words, beam_size=1, max_decoding_length=40, min_decoding_length=0)
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
            keys = 8 * int(getattr(layer.self_attention, "num_heads_kv", 4))
            linear(attention[0], 32 + 2 * keys, 32, draw)
            linear(attention[1], 32, 32, draw)
            if side is spec.decoder:
                for part, rows in zip(layer.attention.linear, (32, 2 * keys, 32)):
                    linear(part, rows, 32, draw)
            linear(layer.ffn.linear_0, 48, 32, draw)
            linear(layer.ffn.linear_1, 32, 48, draw)
            if hasattr(layer.ffn, "linear_0_noact"):
                linear(layer.ffn.linear_0_noact, 48, 32, draw)


SPECIFIED = {
    "pre-norm, positions built in": {"pre_norm": True},
    "pre-norm, RMSNorm, gated": {"pre_norm": True, "rms_norm": True, "ffn_glu": True},
    "post-norm, embeddings normed": {"pre_norm": False, "layernorm_embedding": True},
    "heads that share keys and values": {"pre_norm": True, "num_heads_kv": 2},
    "one key for all heads": {"pre_norm": False, "multi_query_attention": True},
    # Numbers so small that the norms' epsilon counts: its defaults, and one that config.json sets.
    "RMSNorm of small numbers": {"pre_norm": True, "rms_norm": True},
    "norms of small numbers": {"pre_norm": True},
    "RMSNorm of small numbers, epsilon 1e-4": {"pre_norm": True, "rms_norm": True},
    "relative positions": {"pre_norm": True, "relative_attention_bias": True},
    "relative positions, few buckets": {"pre_norm": False, "relative_attention_bias": True},
    "rotary positions, neighbours": {"pre_norm": True, "rotary_dim": 0},
    "rotary positions, halves, of some channels": {"pre_norm": False, "rotary_dim": 4, "rotary_interleave": False,
                                                   "rotary_base": 100},
}
# Buckets, and the distance beyond which there is one.
RELATIVE = {"relative positions": (32, 128), "relative positions, few buckets": (7, 6)}


def fill_relative(spec, buckets, longest, draw):
    """A table for each side, which all its layers have."""
    for side in (spec.encoder, spec.decoder):
        table = torch.randn(buckets, 4, generator=draw).numpy()
        for layer in side.layer:
            layer.self_attention.relative_attention_bias = table
            layer.self_attention.relative_attention_max_distance = numpy.dtype("int32").type(longest)


def check_specified(folder, segmenter_path, lines):
    """Networks that no converter here makes, from CTranslate2's own specifications, three tables, started by <s>."""
    segmenter = sentencepiece.SentencePieceProcessor(model_file=str(segmenter_path))
    words = ["<unk>", "<s>", "</s>", *(segmenter.id_to_piece(i) for i in range(2, segmenter.get_piece_size()))]
    specs = {}
    for number, (what, options) in enumerate(SPECIFIED.items()):
        draw = torch.Generator().manual_seed(number)
        sides = [side(layers, 4, activation=ctranslate2.specs.Activation.SWISH, **options) for side, layers in (
            (ctranslate2.specs.transformer_spec.TransformerEncoderSpec, 2),
            (ctranslate2.specs.transformer_spec.TransformerDecoderSpec, 3))]
        spec = ctranslate2.specs.TransformerSpec(*sides)
        fill(spec, draw)
        fill_linears(spec, draw)
        if what in RELATIVE:
            fill_relative(spec, *RELATIVE[what], draw)
        size = 0.003 if "small" in what else 0.3
        tables = [torch.randn(len(words), 32, generator=draw).mul(size).numpy() for _ in range(3)]
        if "small" in what:
            places = torch.randn(80, 32, generator=draw).mul(size).numpy()
            spec.encoder.position_encodings.encodings = spec.decoder.position_encodings.encodings = places
        if "epsilon" in what:
            spec.config.layer_norm_epsilon = 1e-4
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
        results = engine.translate_batch(pieces, beam_size=1, max_decoding_length=30, min_decoding_length=0, disable_unk=True,
                                         suppress_sequences=[["<s>"]])
        theirs = [segmenter.decode(result.hypotheses[0]).strip() for result in results]
        ours = [text.strip() for text, _, _ in translate(model, lines, "--max-length", 30)]
        other = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
        assert not other, f"CTranslate2, {what}: {len(other)} other translations, such as {other[0]}"
        specs[what] = spec
    # Settings within a layer that attn does not compute.
    rotary, relative = "rotary positions, halves, of some channels", "relative positions"
    for what, setting, value, said in (
            (rotary, "rotary_dim", numpy.int32(8), "not the same in every layer"),
            (rotary, "rotary_scaling_type", numpy.int8(0), "rotary_scaling_type"),
            (relative, "relative_attention_max_distance", numpy.int32(9), "not the same in every layer"),
            (relative, "relative_attention_bias", numpy.ones((32, 4), "float32"), "not the same in every layer"),
            (relative, "queries_scale", numpy.float32(1), "queries_scale"),
            (relative, "relative_position_keys", numpy.ones((5, 8), "float32"), "relative_position_keys")):
        layer = vars(specs[what].encoder.layer[1].self_attention)
        before = dict(layer)
        layer[setting] = ctranslate2.specs.model_spec.NumpyVariable(value)
        specs[what].save(str(model))
        run = subprocess.run([TOOL, "import", str(model)], capture_output=True, text=True)
        assert run.returncode == 1 and said in run.stderr and run.stderr.count("\n") == 1, run.stderr
        layer.clear()
        layer.update(before)


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
    results = engine.translate_batch(words, beam_size=1, max_decoding_length=40, min_decoding_length=0, return_scores=True)
    theirs = [segmenter.decode(result.hypotheses[0]) for result in results]
    ours = [text for text, _, _ in translate(package, lines, "--max-length", 40)]
    assert ours == theirs, "an Argos package: other translations"
    print(f"Argos package: {len(ours)} translations")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_marian(folder)
        check_hugging_face(folder)
        check_languages(folder)
        check_fairseq(folder)
        check_opennmt(folder)
        check_mapped(folder)
    print("all as expected")


main()
