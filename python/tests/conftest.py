"""Where the tests find the rest of the checkout: they run against the installed package, from any folder."""
import os
import pathlib
import shutil
import struct
import zlib

import pytest

SOURCE = pathlib.Path(os.environ.get("ATTN_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))


def missing(what):
    """Skips, unless ATTN_NO_SKIP is in the environment, as in .ci/run."""
    (pytest.fail if "ATTN_NO_SKIP" in os.environ else pytest.skip)(what)


def write_png(path, array):
    """An array of uint8, [height, width] or [height, width, 3], as a picture that the tool reads."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = array.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if array.ndim == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in array)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
                     chunk(b"IEND", b""))


@pytest.fixture(scope="session")
def source():
    """The checkout: headers, models."""
    return SOURCE


@pytest.fixture(scope="session")
def tool():
    """The tool `attn`, to compare with."""
    path = os.environ.get("ATTN_TOOL", str(SOURCE / "build" / "attn"))
    if not os.access(path, os.X_OK):
        missing("no tool: build it, or name it in ATTN_TOOL")
    return path


@pytest.fixture(scope="session")
def compiler():
    """A C compiler, to compare structs and results with."""
    path = shutil.which(os.environ.get("CC", "cc"))
    if path is None:
        missing("no C compiler: name it in CC")
    return path
