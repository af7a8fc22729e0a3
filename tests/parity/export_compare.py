#!/usr/bin/env python3
"""Models that attn exports give CTranslate2, transformers and Marian the tokens and scores that attn computes itself.

The models: attn's own, trained here on a few lines with a joint vocabulary, with two, and with bytes; Marian's, trained by pymarian,
imported, and trained further. Exits 77 when ctranslate2, pymarian, sentencepiece, torch or transformers is missing.
"""
import json
import os
import pathlib
import random
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
LONGEST = 40


def make_lines(language, count, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS[language], k=draw.randint(2, 9))).capitalize() + "." for _ in range(count)]


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines))


def attn(*arguments):
    run = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, (arguments, run.stderr)
    return run.stdout


def refused(words, *arguments):
    run = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 1 and words in run.stderr and run.stderr.count("\n") == 1, (arguments, run.stderr)


def translate(model, lines):
    """Greedy: [(text, log p of each token)]."""
    asked = pathlib.Path(model).parent / "asked"
    write(asked, lines)
    out = attn("translate", "--model", model, "--raw", "--beam", 1, "--no-repeat-guard", "--no-length-guard", "--json",
               "--max-length", LONGEST, asked)
    best = [json.loads(line)["sentences"][0]["hypotheses"][0] for line in out.splitlines()]
    return [(h["text"], h["token_log_probabilities"]) for h in best]


def score(model, lines, references):
    write(model.parent / "source", lines)
    write(model.parent / "target", references)
    out = attn("score", "--model", model, "--raw", "--json", "--source", model.parent / "source", "--target",
               model.parent / "target")
    return [json.loads(line)["log_probability"] for line in out.splitlines()]


def assert_close(what, found, expected, limit):
    worst = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    assert worst <= limit, f"{what}: scores differ by up to {worst}"
    print(f"{what}: {len(found)} scores within {worst:.1e}")


# ---- the programs ----

LINES, REFERENCES = make_lines("en", 20, 6), make_lines("fr", 20, 7)


def check_ctranslate2(what, model, again=True):
    folder = model.parent / f"{model.stem}-ctranslate2"
    attn("export", model, "--to", "ctranslate2", "-o", folder)
    source, target = (sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
                      for side in ("source", "target"))
    engine = ctranslate2.Translator(str(folder), compute_type="float32", inter_threads=1, intra_threads=1)
    words = [source.encode(line, out_type=str) for line in LINES]
    found = [sum(result.log_probs) for result in
             engine.score_batch(words, [target.encode(line, out_type=str) for line in REFERENCES])]
    assert_close(f"{what}, CTranslate2", found, score(model, LINES, REFERENCES), 1e-3)
    results = engine.translate_batch(words, beam_size=1, max_decoding_length=LONGEST, min_decoding_length=0)
    theirs = [target.decode(result.hypotheses[0]) for result in results]
    assert theirs == [text for text, _ in translate(model, LINES)], f"{what}, CTranslate2: other translations"
    if again:
        check_again(what, folder, model)


def check_hugging_face(what, model):
    folder = model.parent / f"{model.stem}-huggingface"
    attn("export", model, "--to", "huggingface", "-o", folder)
    network = transformers.MarianMTModel.from_pretrained(folder).eval()
    tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
    scores, texts = [], []
    for line, reference in zip(LINES, REFERENCES):
        source = tokenizer(line, return_tensors="pt")
        target = tokenizer(text_target=reference, return_tensors="pt").input_ids
        read = torch.cat([torch.tensor([[network.config.decoder_start_token_id]]), target[:, :-1]], 1)
        with torch.no_grad():
            logits = network(**source, decoder_input_ids=read).logits.log_softmax(-1)
            ids = network.generate(**source, num_beams=1, do_sample=False, max_length=LONGEST + 1)
        scores.append(logits.gather(-1, target.unsqueeze(-1)).sum().item())
        texts.append(tokenizer.decode(ids[0], skip_special_tokens=True))
    assert_close(f"{what}, transformers", scores, score(model, LINES, REFERENCES), 1e-3)
    ours = translate(model, LINES)
    for theirs, (text, tokens) in zip(texts, ours):
        assert theirs == text or len(tokens) >= LONGEST, f"{what}, transformers: {theirs!r} and {text!r}"
    check_again(what, folder, model)


def check_marian(what, model, vocabularies=("source.spm", "target.spm")):
    folder = model.parent / f"{model.stem}-marian"
    attn("export", model, "--to", "marian", "-o", folder)
    marian = pymarian.Translator(models=str(folder / "model.npz"), vocabs=[str(folder / name) for name in vocabularies],
                                 beam_size=1, normalize=0, n_best=True, word_scores=True, max_length_factor=3, quiet=True,
                                 cpu_threads=1)
    theirs = []
    for line in marian.translate(LINES):
        _, text, *_, total = line.rstrip("\n").split(" ||| ")
        theirs.append((text, float(total)))
    ours = translate(model, LINES)
    pairs = [(sum(o[1]), t[1]) for o, t in zip(ours, theirs) if o[0] == t[0]]
    for o, t in zip(ours, theirs):
        assert o[0] == t[0] or len(o[1]) >= LONGEST, f"{what}, Marian: {o[0]!r} and {t[0]!r}"
    assert len(pairs) > 5, f"{what}: only {len(pairs)} translations end"
    assert_close(f"{what}, Marian", [a for a, _ in pairs], [b for _, b in pairs], 1e-3)
    check_again(what, folder, model)


def check_again(what, folder, model):
    """What attn imports of its own export is what it exported."""
    assert_close(f"{what}, {folder.name.split('-')[-1]} imported again", score(folder, LINES, REFERENCES),
                 score(model, LINES, REFERENCES), 1e-4)


# ---- the models ----

SMALL = ("d_model=32 ffn=48 heads=4 encoder_layers=2 decoder_layers=1 vocabulary=130 batch_tokens=300 max_epochs=0 "
         "max_steps=60 validate_every=60 learning_rate=0.01 warmup_steps=5 max_length=100 average=1 keep=average").split()


def train(folder, name, *options, init=None, steps=60):
    write(folder / "train.en", make_lines("en", 300, 1))
    write(folder / "train.fr", make_lines("fr", 300, 2))
    settings = [f"max_steps={steps}", *([] if init else SMALL)]
    last = [s for s in SMALL if init and s.split("=")[0] in
            ("batch_tokens", "max_epochs", "validate_every", "learning_rate", "warmup_steps", "average", "keep")]
    sets = [part for setting in [*settings, *last, *options] if not setting.startswith("max_steps=60" if init else "\0")
            for part in ("--set", setting)]
    attn("train", "translator", "--source", folder / "train.en", "--target", folder / "train.fr", "--quiet", "-j", 1,
         "--out", folder / name, *(["--init", init] if init else []), *sets)
    return folder / f"{name}.safetensors"


ROTARY = {
    "halves": ("norm=pre",),
    "neighbours of some channels": ("norm=post", "rotary=adjacent", "rotary_base=100", "rotary_dim=4"),
}


def check_own(folder):
    model = train(folder, "pre", "norm=pre", "kv_heads=0", "activation=gelu")
    check_ctranslate2("pre-norm", model)
    check_ctranslate2("heads that share keys and values", train(folder, "shared", "norm=pre", "kv_heads=2"))
    refused("norms before the layers", "export", model, "--to", "huggingface", "-o", folder / "no")
    refused("norms before the layers", "export", model, "--to", "marian", "-o", folder / "no")
    model = train(folder, "post", "norm=post", "byte_fallback=true", "vocabulary=360", "tokenizer_type=bpe")
    check_ctranslate2("post-norm, bytes", model)
    check_hugging_face("post-norm, bytes", model)
    refused("epsilon", "export", model, "--to", "marian", "-o", folder / "no")
    model = train(folder, "separate", "norm=post", "vocabularies=separate", "vocabulary=80", "output_bias=true",
                  "positions=learned", "activation=swish")
    check_ctranslate2("two vocabularies, learned positions", model)
    check_hugging_face("two vocabularies, learned positions", model)
    for what, options in ROTARY.items():
        model = train(folder, what.split()[0], "positions=rotary", *options)
        check_ctranslate2(f"rotary positions, {what}", model)
    for program in ("huggingface", "marian"):
        refused("rotary positions", "export", model, "--to", program, "-o", folder / "no")
    model = train(folder, "modern", "norm=pre", "norm_kind=rms", "gated=true", "activation=swish", "tied=false",
                  "bare_source=true")
    # A folder does not tell whether its caller adds </s>, so attn reads sources with it again.
    check_ctranslate2("RMSNorm, gates, three tables, bare sources", model, again=False)
    check_ctranslate2("rotary positions", train(folder, "rotary", "norm=pre", "positions=rotary", "rotary=adjacent",
                                                "rotary_base=100", "rotary_dim=4"))
    model = train(folder, "relative", "norm=pre", "positions=relative", "relative_buckets=10", "relative_distance=12",
                  "decoder_layers=2")
    check_ctranslate2("relative positions", model)
    refused("relative positions", "export", train(folder, "near", "norm=post", "positions=relative"), "--to", "huggingface",
            "-o", folder / "no")
    refused("RMSNorm", "export", train(folder, "rms", "norm=post", "norm_kind=rms"), "--to", "huggingface", "-o",
            folder / "no")
    refused("elisions", "export", train(folder, "elided", "norm=post", "elisions=l d"), "--to", "ctranslate2", "-o",
            folder / "no")
    refused("it exists", "export", model, "--to", "ctranslate2", "-o", folder)
    assert not (folder / "no").exists() and not list(folder.glob("*.partial")), "something was written"


MARIAN = {
    "swish, one table": "--transformer-ffn-activation swish --tied-embeddings-all",
    "gelu, a table for each side": "--transformer-ffn-activation gelu --tied-embeddings",
    "relu, three tables": "--transformer-ffn-activation relu",
}


def check_from_marian(folder):
    write(folder / "en", make_lines("en", 300, 1))
    write(folder / "fr", make_lines("fr", 300, 2))
    sentencepiece.SentencePieceTrainer.train(
        input=f"{folder}/en,{folder}/fr", model_prefix=str(folder / "joint"), vocab_size=150, bos_id=-1, eos_id=0, unk_id=1,
        pad_id=-1, hard_vocab_limit=False, minloglevel=2)
    os.replace(folder / "joint.model", folder / "joint.spm")
    for number, (what, options) in enumerate(MARIAN.items()):
        name = folder / f"m{number}.npz"
        pymarian.Trainer(
            f"--type transformer --model {name} --train-sets {folder}/en {folder}/fr --vocabs {folder}/joint.spm "
            f"{folder}/joint.spm --dim-emb 32 --enc-depth 2 --dec-depth 1 --transformer-heads 4 --transformer-dim-ffn 48 "
            f"--mini-batch 16 --after-batches 12 --learn-rate 0.01 --cpu-threads 1 --seed 7 --workspace 200 --quiet --overwrite "
            f"--transformer-postprocess dan {options}").train()
        model = folder / f"m{number}.safetensors"
        attn("import", name, "-o", model)
        check_marian(what, model)
        check_ctranslate2(what, model)
        check_hugging_face(what, model)
        tuned = train(folder, f"t{number}", init=name, steps=10)
        assert score(tuned, LINES, REFERENCES) != score(model, LINES, REFERENCES), "training on changes nothing"
        check_marian(f"{what}, trained on", tuned)
        if number == 0:
            still = train(folder, "still", "learning_rate=1e-12", "warmup_init=0", init=name, steps=1)
            assert_close(f"{what}, a step of nothing", score(still, LINES, REFERENCES), score(model, LINES, REFERENCES), 1e-4)
            low = train(folder, "low", "lora_rank=4", init=name, steps=30)
            check_marian(f"{what}, adapters", low)


def main():
    with tempfile.TemporaryDirectory() as name:
        check_own(pathlib.Path(name))
    with tempfile.TemporaryDirectory() as name:
        check_from_marian(pathlib.Path(name))
    print("all as expected")


main()
