"""Model files written by attn open with Python's safetensors package, and the reverse.

    safetensors_compare.py DRIVER

DRIVER is the program built from safetensors_driver.c. Exits 77 when the package is missing.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import safetensors
    import safetensors.numpy
    import numpy
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install safetensors numpy)")
    sys.exit(77)


def find_driver():
    """The first argument, or the driver in the folder that the build names."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    return os.path.join(os.environ["ATTN_DRIVERS"], "safetensors_driver")


def run(driver, action, path):
    return subprocess.run([driver, action, str(path)], check=True, capture_output=True, text=True)


def from_attn(driver, path):
    """What attn reads in a file: {name: (dtype, shape, bytes)}, {key: value}."""
    tensors, metadata = {}, {}
    for line in run(driver, "show", path).stdout.splitlines():
        kind, name, *rest = line.split(" ")
        name = bytes.fromhex(name).decode()
        if kind == "metadata":
            metadata[name] = bytes.fromhex(rest[0]).decode()
        else:
            shape = [int(size) for size in rest[1].split("x")] if rest[1] else []
            tensors[name] = (rest[0], shape, bytes.fromhex(rest[2]))
    return tensors, metadata


def from_python(path):
    """The same through the package; its reader of bytes knows every dtype without numpy."""
    blob = path.read_bytes()
    length = struct.unpack("<Q", blob[:8])[0]
    tensors = {
        name: (item["dtype"], item["shape"], bytes(item["data"]))
        for name, item in safetensors.deserialize(blob)
    }
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
    assert metadata == json.loads(blob[8:8 + length]).get("__metadata__", {})
    return tensors, metadata


def check_written_by_attn(driver, folder):
    path = folder / "attn.safetensors"
    run(driver, "write", path)
    tensors, metadata = from_python(path)
    assert len(tensors) == 9 and len(metadata) == 2, (tensors, metadata)
    assert (tensors, metadata) == from_attn(driver, path)
    weights = struct.pack("<6f", 1, -2, 3.5, 1e-30, 0, 7)
    assert tensors['encoder.0."weight"\n\\'] == ("F32", [2, 3], weights)
    assert tensors["tokenizer \u00e9\U0001f600"] == ("U8", [1, 5, 1], b"bytes")
    assert tensors["empty"] == ("F32", [0, 5], b"")
    assert tensors["scalar"] == ("F64", [], struct.pack("<d", 1 / 3))
    assert metadata == {"format": "pt", 'a "key"': "line\n\u20ac"}


def check_written_by_python(driver, folder):
    path = folder / "python.safetensors"
    types = ["float32", "float64", "float16", "int8", "uint8", "int32", "int64"]
    arrays = {
        f"layer.{number}.{dtype} \u00e9\t\"": numpy.arange(size).astype(dtype)
        for number, size in enumerate([0, 1, 7])
        for dtype in types
    }
    arrays["matrix"] = numpy.arange(24, dtype="float32").reshape(2, 3, 4)
    arrays["scalar"] = numpy.array(5, dtype="int8")
    for metadata in (None, {"format": "np", "note": "a\nb\u0001\U0001f600"}):
        safetensors.numpy.save_file(arrays, path, metadata=metadata)
        tensors, found = from_attn(driver, path)
        assert (tensors, found) == from_python(path)
        assert found == (metadata or {})
        for name, array in arrays.items():
            assert tensors[name][1:] == (list(array.shape), array.tobytes()), name


def main():
    driver = find_driver()
    with tempfile.TemporaryDirectory() as name:
        check_written_by_attn(driver, pathlib.Path(name))
        check_written_by_python(driver, pathlib.Path(name))
    print(f"same as safetensors {safetensors.__version__}")


main()
