#!/usr/bin/env python3
"""Compares attn's confusion matrix and its scores with a plain NumPy computation: over random masks, and
over what `attn segment` writes for drawn scenes beside what `attn evaluate` says of them.

    confusion_compare.py CONFUSION_DRIVER [SEED]

CONFUSION_DRIVER is the program built from confusion_driver.c; the environment names the tool, ATTN_TOOL.
Exits 77 (skipped) without NumPy.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib

try:
    import numpy as np
except ImportError:
    print("skipped: the Python package numpy is not installed")
    sys.exit(77)

warnings.simplefilter("ignore", RuntimeWarning)  # mean of nothing


def write_png(path, mask):
    """An 8-bit grey PNG."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    height, width = mask.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), mask], axis=1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows.tobytes()))
                     + chunk(b"IEND", b""))


def read_png(path):
    """The values of an 8-bit grey or palette PNG."""
    data, at, body = path.read_bytes(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        part = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", part[:10])
            assert depth == 8 and color in (0, 3)
        body += part if kind == b"IDAT" else b""
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, width + 1)
    out = np.zeros((height + 1, width + 1), int)
    for y in range(height):
        for x in range(width):
            a, b, c = out[y + 1, x], out[y, x + 1], out[y, x]
            paeth = min((a, b, c), key=lambda v: abs(a + b - c - v))
            out[y + 1, x + 1] = (int(rows[y, x + 1]) + (0, a, b, (a + b) // 2, paeth)[rows[y, 0]]) % 256
    return out[1:, 1:]


def plain_scores(pairs, classes, ignore):
    """The matrix, IoU a class, and (mean IoU, mean accuracy, global accuracy, labelled, ignored)."""
    truth = np.concatenate([t.ravel() for t, _ in pairs]).astype(np.int64)
    predicted = np.concatenate([p.ravel() for _, p in pairs]).astype(np.int64)
    kept = truth != ignore
    matrix = np.bincount(truth[kept] * classes + predicted[kept],
                         minlength=classes * classes).reshape(classes, classes)
    hit, rows, columns = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = hit / (rows + columns - hit)
        accuracy = hit / rows
        overall = hit.sum() / matrix.sum()
    return matrix, iou, (np.nanmean(iou), np.nanmean(accuracy), overall, kept.sum(), (~kept).sum())


def random_pairs(rng, classes, ignore):
    """A few pictures of different sizes; not every class occurs in every case."""
    used = rng.integers(1, classes + 1)
    for _ in range(rng.integers(1, 5)):
        shape = tuple(rng.integers(1, 40, 2))
        truth = rng.integers(0, used, shape)
        wrong = rng.random(shape) < 0.4
        predicted = np.where(wrong, rng.integers(0, classes if rng.random() < 0.5 else used, shape),
                             truth)
        truth = np.where(rng.random(shape) < 0.1, ignore, truth)
        yield truth.astype(np.uint8), predicted.astype(np.uint8)


def run_driver(driver, folder, pairs, classes, ignore):
    names = folder / "classes"
    names.write_text("".join(f"{c} class {c} {c} 1 2\n" for c in range(classes)))
    paths = []
    for i, pair in enumerate(pairs):
        for kind, mask in zip("tp", pair):
            paths.append(folder / f"{kind}{i}.png")
            write_png(paths[-1], mask)
    out = folder / "iou.npy"
    lines = subprocess.run([driver, names, str(ignore), out, *paths], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    matrix = np.array([[int(v) for v in line.split(",")[1:]] for line in lines[1:-1]])
    return matrix, np.load(out), [float(v) for v in lines[-1].split()]


RECIPE = """width_2 = 8
width_4 = 8
d_model = 16
units_4 = 0
units_8 = 0
blocks = 1
heads = 2
ffn = 16
crop_width = 64
crop_height = 64
max_steps = 20
warmup_steps = 1
learning_rate = 0.01
max_epochs = 0
"""


def compare_evaluate(tool, folder):
    """A model that has learned a little; two of the masks say nothing of some pixels."""
    def run(*arguments):
        return subprocess.run([tool, *arguments], check=True, text=True, cwd=folder,
                              stdout=subprocess.PIPE).stdout
    run("scenes", "--count", "6", "--width", "72", "--height", "65", "s")
    (folder / "recipe").write_text(RECIPE)
    run("train", "segmenter", "--images", "s/images", "--masks", "s/masks", "--classes",
        "s/classes.txt", "--recipe", "./recipe", "--quiet", "--out", "m.safetensors")
    run("segment", "-m", "m.safetensors", "s/images", "-o", "out", "--no-overlay")
    names = [f"{i:06}" for i in range(6)]
    truths = [read_png(folder / f"s/masks/{n}.png") for n in names]
    for i in (1, 4):
        truths[i][20:40, 10:30] = 255
        write_png(folder / f"s/masks/{names[i]}.png", truths[i].astype(np.uint8))
    predicted = [read_png(folder / f"out/{n}.mask.png") for n in names]
    matrix, iou, means = plain_scores(list(zip(truths, predicted)), 4, 255)
    ours = json.loads(run("evaluate", "-m", "m.safetensors", "--images", "s/images", "--masks",
                          "s/masks", "--csv", "m.csv", "--json"))
    csv = [line.split(",")[1:] for line in (folder / "m.csv").read_text().splitlines()[1:]]
    numbers = [ours[k] for k in ("miou", "class_accuracy", "global_accuracy", "labelled", "ignored")]
    got = [np.nan if c["iou"] is None else c["iou"] for c in ours["classes"]]
    same = (ours["confusion"] == matrix.tolist() and np.array(csv, int).tolist() == matrix.tolist()
            and ours["ignored"] == 800 and len(np.unique(predicted)) > 1
            and np.allclose(got, iou, rtol=1e-12, atol=0, equal_nan=True)
            and np.allclose(numbers, means, rtol=1e-12, atol=0))
    if not same:
        print(f"attn evaluate: {ours}\nNumPy: {matrix.tolist()}, {iou}, {means}")
    return 0 if same else 1


def main():
    driver = sys.argv[1]
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    failed = 0
    cases = [(2, 255), (11, 11), (1, 255), (21, 255), (255, 255)] * 4
    with tempfile.TemporaryDirectory() as name:
        for number, (classes, ignore) in enumerate(cases):
            pairs = list(random_pairs(rng, classes, ignore))
            ours = run_driver(driver, pathlib.Path(name), pairs, classes, ignore)
            plain = plain_scores(pairs, classes, ignore)
            same = (np.array_equal(ours[0], plain[0])
                    and ours[1].dtype == np.float32 and ours[1].shape == (classes,)
                    and np.array_equal(ours[1], plain[1].astype(np.float32), equal_nan=True)
                    and np.allclose(ours[2], plain[2], rtol=1e-14, atol=0, equal_nan=True))
            if not same:
                failed += 1
                print(f"case {number}, {classes} classes: ours {ours[2]}, NumPy {plain[2]}")
        failed += compare_evaluate(os.environ["ATTN_TOOL"], pathlib.Path(name))
    print(f"numpy {np.__version__}: {len(cases)} sets of masks and attn evaluate, "
          f"{failed} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
