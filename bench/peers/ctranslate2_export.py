#!/usr/bin/env python3
"""Writes an attn translator as a CTranslate2 model, so that both can be measured on the same weights.

    ctranslate2_export.py MODEL.safetensors FOLDER

Needs numpy, ctranslate2 and sentencepiece. The configuration, the names of the tensors and the position table are
those of src/models/translator.c and src/models/translator_file.c.
"""
import json
import pathlib
import struct
import sys

import ctranslate2
import numpy as np
import sentencepiece

PAD, UNK, BOS, EOS = range(4)


def read(path):
    """(metadata, {name: float32 array}, tokenizer bytes)"""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__")
    tensors, tokenizer = {}, b""
    for name, about in header.items():
        start, end = (8 + length + o for o in about["data_offsets"])
        part = data[start:end]
        if name == "tokenizer":
            tokenizer = part
        elif about["dtype"] == "BF16":
            wide = np.frombuffer(part, "<u2").astype(np.uint32) << 16
            tensors[name] = wide.view(np.float32).reshape(about["shape"])
        else:
            kind = {"F32": "<f4", "I8": "i1"}[about["dtype"]]
            tensors[name] = np.frombuffer(part, kind).astype(np.float32).reshape(about["shape"])
    for name in [n for n in tensors if n.endswith(".scale")]:
        tensors[name[:-len(".scale")]] *= tensors.pop(name).reshape(-1, 1)
    return metadata, tensors, tokenizer


def sinusoids(length, channels):
    """Sines in the first half of the channels, cosines in the second."""
    half = channels // 2
    frequency = 10000.0 ** (-np.arange(half) / max(half - 1, 1))
    angle = np.arange(length)[:, None] * frequency
    table = np.zeros((length, channels), np.float32)
    table[:, :half], table[:, half:2 * half] = np.sin(angle), np.cos(angle)
    return table


def set_norm(spec, tensors, name):
    spec.gamma, spec.beta = tensors[f"{name}.gamma"], tensors[f"{name}.beta"]


def set_linear(spec, tensors, *names):
    spec.weight = np.concatenate([tensors[f"{n}.weight"] for n in names])
    spec.bias = np.concatenate([tensors[f"{n}.bias"] for n in names])


def set_feed_forward(spec, tensors, layer):
    set_norm(spec.layer_norm, tensors, f"{layer}.norm_feed_forward")
    set_linear(spec.linear_0, tensors, f"{layer}.feed_forward.up")
    set_linear(spec.linear_1, tensors, f"{layer}.feed_forward.down")


def set_self(spec, tensors, layer):
    name = f"{layer}.self"
    set_norm(spec.layer_norm, tensors, f"{layer}.norm_self")
    set_linear(spec.linear[0], tensors, f"{name}.query", f"{name}.key", f"{name}.value")
    set_linear(spec.linear[1], tensors, f"{name}.output")


def set_cross(spec, tensors, layer):
    name = f"{layer}.cross"
    set_norm(spec.layer_norm, tensors, f"{layer}.norm_cross")
    set_linear(spec.linear[0], tensors, f"{name}.query")
    set_linear(spec.linear[1], tensors, f"{name}.key", f"{name}.value")
    set_linear(spec.linear[2], tensors, f"{name}.output")


def spec_of(metadata, tensors):
    if metadata["kv_heads"] != metadata["heads"]:
        sys.exit("ctranslate2_export: grouped queries are not exported")
    pre_norm = metadata["pre_norm"] == "true"
    activation = ctranslate2.specs.Activation
    spec = ctranslate2.specs.TransformerSpec.from_config(
        (int(metadata["encoder_layers"]), int(metadata["decoder_layers"])), int(metadata["heads"]),
        pre_norm=pre_norm,
        activation={"relu": activation.RELU, "gelu": activation.GELU}[metadata["activation"]])
    embedding = tensors["embedding"]
    positions = tensors.get("positions")
    if positions is None:
        positions = sinusoids(int(metadata["max_length"]), int(metadata["d_model"]))
    for side in (spec.encoder, spec.decoder):
        words = side.embeddings
        for place in words if isinstance(words, list) else [words]:
            place.weight = embedding
        side.scale_embeddings = True
        side.position_encodings.encodings = positions
    spec.decoder.projection.weight = embedding
    if pre_norm:
        set_norm(spec.encoder.layer_norm, tensors, "encoder.norm")
        set_norm(spec.decoder.layer_norm, tensors, "decoder.norm")
    for i, layer in enumerate(spec.encoder.layer):
        set_self(layer.self_attention, tensors, f"encoder.{i}")
        set_feed_forward(layer.ffn, tensors, f"encoder.{i}")
    for i, layer in enumerate(spec.decoder.layer):
        set_self(layer.self_attention, tensors, f"decoder.{i}")
        set_cross(layer.attention, tensors, f"decoder.{i}")
        set_feed_forward(layer.ffn, tensors, f"decoder.{i}")
    return spec


def export(model, folder):
    metadata, tensors, tokenizer = read(model)
    spec = spec_of(metadata, tensors)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    words = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.config.unk_token, spec.config.bos_token = words[UNK], words[BOS]
    spec.config.eos_token, spec.config.decoder_start_token = words[EOS], words[BOS]
    spec.config.add_source_eos = False
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    spec.validate()
    spec.optimize()  # the table of words, which three places share, is written once
    spec.save(str(folder))
    (folder / "tokenizer.model").write_bytes(tokenizer)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    export(sys.argv[1], sys.argv[2])
