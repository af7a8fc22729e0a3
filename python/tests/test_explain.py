"""explain and intervene: the tool's numbers, by layer and head."""
import json
import subprocess
import sys

import attn
import numpy as np
import pytest

TEXT = "I am tired."


@pytest.fixture(scope="module")
def path(source):
    return source / "models" / "en-fr.safetensors"


@pytest.fixture(scope="module")
def model(path):
    with attn.Translator(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(model):
    return model.explain(TEXT)


def printed(tool, *arguments):
    return json.loads(subprocess.run([tool, *arguments, "--json", TEXT], check=True, capture_output=True).stdout)


def test_numbers_are_the_tool_s(tool, path, model, found):
    assert (found.sentence, found.translation) == (TEXT, model.translate(TEXT))
    for part in (found.encoder, found.decoder, found.cross):
        layers, heads, queries, keys = part.weights.shape
        assert (queries, keys) == (len(part.queries), len(part.keys)) == part.rollout.shape
        assert part.entropy.shape == (layers, heads) and (part.distance is None) == (part.name == "cross")
        np.testing.assert_allclose(part.weights.sum(axis=-1), 1, rtol=1e-5)
        theirs = printed(tool, "explain", "--model", path, "--part", part.name, "--layer", "2", "--head", "1")
        assert [len(theirs["query_pieces"]), len(theirs["key_pieces"])] == [queries, keys]
        np.testing.assert_array_equal(part.weights[1], np.array(theirs["weights"], np.float32).reshape(heads, queries, keys))


def test_cross_attention_is_of_the_translation(model, found):
    sentence = model.translations(TEXT, attention=True).sentences[0]
    assert found.cross.queries == sentence.hypotheses[0].tokens and found.cross.keys == sentence.source_tokens


def test_given_translation(model):
    other = model.explain(TEXT, target="Je dors.")
    assert other.translation == "Je dors."


def test_pictures(found, tmp_path):
    assert found.show("encoder", layer=1, head=2).svg.startswith("<svg")
    assert found.show().svg in found._repr_html_() and found.translation in found._repr_html_()
    assert found.show(layer=1).svg != found.show(layer=2).svg
    found.save(tmp_path / "page.html")
    assert b"<html" in (tmp_path / "page.html").read_bytes()[:200]
    with pytest.raises(attn.ArgumentError, match="head is 0"):
        found.show(head=0)
    with pytest.raises(attn.ArgumentError, match="part is"):
        found.save(tmp_path / "a.svg", part="middle")


def test_intervene(tool, path, model):
    made = attn.intervene(model, TEXT, part="cross", mask="1.*,2.*")
    theirs = printed(tool, "explain", "--model", path, "--part", "cross", "--mask", "1.*,2.*")
    assert (made.before.text, made.after.text) == (theirs["before"]["text"], theirs["after"]["text"])
    assert made.after.log_probability_edited == theirs["after"]["log_probability_edited"]
    assert made.after.text != made.before.text
    assert attn.intervene(model, TEXT, part="cross", force="tired", token="1").before == made.before.__class__(
        **printed(tool, "explain", "--model", path, "--part", "cross", "--force", "tired", "--token", "1")["before"])


def test_refused(model):
    with pytest.raises(attn.ArgumentError, match="neither"):
        attn.intervene(model, TEXT)
    with pytest.raises(attn.ToolError, match="head") as caught:
        attn.intervene(model, TEXT, mask="9.9")
    assert caught.value.status and "\n" not in str(caught.value)
    with pytest.raises(attn.FormatError, match="NUL"):
        model.explain("a\0b")
    with pytest.raises(attn.ToolError):
        model.explain(TEXT, sentence=7)


def test_the_tool_is_in_the_package():
    done = subprocess.run([sys.executable, "-m", "attn", "--version"], check=True, capture_output=True, text=True)
    assert attn.__version__ in done.stdout
    assert subprocess.run([sys.executable, "-m", "attn", "nothing"], capture_output=True).returncode == 2
