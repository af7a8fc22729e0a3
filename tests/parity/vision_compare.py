#!/usr/bin/env python3
"""Networks of pictures of Hugging Face's transformers, SegFormer and ViT, say what their makers' program says: small ones with
random weights, made here.

Exits 77 when numpy, pillow, torch or transformers is missing.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.simplefilter("ignore")
try:
    import numpy
    import PIL.Image
    import torch
    import transformers
    from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install numpy pillow torch transformers)")
    sys.exit(77)

torch.set_num_threads(1)  # the networks are small
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
TOOL = os.environ["ATTN_TOOL"]
LIMIT = 1e-4  # of logits
RESIZED = 5e-2  # where a picture is resized first: a byte of attn's may differ by one from Pillow's


def run(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True)


def attn(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def assert_close(what, ours, theirs, limit=LIMIT):
    ours, theirs = numpy.asarray(ours, dtype=numpy.float64), numpy.asarray(theirs, dtype=numpy.float64)
    assert ours.shape == theirs.shape, (what, ours.shape, theirs.shape)
    worst = abs(ours - theirs).max()
    assert worst <= limit, f"{what}: differs by {worst}"
    print(f"{what}: within {worst:.1e}")


def fill(network, seed):
    """Random weights, and statistics of the norm over the batch that are no zeros and ones."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            norm = "norm" in name and name.endswith("weight")
            spread = (value[0].numel() ** -0.5 if value.dim() > 1 else 0.2)
            value.copy_(torch.randn(value.shape, generator=draw) * spread + norm)
        for name, value in network.named_buffers():
            if name.endswith("running_mean"):
                value.copy_(torch.randn(value.shape, generator=draw) * 0.3)
            elif name.endswith("running_var"):
                value.copy_(torch.rand(value.shape, generator=draw) + 0.5)
    return network.eval()


def picture(folder, name, width, height, seed):
    """Smooth, as photographs are: noise would say little of how a picture is resized."""
    draw = numpy.random.default_rng(seed)
    coarse = PIL.Image.fromarray(draw.integers(0, 256, (5, 6, 3), dtype=numpy.uint8))
    path = folder / name
    coarse.resize((width, height), PIL.Image.BICUBIC).save(path)
    return path, PIL.Image.open(path).convert("RGB")


# ---- SegFormer ----

TREES = ["road", "tree", "tree", " a name\tof more than sixty bytes, which attn has no room for in a mask ", "sky", ""]
SMALL = {"hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 2, 3, 4], "depths": [1, 2, 1, 2], "decoder_hidden_size": 20,
         "mlp_ratios": [4, 4, 2, 3]}


def segformer(place, seed, processor, names=TREES, **changes):
    config = transformers.SegformerConfig(**{**SMALL, **changes}, id2label=dict(enumerate(names)),
                                          label2id={name: i for i, name in enumerate(names)})
    network = fill(transformers.SegformerForSemanticSegmentation(config), seed)
    network.save_pretrained(place)
    processor.save_pretrained(place)
    return network


def logits_of(network, processor, image):
    """At the picture's size, as post_process_semantic_segmentation makes them."""
    with torch.no_grad():
        logits = network(**processor(images=image, return_tensors="pt")).logits
        return torch.nn.functional.interpolate(logits, size=image.size[::-1], mode="bilinear", align_corners=False)[0]


def segment(model, path, folder, *options):
    out = folder / "out"
    attn("segment", "--model", model, "--probabilities", "--no-overlay", "--force", "--out", out, *options, path)
    mask = numpy.array(PIL.Image.open(out / f"{path.stem}.mask.png"))
    return numpy.log(numpy.load(out / f"{path.stem}.npy").astype(numpy.float64)), mask


def check_segmenter(what, model, network, processor, folder, path, image, limit):
    theirs = logits_of(network, processor, image)
    ours, mask = segment(model, path, folder)
    assert_close(what, ours, torch.log_softmax(theirs.double(), 0).permute(1, 2, 0), limit)
    best = theirs.topk(2, dim=0).values
    clear = ((best[0] - best[1]) > 2 * limit).numpy()
    assert (mask == theirs.argmax(0).numpy())[clear].all(), f"{what}: another mask"
    assert clear.mean() > 0.5, f"{what}: too few pixels are clear"
    return ours


def check_segformer(folder):
    place = folder / "segformer"
    sized = SegformerImageProcessorPil(size={"height": 64, "width": 96})
    network = segformer(place, 1, sized)
    same = picture(folder, "same.png", 96, 64, 1)
    ours = check_segmenter("SegFormer", place, network, sized, folder, *same, LIMIT)
    check_segmenter("SegFormer, a picture that is resized", place, network, sized, folder,
                    *picture(folder, "other.png", 150, 131, 2), RESIZED)
    attn("import", place, "-o", folder / "kept.safetensors")
    assert (segment(folder / "kept.safetensors", same[0], folder, "--threads", 1)[0] == ours).all(), "the saved model is another"
    names = [json.loads(attn("info", "--json", folder / "kept.safetensors"))["configuration"][f"class {i}"] for i in range(6)]
    assert names[:3] == ["road", "tree", "tree (2)"] and names[4:] == ["sky", "class 5"] and len(names[3]) < 64, names
    check_pixel_attention(place, network, sized, *same)
    free = SegformerImageProcessorPil(do_resize=False, image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.6, 0.7])
    place = folder / "free"
    network = segformer(place, 2, free, sr_ratios=[4, 2, 1, 1], hidden_act="relu", patch_sizes=[4, 3, 3, 3])
    check_segmenter("SegFormer, pictures of their own size", place, network, free, folder,
                    *picture(folder, "odd.png", 75, 50, 3), LIMIT)



def check_pixel_attention(place, network, processor, path, image):
    """The places of a map that are darkest are those with most weight."""
    look = transformers.SegformerForSemanticSegmentation.from_pretrained(place, attn_implementation="eager").eval()
    with torch.no_grad():
        theirs = look(**processor(images=image, return_tensors="pt"), output_attentions=True).attentions
    for block, head, grid, keys in ((2, 2, (8, 12), (2, 3)), (6, 1, (2, 3), (2, 3))):
        assert theirs[block - 1].shape[2:] == (grid[0] * grid[1], keys[0] * keys[1]), theirs[block - 1].shape
        place_y, place_x = grid[0] // 2, grid[1] - 1
        at = f"{place_x * 96 // grid[1] + 1},{place_y * 64 // grid[0] + 1}"
        row = theirs[block - 1][0, head - 1, place_y * grid[1] + place_x].numpy()
        check_map(attn("attend", "--model", place, "--at", at, "--layer", block, "--head", head, path), row.reshape(keys), None)


def check_map(text, weights, class_weight):
    """Shades are tenths of the largest weight; each place is two characters."""
    lines = text.splitlines()
    rows = [line[1:-1] for line in lines if line.startswith("|")]
    assert (len(rows), len(rows[0])) == (weights.shape[0], 2 * weights.shape[1]), text
    shades = " .:-=+*#%@"
    for row, line in zip(weights / weights.max(), rows):
        for share, letter in zip(row, line[::2]):
            assert letter == "X" or abs(shades.index(letter) - share * 9) <= 0.51, (text, weights)
    top = float(lines[len(rows) + 1].split("at most")[1].split("%")[0])
    assert abs(top - 100 * weights.max()) <= 0.051, (top, weights.max())
    if class_weight is not None:
        assert abs(float(lines[len(rows) + 2].split("%")[0]) - 100 * class_weight) <= 0.051, (text, class_weight)


def check_segformer_classifier(folder):
    place = folder / "mit"
    processor = SegformerImageProcessorPil(size={"height": 64, "width": 64})
    config = transformers.SegformerConfig(**SMALL, num_labels=4)
    network = fill(transformers.SegformerForImageClassification(config), 3)
    network.save_pretrained(place)
    processor.save_pretrained(place)
    check_classifier("SegFormer with a head for whole pictures", place, network, processor, *picture(folder, "mit.png", 64, 64, 4))


# ---- ViT ----

TINY = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40, "patch_size": 8}


def classify(model, path, count):
    said = json.loads(attn("classify", "--model", model, "--json", "--top", count, path))["classes"]
    values = [one["probability"] for one in said]
    assert values == sorted(values, reverse=True), said
    return numpy.array([one["probability"] for one in sorted(said, key=lambda one: one["class"])]), said


def check_classifier(what, place, network, processor, path, image, limit=LIMIT):
    with torch.no_grad():
        logits = network(**processor(images=image, return_tensors="pt")).logits[0].double()
    ours, said = classify(place, path, len(logits))
    assert_close(what, numpy.log(ours), torch.log_softmax(logits, 0), limit)
    assert said[0]["name"] == network.config.id2label[int(logits.argmax())].strip(), said


def check_vit(folder):
    place = folder / "vit"
    processor = ViTImageProcessorPil(size={"height": 40, "width": 40})
    names = {i: f"thing {i}, with a comma" for i in range(300)}
    config = transformers.ViTConfig(**TINY, image_size=40, id2label=names, label2id={name: i for i, name in names.items()})
    network = fill(transformers.ViTForImageClassification(config), 4)
    network.save_pretrained(place)
    processor.save_pretrained(place)
    path, image = picture(folder, "vit.png", 40, 40, 5)
    check_classifier("ViT", place, network, processor, path, image)
    check_classifier("ViT, a picture that is resized", place, network, processor, *picture(folder, "large.png", 201, 90, 6), RESIZED)
    attn("import", place, "-o", folder / "vit.safetensors")
    assert (classify(folder / "vit.safetensors", path, 300)[0] == classify(place, path, 300)[0]).all(), "the saved ViT is another"
    check_patch_attention(place, processor, path, image)


def check_patch_attention(place, processor, path, image):
    look = transformers.ViTForImageClassification.from_pretrained(place, attn_implementation="eager").eval()
    with torch.no_grad():
        theirs = look(**processor(images=image, return_tensors="pt"), output_attentions=True).attentions
    row = theirs[1][0, 2, 1 + 3 * 5 + 1].numpy()
    check_map(attn("attend", "--model", place, "--at", "9,25", "--layer", 2, "--head", 3, path), row[1:].reshape(5, 5), row[0])
    row = theirs[2][0].mean(0)[0].numpy()
    check_map(attn("attend", "--model", place, "--at", "class", path), row[1:].reshape(5, 5), row[0])


def check_plain_vit(folder):
    """Without a head; its queries, keys and values without biases; the tensors as PyTorch writes them."""
    place = folder / "plain"
    place.mkdir()
    processor = ViTImageProcessorPil(size={"height": 32, "width": 48})
    config = transformers.ViTConfig(**TINY, image_size=[32, 48], qkv_bias=False, hidden_act="gelu_new", layer_norm_eps=1e-6)
    network = fill(transformers.ViTModel(config), 5)
    network.save_pretrained(place)
    processor.save_pretrained(place)
    path, image = picture(folder, "plain.png", 48, 32, 7)
    with torch.no_grad():
        tokens = network(**processor(images=image, return_tensors="pt")).last_hidden_state[0]
    for pooling, theirs in (("model", tokens[0]), ("cls", tokens[0]), ("mean", tokens.mean(0))):
        ours = json.loads(attn("embed", "--model", place, "--json", "--pooling", pooling, path))
        assert_close(f"ViT without a head, vector by {pooling}", ours["vector"], theirs)
    attn("embed", "--model", place, "--npy", folder / "two.npy", "--normalise", path, path)
    two = numpy.load(folder / "two.npy")
    assert_close("ViT without a head, vectors of length 1", two, [(tokens[0] / tokens[0].norm()).numpy()] * 2)
    assert "no classes" in run("classify", "--model", place, path).stderr


# ---- what is refused ----


def change(place, name, **changes):
    settings = json.loads((place / name).read_text())
    (place / name).write_text(json.dumps({**settings, **changes}))
    return settings


REFUSED = [
    ("segformer", "config.json", {"decoder_hidden_size": 1 << 14}, "asks for"),
    ("segformer", "config.json", {"hidden_sizes": [8, 16, 24, 36]}, "asks for"),
    ("segformer", "config.json", {"hidden_sizes": [8, 16, 24, 28]}, "does not fit"),
    ("segformer", "config.json", {"sr_ratios": [8, 4, 2, 2]}, "asks for"),
    ("segformer", "config.json", {"sr_ratios": [4, 4, 2, 1]}, "does not fit"),
    ("segformer", "config.json", {"depths": [1, 2, 1]}, "not a list of 4"),
    ("segformer", "config.json", {"depths": [1, 2, 1, 3]}, "asks for"),
    ("segformer", "config.json", {"depths": [1, 2, 1, 1]}, "does not know"),
    ("segformer", "config.json", {"depths": [1, 2, 1, 1e300]}, "not a list"),
    ("segformer", "config.json", {"num_attention_heads": [1, 2, 5, 4]}, "heads do not fit"),
    ("segformer", "config.json", {"num_attention_heads": [0, 2, 3, 4]}, "heads is 0"),
    ("segformer", "config.json", {"num_encoder_blocks": 99}, "num_encoder_blocks"),
    ("segformer", "config.json", {"patch_sizes": [5, 3, 3, 3]}, "does not fit"),
    ("segformer", "config.json", {"strides": [8, 2, 2, 2]}, "stride is 8"),
    ("segformer", "config.json", {"strides": [4, 2, 2, 0]}, "stride is 0"),
    ("segformer", "config.json", {"hidden_act": "silu"}, "activation"),
    ("segformer", "config.json", {"decoder_hidden_size": 19}, "does not fit"),
    ("segformer", "config.json", {"num_channels": 4}, "num_channels"),
    ("segformer", "config.json", {"id2label": {"0": "road"}}, "names 1 classes"),
    ("segformer", "preprocessor_config.json", {"do_center_crop": True}, "cropped"),
    ("segformer", "preprocessor_config.json", {"size": {"shortest_edge": 64}}, "height and width"),
    ("segformer", "preprocessor_config.json", {"size": {"height": 64, "width": 1 << 40}}, "width is"),
    ("segformer", "preprocessor_config.json", {"resample": 3}, "bilinear"),
    ("segformer", "preprocessor_config.json", {"rescale_factor": 1}, "1/255"),
    ("segformer", "preprocessor_config.json", {"image_mean": [0.1, 0.2]}, "three colours"),
    ("segformer", "preprocessor_config.json", {"image_std": 0}, "deviation"),
    ("vit", "config.json", {"image_size": 48}, "takes 48 x 48"),
    ("vit", "config.json", {"patch_size": 4}, "does not fit"),
    ("vit", "config.json", {"patch_size": [8, 4]}, "not square"),
    ("vit", "config.json", {"hidden_size": 25}, "heads do not fit"),
    ("vit", "config.json", {"intermediate_size": -1}, "ffn is -1"),
    ("vit", "preprocessor_config.json", {"do_resize": False}, "one size"),
]


def check_refused(folder):
    for kind, name, changes, words in REFUSED:
        before = change(folder / kind, name, **changes)
        done = run("import", folder / kind, "-o", folder / "never.safetensors")
        assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, (changes, done.stderr)
        assert not (folder / "never.safetensors").exists(), changes
        (folder / kind / name).write_text(json.dumps(before))
    (folder / "vit" / "preprocessor_config.json").unlink()
    done = run("import", folder / "vit", "-o", folder / "never.safetensors")
    assert done.returncode == 1 and "preprocessor_config.json: the file is missing" in done.stderr, done.stderr
    for arguments, words in ((("segment", "--model", folder / "segformer", "--flip", "--out", folder / "out"), "64 pixels"),
                             (("segment", "--model", folder / "free", "--force", "--out", folder / "out"), "too small"),
                             (("attend", "--model", folder / "segformer", "--at", "class"), "no class token"),
                             (("attend", "--model", folder / "segformer", "--at", "1,1", "--head", 2, "--layer", 1), "1 heads"),
                             (("segment", "--model", folder / "vit.safetensors"), "whole pictures"),
                             (("classify", "--model", folder / "segformer"), "segmenter"),
                             (("embed", "--model", folder / "vit.safetensors", "--attention"), "attn attend"),
                             (("probe", folder / "kept.safetensors", "--set"), "attn trained")):
        done = run(*arguments, picture(folder, "tiny.png", 10, 10, 8)[0])
        assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, (arguments, done.stderr)
    print(f"{len(REFUSED)} damaged configurations are refused")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_segformer(folder)
        check_segformer_classifier(folder)
        check_vit(folder)
        check_plain_vit(folder)
        check_refused(folder)
    print("all as expected")


main()
