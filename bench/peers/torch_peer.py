#!/usr/bin/env python3
"""The cases of `attn bench` in PyTorch, on the CPU.

    torch_peer.py [--threads N] [--compile]      then lines as turns.py says
    torch_peer.py --list

Letters: B sequences, T tokens, H heads, D head size, C channels.
"""
import argparse
import math
import os
import resource
import subprocess
import sys

import torch
from torch import nn
from torch.nn import functional as F

import turns


# ---- matrix products ----

def onednn(a, weight):
    """{} or a product through oneDNN with weights laid out as it likes."""
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, a.shape[0])
        run = lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], "")
        with torch.no_grad():
            run()
        return {"oneDNN, packed": run}
    except (AttributeError, RuntimeError):  # a build without it
        return {}


def matmul(m, n, k, across=False):
    a = torch.rand(k, m).t() if across else torch.rand(m, k)
    b, c = torch.rand(k, n), torch.empty(m, n)
    candidates = {"mm": lambda: torch.mm(a, b, out=c)}
    return candidates if across else {**candidates, **onednn(a, b.t().contiguous())}


def matmul_rows(m, k, n):
    """A few rows meet a large matrix, which may lie as PyTorch likes it best."""
    a, c, count = torch.rand(m, k), torch.empty(m, n), turns.copies(4 * k * n)
    b = [torch.rand(k, n) for _ in range(count)]
    weight = [x.t().contiguous() for x in b]
    ways = {"mm": [lambda x=x: torch.mm(a, x, out=c) for x in b],
            "linear": [lambda x=x: F.linear(a, x) for x in weight]}
    if torch.backends.mkl.is_available():
        packed = [torch.ops.mkl._mkl_reorder_linear_weight(x, m) for x in weight]
        ways["MKL, packed"] = [lambda x=x, p=p: torch.ops.mkl._mkl_linear(a, p, x, None, m)
                               for x, p in zip(weight, packed)]
    for x in weight:
        for name, run in onednn(a, x).items():
            ways.setdefault(name, []).append(run)
    return {name: turns.in_turn(runs) for name, runs in ways.items()}


# ---- attention ----

def inputs(b, h, queries, keys, d, interleaved=False):
    """[B, H, T, D], in that order or as the projections leave it, [B, T, H, D]."""
    def one(t):
        return torch.rand(b, t, h, d).transpose(1, 2) if interleaved else torch.rand(b, h, t, d)
    return one(queries), one(keys), one(keys)


def forward_of(q, k, v, **options):
    def run():
        with torch.no_grad():
            F.scaled_dot_product_attention(q, k, v, **options)
    return run


def backward_of(q, k, v, **options):
    q, k, v = (x.detach().requires_grad_() for x in (q, k, v))
    output = F.scaled_dot_product_attention(q, k, v, **options)
    gradient = torch.rand_like(output)
    return lambda: torch.autograd.grad(output, (q, k, v), gradient, retain_graph=True)


def attention(direction, tokens, d, causal):
    return {name: direction(*inputs(1, 8, tokens, tokens, d, name == "BTHD"), is_causal=causal)
            for name in ("BHTD", "BTHD")}


def both_of(q, k, v, **options):
    q, k, v = (x.detach().requires_grad_() for x in (q, k, v))
    gradient = torch.rand(q.shape[:-1] + v.shape[-1:])

    def run():
        output = F.scaled_dot_product_attention(q, k, v, **options)
        torch.autograd.grad(output, (q, k, v), gradient)
    return run


def one_thread(run):
    """The same work, for which a second thread may be more trouble than help."""
    def alone():
        run()
    alone.threads = 1
    return alone


def attention_short(direction):
    """64 sequences of 6 to 24 tokens, padded to 24 under a mask of keys."""
    b, shortest, longest, h, d = 64, 6, 24, 4, 32
    lengths = torch.tensor([shortest + i % (longest - shortest + 1) for i in range(b)])
    mask = (torch.arange(longest) < lengths[:, None])[:, None, None, :]
    added = torch.zeros(mask.shape).masked_fill_(~mask, -math.inf)
    candidates = {}
    for name, value in (("mask", mask), ("expanded", mask.expand(b, h, longest, longest)),
                        ("added", added)):
        for order in ("BHTD", "BTHD"):
            run = direction(*inputs(b, h, longest, longest, d, order == "BTHD"), attn_mask=value)
            candidates[f"{name}, {order}"] = run
            candidates[f"{name}, {order}, 1 thread"] = one_thread(run)
    return candidates


def attention_window(name, direction, tokens, window):
    """The only way to a window in scaled_dot_product_attention is a mask of T x T."""
    if tokens > 8192 and "--attempt" not in sys.argv:
        attempt(name)
    if tokens > 8192:  # the values do not matter: never read, for the copy as float is too large
        mask = torch.empty(tokens, tokens, dtype=torch.bool)
        return {"mask": direction(*inputs(1, 8, tokens, tokens, 64), attn_mask=mask)}
    distance = torch.arange(tokens)[:, None] - torch.arange(tokens)
    mask = (distance >= 0) & (distance < window)
    added = torch.zeros(mask.shape).masked_fill_(~mask, -math.inf)
    return {name: direction(*inputs(1, 8, tokens, tokens, 64), attn_mask=value)
            for name, value in (("mask", mask), ("added", added))}


def attempt(name):
    """In a process that may use no more than the machine's memory, lest others suffer. Raises what it said."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    done = subprocess.run([sys.executable, __file__, "--attempt", name], text=True,
                          capture_output=True, preexec_fn=lambda: resource.setrlimit(
                              resource.RLIMIT_AS, (total, total)))
    said = (done.stderr.strip().splitlines() or ["ended without a word"])[-1]
    raise MemoryError(said if done.returncode else "it worked: remove this attempt")


def attention_decode_smallest(d):
    """It has no cache of int8: the faster of what it has."""
    return {f"{word}, {name}": run for word, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
            for name, run in attention_decode(d, kind).items()}


def attention_decode(d, kind=torch.float32):
    """One query, as scaled_dot_product_attention and written out, keys and values in either order."""
    count = turns.copies(2 * 8 * 16384 * d * torch.empty(0, dtype=kind).element_size())

    def written(q, k, v):
        def run():
            with torch.no_grad():
                torch.softmax(torch.matmul(q, k.transpose(2, 3)) * d**-0.5, -1) @ v
        return run
    candidates = {}
    for order in ("BHTD", "BTHD"):
        kept = [[x.to(kind) for x in inputs(1, 8, 1, 16384, d, order == "BTHD")]
                for _ in range(count)]
        for name, way in (("SDPA", forward_of), ("written out", written)):
            candidates[f"{name}, {order}"] = turns.in_turn([way(*tensors) for tensors in kept])
    return candidates


# ---- training: the same batches as bench/cases_train.c ----

BATCHES = 4
PAD, BOS, EOS, FIRST_ID = 0, 2, 3, 4


def draw_lengths(count):
    """bench/lengths.h, to the letter."""
    edge = [6, 9, 10, 11, 12, 13, 14, 15, 17, 20, 29]
    more = [-4, -2, -1, -1, 0, 0, 1, 1, 3, 5]
    state, pairs = 0, []

    def below(n):
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**32
        return (state >> 16) % n
    for _ in range(count):
        part = below(10)
        source = edge[part] + below(edge[part + 1] - edge[part])
        pairs.append((source, source + more[below(10)]))
    return pairs


def cut_batches(pairs, most):
    """Pairs sorted by target, then source length; </s> counted; at most `most` on each side."""
    batches, source, target = [], most, most
    for pair in sorted(pairs, key=lambda p: (p[1], p[0])):
        more_source, more_target = pair[0] + 1, pair[1] + 1
        if source + more_source > most or target + more_target > most:
            batches.append([])
            source = target = 0
        batches[-1].append(pair)
        source, target = source + more_source, target + more_target
    count = 1 if len(batches) < BATCHES else BATCHES
    return [batches[(2 * i + 1) * len(batches) // (2 * count)] for i in range(count)]


class Side:
    """Sequences of one language: ids padded to [B, T], and where the real ones are."""

    def __init__(self, lengths, words, mark, at_end):
        b, t = len(lengths), max(lengths)
        real = torch.arange(t) < torch.tensor(lengths)[:, None]
        ids = torch.randint(FIRST_ID, words, (b, t)).masked_fill_(~real, PAD)
        if at_end:
            ids[torch.arange(b), torch.tensor(lengths) - 1] = mark
        else:
            ids[:, 0] = mark
        self.shape, self.ids = (b, t), ids
        self.padding = None if real.all() else ~real          # True: masked (nn.Transformer)
        self.mask = None if real.all() else real[:, None, None, :]  # True: seen (SDPA)
        self.slots = None if real.all() else real.flatten().nonzero().flatten()
        self.positions = torch.arange(t).expand(b, t).flatten()
        self.count = int(real.sum())

    def real(self, x):
        """The rows of real tokens of x[B * T, ...]."""
        return x if self.slots is None else x.index_select(0, self.slots)


class Batch:
    def __init__(self, pairs, words):
        self.source = Side([s + 1 for s, _ in pairs], words, EOS, True)
        self.target = Side([t + 1 for _, t in pairs], words, BOS, False)
        self.output = torch.randint(FIRST_ID, words, (self.target.count,))


class Attention(nn.Module):
    """Multi-head attention over scaled_dot_product_attention. With `unpad` the projections see
    real tokens only, and padding exists between them alone."""

    def __init__(self, channels, heads, unpad):
        super().__init__()
        self.heads, self.unpad = heads, unpad
        self.joined = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)

    def split(self, x, side, parts):
        b, t = side.shape
        if self.unpad and side.slots is not None:
            x = x.new_zeros(b * t, x.shape[-1]).index_copy(0, side.slots, x)
        return x.view(b, t, parts, self.heads, -1).permute(2, 0, 3, 1, 4)

    def forward(self, x, side, memory=None, memory_side=None, causal=False):
        c = x.shape[-1]
        if memory is None:
            q, k, v = self.split(self.joined(x), side, 3)
            # In a causal row no real token sees padding, which lies at the end.
            mask = None if causal else side.mask
        else:
            weight, bias = self.joined.weight, self.joined.bias
            q, = self.split(F.linear(x, weight[:c], bias[:c]), side, 1)
            k, v = self.split(F.linear(memory, weight[c:], bias[c:]), memory_side, 2)
            mask = memory_side.mask
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        joined = heads.transpose(1, 2).reshape(-1, c)
        return self.output(side.real(joined) if self.unpad else joined)


class Layer(nn.Module):
    """Post-norm, as in the paper."""

    def __init__(self, channels, hidden, heads, dropout, cross, unpad):
        super().__init__()
        self.self_attention = Attention(channels, heads, unpad)
        self.cross_attention = Attention(channels, heads, unpad) if cross else None
        self.up, self.down = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3 if cross else 2))
        self.dropout = dropout

    def add(self, norm, x, branch):
        return norm(x + F.dropout(branch, self.dropout))

    def forward(self, x, side, memory=None, memory_side=None):
        cross = self.cross_attention is not None
        x = self.add(self.norms[0], x, self.self_attention(x, side, causal=cross))
        if cross:
            x = self.add(self.norms[1], x, self.cross_attention(x, side, memory, memory_side))
        return self.add(self.norms[-1], x, self.down(F.relu(self.up(x), inplace=True)))


def sinusoids(length, channels):
    angle = torch.arange(length)[:, None] * torch.exp(
        torch.arange(0, channels, 2) * (-math.log(10000.0) / channels))
    return torch.cat((angle.sin(), angle.cos()), 1)


class Written(nn.Module):
    """The Transformer written out, every tensor [tokens, C]."""

    def __init__(self, words, channels, hidden, heads, layers, dropout, unpad):
        super().__init__()
        self.table = nn.Embedding(words, channels)
        nn.init.normal_(self.table.weight, std=channels**-0.5)
        self.register_buffer("positions", sinusoids(256, channels))
        self.scale, self.dropout, self.unpad = math.sqrt(channels), dropout, unpad

        def stack(cross):
            return nn.ModuleList(Layer(channels, hidden, heads, dropout, cross, unpad)
                                 for _ in range(layers))
        self.encoder, self.decoder = stack(False), stack(True)

    def embed(self, side):
        ids, positions = side.ids.flatten(), side.positions
        if self.unpad:
            ids, positions = side.real(ids), side.real(positions)
        x = self.table(ids) * self.scale + self.positions[positions]
        return F.dropout(x, self.dropout)

    def forward(self, batch):
        memory = self.embed(batch.source)
        for layer in self.encoder:
            memory = layer(memory, batch.source)
        x = self.embed(batch.target)
        for layer in self.decoder:
            x = layer(x, batch.target, memory, batch.source)
        return x if self.unpad else batch.target.real(x)


class Modules(nn.Module):
    """The same from PyTorch's own layers, every tensor [B, T, C]."""

    def __init__(self, words, channels, hidden, heads, layers, dropout):
        super().__init__()
        self.table = nn.Embedding(words, channels)
        nn.init.normal_(self.table.weight, std=channels**-0.5)
        self.register_buffer("positions", sinusoids(256, channels))
        self.scale, self.dropout = math.sqrt(channels), dropout

        def stack(kind):
            made = nn.ModuleList(kind(channels, heads, hidden, dropout, batch_first=True)
                                 for _ in range(layers))
            for layer in made:  # dropout of sublayers alone
                layer.dropout.p = layer.self_attn.dropout = 0.0
                if kind is nn.TransformerDecoderLayer:
                    layer.multihead_attn.dropout = 0.0
            return made
        self.encoder = stack(nn.TransformerEncoderLayer)
        self.decoder = stack(nn.TransformerDecoderLayer)

    def embed(self, side):
        x = self.table(side.ids) * self.scale + self.positions[:side.shape[1]]
        return F.dropout(x, self.dropout)

    def forward(self, batch):
        memory, padding = self.embed(batch.source), batch.source.padding
        for layer in self.encoder:
            memory = layer(memory, src_key_padding_mask=padding)
        x = self.embed(batch.target)
        causal = nn.Transformer.generate_square_subsequent_mask(batch.target.shape[1])
        for layer in self.decoder:
            x = layer(x, memory, tgt_mask=causal, tgt_is_causal=True,
                      memory_key_padding_mask=padding)
        return batch.target.real(x.flatten(0, 1))


def stepper(model, batches, clip):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9,
                                 fused=True)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)

    def run():
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            logits = F.linear(model(batch), model.table.weight)
            loss_of(logits, batch.output).backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip, foreach=True)
            optimizer.step()
    run.parts = len(batches)
    run.tokens = sum(batch.target.count for batch in batches)
    run.padded = sum(batch.target.ids.numel() + batch.source.ids.numel() for batch in batches)
    run.real = sum(batch.target.count + batch.source.count for batch in batches)
    return run


def training(pairs, most, clip, compiled, words, **sizes):
    batches = [Batch(chosen, words) for chosen in cut_batches(pairs, most)]
    models = {"written": Written(words, unpad=False, **sizes), "modules": Modules(words, **sizes)}
    if any(batch.source.slots is not None for batch in batches):
        models["unpadded"] = Written(words, unpad=True, **sizes)
    if compiled:
        models["compiled"] = torch.compile(Written(words, unpad=False, **sizes), dynamic=True)
    return {name: stepper(model, batches, clip) for name, model in models.items()}


def train_multi30k(compiled):
    return training(draw_lengths(29000), 8192, 25, compiled, 10000, channels=128, hidden=256,
                    heads=4, layers=4, dropout=0.3)


def train_base(compiled):
    return training([(31, 31)] * 128, 128 * 32, 1, compiled, 16000, channels=512, hidden=2048,
                    heads=8, layers=6, dropout=0.1)


# ---- the table: the names of bench/cases.c ----

def table(compiled):
    cases = {
        "matmul-512": lambda: matmul(512, 512, 512),
        "matmul-1024": lambda: matmul(1024, 1024, 1024),
        "matmul-2048": lambda: matmul(2048, 2048, 2048),
        "matmul-4096": lambda: matmul(4096, 4096, 4096),
        "matmul-up": lambda: matmul(8192, 256, 128),
        "matmul-down": lambda: matmul(8192, 128, 256),
        "matmul-gradient": lambda: matmul(256, 128, 8192, across=True),
        "matmul-base-up": lambda: matmul(4096, 2048, 512),
        "matmul-base-down": lambda: matmul(4096, 512, 2048),
        "matmul-base-gradient": lambda: matmul(2048, 512, 4096, across=True),
        "matmul-words": lambda: matmul(256, 10000, 128),
        "matmul-row-1": lambda: matmul_rows(1, 1024, 16384),
        "matmul-row-4": lambda: matmul_rows(4, 1024, 16384),
        "matmul-row-16": lambda: matmul_rows(16, 1024, 16384),
        "matmul-row-64": lambda: matmul_rows(64, 1024, 16384),
        "attention-forward-short": lambda: attention_short(forward_of),
        "attention-backward-short": lambda: attention_short(backward_of),
        "attention-both-short": lambda: attention_short(both_of),
        "attention-decode-d64": lambda: attention_decode(64),
        "attention-decode-d128": lambda: attention_decode(128),
        "cache-decode-d64-f32": lambda: attention_decode(64),
        "cache-decode-d128-f32": lambda: attention_decode(128),
        "cache-decode-d64-bf16": lambda: attention_decode(64, torch.bfloat16),
        "cache-decode-d128-bf16": lambda: attention_decode(128, torch.bfloat16),
        "cache-decode-d64-i8": lambda: attention_decode_smallest(64),
        "cache-decode-d128-i8": lambda: attention_decode_smallest(128),
        "train-multi30k": lambda: train_multi30k(compiled),
        "train-base": lambda: train_base(compiled),
    }
    for tokens in (8192, 131072):
        for word, direction in (("forward", forward_of), ("backward", backward_of)):
            name = f"attention-{word}-window-{tokens}"
            cases[name] = lambda a=(name, direction, tokens, 1024): attention_window(*a)
    for causal in (False, True):
        for d in (64, 128):
            for tokens in (1024, 4096):
                name = f"{'causal-' if causal else ''}d{d}-{tokens}"
                for word, direction in (("forward", forward_of), ("backward", backward_of)):
                    cases[f"attention-{word}-{name}"] = (
                        lambda a=(direction, tokens, d, causal): attention(*a))
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--compile", action="store_true", help="try torch.compile as well")
    parser.add_argument("--attempt", metavar="CASE", help="run a case once")
    given = parser.parse_args()
    cases = table(given.compile)
    if given.list:
        print("\n".join(cases))
        return
    if given.attempt:
        for run in cases[given.attempt]().values():
            run()
        return
    threads = given.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    turns.serve(cases, {"version": torch.__version__, "threads": threads,
                        "capability": torch.backends.cpu.get_cpu_capability(),
                        "mkl": torch.backends.mkl.is_available()},
                lambda run: torch.set_num_threads(getattr(run, "threads", threads)))


if __name__ == "__main__":
    main()
