#!/usr/bin/env python3
"""Reads the event file of a training with the tensorboard package and compares it with the training's log.

Exits 77 (skipped) where tensorboard is missing.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("skipped: the Python package tensorboard is not installed")
    sys.exit(77)


def as_float(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def train(folder):
    words = "zero one two three four five six seven eight nine".split()
    numbers = [str(i * 7919 % 100000) for i in range(600)]
    (folder / "train.src").write_text("".join(" ".join(words[int(d)] for d in n) + "\n" for n in numbers))
    (folder / "train.tgt").write_text("".join(n + "\n" for n in numbers))
    settings = {"d_model": 16, "ffn": 24, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, "vocabulary": 60,
                "tokenizer_type": "bpe", "batch_tokens": 300, "max_steps": 300, "max_epochs": 0, "validate_every": 60,
                "bleu_every": 1, "log_every": 7}
    command = [os.environ["ATTN_TOOL"], "train", "translator", "--source", "train.src", "--target", "train.tgt",
               "--quiet", "--out", "m", "--tensorboard", "curves"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, cwd=folder, check=True)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        train(folder)
        board = EventAccumulator(str(folder / "curves"))
        board.Reload()
        log = [json.loads(line) for line in (folder / "m.log.jsonl").read_text().splitlines()]
    compared = 0
    for group, event in (("train", "step"), ("valid", "validation"), ("final", "final")):
        lines = [line for line in log if line["event"] == event]
        for field in ("loss", "nll", "learning_rate", "gradient_norm", "bleu", "perplexity"):
            expected = [(line["step"], as_float(float.fromhex(line[field + "_hex"])) if field + "_hex" in line
                         else line[field]) for line in lines if field in line]
            if not expected:
                continue
            found = [(scalar.step, scalar.value) for scalar in board.Scalars(f"{group}/{field}")]
            assert len(found) == len(expected), f"{group}/{field}: {len(found)} values, not {len(expected)}"
            for (step, value), (other, wanted) in zip(found, expected):
                assert step == other and abs(value - wanted) <= 1e-6 * abs(wanted), f"{group}/{field}: {value}, {wanted}"
            compared += len(found)
    assert compared > 100, compared
    print(f"{compared} values are those of the log")


main()
