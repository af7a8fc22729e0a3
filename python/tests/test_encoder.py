"""Encoder, Classifier: the same bits as the tool prints."""
import json
import subprocess

import attn
import numpy as np
import pytest
from conftest import write_png

CHANNELS, INNER, WORDS = 16, 24, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cab", "bad", "dad", "a", ".", "##s"]
TEXTS = ["cab", "bad cabs a dad.", "", "cab cab cab"]


def write_safetensors(path, shapes):
    """Random numbers of these shapes; norms around 1."""
    rng, header, parts, at = np.random.default_rng(3), {}, [], 0
    for name, shape in shapes.items():
        norm = "norm" in name.lower() and name.endswith("weight")
        data = (rng.standard_normal(shape) * 0.4 + norm).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def linear(name, rows, columns):
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def norm(name):
    return {f"{name}.weight": (CHANNELS,), f"{name}.bias": (CHANNELS,)}


def layer(prefix, first, second):
    """One layer with its two norms, as BERT and ViT name them."""
    shapes = {**norm(f"{prefix}.{first}"), **norm(f"{prefix}.{second}")}
    for name in ("query", "key", "value"):
        shapes.update(linear(f"{prefix}.attention.{'self' if 'output' in second else 'attention'}.{name}", CHANNELS, CHANNELS))
    return {**shapes, **linear(f"{prefix}.attention.output.dense", CHANNELS, CHANNELS),
            **linear(f"{prefix}.intermediate.dense", INNER, CHANNELS), **linear(f"{prefix}.output.dense", CHANNELS, INNER)}


@pytest.fixture(scope="module")
def encoder(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    sizes = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(WORDS), "hidden_size": CHANNELS,
             "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": INNER, "hidden_act": "gelu",
             "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(sizes))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    write_safetensors(folder / "model.safetensors", {
        "embeddings.word_embeddings.weight": (len(WORDS), CHANNELS), "embeddings.position_embeddings.weight": (32, CHANNELS),
        "embeddings.token_type_embeddings.weight": (2, CHANNELS), **norm("embeddings.LayerNorm"),
        **layer("encoder.layer.0", "attention.output.LayerNorm", "output.LayerNorm"),
        **linear("pooler.dense", CHANNELS, CHANNELS)})
    subprocess.run([tool, "import", folder, "-o", folder / "encoder.safetensors"], check=True, capture_output=True)
    return folder / "encoder.safetensors"


@pytest.fixture(scope="module")
def classifier(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    sizes = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": CHANNELS,
             "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": INNER, "hidden_act": "gelu",
             "image_size": 16, "patch_size": 8, "num_channels": 3, "layer_norm_eps": 1e-12, "qkv_bias": True,
             "id2label": {"0": "cat", "1": "dog", "2": "cow"}, "label2id": {"cat": 0, "dog": 1, "cow": 2}}
    (folder / "config.json").write_text(json.dumps(sizes))
    (folder / "preprocessor_config.json").write_text(json.dumps(
        {"do_resize": True, "size": {"height": 16, "width": 16}, "resample": 2, "do_rescale": True,
         "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
         "image_processor_type": "ViTImageProcessor"}))
    write_safetensors(folder / "model.safetensors", {
        "vit.embeddings.cls_token": (1, 1, CHANNELS), "vit.embeddings.position_embeddings": (1, 5, CHANNELS),
        "vit.embeddings.patch_embeddings.projection.weight": (CHANNELS, 3, 8, 8),
        "vit.embeddings.patch_embeddings.projection.bias": (CHANNELS,), **norm("vit.layernorm"),
        **layer("vit.encoder.layer.0", "layernorm_before", "layernorm_after"), **linear("classifier", 3, CHANNELS)})
    subprocess.run([tool, "import", folder, "-o", folder / "vit.safetensors"], check=True, capture_output=True)
    return folder / "vit.safetensors"


@pytest.mark.parametrize("flags, options", [([], {}), (["--pooling", "cls", "--normalise"],
                                                       {"pooling": "first", "normalize": True})])
def test_vectors_are_the_tool_s(tool, encoder, tmp_path, flags, options):
    (tmp_path / "texts").write_text("\n".join(TEXTS) + "\n")
    subprocess.run([tool, "embed", "--model", encoder, "--npy", tmp_path / "v.npy", *flags, tmp_path / "texts"], check=True)
    with attn.Encoder(encoder) as model:
        found = model.embed(TEXTS, **options)
        assert found.dtype == np.float32 and found.shape == (len(TEXTS), model.size)
        np.testing.assert_array_equal(found, np.load(tmp_path / "v.npy"))
        np.testing.assert_array_equal(model.embed(TEXTS[1], **options), found[1])
        assert model.embed([]).shape == (0, model.size)


def test_attention_is_the_tool_s(tool, encoder):
    printed = subprocess.run([tool, "embed", "--model", encoder, "--attention", "--head", "2"], input=b"bad cabs",
                             check=True, capture_output=True).stdout
    expected = json.loads(printed)
    with attn.Encoder(encoder) as model:
        found = model.attention("bad cabs", head=2)
        assert found.tokens == expected["tokens"]
        np.testing.assert_array_equal(found.weights, np.array(expected["weights"], np.float32))
        with pytest.raises(attn.ArgumentError):
            model.attention("bad", layer=9)
        with pytest.raises(attn.ArgumentError, match="pooling"):
            model.embed("bad", pooling="most")


def test_classes_are_the_tool_s(tool, classifier, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    write_png(tmp_path / "p.png", picture)
    printed = subprocess.run([tool, "classify", "--model", classifier, "--json", tmp_path / "p.png"], check=True,
                             capture_output=True).stdout
    subprocess.run([tool, "embed", "--model", classifier, "--npy", tmp_path / "v.npy", tmp_path / "p.png"], check=True)
    with attn.Classifier(classifier) as model:
        assert model.classes == ["cat", "dog", "cow"]
        found = model.classify(picture)
        for entry in json.loads(printed)["classes"]:
            assert found[entry["class"]] == np.float32(entry["probability"])
        np.testing.assert_array_equal(model.embed(picture), np.load(tmp_path / "v.npy")[0])
        with pytest.raises(attn.ShapeError):
            model.classify(picture[0])


def test_another_kind(encoder):
    with pytest.raises(attn.ArgumentError, match="open it with attn.Encoder"):
        attn.Translator(encoder)
