"""What is asked of attn's speed, row by row; bench/run measures it and bench/page.py shows it.

A row is a case of `attn bench` (or of the translation script), what it is called on the page, and its target:
a share of the machine's limit, a ratio to the peer's speed, or a multiple of the memory of inputs and outputs.
"""
import collections

# kind "share": at least this share of the limit; "arithmetic": the same where arithmetic binds, not reading.
# kind "ratio": at least this many times as fast (or as small) as the peer. kind "memory": inputs, outputs and
# temporary memory through inputs and outputs, at most.
Target = collections.namedtuple("Target", "kind value arithmetic", defaults=(None,))
Row = collections.namedtuple("Row", "case label target")
# peers: the names of those that belong beside it (keys of PEERS).
Group = collections.namedtuple("Group", "title peers rows")

PEERS = {"torch": "PyTorch", "numpy": "NumPy", "ctranslate2": "CTranslate2"}


def share(value, arithmetic=None):
    return Target("share", value, arithmetic)


def attention(title, name, asked):
    """asked: {head size: share} at 4,096 tokens; at 1,024 tokens five points less."""
    rows = [Row(f"attention-{name}d{d}-{tokens}", f"d = {d}, {tokens:,} tokens", share(part - less))
            for tokens, less in ((4096, 0), (1024, 0.05)) for d, part in asked.items()]
    return Group(f"{title}, 8 heads, float32", ["torch"], rows)


def decode():
    rows = [Row(f"cache-decode-d{d}-{kind}", f"d = {d}, {word} cache", share(0.9))
            for kind, word in (("f32", "float32"), ("bf16", "bfloat16")) for d in (64, 128)]
    return Group("Decoding: 1 query, 8 heads, 16,384 keys", ["torch"], rows)


def window():
    rows = [Row(f"attention-{way}-window-{tokens}", f"{way}, {tokens:,} tokens", Target("memory", 1.3))
            for way in ("forward", "backward") for tokens in (131072, 65536, 8192)]
    return Group("Long sequences: 8 heads, d = 64, causal, window of 1,024 tokens", ["torch"], rows)


def products():
    rows = [Row(f"matmul-{n}", f"{n} x {n} x {n}", share(0.92)) for n in (512, 1024, 2048, 4096)]
    return Group("Matrix products, float32", ["torch", "numpy"], rows)


def skinny():
    rows = [Row(f"matmul-row-{m}", f"{m} row{'s' if m > 1 else ''} x 1024 x 16384", share(0.9, 0.85))
            for m in (1, 4, 16)]
    return Group("The skinny products of decoding, weights packed", ["torch", "numpy"], rows)


def training():
    rows = [Row("train-multi30k", "Transformer-Tiny, batches like those of Multi30k", Target("ratio", 3)),
            Row("train-base", "base (d 512, 6 + 6 layers), 4,096 tokens", Target("ratio", 2))]
    return Group("One training step, float32", ["torch"], rows)


def translation(batch, title, asked):
    """The names of bench/peers/translate_side_by_side --list."""
    rows = [Row(f"translation-{model}-{kind}-{search}-{batch}", f"{word}, {search.replace('m4', 'm 4')}, {kind}",
                Target("ratio", asked[kind]))
            for model, word in (("en-fr", "shipped en-fr"), ("base", "base size"))
            for kind in ("float32", "int8") for search in ("greedy", "beam4")]
    return Group(title, ["ctranslate2"], rows)


GROUPS = [
    attention("Attention forward", "forward-", {64: 0.88, 128: 0.92}),
    attention("Attention forward, causal (useful operations)", "forward-causal-",
              {64: 0.80, 128: 0.85}),
    attention("Attention backward", "backward-", {64: 0.82, 128: 0.85}),
    attention("Attention backward, causal (useful operations)", "backward-causal-",
              {64: 0.75, 128: 0.78}),
    Group("Short: 64 sequences of 6 to 24 tokens, 4 heads, d = 32", ["torch"],
          [Row("attention-both-short", "forward + backward", Target("ratio", 4))]),
    decode(), window(), products(), skinny(), training(),
    translation(32, "Translation, 32 sentences at a time", {"float32": 1.5, "int8": 2}),
    translation(1, "Translation, one sentence at a time", {"float32": 2.5, "int8": 2.5}),
    Group("From nothing to the first translation", ["ctranslate2"],
          [Row("translation-start", "seconds until one sentence is translated", Target("ratio", 3)),
           Row("translation-memory", "resident memory", Target("ratio", 3))]),
]


def rows():
    return [row for group in GROUPS for row in group.rows]


def rounds_of(case, rounds):
    """Long cases need fewer; of the longest the memory is asked, not the time."""
    if case.endswith(("-window-65536", "-window-131072")):
        return 1
    return min(rounds, 3) if case == "train-base" else rounds


def in_order(listed):
    """Cases in the order of the table, then those that the table does not have."""
    asked = [row.case for row in rows() if row.case in listed]
    return asked + [case for case in listed if case not in asked]
