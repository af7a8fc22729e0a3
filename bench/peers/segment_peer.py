#!/usr/bin/env python3
"""attn's segmenter in PyTorch and ONNX Runtime, with the weights of a model file of attn's.

    segment_peer.py --model MODEL --threads N        then a JSON object a line on stdin

Requests, each answered by one line of JSON:
    {"picture": FILE.npy, "out": FILE.npy}   checks: class probabilities of a picture (uint8 [H, W, 3])
    {"forward": "torch" | "onnx", "height": H, "width": W}   seconds of one picture, pixels to classes
    {"step": true, "pictures": B, "height": H, "width": W}   seconds of one training step

PyTorch is tried with ordinary and with channels-last memory, and the faster one is measured. A training
step is forward, cross-entropy with class weights, backward, clipping and AdamW. See
include/attn/segmenter.h for the network.
"""
import argparse
import io
import json
import pathlib
import resource
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

GROUPS = 8


def read(path):
    """Metadata and float32 tensors of a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, about in header.items():
        first, last = about["data_offsets"]
        if about["dtype"] == "F32":
            part = np.frombuffer(data[8 + size + first:8 + size + last], "<f4")
            tensors[name] = torch.tensor(part.reshape(about["shape"]))
    return metadata, tensors


class Segmenter(nn.Module):
    """NCHW throughout; every parameter is read from the file by name."""

    def __init__(self, path):
        super().__init__()
        self.config, tensors = read(path)
        self.size = {k: int(v) for k, v in self.config.items() if v.isdigit()}
        if self.config["mixer"] != "global" or self.config["activation"] != "gelu":
            raise SystemExit("segment_peer: only global attention and gelu are written here")
        self.weights = nn.ParameterDict()
        for name, value in tensors.items():
            self.weights[name.replace(".", "_")] = nn.Parameter(self.turn(name, value))

    def turn(self, name, value):
        """[O, KH*KW*C] or [KH*KW, C] as PyTorch has a convolution's weight."""
        if not name.endswith("weight"):
            return value
        if "shrink" in name or "position" in name:
            side = int(len(value) ** 0.5)
            return value.t().reshape(-1, 1, side, side).contiguous()
        three = "stem" in name or "merge" in name
        if three:
            return value.reshape(len(value), 3, 3, -1).permute(0, 3, 1, 2).contiguous()
        return value

    def get(self, name):
        name = name.replace(".", "_")
        return self.weights[name] if name in self.weights else None

    def group_norm(self, x, name):
        return F.relu(F.group_norm(x, GROUPS, self.get(name + ".gamma"), self.get(name + ".beta")))

    def layer_norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.get(name + ".gamma"), self.get(name + ".beta"))

    def linear(self, x, name):
        return F.linear(x, self.get(name + ".weight"), self.get(name + ".bias"))

    def conv(self, x, name, stride=1):
        return F.conv2d(x, self.get(name + ".weight"), self.get(name + ".bias"), stride, 1)

    def conv_norm(self, x, name, stride=1):
        return self.group_norm(self.conv(x, name, stride), name + ".norm")

    def depthwise(self, rows, grid, name, stride=1):
        """Rows [B, H W, C] in and out."""
        weight = self.get(name + ".weight")
        x = rows.transpose(1, 2).reshape(rows.shape[0], rows.shape[2], *grid)
        x = F.conv2d(x, weight, self.get(name + ".bias"), stride, weight.shape[-1] // 2,
                     groups=rows.shape[2])
        return x.flatten(2).transpose(1, 2)

    def units(self, x, name, count):
        for i in range(count):
            h = self.conv(self.group_norm(x, f"{name}.{i}.norm_1"), f"{name}.{i}.conv_1")
            x = x + self.conv(self.group_norm(h, f"{name}.{i}.norm_2"), f"{name}.{i}.conv_2")
        return x

    def block(self, x, grid, name):
        heads = self.size["heads"]
        h = self.layer_norm(x, name + ".norm_mixer")
        memory = h
        if self.size["shrink"] > 1:
            memory = self.depthwise(h, grid, name + ".shrink", self.size["shrink"])
            memory = self.layer_norm(memory, name + ".norm_shrink")
        q, k, v = (self.linear(rows, f"{name}.attention.{part}").unflatten(-1, (heads, -1))
                   .transpose(1, 2) for part, rows in (("query", h), ("key", memory),
                                                       ("value", memory)))
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.linear(h, name + ".attention.output")
        h = self.linear(self.layer_norm(x, name + ".norm_feed_forward"), name + ".feed_forward.up")
        h = F.gelu(self.depthwise(h, grid, name + ".feed_forward.position"))
        return x + self.linear(h, name + ".feed_forward.down")

    def merge(self, x, skip, level):
        weight = self.get(f"decoder.lateral_{level}.weight")[:, :, None, None]
        x = F.conv2d(x, weight, self.get(f"decoder.lateral_{level}.bias"))
        x = F.interpolate(x, skip.shape[2:], mode="bilinear") + skip
        return self.conv_norm(self.group_norm(x, f"decoder.norm_{level}"), f"decoder.merge_{level}")

    def forward(self, pixels):
        """Pixels [B, 3, H, W], 0 .. 255, H and W multiples of 8, to logits."""
        x = (pixels - 127.5) / 64
        x2 = self.conv_norm(self.conv_norm(x, "stem.down_2", 2), "stem.conv_2")
        x4 = self.units(self.conv_norm(x2, "stem.down_4", 2), "stem.unit_4", self.size["units_4"])
        x8 = self.units(self.conv(x4, "stem.down_8", 2), "stem.unit_8", self.size["units_8"])
        grid = x8.shape[2:]
        rows = x8.flatten(2).transpose(1, 2)
        for i in range(self.size["blocks"]):
            rows = self.block(rows, grid, f"block.{i}")
        x = self.layer_norm(rows, "norm").transpose(1, 2).reshape(x8.shape)
        x = self.merge(self.merge(x, x4, 4), x2, 2)
        weight = self.get("decoder.classify.weight")[:, :, None, None]
        x = F.conv2d(x, weight, self.get("decoder.classify.bias"))
        return F.interpolate(x, pixels.shape[2:], mode="bilinear")


def timed(work, least=3, seconds=1.0):
    """Seconds of every run, until some time has passed."""
    work()
    times, start = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return times


def fastest(candidates, **options):
    tried = {name: timed(work, least=2, seconds=0.3) for name, work in candidates.items()}
    name = min(tried, key=lambda n: min(tried[n]))
    return name, timed(candidates[name], **options)


def forward_torch(model, height, width):
    pixels = torch.randint(0, 256, (1, 3, height, width)).float()
    wide = pixels.to(memory_format=torch.channels_last)

    def run(x):
        with torch.inference_mode():
            return model(x).argmax(1)
    return {"contiguous": lambda: run(pixels), "channels last": lambda: run(wide)}


def forward_onnx(model, height, width, threads):
    import onnxruntime
    pixels = torch.randint(0, 256, (1, 3, height, width)).float()
    file = io.BytesIO()
    torch.onnx.export(model, (pixels,), file, input_names=["pixels"], output_names=["logits"],
                      dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file.getvalue(), options,
                                           providers=["CPUExecutionProvider"])
    given = {"pixels": pixels.numpy()}
    return {"cpu": lambda: session.run(None, given)[0].argmax(1)}


def step(model, pictures, height, width):
    classes = model.size["classes"]
    pixels = torch.randint(0, 256, (pictures, 3, height, width)).float()
    labels = torch.randint(0, classes, (pictures, height, width))
    weight = torch.ones(classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def run(x):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), labels, weight).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    wide = pixels.to(memory_format=torch.channels_last)
    return {"contiguous": lambda: run(pixels), "channels last": lambda: run(wide)}


def answer(model, ask, threads):
    if "picture" in ask:
        pixels = torch.tensor(np.load(ask["picture"])).float().permute(2, 0, 1)[None]
        with torch.inference_mode():
            np.save(ask["out"], model(pixels).softmax(1)[0].permute(1, 2, 0).numpy())
        return {}
    if "step" in ask:
        chosen, times = fastest(step(model, ask["pictures"], ask["height"], ask["width"]))
    elif ask["forward"] == "torch":
        chosen, times = fastest(forward_torch(model, ask["height"], ask["width"]))
    else:
        chosen, times = fastest(forward_onnx(model, ask["height"], ask["width"], threads))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"chosen": chosen, "seconds": times, "peak_bytes": peak}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    model = Segmenter(options.model)
    for line in sys.stdin:
        print(json.dumps(answer(model, json.loads(line), options.threads)), flush=True)


if __name__ == "__main__":
    main()
