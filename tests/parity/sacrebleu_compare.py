#!/usr/bin/env python3
"""Compares attn's BLEU and chrF with the sacrebleu package over awkward texts.

    sacrebleu_compare.py SCORE_DRIVER [SEED]

SCORE_DRIVER is the program built from score_driver.c. Exits 77 (skipped) where sacrebleu is missing.
"""
import os
import random
import subprocess
import sys
import tempfile
import warnings

try:
    import sacrebleu
except ImportError:
    print("skipped: the Python package sacrebleu is not installed")
    sys.exit(77)

import logging

logging.getLogger("sacrebleu").setLevel(logging.ERROR)
warnings.simplefilter("ignore")

TOLERANCE = 1e-6  # two decimals are promised; anything above rounding noise is a difference

SENTENCES = [
    "The animal didn't cross the street because it was too tired.",
    "L'animal n'a pas traversé la rue, car il était trop fatigué !",
    "It cost $1,234.56 (about €1.200,50) on 2024-01-31, i.e. -5% vs. 3.14-2.",
    "1.5,2.6.7,,8..9 ... .5 5. ,6 6, a.b.c A.I. U.S.A. x.1 1.x -1 1- 1-2 a-b 10--20",
    "&quot;Tom &amp; Jerry&quot; &lt;b&gt; &amp;lt; &amp;amp;quot; &nbsp; & &; &quot &AMP;",
    "<skipped> seg<skipped>ment <skip<skipped>ped> </s> <unk>",
    "he said: “no” — ‘yes’ – maybe… «oui» „nein‟ ‚x‛ ‹y› ―z‒ non‑breaking‐hyphen",
    "{curly} [square] `tick` ~tilde~ |pipe| ^caret_ a/b\\c #tag @at %pct *star* +plus= <a> ;:?!",
    "emoji 😀👍🏽 👩‍👩‍👧 🇫🇷 ☀️☕✂️ text😀text 😀. .😀",
    "我们在2024年1月31日去了北京（很好！）。价格是3.5元,共10个，A股上涨1.2%。",
    "今日は東京でラーメンを食べました。ﾊﾝｶｸ カタカナ、ひらがな。",
    "한국어 문장입니다. 서울에서 만나요!",
    "𠀀𪛖 extension B 丽 豈 ⼀ ⿰ ㇀ ㄅ ㆠ ︐ ︰ ✀ ㈀ ㌀ Ａ１！",
    "Привет, мир! Ёлка №5. ΟΔΥΣΣΕΥΣ Σίσυφος ΑΣ. İstanbul IŞIK ǅ ẞ ΤΟΥΣ' Σ",
    "مرحبا، كيف حالك؟ שָׁלוֹם עולם हिन्दी में लिखा है। ภาษาไทย",
    "tabs\tand  double   spaces\u00a0nbsp\u2003em\u3000ideographic\u2009thin\u200bzero\u202fnarrow",
    "\u2028line sep\u2029para\x0bvt\x0cff\x1cfs\x1fus\x85nel\u1680ogham\ufeffbom\u180e",
    " leading and trailing   ",
    ". , .. ,, ., ,. ... ,,, .a. ,a, a.,b",
    "combining e\u0301 a\u0308 \u0301alone ﬁ ligature ½ ² ™ © ° µ × ÷ ± → ≠ ∞",
    "café naïve Ångström ÆØÅ ñ ß ﬀ ĳ Ĳ Ǆ",
    "",
    " ",
    "\u3000",
    "a",
    ".",
    "😀",
    "the the the the the the the",
    "The cat sat on the mat .",
    "aaaaaaaaaaaaaaaaaaaaaaaaaa",
    "x" * 300 + " " + "1.2,3-" * 50,
]
ALPHABET = (
    "abcXYZ0123456789.,,..--  '\"&;<>()[]{}/\\!?:%$€£«»“”‘’–—…·àéîöüçßÉÀΣσςİıЖж中文字国，。！？（）、あア한글"
    "😀👍☀\u200d\ufe0f\u0301\u00a0\u2003\u3000\u2028\x1c\x85\u2000\u2001\u2a6d\u2a6e\u2f80\u2fe0"
    "\u2ff0\u3400\u4db5\u4db6\u4dff\u4e00\u9fbb\u9fbc\uf8ff\ufa2d\ufa2e\ufada\ufe0f\ufe10\ufe20"
    "\ufe30\ufe50\uff00\uffef\ufff0\u25ff\u2600\u27bf\u27c0\u3130\u3190\u31a0\u31ef\u31f0\U00020000"
)


def perturb(rng, sentence):
    """A hypothesis that shares some, but not all, with the reference."""
    kind = rng.randrange(8)
    words = sentence.split(" ")
    if kind == 0:
        return sentence
    if kind == 1:
        return ""
    if kind == 2:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(40)))
    if kind == 3:
        rng.shuffle(words)
    elif kind == 4:
        words = words[: rng.randrange(len(words) + 1)]
    elif kind == 5:
        words = [word.swapcase() if rng.random() < 0.3 else word for word in words]
    elif kind == 6:
        words.insert(rng.randrange(len(words) + 1), rng.choice(SENTENCES))
    else:
        return "".join(c for c in sentence if rng.random() < 0.9)
    return " ".join(words)


def one_line(text):
    """As a file of lines can hold it: no line feed, no carriage return or NUL, something to read."""
    return text.replace("\n", " ").replace("\r", " ").replace("\0", "")


def corpora(rng):
    yield [""], [""]
    yield ["a"], [""]
    yield [""], ["a"]
    for sentence in SENTENCES:
        yield [sentence], [sentence]
        yield [sentence], [perturb(rng, sentence)]
    for _ in range(150):
        references = [one_line(rng.choice(SENTENCES)) for _ in range(rng.randrange(1, 12))]
        yield [perturb(rng, reference) for reference in references], references
    for _ in range(150):
        references = [
            "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(60)))
            for _ in range(rng.randrange(1, 6))
        ]
        yield [perturb(rng, reference) for reference in references], references


def without_version(signature):
    return signature.rsplit("|version:", 1)[0]


def same_signature(ours, theirs):
    """Another release of sacrebleu may be installed than the one attn follows."""
    version = theirs.rsplit("|version:", 1)[1]
    if ours.endswith("|version:" + version):
        return ours == theirs
    return version.startswith("2.") and without_version(ours) == without_version(theirs)


def run_driver(driver, folder, arguments, hypotheses, references):
    paths = []
    for name, lines in (("hypotheses", hypotheses), ("references", references)):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write("".join(line + "\n" for line in lines))
        paths.append(path)
    result = subprocess.run([driver, *arguments, *paths], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit("driver failed: " + result.stderr)
    return [line.split(" ") for line in result.stdout.split("\n")]


def differences(driver, folder, tokenizer, lowercase, smooth, hypotheses, references):
    ours, ours_chrf = run_driver(
        driver, folder, [tokenizer, str(lowercase), str(smooth)], hypotheses, references
    )[:2]
    metric = sacrebleu.BLEU(
        tokenize=tokenizer,
        lowercase=bool(lowercase),
        smooth_method="exp" if smooth else "none",
        force=True,
    )
    theirs = metric.corpus_score(hypotheses, [references])
    expected = [theirs.score, *theirs.precisions, theirs.bp, theirs.sys_len, theirs.ref_len]
    found = [float(value) for value in ours[:8]]
    if any(abs(a - b) > TOLERANCE for a, b in zip(found, expected)):
        yield f"BLEU {found} is not {expected}"
    if not same_signature(ours[8], str(metric.get_signature())):
        yield f"signature {ours[8]} is not {metric.get_signature()}"
    metric = sacrebleu.CHRF()
    score = metric.corpus_score(hypotheses, [references]).score
    if abs(float(ours_chrf[0]) - score) > TOLERANCE:
        yield f"chrF {ours_chrf[0]} is not {score}"
    if not same_signature(ours_chrf[1], str(metric.get_signature())):
        yield f"signature {ours_chrf[1]} is not {metric.get_signature()}"


def main():
    driver = sys.argv[1]
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    compared = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (hypotheses, references) in enumerate(corpora(rng)):
            hypotheses = [one_line(line) for line in hypotheses]
            references = [one_line(line) for line in references]
            for tokenizer in ("13a", "none", "zh", "char"):
                lowercase, smooth = rng.randrange(2), rng.randrange(4) > 0
                compared += 1
                for text in differences(
                    driver, folder, tokenizer, lowercase, int(smooth), hypotheses, references
                ):
                    failed += 1
                    print(f"corpus {number}, {tokenizer}, lowercase {lowercase}: {text}")
                    if failed <= 5:
                        print("  hypotheses", ascii(hypotheses), "\n  references", ascii(references))
    print(f"sacrebleu {sacrebleu.__version__}: {compared} comparisons, {failed} differences")
    return 1 if failed or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
