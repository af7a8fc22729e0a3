"""Segmenter: the same classes as the tool says."""
import subprocess

import attn
import numpy as np
import pytest
from conftest import write_png


@pytest.fixture(scope="module")
def model(source):
    with attn.Segmenter(source / "models" / "street.safetensors") as opened:
        yield opened


@pytest.fixture(scope="module")
def picture():
    """A bright top, a dark bottom, and something between."""
    y, x = np.mgrid[:90, :130]
    return np.stack([200 - y, 220 - y * 2, (x * y) % 251], axis=2).astype(np.uint8)


@pytest.mark.parametrize("flags, options", [
    ([], {}),
    (["--flip", "--scales", "0.75,1"], {"flip": True, "scales": (0.75, 1)}),
    (["--tile", "64", "--overlap", "16"], {"tile": 64, "overlap": 16}),
])
def test_same_classes_as_the_tool(tool, source, model, picture, tmp_path, flags, options):
    write_png(tmp_path / "p.png", picture)
    subprocess.run([tool, "segment", "--model", source / "models" / "street.safetensors", "--out", tmp_path,
                    "--no-overlay", "--probabilities", *flags, tmp_path / "p.png"], check=True, capture_output=True)
    expected = np.load(tmp_path / "p.npy").argmax(axis=2)
    found = model.segment(picture, **options)
    assert found.dtype == np.uint8 and (found == expected).all()
    assert (model.segment(picture[:, ::-1][:, ::-1], **options) == found).all()


def test_about(model):
    assert len(model.classes) == 11 and "road" in [name.lower() for name in model.classes]
    assert model.colors.shape == (11, 3) and len({tuple(color) for color in model.colors}) == 11


def test_refused(source, model, picture):
    for wrong in (picture[..., 0], picture.astype(np.float32), picture[..., :2]):
        with pytest.raises(attn.ShapeError, match='convert'):
            model.segment(wrong)
    with pytest.raises(attn.ArgumentError):
        model.segment(picture[:0])
    with pytest.raises(attn.ArgumentError):
        model.segment(picture, scales=[])
    with pytest.raises(attn.ArgumentError, match="attn.Translator"):
        attn.Segmenter(source / "models" / "en-fr.safetensors")
