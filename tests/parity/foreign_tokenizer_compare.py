"""Tokenizers of other models give the ids and texts of their makers' programs.

    foreign_tokenizer_compare.py DRIVER

DRIVER is the program built from foreign_tokenizer_driver.c. Everything compared is made here: text by rule, tokenizers
trained on it. Exits 77 when sentencepiece, tokenizers or transformers is missing.
"""
import io
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
    import sentencepiece
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers
    import transformers
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install sentencepiece tokenizers transformers)")
    sys.exit(77)

WORDS = {
    "en": "the house stands near river and children play with small dogs while evening comes slowly over hills".split(),
    "fr": "la maison près de rivière et les enfants jouent avec l'été où garçon naïve cœur déjà bientôt".split(),
    "zh": "房子 在 河边 孩子 们 和 小狗 玩 晚上 慢慢 来到 山上 你好 世界".split(),
    "ru": "дом стоит у реки и дети играют с маленькими собаками вечер медленно приходит Ёлка".split(),
}
STRANGE = ["", " ", "   ", "\t", "a\u0000b".replace("\u0000", "\u0001"), "\u200b", "\ufeff", "e\u0301", "ＡＢＣ", "½", "ﬁne",
           "👍🏽", "👨‍👩‍👧", "🇫🇷 flag", "한국어", "ภาษาไทย", "עברית", "العربية", "हिन्दी", "x" * 300, "a\nb", "a\u0085b",
           "▁", "▁▁ a", "<0x41>", "\\", "don't!", ".?!", "  two  spaces  ", "\u3000wide\u3000", "İstanbul", "ΣΑΣ"]


def make_lines(languages, count, seed):
    """Sentences by rule, so that no outside text is needed."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        words = draw.choices(WORDS[draw.choice(languages)], k=draw.randint(1, 12))
        if draw.random() < 0.3:
            words.append(str(draw.randint(0, 9999)))
        if draw.random() < 0.3:
            words[0] = words[0].capitalize()
        lines.append(" ".join(words) + draw.choice(["", ".", "!", " ?", ", ¿"]))
    return lines


def make_texts(seed):
    """What the tokenizers are asked: known text, text that they never saw, and strange text in between."""
    draw = random.Random(seed)
    lines = make_lines(list(WORDS), 900, seed)
    return STRANGE + lines + [f"{draw.choice(lines)} {draw.choice(STRANGE)} {draw.choice(lines)}" for _ in range(300)]


def train(languages, path, size, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(make_lines(languages, 2000, 1)), model_writer=model, vocab_size=size,
        hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
    path.write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def run(driver, *arguments, lines=None):
    """The driver's answer, a line for each line that it is given."""
    given = None
    if lines is not None:
        given = "".join(line.replace("\\", "\\\\").replace("\n", "\\n") + "\n" for line in lines).encode()
    done = subprocess.run([driver, *map(str, arguments)], input=given, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    return done.stdout.decode().split("\n")[:-1]


def encode(driver, path, texts):
    return [[int(word) for word in line.split()] for line in run(driver, "encode", path, lines=texts)]


def decode(driver, path, ids):
    return run(driver, "decode", path, lines=[" ".join(map(str, line)) for line in ids])


def tied(a, b):
    """The same pieces in another order are equally likely for unigram, and versions of SentencePiece take different ones."""
    return isinstance(a, list) and sorted(a) == sorted(b)


def compare(what, ours, theirs, texts, ties=0):
    """ties: of so many lines it may be another order."""
    assert len(ours) == len(theirs) == len(texts), (what, len(ours), len(theirs), len(texts))
    wrong = [(text, a, b) for text, a, b in zip(texts, ours, theirs) if a != b]
    even = [line for line in wrong if tied(*line[1:])]
    if len(even) <= ties:
        wrong = [line for line in wrong if not tied(*line[1:])]
    for text, a, b in wrong[:5]:
        print(f"{what}: {text!r}\n  attn   {a}\n  theirs {b}")
    if wrong:
        sys.exit(f"{what}: {len(wrong)} of {len(texts)} lines differ")
    print(f"{what}: {len(texts)} lines are equal")


def shuffled_vocabulary(models, seed):
    """One table over the pieces of several models, some of them missing, in an order of its own."""
    draw = random.Random(seed)
    pieces = sorted({model.id_to_piece(i) for model in models for i in range(3, model.get_piece_size())})
    pieces = [piece for piece in pieces if draw.random() > 0.05] + [">>fra<<", ">>zho<<"]
    draw.shuffle(pieces)
    pieces = ["</s>", "<unk>"] + pieces + ["<pad>"]
    return {piece: i for i, piece in enumerate(pieces)}


def is_control(piece):
    return piece in ("</s>", "<unk>", "<pad>") or piece.startswith(">>")


def check_marian(driver, folder, **options):
    """MarianTokenizer, and the lookup that Marian itself makes, on both sides of a model."""
    more = 256 if options.get("byte_fallback") else 0
    models = {"source": train(["en", "ru"], folder / "source.spm", 180 + more, **options),
              "target": train(["fr", "zh"], folder / "target.spm", 220 + more, **options)}
    table = shuffled_vocabulary(models.values(), 3)
    (folder / "vocab.json").write_text(json.dumps(table))
    (folder / "pieces").write_text("".join(f"{piece}\tc\n" if is_control(piece) else f"{piece}\n" for piece in table))
    theirs = transformers.MarianTokenizer(str(folder / "source.spm"), str(folder / "target.spm"),
                                          str(folder / "vocab.json"))
    texts = make_texts(5)
    for side, model in models.items():
        path = folder / f"{side}.attn"
        run(driver, "spm", folder / f"{side}.spm", folder / "pieces", path)
        wanted = [[table.get(piece, table["<unk>"]) for piece in model.encode(text, out_type=str)] for text in texts]
        ids = encode(driver, path, texts)
        compare(f"{options} {side}, a lookup", ids, wanted, texts)
        special = [int(word) for word in run(driver, "special", path)[0].split()]
        assert special == [table["<pad>"], 1, -1, 0], special
        known = {i: piece for piece, i in table.items()}
        pieces = [[known[i] for i in line if not is_control(known[i])] for line in ids]
        texts_back = [model.decode_pieces(line).replace("▁", " ").strip(" ") for line in pieces]
        one_line = [i for i, text in enumerate(texts_back) if "\n" not in text]
        compare(f"{options} {side}, back", decode(driver, path, [ids[i] for i in one_line]),
                [texts_back[i] for i in one_line], [texts[i] for i in one_line])
    coded = texts + [f">>fra<< {text}" for text in texts[:200]] + [">>xyz<< no", ">>fra", ">><< a", ">> a << b", " >>fra<< a"]
    # transformers takes white space off both ends of a text beside the tokens it knows, so the lines have none.
    coded = [text for text in coded if text == text.strip() and text]
    wanted = [line[:-1] for line in theirs(coded)["input_ids"]]
    compare(f"{options} MarianTokenizer", encode(driver, folder / "source.attn", coded), wanted, coded)


def check_fairseq(driver, folder):
    """The numbers of mBART and NLLB: those of SentencePiece plus one, languages behind."""
    model = train(["en", "fr", "zh"], folder / "fairseq.spm", 300)
    (folder / "codes").write_text("en_XX\tc\nfr_XX\tc\n<mask>\tc\n")
    run(driver, "fairseq", folder / "fairseq.spm", folder / "codes", folder / "fairseq.attn")
    texts = make_texts(7)
    wanted = [[3 if i == 0 else i + 1 for i in model.encode(text)] for text in texts]
    compare("fairseq", encode(driver, folder / "fairseq.attn", texts), wanted, texts, ties=5)
    assert run(driver, "special", folder / "fairseq.attn") == ["1 3 0 2"]


def has_ids(driver, tokenizer, path, texts, what, special=(), ties=0):
    """attn's ids of a tokenizer.json beside the library's, and the texts that come back."""
    for name in special:
        tokenizer.add_special_tokens([name])
    tokenizer.save(str(path))
    run(driver, "json", path, f"{path}.attn")
    wanted = [line.ids for line in tokenizer.encode_batch(texts, add_special_tokens=False)]
    compare(what, encode(driver, f"{path}.attn", texts), wanted, texts, ties)
    plain = [i for i, line in enumerate(wanted) if line]
    compare(f"{what}, back", decode(driver, f"{path}.attn", [wanted[i] for i in plain]),
            [tokenizer.decode(wanted[i]).strip(" ") for i in plain], [texts[i] for i in plain])


def check_wordpiece(driver, folder):
    """A vocabulary of BERT's kind: letters, marks and pieces that go on."""
    letters = sorted({c for word in sum(WORDS.values(), []) for c in word.lower()} | set("abcdefghijklmnopqrstuvwxyz0123456789.,!?'"))
    words = sorted({word.lower() for word in sum(WORDS.values(), [])})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *[f"##{c}" for c in letters],
              *[word for word in words if len(word) > 1], *[f"##{word[-2:]}" for word in words if len(word) > 3]]
    pieces = list(dict.fromkeys(pieces))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces))
    for lowercase in (True, False):
        tokenizer = tokenizers.Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]",
                                                          max_input_chars_per_word=100))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        texts = make_texts(9)
        has_ids(driver, tokenizer, folder / "bert.json", texts, f"WordPiece, lowercase {lowercase}", pieces[:5])
        run(driver, "uncased" if lowercase else "cased", folder / "vocab.txt", folder / "bert.attn")
        assert (folder / "bert.attn").read_bytes() == (folder / "bert.json.attn").read_bytes()


def check_bytes(driver, folder):
    """BPE over bytes, as GPT-2 and RoBERTa have it."""
    for prefix in (False, True):
        tokenizer = tokenizers.ByteLevelBPETokenizer(add_prefix_space=prefix)
        tokenizer.train_from_iterator(make_lines(list(WORDS), 2000, 1) + ["it's  they'll", "two\n\nlines"] * 50, vocab_size=600,
                                      special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False)
        path = folder / "bytes.json"
        tokenizer.save(str(path))
        run(driver, "json", path, folder / "bytes.attn")
        assert run(driver, "special", folder / "bytes.attn") == ["1 3 0 2"]
        draw = random.Random(13)
        any_text = ["".join(chr(draw.choice([draw.randrange(32, 127), draw.randrange(0xa0, 0x2fff), draw.choice(b" '\t.,slt")]))
                            for _ in range(draw.randint(1, 40))) for _ in range(500)]
        ends = [f"{a}{b}{c}" for a in ("I", "4", "?", " ", "") for b in ("'s", "'S", "'ll", "'l", "'ve", " 's", "''re") for c in ("", "x", " ")]
        texts = make_texts(12) + any_text + ends
        wanted = [line.ids for line in tokenizer.encode_batch(texts)]
        compare(f"BPE over bytes, prefix {prefix}", encode(driver, folder / "bytes.attn", texts), wanted, texts)
        plain = [i for i, text in enumerate(texts) if "\n" not in text]
        compare(f"BPE over bytes, prefix {prefix}, back", decode(driver, folder / "bytes.attn", [wanted[i] for i in plain]),
                [tokenizer.decode(wanted[i], skip_special_tokens=False) for i in plain], [texts[i] for i in plain])


def field(message, wanted):
    """The bytes of a field of a message in protocol buffers."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (message[at] & 0x7F) << shift
            shift += 7
            at += 1
            if message[at - 1] < 0x80:
                return value

    while at < len(message):
        tag = varint()
        size = varint() if tag & 7 in (0, 2) else {1: 8, 5: 4}[tag & 7]
        if tag & 7 == 2 and tag >> 3 == wanted:
            return message[at:at + size]
        at += 0 if tag & 7 == 0 else size
    raise KeyError(wanted)


def from_sentencepiece(model, kind, charsmap, driver, folder, what):
    """What Hugging Face's converter makes of a SentencePiece file."""
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]
    if kind == "unigram":
        tokenizer = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=0))
    else:
        ranks = {piece: -score for piece, score in pieces[3:]}
        pairs = [(piece[:i], piece[i:]) for piece in ranks for i in range(1, len(piece))
                 if piece[:i] in ranks and piece[i:] in ranks]
        pairs.sort(key=lambda pair: ranks["".join(pair)])
        tokenizer = tokenizers.Tokenizer(models.BPE({p: i for i, (p, _) in enumerate(pieces)}, pairs, unk_token="<unk>",
                                                    fuse_unk=True))
    spaces = normalizers.Replace(tokenizers.Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap), spaces]) if charsmap else spaces
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    # White space at the ends, or what a table makes white space, falls away in attn.
    texts = [text for text in make_texts(11) if text == text.strip(" \t\u3000\u200b\ufeff") and "▁" not in text]
    has_ids(driver, tokenizer, folder / "sp.json", texts, what, ["<unk>", "<s>", "</s>", "<mask>"],
            ties=10 if kind == "unigram" else 0)


def check_sentencepiece_json(driver, folder):
    for kind in ("unigram", "bpe"):
        for rule in ("identity", "nmt_nfkc"):
            path = folder / "plain.spm"
            model = train(list(WORDS), path, 400, model_type=kind, normalization_rule_name=rule)
            charsmap = field(field(path.read_bytes(), 3), 2) if rule != "identity" else None
            from_sentencepiece(model, kind, charsmap, driver, folder, f"tokenizer.json of {kind}, {rule}")


def main():
    driver = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.environ["ATTN_DRIVERS"], "foreign_tokenizer_driver")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_marian(driver, folder, model_type="unigram")
        check_marian(driver, folder, model_type="bpe")
        check_marian(driver, folder, model_type="bpe", byte_fallback=True)
        check_fairseq(driver, folder)
        check_wordpiece(driver, folder)
        check_bytes(driver, folder)
        check_sentencepiece_json(driver, folder)


if __name__ == "__main__":
    main()
