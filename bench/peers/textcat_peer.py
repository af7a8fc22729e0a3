#!/usr/bin/env python3
"""libexttextcat as a detector for scripts/measure-detect: reads lines, prints for each a language code and its score.

    textcat_peer.py FINGERPRINTS [LIBRARY]

FINGERPRINTS is the folder of Debian's libexttextcat-data (/usr/share/libexttextcat), LIBRARY libexttextcat-2.0.so.0. Only
the languages that `attn detect --list` prints (ATTN names the program) are offered, as both should choose among as many.
"""
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile


class Candidate(ctypes.Structure):
    _fields_ = [("score", ctypes.c_int), ("name", ctypes.c_char_p)]


def code_of(name):
    """"en--utf8", "uz-Cyrl-utf8": the language alone."""
    return name.split("-")[0]


def known_lines(folder):
    """The lines of the library's own list whose language attn knows."""
    listed = subprocess.run([os.environ.get("ATTN", "build/attn"), "detect", "--list"], check=True, capture_output=True, encoding="utf-8").stdout
    known = {line.split("\t")[0] for line in listed.splitlines()}
    for line in (folder / "fpdb.conf").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) >= 2 and not line.startswith("#") and code_of(words[1]) in known:
            yield line


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    library = ctypes.CDLL(sys.argv[2] if len(sys.argv) == 3 else "libexttextcat-2.0.so.0")
    library.special_textcat_Init.restype = ctypes.c_void_p
    library.textcat_GetClassifyFullOutput.restype = ctypes.POINTER(Candidate)
    library.textcat_GetClassifyFullOutput.argtypes = [ctypes.c_void_p]
    library.textcat_SetProperty.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    library.textcat_ClassifyFull.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(Candidate)]
    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as conf:
        conf.write("".join(f"{line}\n" for line in known_lines(folder)))
        conf.flush()
        handle = library.special_textcat_Init(conf.name.encode(), f"{folder}/".encode())
    if not handle:
        sys.exit(f"textcat_peer: no fingerprints in {folder}")
    library.textcat_SetProperty(handle, 1, 1)  # no line is too short
    candidates = library.textcat_GetClassifyFullOutput(handle)
    for line in sys.stdin.buffer:
        text = line.rstrip(b"\n")
        count = library.textcat_ClassifyFull(handle, text, len(text), candidates)
        best = min((candidates[i] for i in range(max(count, 0))), key=lambda one: one.score, default=None)
        print(f"{code_of(best.name.decode())}\t{best.score}" if best else "-\t0")


main()
