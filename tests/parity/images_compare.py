"""The layers of pictures give what PyTorch gives on a CPU.

    images_compare.py DRIVER

DRIVER is the program built from images_driver.c. Outputs and all gradients are compared in float32, as
in torch_compare.py, which also says how closely. Exits 77 when PyTorch is missing.
"""
import pathlib
import sys
import tempfile

from torch_compare import TYPES, Attn  # exits 77 without PyTorch

import torch
from torch.nn import functional

TYPES["U8"] = torch.uint8


def rows(pictures):
    """[B, C, H, W] as pixels by channels."""
    return pictures.permute(0, 2, 3, 1).reshape(-1, pictures.shape[1])


def compare(attn, layer, case, x, y, parameters, metadata):
    """parameters: by attn's name, the leaf and how its values become attn's rows."""
    d_y = torch.randn_like(y)
    y.backward(d_y)
    batch, _, height, width = x.shape
    tensors = {"x": rows(x), "d_y": rows(d_y)}
    expected = {"y": rows(y), "d.x": rows(x.grad)}
    for name, (leaf, turn) in parameters.items():
        tensors[name] = turn(leaf)
        expected["d." + name] = turn(leaf.grad)
    sizes = {"batch": batch, "height": height, "width": width, **metadata}
    attn.compare(f"{layer} {case}", expected, attn.run(layer, tensors, sizes))


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


# batch, height, width, in, out, kernel, stride, dilation, padding
WINDOWS = [
    (2, 9, 11, 3, 16, (3, 3), 2, 1, (1, 1)),
    (1, 10, 8, 20, 5, (3, 3), 1, 1, (1, 1)),
    (1, 13, 14, 6, 7, (3, 2), 3, 2, (2, 1)),
    (2, 6, 7, 9, 4, (1, 1), 2, 1, (0, 0)),
    (1, 12, 12, 17, 17, (7, 7), 1, 1, (3, 3)),
]


def check_convolutions(attn):
    for case in WINDOWS:
        batch, height, width, c, o, kernel, stride, dilation, padding = case
        how = {"stride": stride, "dilation": dilation, "padding": padding}
        metadata = {"kernel_height": kernel[0], "kernel_width": kernel[1], "stride": stride,
                    "dilation": dilation, "padding_height": padding[0],
                    "padding_width": padding[1], "out": o}
        x, weight, bias = leaf(batch, c, height, width), leaf(o, c, *kernel), leaf(o)
        y = functional.gelu(functional.conv2d(x, weight, bias, **how))
        compare(attn, "conv", case, x, y,
                {"conv.weight": (weight, lambda w: w.permute(0, 2, 3, 1).reshape(w.shape[0], -1)),
                 "conv.bias": (bias, lambda b: b)}, metadata)
        x, weight, bias = leaf(batch, c, height, width), leaf(c, 1, *kernel), leaf(c)
        y = functional.relu(functional.conv2d(x, weight, bias, groups=c, **how))
        compare(attn, "depthwise", case, x, y,
                {"depthwise.weight": (weight, lambda w: w.reshape(w.shape[0], -1).T),
                 "depthwise.bias": (bias, lambda b: b)}, metadata)


def check_group_norm(attn):
    for case in [(2, 7, 9, 12, 3), (1, 20, 30, 16, 8), (3, 5, 5, 6, 1)]:
        batch, height, width, c, groups = case
        x, gamma, beta = leaf(batch, c, height, width), leaf(c), leaf(c)
        y = functional.relu(functional.group_norm(x, groups, gamma, beta, 1e-5))
        compare(attn, "group_norm", case, x, y,
                {"norm.gamma": (gamma, lambda g: g), "norm.beta": (beta, lambda b: b)},
                {"groups": groups})


def check_resize(attn):
    for case in [(2, 5, 7, 3, 10, 14), (1, 45, 60, 4, 90, 120), (1, 9, 8, 2, 4, 13),
                 (2, 1, 3, 5, 6, 1)]:
        batch, height, width, c, to_height, to_width = case
        x = leaf(batch, c, height, width)
        y = functional.interpolate(x, (to_height, to_width), mode="bilinear", align_corners=False)
        compare(attn, "resize", case, x, y, {}, {"to_height": to_height, "to_width": to_width})


def check_loss(attn):
    for percent in (0, 10):
        pixels, classes = 1000, 11
        x, smoothing = leaf(pixels, classes), percent / 100
        labels = torch.randint(0, classes + 1, (pixels,))
        labels[labels == classes] = 255
        weights = torch.rand(classes)
        # In attn a pixel weighs what its label does, its smoothed part too.
        nll = functional.cross_entropy(x, labels, ignore_index=255, reduction="none")
        each = functional.cross_entropy(x, labels, ignore_index=255, reduction="none",
                                        label_smoothing=smoothing)
        loss = (each * weights[labels.clamp(max=classes - 1)]).sum()
        loss.backward()
        expected = {"loss": torch.stack([loss, nll.sum()]), "d.x": x.grad}
        tensors = {"x": x, "labels": labels.to(torch.uint8), "class_weights": weights}
        sizes = {"batch": 1, "height": pixels, "width": 1, "smoothing_percent": percent}
        attn.compare(f"loss, smoothing {smoothing}", expected, attn.run("loss", tensors, sizes))


def main():
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        attn = Attn(sys.argv[1], pathlib.Path(folder))
        check_convolutions(attn)
        check_group_norm(attn)
        check_resize(attn)
        check_loss(attn)
    print(f"{attn.compared} values; the largest difference is {attn.largest:.2f} of what is allowed")


if __name__ == "__main__":
    main()
