#!/usr/bin/env python3
"""The matrix products of `attn bench` in NumPy, with the OpenBLAS of its wheel.

    numpy_peer.py [--threads N]       then lines as turns.py says
    numpy_peer.py --list
"""
import argparse
import ctypes
import os
import pathlib
import sys

import turns


def products(sizes):
    import numpy as np

    def matmul(m, n, k, across=False):
        a = np.random.rand(k, m).astype("f4").T if across else np.random.rand(m, k).astype("f4")
        b = np.random.rand(k, n).astype("f4")
        c = np.empty((m, n), "f4")
        return {"matmul": lambda: np.matmul(a, b, out=c)}

    def rows(m, k, n):
        """The large matrix as it is, or transposed in memory."""
        count, a, c = turns.copies(4 * k * n), np.random.rand(m, k).astype("f4"), np.empty((m, n), "f4")
        b = np.random.rand(k, n).astype("f4")
        straight = [b.copy() for _ in range(count)]
        across = [np.ascontiguousarray(b.T).T for _ in range(count)]
        return {name: turns.in_turn([lambda w=w: np.matmul(a, w, out=c) for w in kept])
                for name, kept in (("straight", straight), ("transposed", across))}
    return {name: (lambda make=rows if "row" in name else matmul, size=size: make(*size))
            for name, size in sizes.items()}


SIZES = {
    "matmul-512": (512, 512, 512),
    "matmul-1024": (1024, 1024, 1024),
    "matmul-2048": (2048, 2048, 2048),
    "matmul-4096": (4096, 4096, 4096),
    "matmul-up": (8192, 256, 128),
    "matmul-down": (8192, 128, 256),
    "matmul-gradient": (256, 128, 8192, True),
    "matmul-base-up": (4096, 2048, 512),
    "matmul-base-down": (4096, 512, 2048),
    "matmul-base-gradient": (2048, 512, 4096, True),
    "matmul-row-1": (1, 1024, 16384),
    "matmul-row-4": (4, 1024, 16384),
    "matmul-row-16": (16, 1024, 16384),
    "matmul-row-64": (64, 1024, 16384),
}


def openblas(numpy):
    """Which kernels its OpenBLAS chose for this processor, and its version."""
    folder = pathlib.Path(numpy.__file__).parents[1] / "numpy.libs"
    for path in folder.glob("libscipy_openblas*"):
        library = ctypes.CDLL(str(path))
        for suffix in ("64_", ""):
            try:
                names = [getattr(library, f"scipy_openblas_get_{what}{suffix}")
                         for what in ("corename", "config")]
            except AttributeError:
                continue
            for name in names:
                name.restype = ctypes.c_char_p
            return names[0]().decode(), " ".join(names[1]().decode().split()[:2])
    return "unknown", "another BLAS"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    if given.list:
        print("\n".join(SIZES))
        return
    if given.threads:  # read when the library is loaded
        os.environ["OPENBLAS_NUM_THREADS"] = str(given.threads)
    import numpy
    kernel, version = openblas(numpy)
    turns.serve(products(SIZES), {"version": numpy.__version__, "blas": version, "kernel": kernel,
                                  "threads": given.threads})


if __name__ == "__main__":
    sys.exit(main())
