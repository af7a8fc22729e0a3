"""Translator: the same bytes as the tool prints, and what goes with them."""
import gc
import json
import subprocess
import threading

import attn
import numpy as np
import pytest

LINES = [
    "The animal didn't cross the street because it was too tired.",
    "How are you?",
    "",
    "  Two sentences. And a {placeholder}, 12 apples \N{RED APPLE} and https://example.org/a?b=c.  ",
    "Où est la gare ?",
    "I have no idea what you want me to do with all these things that you left in the kitchen yesterday.",
]


@pytest.fixture(scope="module")
def path(source):
    return source / "models" / "en-fr.safetensors"


@pytest.fixture(scope="module")
def model(path):
    with attn.Translator(path) as opened:
        yield opened


def printed(tool, path, *options, text="\n".join(LINES) + "\n"):
    return subprocess.run([tool, "translate", "--model", path, *options], input=text, check=True, capture_output=True,
                          encoding="utf-8").stdout


@pytest.mark.parametrize("flags, options", [
    ([], {}),
    (["--beam", "1"], {"beam": 1}),
    (["--raw", "--length-penalty", "0.5"], {"format": "raw", "length_penalty": 0.5}),
    (["--translate-all"], {"translate_all": True}),
    (["--sample", "--temperature", "1.5", "--top-k", "5", "--seed", "7"],
     {"sample": True, "temperature": 1.5, "top_k": 5, "seed": 7}),
    (["--max-length", "5", "--no-repeat-guard", "--no-length-guard"],
     {"max_length": 5, "repeat_guard": False, "length_guard": False}),
])
def test_same_bytes_as_the_tool(tool, path, model, flags, options):
    expected = printed(tool, path, *flags).splitlines()
    for threads in (1, 2):
        attn.set_threads(threads)
        assert model.translate(LINES, batch=threads, **options) == expected
    attn.set_threads(0)
    if not options.get("sample"):  # draws depend on the number of the text
        assert [model.translate(line, **options) for line in LINES[:2]] == expected[:2]


def test_html(tool, path, model):
    page = '<p title="Good morning">How <b>are</b> you?</p>\n'
    assert model.translate(page, format="html") == printed(tool, path, "--html", text=page)
    both = printed(tool, path, "--html", "--attributes", text=page)
    assert model.translate(page, format="html", attributes=True) == both and "Good" not in both


def test_same_numbers_as_the_tool(tool, path, model):
    lines = [json.loads(line) for line in printed(tool, path, "--json", "--n-best", "3").splitlines()]
    found = model.translations(LINES, n_best=3, attention=True)
    assert len(found) == len(lines)
    for mine, theirs in zip(found, lines):
        assert [text for text, _ in mine.alternatives] == [t["text"] for t in theirs["translations"]]
        assert (mine.text, mine.score) == mine.alternatives[0]
        np.testing.assert_allclose([score for _, score in mine.alternatives],
                                   [t["score"] for t in theirs["translations"]], rtol=1e-6)
        assert len(mine.sentences) == len(theirs["sentences"])
        for sentence, expected in zip(mine.sentences, theirs["sentences"]):
            assert sentence.source == expected["source"]
            assert sentence.read == expected.get("read", sentence.source)
            assert sentence.source_tokens == expected["source_tokens"]
            for h, e in zip(sentence.hypotheses, expected["hypotheses"]):
                assert (h.text, h.tokens, h.cut) == (e["text"], e["tokens"], e["cut"])
                np.testing.assert_allclose([h.score, h.log_probability], [e["score"], e["log_probability"]], rtol=1e-6)
                np.testing.assert_allclose(h.token_log_probabilities, e["token_log_probabilities"], rtol=1e-5)
                np.testing.assert_allclose(h.attention, e["attention"], rtol=1e-5)
                assert h.attention.shape == (len(h.tokens), len(sentence.source_tokens))
                assert len(h.alignment()) == len(h.tokens)


def test_without_attention(model):
    found = model.translations("How are you?")
    assert found.text == model.translate("How are you?") and found.sentences[0].hypotheses[0].attention is None
    with pytest.raises(attn.ArgumentError, match="attention=True"):
        found.sentences[0].hypotheses[0].alignment()


def test_progress(model):
    seen = []
    final = model.translate(LINES[:2], beam=1, progress=lambda i, so_far: seen.append((i, so_far)))
    assert {i for i, _ in seen} == {0, 1}
    assert all(final[i].startswith(so_far[:1]) for i, so_far in seen) and (0, final[0]) in seen and len(seen) > 10

    def broken(i, so_far):
        raise KeyError("my own")

    with pytest.raises(KeyError, match="my own"):
        model.translate("How are you?", progress=broken)


def test_about(path, model, tmp_path):
    assert (model.source, model.target, model.pairs) == ("en", "fr", [("en", "fr")])
    assert model.name
    glossary = tmp_path / "glossary"
    glossary.write_text("street\tavenue\n")
    with attn.Translator(path, glossary=glossary, int8=True, source="en", target="fr") as other:
        assert "avenue" in other.translate("The street is long.")


def test_threads_share_a_model(model):
    expected, found = model.translate(LINES), [None] * 3

    def run(i):
        found[i] = model.translate(iter(LINES))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3


def test_refused(source, path, model, tmp_path):
    with pytest.raises(attn.FileError, match="nowhere.safetensors") as caught:
        attn.Translator(tmp_path / "nowhere.safetensors")
    assert isinstance(caught.value, OSError)
    (tmp_path / "text").write_text("no model at all")
    with pytest.raises(attn.FormatError, match="text"):
        attn.Translator(tmp_path / "text")
    with pytest.raises(attn.ArgumentError, match="attn.Segmenter"):
        attn.Translator(source / "models" / "street.safetensors")
    with pytest.raises(attn.ArgumentError):
        attn.Translator(path, target="de")
    with pytest.raises(attn.FormatError, match="text 1 holds a NUL"):
        model.translate(["a", "b\0c"])
    with pytest.raises(attn.FormatError, match="no UTF-8"):
        model.translate("\ud800")
    for wrong in ({"beam": 0}, {"n_best": 0}, {"n_best": 257}, {"format": "pdf"}, {"temperature": -1.0, "sample": True}):
        with pytest.raises(attn.ArgumentError):
            model.translations("a", **wrong)
    with pytest.raises(TypeError, match="no option beams"):
        model.translate("a", beams=3)
    with pytest.raises(TypeError, match="text 0 is int"):
        model.translate([1])
    closed = attn.Translator(path)
    closed.close()
    closed.close()
    with pytest.raises(attn.Error, match="closed"):
        closed.translate("a")
    del closed
    gc.collect()
    assert model.translate([]) == []
