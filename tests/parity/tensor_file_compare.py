"""Files that numpy, PyTorch, CTranslate2, safetensors and Marian write are read by attn to the same bits.

    tensor_file_compare.py DRIVER

DRIVER is the program built from tensor_file_driver.c. Exits 77 when a package is missing.
"""
import argparse
import collections
import os
import pathlib
import pickle
import struct
import shutil
import subprocess
import sys
import tempfile

try:
    import ctranslate2
    import numpy
    import pymarian
    import safetensors.torch
    import torch
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install numpy torch safetensors ctranslate2 pymarian)")
    sys.exit(77)

NAMES = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "int8": "I8", "uint8": "U8",
         "int16": "I16", "int32": "I32", "int64": "I64", "bool": "U8"}
random = numpy.random.default_rng(1)


def find_driver():
    """The first argument, or the driver in the folder that the build names."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    return os.path.join(os.environ["ATTN_DRIVERS"], "tensor_file_driver")


def read(path):
    """What attn reads: the kind, {name: (dtype, shape, bytes, floats)}, {key: text}."""
    run = subprocess.run([find_driver(), str(path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    kind, *lines = run.stdout.splitlines()
    tensors, texts = {}, {}
    for line in lines:
        what, name, *rest = line.split(" ")
        name = bytes.fromhex(name).decode()
        if what == "text":
            texts[name] = bytes.fromhex(rest[0]).decode()
        else:
            shape = tuple(int(size) for size in rest[1].split("x")) if rest[1] else ()
            assert name not in tensors, name
            tensors[name] = (rest[0], shape, bytes.fromhex(rest[2]), bytes.fromhex(rest[3]))
    return kind.removeprefix("kind "), tensors, texts


def refusal(path):
    run = subprocess.run([find_driver(), str(path)], capture_output=True, text=True)
    assert run.returncode == 1, (run.returncode, run.stdout[:300])
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr


def as_torch(value):
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(numpy.array(value, order="C"))


def check(found, wanted):
    """The same names, and of each tensor type, shape, bytes and floats."""
    assert sorted(found) == sorted(wanted), (sorted(found), sorted(wanted))
    for name, value in wanted.items():
        tensor = as_torch(value).detach().clone(memory_format=torch.contiguous_format)
        dtype, shape, data, floats = found[name]
        assert dtype == NAMES[str(tensor.dtype).removeprefix("torch.")], (name, dtype, tensor.dtype)
        assert shape == tuple(tensor.shape), (name, shape, tensor.shape)
        assert data == bytes(tensor.untyped_storage()), name
        assert floats == tensor.to(torch.float32).numpy().tobytes(), name


def arrays():
    made = {f"layer{i}_{dtype}": (random.standard_normal(shape) * 50).astype(dtype)
            for i, shape in enumerate([(), (0,), (7,), (3, 5), (2, 3, 4), (1, 1, 2, 1, 3, 1, 2, 1)])
            for dtype in ["float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"]}
    halves = numpy.arange(65536, dtype="uint16").view("float16")
    # Every half there is; of NaN only the quiet ones, because a conversion makes the others quiet.
    made["halves"] = halves[~numpy.isnan(halves)]
    made["fortran"] = numpy.asfortranarray(random.standard_normal((3, 4, 5)).astype("float32"))
    return made


def check_npz(folder):
    path = folder / "model.npz"
    config = "dim-emb: 4\ntype: transformer\n"
    special = numpy.frombuffer(config.encode() + b"\0\0rest", dtype="uint8")
    for save in (numpy.savez, numpy.savez_compressed):
        save(path, **arrays_kept, **{"special:model.yml": special})
        kind, tensors, texts = read(path)
        assert kind == "an .npz file" and texts == {"special:model.yml": config}, (kind, texts)
        check(tensors, arrays_kept)
    numpy.savez(path, x=numpy.arange(3, dtype=">f4"))
    assert "its bytes in the other order" in refusal(path)
    numpy.savez(path, x=numpy.array([{"a": 1}], dtype=object))
    assert "a type that is no common number" in refusal(path)
    numpy.savez(path, x=numpy.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
    assert "several fields" in refusal(path)


# ---- safetensors, whole and in parts ----

def check_safetensors(folder):
    tensors = {"half": torch.randn(3, 2).to(torch.float16), "brain": torch.randn(5).to(torch.bfloat16),
               "positions": torch.arange(7), "plain": torch.randn(2, 3, 4), "short": torch.arange(3).to(torch.int16)}
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    kind, found, texts = read(folder / "model.safetensors")
    assert kind == "a safetensors file" and texts == {"format": "pt"}
    check(found, tensors)
    names = sorted(tensors)
    index = {}
    for number, part in enumerate([names[:2], names[2:]]):
        name = f"model-{number}.safetensors"
        safetensors.torch.save_file({key: tensors[key] for key in part}, folder / name)
        index.update({key: name for key in part})
    listed = folder / "model.safetensors.index.json"
    listed.write_text('{"metadata": {"total_size": 1}, "weight_map": %s}' % str(index).replace("'", '"'))
    check(read(listed)[1], tensors)
    listed.write_text('{"weight_map": {"a": "../model.safetensors"}}')
    assert "not in its folder" in refusal(listed)


# ---- CTranslate2 ----

def ct2_string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def ct2_bytes(version, variables, aliases):
    """A model.bin as the older versions were written; the newest is written by the package itself."""
    types = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
    out = struct.pack("<I", version)
    if version >= 2:
        out += ct2_string("TransformerSpec") + struct.pack("<I", 5)
    out += struct.pack("<I", len(variables))
    for name, value in variables.items():
        out += ct2_string(name) + struct.pack("B", value.ndim) + struct.pack(f"<{value.ndim}I", *value.shape)
        if version >= 4:
            out += struct.pack("<BI", types[value.dtype.name], value.nbytes)
        else:
            out += struct.pack("<BI", value.itemsize, value.size)
        out += value.tobytes()
    if version >= 3:
        out += struct.pack("<I", len(aliases))
        out += b"".join(ct2_string(alias) + ct2_string(name) for alias, name in aliases.items())
    return out


def check_ct2_versions(folder):
    path = folder / "model.bin"
    variables = {"embeddings/weight": random.integers(-127, 128, (5, 4)).astype("int8"),
                 "embeddings/weight_scale": random.random(5).astype("float32"),
                 "bias": random.random(3).astype("float32"), "wide": numpy.arange(6, dtype="int16").reshape(2, 3)}
    for version in range(1, 7):
        aliases = {"projection/weight": "embeddings/weight"} if version >= 3 else {}
        more = {"half": numpy.float16([1, 2.5]), "count": numpy.array(7, dtype="int32")} if version >= 4 else {}
        path.write_bytes(ct2_bytes(version, variables | more, aliases))
        kind, tensors, texts = read(path)
        again = {alias + end: variables[name + end] for alias, name in aliases.items() for end in ("", "_scale")}
        check(tensors, variables | more | again)
        assert kind == "a CTranslate2 model"
        spec = {"spec": "TransformerSpec"} if version >= 2 else {}
        assert texts == spec | {"revision": "5" if spec else "1", "binary_version": str(version)}, texts


def fill(spec, width=8):
    """Random weights in every place of a specification that wants some."""
    for name, value in list(vars(spec).items()):
        if isinstance(value, ctranslate2.specs.LayerSpec):
            fill(value, width)
        elif isinstance(value, list):
            for item in value:
                fill(item, width)
        elif value is None and name in ("weight", "bias", "gamma", "beta"):
            shape = (width, width) if name == "weight" else (width,)
            setattr(spec, name, random.standard_normal(shape).astype("float32"))


def check_ct2_package(folder, quantization):
    spec = ctranslate2.specs.TransformerSpec.from_config(2, 2)
    fill(spec)
    words = [str(i) for i in range(8)]
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.validate()
    spec.optimize(quantization=quantization)
    place = folder / f"ct2-{quantization}"
    place.mkdir()
    spec.save(str(place))
    wanted, names = {}, {}
    for name, value in spec.variables(ordered=True):
        if isinstance(value, str):
            names[name] = value
        else:
            value = getattr(value, "tensor", None) if hasattr(value, "tensor") else value.numpy()
            wanted[name] = value
    for alias, name in names.items():
        wanted[alias] = wanted[name]
        if name + "_scale" in wanted:
            wanted[alias + "_scale"] = wanted[name + "_scale"]
    kind, tensors, texts = read(place / "model.bin")
    check(tensors, wanted)
    assert texts["spec"] == "TransformerSpec" and texts["binary_version"] == "6", texts
    assert quantization is None or any(item[0] != "F32" for item in tensors.values())


# ---- Marian ----

def marian_bytes(items):
    """A .bin as marian-conv writes it: {name: (type, shape, bytes)}."""
    heads = names = shapes = data = b""
    for name, (code, shape, value) in items.items():
        value += b"\0" * (-len(value) % 256)
        heads += struct.pack("<4Q", len(name) + 1, code, len(shape), len(value))
        names += name.encode() + b"\0"
        shapes += struct.pack(f"<{len(shape)}i", *shape)
        data += value
    out = struct.pack("<2Q", 1, len(items)) + heads + names + shapes
    padding = -(len(out) + 8) % 256
    return out + struct.pack("<Q", padding) + b"\0" * padding + data


def check_marian(folder):
    path = folder / "model.bin"
    bias = random.random((1, 3)).astype("float32")
    weight = random.integers(-127, 128, (3, 4)).astype("int8")  # lies as [out, in]
    table = random.integers(-127, 128, (5, 4)).astype("int8")
    config = "dim-emb: 4\n"
    path.write_bytes(marian_bytes({
        "bias": (0x404, (1, 3), bias.tobytes()),
        "W": (0x4101, (4, 3), weight.tobytes() + struct.pack("<f", 0.37)),
        "Wemb": (0x4101, (5, 4), table.tobytes() + struct.pack("<f", 11.5)),
        "special:model.yml": (0x101, (len(config) + 1,), config.encode() + b"\0"),
    }))
    kind, tensors, texts = read(path)
    assert kind == "a Marian .bin file" and texts == {"special:model.yml": config}
    check(tensors, {"bias": bias, "W": weight, "W.multiplier": numpy.float32(0.37), "Wemb": table,
                    "Wemb.multiplier": numpy.float32(11.5)})


def check_marian_itself(folder):
    """One model, trained for two steps by Marian, as .npz and as .bin."""
    numbers = [" ".join(str(i * j % 7) for j in range(1, 6)) for i in range(40)]
    (folder / "source").write_text("\n".join(numbers) + "\n")
    (folder / "target").write_text("\n".join(reversed(numbers)) + "\n")
    for name in ("trained.npz", "trained.bin"):
        options = (f"--type transformer -m {name} -t source target -v words.yml words.yml --dim-emb 16 "
                   "--transformer-dim-ffn 32 --enc-depth 1 --dec-depth 1 --transformer-heads 2 --after 2u --mini-batch 8 "
                   "--cpu-threads 1 -w 200 --tied-embeddings-all --seed 1 --quiet --overwrite")
        script = f"import pymarian; pymarian.Trainer({options!r}).train()"
        subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True)
    with numpy.load(folder / "trained.npz") as saved:
        wanted = {name: saved[name] for name in saved.files}
    config = wanted.pop("special:model.yml").tobytes().split(b"\0")[0].decode()
    kind, tensors, texts = read(folder / "trained.npz")
    check(tensors, wanted)
    assert texts == {"special:model.yml": config} and "dim-emb: 16" in config
    kind, tensors, _ = read(folder / "trained.bin")
    assert kind == "a Marian .bin file"
    check(tensors, wanted)


# ---- PyTorch ----

class Settings:
    """A class of somebody's own, beside the weights."""

    def __init__(self):
        self.layers = 6
        self.nested = {"rate": 0.1, "names": ["a", "b"]}


class Slots:
    __slots__ = ("one",)

    def __init__(self):
        self.one = 1


class Harmful:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def flat(value, path=""):
    """Every tensor under its dotted name."""
    if isinstance(value, torch.Tensor):
        return {path or "value": value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    found = {}
    for key, item in items:
        found |= flat(item, f"{path}.{key}" if path else str(key))
    return found


def checkpoint():
    base = torch.randn(6, 8)
    model = torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(1, 2, 8), torch.randn(1, 3, 8)).sum().backward()
    optimizer.step()
    dtypes = {str(dtype): (torch.randn(3, 5) * 20).to(dtype) for dtype in
              [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int16,
               torch.int32, torch.int64, torch.bool]}
    return {
        "model": model.state_dict(), "optimizer": optimizer.state_dict(), "dtypes": dtypes,
        "views": [base, base.t(), base[1:4, 2:7:2], base[5], base.flip(0), base[:, :1].expand(6, 1), base[2:2]],
        "tied": (base, base), "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(2)), "counts": collections.Counter("abca"),
        "default": collections.defaultdict(list, {"a": [torch.ones(2)]}), "size": base.shape, "set": {3},
        "args": argparse.Namespace(arch="transformer", dropout=0.1, share=True, betas=(0.9, 0.98), none=None,
                                   big=-(2 ** 40), wide=2 ** 70, raw=b"bytes", path=pathlib.PurePosixPath("/tmp/x")),
        "settings": Settings(), "slots": Slots(), "device": torch.device("cpu"), 7: {"seven": torch.ones(1)},
        "scored": numpy.float64(1.5), "type": torch.float32, "greek": "\u03b1", "odd": {(1, 2): 3},
    }


TEXTS = {"args.arch": "transformer", "args.dropout": "0.10000000000000001", "args.share": "true",
         "args.betas.0": "0.90000000000000002", "args.betas.1": "0.97999999999999998", "args.big": str(-(2 ** 40)),
         "settings.layers": "6", "settings.nested.rate": "0.10000000000000001", "settings.nested.names.1": "b",
         "slots.one": "1", "device": "cpu", "greek": "\u03b1", "counts.a": "2", "size.0": "6", "set.0": "3"}


def check_torch(folder):
    path = folder / "checkpoint.pt"
    saved = checkpoint()
    for options in ({}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}, {"pickle_protocol": 5},
                    {"pickle_protocol": 4, "_use_new_zipfile_serialization": False}):
        torch.save(saved, path, **options)
        kind, tensors, texts = read(path)
        assert kind == "a PyTorch checkpoint"
        check(tensors, flat(saved))
        for key, text in TEXTS.items():
            assert texts.get(key) == text, (options, key, texts.get(key))
        assert not {"args.none", "args.wide", "args.raw", "type", "odd.(1, 2)"} & set(texts)
    torch.save(saved["views"][1], path)
    check(read(path)[1], {"value": saved["views"][1]})
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()), path)  # a module, not its state
    assert "_modules.0._parameters.weight" in read(path)[1]


def check_harmful(folder):
    """Each names what it would have called, and the file that it would have made is not there."""
    path, made = folder / "harmful.pt", folder / "made"
    touch = f"touch {made}"
    calls = {"posix.system": Harmful(os.system, touch), "builtins.eval": Harmful(eval, f"open({str(made)!r}, 'w')"),
             "builtins.exec": Harmful(exec, f"open({str(made)!r}, 'w')"),
             "shutil.copy": Harmful(shutil.copy, __file__, str(made)),
             "builtins.getattr": Harmful(getattr, "text", "upper"),
             "builtins.__import__": Harmful(__import__, "antigravity")}
    for name, value in calls.items():
        for options in ({}, {"_use_new_zipfile_serialization": False}):
            torch.save({"model": {"w": torch.ones(1)}, "x": value}, path, **options)
            # Protocol 2 gives the names of Python 2.
            said = refusal(path).replace("__builtin__", "builtins")
            assert f"needs the Python function {name}: refused, nothing was run" in said, said
        path.write_bytes(pickle.dumps(value))
        assert "nothing was run" in refusal(path)
    assert not made.exists()
    path.write_bytes(pickle.dumps({"w": [1.0]}))
    assert "no checkpoint of PyTorch" in refusal(path)
    torch.save({"w": torch.ones(2, dtype=torch.complex64)}, path)
    assert "torch.ComplexFloatStorage" in refusal(path)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_npz(folder)
        check_safetensors(folder)
        check_ct2_versions(folder)
        for quantization in (None, "int8", "int16", "float16", "bfloat16", "int8_float16", "int8_bfloat16"):
            check_ct2_package(folder, quantization)
        check_marian(folder)
        check_marian_itself(folder)
        check_torch(folder)
        check_harmful(folder)
    print(f"same as numpy {numpy.__version__}, torch {torch.__version__}, ctranslate2 {ctranslate2.__version__}")


arrays_kept = arrays()
main()
