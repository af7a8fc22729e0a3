"""Attention, multi-head attention and a whole encoder-decoder give what PyTorch gives on a CPU.

    torch_compare.py DRIVER

DRIVER is the program built from torch_driver.c. Outputs and the gradients by every input and every
weight are compared in float32: |attn - torch| <= ATOL * max(1, largest |torch|) + RTOL * |torch|.
Exits 77 when PyTorch is missing.
"""
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install torch==2.13.0 numpy)")
    sys.exit(77)

ATOL, RTOL = 1e-5, 1e-4
TYPES = {"F32": torch.float32, "I32": torch.int32, "I64": torch.int64}


# ---- files ----

def write_file(path, tensors, metadata):
    """A .safetensors file; wide types first, so that each tensor is aligned."""
    names = {dtype: name for name, dtype in TYPES.items()}
    header = {"__metadata__": {key: str(value) for key, value in metadata.items()}}
    blobs, offset = [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: -item[1].element_size()):
        blob = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read_file(path):
    blob = path.read_bytes()
    length = struct.unpack("<Q", blob[:8])[0]
    header, data = json.loads(blob[8:8 + length]), blob[8 + length:]
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(numpy.frombuffer(
                data[item["data_offsets"][0]:item["data_offsets"][1]], dtype="<f4").copy())
            for name, item in header.items()}


class Attn:
    """The driver, and the comparison of what it gives with what PyTorch gave."""

    def __init__(self, driver, folder):
        self.driver, self.folder = driver, folder
        self.largest, self.compared = 0.0, 0

    def run(self, action, tensors, metadata, model=None):
        given, made = self.folder / "in.safetensors", self.folder / "out.safetensors"
        write_file(given, tensors, metadata)
        files = ([model] if model else []) + [given, made]
        subprocess.run([self.driver, action, *map(str, files)], check=True)
        return read_file(made)

    def compare(self, case, expected, got):
        for name, tensor in expected.items():
            if name not in got:
                sys.exit(f"{case}: attn gave no {name}")
            torch_values = tensor.detach().float().reshape(-1)
            if torch_values.shape != got[name].shape:
                sys.exit(f"{case}: {name}: {got[name].shape}, not {torch_values.shape}")
            bound = ATOL * max(1.0, float(torch_values.abs().max())) + RTOL * torch_values.abs()
            excess = ((got[name] - torch_values).abs() / bound).nan_to_num(math.inf)
            worst = int(excess.argmax())
            self.largest = max(self.largest, float(excess[worst]))
            self.compared += excess.numel()
            if excess[worst] > 1:
                sys.exit(f"{case}: {name}: element {worst} is {got[name][worst]:.9g}, "
                         f"torch's {torch_values[worst]:.9g}")
        extra = set(got) - set(expected)
        if extra:
            sys.exit(f"{case}: not compared: {sorted(extra)}")


# ---- attention ----

ATTENTION_CASES = [
    # batch, heads, kv_heads, queries, keys, head size, value size, options
    (2, 3, 3, 17, 17, 16, 16, {}),
    (1, 2, 2, 1, 200, 64, 64, {}),
    (2, 4, 4, 33, 33, 32, 32, {"causal"}),
    (2, 4, 4, 20, 45, 24, 24, {"causal"}),
    (1, 2, 2, 150, 150, 64, 64, {"causal", "heads_first"}),
    (3, 2, 2, 9, 31, 8, 8, {"lengths"}),
    (2, 4, 2, 30, 30, 16, 16, {"causal", "lengths", "heads_first"}),
    (2, 4, 1, 19, 40, 33, 33, {}),
    (2, 2, 2, 25, 25, 16, 40, {"causal"}),
    (2, 3, 3, 21, 37, 16, 16, {"bias"}),
    (2, 3, 3, 21, 37, 16, 16, {"bias_broadcast", "causal"}),
    (1, 2, 2, 40, 40, 16, 16, {"causal", "window"}),
    (2, 6, 3, 12, 140, 40, 24, {"causal", "bias", "lengths", "heads_first"}),
]
WINDOW = 7


def visible(options, batch, queries, keys, lengths):
    """[B, 1, Tq, Tk]: who may see whom; queries are never padded here."""
    mask = torch.ones(batch, 1, queries, keys, dtype=torch.bool)
    for b in range(batch):
        real = int(lengths[b])
        shift = real - queries
        i, j = torch.arange(queries)[:, None], torch.arange(keys)[None, :]
        mask[b, 0] &= j < real
        if "causal" in options:
            mask[b, 0] &= j <= i + shift
        if "window" in options:
            mask[b, 0] &= j >= i + shift - WINDOW
    return mask


def check_attention(attn):
    for number, case in enumerate(ATTENTION_CASES):
        batch, heads, kv_heads, queries, keys, d, e, options = case
        torch.manual_seed(number)
        # [B, H, T, D], torch's order
        q = torch.randn(batch, heads, queries, d, requires_grad=True)
        k = torch.randn(batch, kv_heads, keys, d, requires_grad=True)
        v = torch.randn(batch, kv_heads, keys, e, requires_grad=True)
        lengths = torch.full((batch,), keys)
        if "lengths" in options:
            lengths -= torch.arange(batch) * (keys - queries if keys > queries else 0) // batch
        mask = visible(options, batch, queries, keys, lengths)
        added = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
        bias = None
        if "bias" in options:
            bias = torch.randn(batch, heads, queries, keys, requires_grad=True)
        if "bias_broadcast" in options:
            bias = torch.randn(1, heads, queries, keys, requires_grad=True)
        o = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=added if bias is None else added + bias, enable_gqa=True)
        d_o = torch.randn_like(o)
        o.backward(d_o)
        with torch.no_grad():
            scores = q @ k.repeat_interleave(heads // kv_heads, 1).mT / math.sqrt(d) + added
            lse = torch.logsumexp(scores if bias is None else scores + bias, -1)

        def order(tensor):
            return tensor if "heads_first" in options else tensor.transpose(1, 2).contiguous()

        tensors = {"query": order(q), "key": order(k), "value": order(v), "d.output": order(d_o)}
        expected = {"output": order(o), "lse": lse, "d.query": order(q.grad),
                    "d.key": order(k.grad), "d.value": order(v.grad)}
        if bias is not None:
            tensors["bias"], expected["d.bias"] = bias, bias.grad
        if "lengths" in options:
            tensors["key_lengths"] = lengths
        metadata = {name: int(name in options) for name in ("causal", "heads_first")}
        metadata["window"] = WINDOW if "window" in options else 0
        attn.compare(f"attention {number}", expected, attn.run("attention", tensors, metadata))


# ---- ragged sentences ----

def starts_of(lengths):
    return torch.tensor([0] + list(lengths)).cumsum(0)


def pad(packed, lengths):
    """[N, ...] one after another -> [B, longest, ...]"""
    return nn.utils.rnn.pad_sequence(list(packed.split(list(lengths))), batch_first=True)


def unpad(padded, lengths):
    return torch.cat([padded[b, :length] for b, length in enumerate(lengths)])


def padding_mask(lengths):
    """True where there is nothing, as nn.Transformer wants it."""
    return torch.arange(max(lengths))[None, :] >= torch.tensor(lengths)[:, None]


def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).triu(1)


# ---- multi-head attention ----

def heads_to_attn(module, prefix, grad=False):
    """The weights (or gradients) of an nn.MultiheadAttention under attn's names."""
    def pick(parameter):
        return parameter.grad if grad else parameter.data
    tensors = {}
    for part, weight, bias in zip(("query", "key", "value"), pick(module.in_proj_weight).chunk(3),
                                  pick(module.in_proj_bias).chunk(3)):
        tensors[f"{prefix}.{part}.weight"], tensors[f"{prefix}.{part}.bias"] = weight, bias
    tensors[f"{prefix}.output.weight"] = pick(module.out_proj.weight)
    tensors[f"{prefix}.output.bias"] = pick(module.out_proj.bias)
    return tensors


def as_gradients(tensors):
    return {f"d.{name}": tensor for name, tensor in tensors.items()}


def check_multi_head(attn):
    channels, heads, lengths, memory_lengths = 48, 4, [7, 19, 1], [23, 4, 11]
    for number, (cross, causal) in enumerate([(False, False), (False, True), (True, False)]):
        torch.manual_seed(100 + number)
        module = nn.MultiheadAttention(channels, heads, batch_first=True)
        nn.init.normal_(module.in_proj_bias, std=0.3)
        nn.init.normal_(module.out_proj.bias, std=0.3)
        x = torch.randn(sum(lengths), channels, requires_grad=True)
        memory = torch.randn(sum(memory_lengths), channels, requires_grad=True) if cross else x
        key_lengths = memory_lengths if cross else lengths
        queries, keys = pad(x, lengths), pad(memory, key_lengths)
        y, _ = module(queries, keys, keys, key_padding_mask=padding_mask(key_lengths),
                      attn_mask=causal_mask(max(lengths)) if causal else None, need_weights=False)
        y = unpad(y, lengths)
        d_y = torch.randn_like(y)
        y.backward(d_y)
        tensors = {"x": x, "d.y": d_y, "starts": starts_of(lengths),
                   **heads_to_attn(module, "attention")}
        expected = {"y": y, "d.x": x.grad, **as_gradients(heads_to_attn(module, "attention", True))}
        if cross:
            tensors.update({"memory": memory, "memory_starts": starts_of(memory_lengths)})
            expected["d.memory"] = memory.grad
        got = attn.run("multi_head", tensors,
                       {"heads": heads, "kv_heads": heads, "causal": int(causal)})
        attn.compare(f"multi-head {number}", expected, got)


# ---- the encoder-decoder ----

class Translator(nn.Module):
    """The paper's model from PyTorch's own layers; one embedding for both sides and the output."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        d = config["d_model"]
        shape = dict(d_model=d, nhead=config["heads"], dim_feedforward=config["ffn"], dropout=0.0,
                     activation=config["activation"], batch_first=True,
                     norm_first=config["pre_norm"])
        self.embedding = nn.Embedding(config["vocabulary"], d)
        learned = config["learned_positions"]
        self.positions = nn.Embedding(config["max_length"], d) if learned else None
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**shape), config["encoder_layers"],
            norm=nn.LayerNorm(d) if config["pre_norm"] else None, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(**shape), config["decoder_layers"],
            norm=nn.LayerNorm(d) if config["pre_norm"] else None)

    def sinusoids(self, length):
        """Sines in the first half of the channels, cosines in the second (tensor2tensor)."""
        half = self.config["d_model"] // 2
        rate = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / (half - 1))
        angle = torch.arange(length, dtype=torch.float64)[:, None] * rate
        return torch.cat([angle.sin(), angle.cos()], -1).float()

    def embed(self, ids):
        length, d = ids.shape[1], self.config["d_model"]
        positions = self.positions.weight[:length] if self.positions else self.sinusoids(length)
        return self.embedding(ids) * math.sqrt(d) + positions

    def forward(self, source, source_lengths, target, target_lengths):
        hidden = padding_mask(source_lengths)
        memory = self.encoder(self.embed(source), src_key_padding_mask=hidden)
        out = self.decoder(self.embed(target), memory, tgt_mask=causal_mask(target.shape[1]),
                           tgt_key_padding_mask=padding_mask(target_lengths),
                           memory_key_padding_mask=hidden)
        return unpad(memory, source_lengths), unpad(out, target_lengths)

    def tensors(self, grad=False):
        """All weights (or gradients) under attn's names."""
        def pick(parameter):
            return parameter.grad if grad else parameter.data
        named = {"embedding": pick(self.embedding.weight)}
        if self.positions:
            named["positions"] = pick(self.positions.weight)

        def add_norm(prefix, norm):
            named[f"{prefix}.gamma"], named[f"{prefix}.beta"] = pick(norm.weight), pick(norm.bias)

        for side, stack in (("encoder", self.encoder), ("decoder", self.decoder)):
            for i, layer in enumerate(stack.layers):
                named.update(heads_to_attn(layer.self_attn, f"{side}.{i}.self", grad))
                add_norm(f"{side}.{i}.norm_self", layer.norm1)
                if side == "decoder":
                    named.update(heads_to_attn(layer.multihead_attn, f"{side}.{i}.cross", grad))
                    add_norm(f"{side}.{i}.norm_cross", layer.norm2)
                add_norm(f"{side}.{i}.norm_feed_forward",
                         layer.norm3 if side == "decoder" else layer.norm2)
                for name, linear in (("up", layer.linear1), ("down", layer.linear2)):
                    named[f"{side}.{i}.feed_forward.{name}.weight"] = pick(linear.weight)
                    named[f"{side}.{i}.feed_forward.{name}.bias"] = pick(linear.bias)
            if stack.norm is not None:
                add_norm(f"{side}.norm", stack.norm)
        return named


def metadata_of(config):
    values = {"attn.model": "translator", "attn.version": "1"}
    for key, value in config.items():
        values[key] = str(value).lower() if isinstance(value, bool) else value
    for rate in ("dropout", "attention_dropout", "activation_dropout"):
        values[rate] = "0"
    values["label_smoothing"] = "0.1"
    return values


def check_translator(attn):
    source_lengths, target_lengths = [9, 30, 2, 17], [12, 5, 21, 1]
    for pre_norm, activation, learned in [(False, "relu", False), (True, "gelu", False),
                                          (True, "gelu", True)]:
        torch.manual_seed(200)
        config = {"vocabulary": 61, "d_model": 48, "ffn": 80, "heads": 4, "kv_heads": 4,
                  "encoder_layers": 2, "decoder_layers": 3, "max_length": 40, "pre_norm": pre_norm,
                  "learned_positions": learned, "activation": activation}
        model = Translator(config)
        for parameter in model.parameters():  # no bias or norm may be idle
            parameter.data += 0.05 * torch.randn_like(parameter)
        model.embedding.weight.data *= 0.15
        source = torch.randint(4, 61, (sum(source_lengths),))
        target_input = torch.randint(4, 61, (sum(target_lengths),))
        target_output = torch.randint(4, 61, (sum(target_lengths),))
        memory, out = model(pad(source, source_lengths), source_lengths,
                            pad(target_input, target_lengths), target_lengths)
        logits = out @ model.embedding.weight.T
        loss = functional.cross_entropy(logits, target_output, label_smoothing=0.1)
        nll = functional.cross_entropy(logits, target_output)
        loss.backward()
        path = attn.folder / "model.safetensors"
        write_file(path, model.tensors(), metadata_of(config))
        got = attn.run("translator", {
            "source": source.int(), "source_starts": starts_of(source_lengths),
            "target_input": target_input.int(), "target_output": target_output.int(),
            "target_starts": starts_of(target_lengths)}, {}, path)
        expected = {"encoder": memory, "decoder": out, "losses": torch.stack([loss, nll]),
                    **as_gradients(model.tensors(grad=True))}
        attn.compare(f"translator pre_norm={pre_norm} {activation}", expected, got)


def main():
    driver = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.environ["ATTN_DRIVERS"],
                                                                "torch_driver")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        attn = Attn(driver, pathlib.Path(name))
        for check in (check_attention, check_multi_head, check_translator):
            check(attn)
    print(f"same as PyTorch {torch.__version__}: {attn.compared} numbers, "
          f"the farthest at {attn.largest:.2f} of the tolerance")


if __name__ == "__main__":
    main()
