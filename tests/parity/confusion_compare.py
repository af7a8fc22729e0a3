#!/usr/bin/env python3
"""Compares attn's confusion matrix and its scores with a plain NumPy computation over random masks.

    confusion_compare.py CONFUSION_DRIVER [SEED]

CONFUSION_DRIVER is the program built from confusion_driver.c. Exits 77 (skipped) without NumPy.
"""
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
    print(f"numpy {np.__version__}: {len(cases)} sets of masks, {failed} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
