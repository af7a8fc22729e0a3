"""show: squares, labels and numbers where they belong."""
import xml.etree.ElementTree as ElementTree

import attn
import numpy as np
import pytest

SVG = "{http://www.w3.org/2000/svg}"


def test_squares_and_labels(tmp_path):
    picture = attn.show([[0.5, 0.25, 0], [0, 1, 0]], queries=["<a>", "b"], keys=["x", "y", "&z"], title="T & co")
    root = ElementTree.fromstring(picture.svg)
    assert [text.text for text in root.iter(SVG + "text")] == ["T & co", "x", "y", "&z", "<a>", "b"]
    squares = list(root.iter(SVG + "rect"))
    assert [float(square.get("fill-opacity")) for square in squares] == [0.5, 0.25, 0, 0, 1, 0]
    assert squares[1][0].text == "<a> -> y: 0.2500"
    assert squares[0].get("x") == squares[3].get("x") < squares[1].get("x") and squares[3].get("y") > squares[0].get("y")
    assert float(squares[5].get("x")) < float(root.get("width")) and picture.svg in picture._repr_html_()
    picture.save(tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_text(encoding="utf-8") == picture.svg == picture._repr_svg_()


def test_weights_of_attention():
    query = np.random.default_rng(0).standard_normal((1, 2, 4, 8)).astype(np.float32)
    assert attn.show(attn.attention_weights(query, query, causal=True)[0, 1]).svg.count("<rect") == 16
    assert attn.show(np.zeros((0, 3))).svg.count("<rect") == 0


def test_translation(source):
    with attn.Translator(source / "models" / "en-fr.safetensors") as model:
        assert model.translations("How are you?", attention=True)._repr_html_().count("<svg") == 1
        assert "<svg" not in model.translations("How are you?")._repr_html_()
    assert attn.Translation("<b>", 0.0, [("<b>", 0.0)], [])._repr_html_() == "<p>&lt;b&gt;</p>"


@pytest.mark.parametrize("weights, options, text", [
    (np.zeros((2, 2, 2)), {}, "choose a sequence and a head"),
    (np.zeros((201, 200)), {}, "draw a part"),
    ([[np.nan]], {}, "not finite"),
    ([[-1.0]], {}, "negative"),
    ([[1.0]], {"keys": ["a", "b"]}, "2 keys and 1"),
])
def test_refused(weights, options, text):
    with pytest.raises(attn.Error, match=text):
        attn.show(weights, **options)
