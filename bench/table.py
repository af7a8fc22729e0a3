"""What is asked of attn's speed, row by row; bench/run measures it and bench/page.py shows it.

A row is a case of `attn bench` (or of a script in bench/peers), what it is called on the page, and its target. Every
part of a target that is given must be reached.
"""
import collections

# ratio: at least this many times as fast (or as small) as the fastest peer.
# share: at least these shares of the machine's limit, one for each column of kinds.KINDS; arithmetic: the same where
# arithmetic binds, not reading. cost: at most so much more time for an operation than `base` takes. memory: inputs,
# outputs and temporary memory through inputs and outputs, at most.
Target = collections.namedtuple("Target", "ratio share arithmetic cost base memory", defaults=(None,) * 6)
Row = collections.namedtuple("Row", "case label target")
# peers: the names of those that belong beside it (keys of PEERS). unit: of the figures, where another script measures.
Group = collections.namedtuple("Group", "title peers rows unit", defaults=(None,))

PEERS = {"torch": "PyTorch", "numpy": "NumPy", "ctranslate2": "CTranslate2", "onnx": "ONNX Runtime"}


def even(value):
    """The same share for every kind."""
    return (value,) * 3


def products():
    asked = Target(ratio=1.03, share=(0.90, 0.90, 0.80))
    square = [(f"matmul-{n}", f"{n} x {n} x {n}") for n in (512, 1024, 2048, 4096)]
    training = [("matmul-up", "8,192 tokens, 128 to 256"), ("matmul-down", "8,192 tokens, 256 to 128"),
                ("matmul-gradient", "gradient of those weights"),
                ("matmul-base-up", "4,096 tokens, 512 to 2,048"),
                ("matmul-base-down", "4,096 tokens, 2,048 to 512"),
                ("matmul-base-gradient", "gradient of those weights (512, 2,048)")]
    return Group("Matrix products, float32", ["torch", "numpy"],
                 [Row(case, label, asked) for case, label in square + training])


def skinny():
    asked = Target(ratio=1.1, share=even(0.90), arithmetic=even(0.85))
    return Group("The skinny products of decoding, weights packed", ["torch", "numpy"],
                 [Row(f"matmul-row-{m}", f"{m} row{'s' if m > 1 else ''} x 1024 x 16384", asked)
                  for m in (1, 4, 16, 64)])


def attention(title, name, target):
    return Group(f"{title}, 8 heads, float32", ["torch"],
                 [Row(f"attention-{name}d{d}-{tokens}", f"d = {d}, {tokens:,} tokens", target)
                  for tokens in (1024, 4096) for d in (64, 128)])


def options():
    words = {"window": "causal, window of 1,024", "bias": "bias", "alibi": "ALiBi", "softcap": "softcap",
             "sinks": "sinks"}
    rows = []
    for way in ("forward", "backward"):
        for name, label in words.items():
            base = f"attention-{way}-{'causal-' if name == 'window' else ''}d64-4096"
            rows.append(Row(f"attention-{way}-{name}-d64-4096", f"{way}, {label}", Target(cost=0.15, base=base)))
    return Group("What options cost: 8 heads of 64, 4,096 tokens, time of a useful operation", ["torch"], rows)


def short():
    return Group("Short: 64 sequences of 6 to 24 tokens, 4 heads, d = 32", ["torch"],
                 [Row(f"attention-{way}-short", label, Target(ratio=4))
                  for way, label in (("forward", "forward"), ("backward", "backward"),
                                     ("both", "forward, then backward"))])


def decode():
    asked = {"f32": ("float32", Target(ratio=1.1, share=even(0.90))),
             "bf16": ("bfloat16", Target(ratio=1.4, share=even(0.85))),
             "i8": ("int8", Target(ratio=1.4, share=even(0.80)))}
    return Group("Decoding: 1 query, 8 heads, 16,384 keys of a cache", ["torch"],
                 [Row(f"cache-decode-d{d}-{kind}", f"d = {d}, {word}", target)
                  for kind, (word, target) in asked.items() for d in (64, 128)])


def window():
    rows = [Row(f"attention-{way}-window-{tokens}", f"{way}, {tokens:,} tokens", Target(memory=1.3))
            for way in ("forward", "backward") for tokens in (131072, 8192)]
    return Group("Long sequences: 8 heads, d = 64, causal, window of 1,024 tokens", ["torch"], rows)


def training():
    return Group("One training step, float32", ["torch"],
                 [Row("train-multi30k", "Transformer-Tiny, batches like those of Multi30k", Target(ratio=2)),
                  Row("train-base", "base (d 512, 6 + 6 layers), 4,096 tokens", Target(ratio=1.3))])


def segmenter():
    return Group("Pictures: the network of recipes/camvid.recipe, float32", ["torch", "onnx"],
                 [Row("picture-step", "a training step on the recipe's crops", Target(ratio=1.3)),
                  Row("picture-small", "one picture of 480 x 360", Target(ratio=1.5)),
                  Row("picture-large", "one picture of 2,048 x 1,024, in tiles", Target(ratio=1.5))], "ms")


def translation():
    """The names of bench/peers/translate_side_by_side --list."""
    asked = {("float32", "greedy"): 1.3, ("float32", "beam4"): 1.3, ("int8", "greedy"): 1.6, ("int8", "beam4"): 1.8}
    words = {"greedy": "greedy", "beam4": "beam 4"}
    models = (("en-fr", "shipped en-fr"), ("base", "base size"))
    many = [Row(f"translation-{model}-{kind}-{search}-32", f"{word}, {words[search]}, {kind}", Target(ratio=ratio))
            for model, word in models for (kind, search), ratio in asked.items()]
    many += [Row(f"translation-en-fr-shortlist-{search}-32",
                 f"shipped en-fr, {words[search]}, int8 with a shortlist", Target(ratio=3)) for search in words]
    one = [Row(f"translation-{model}-{kind}-{search}-1", f"{word}, {words[search]}, {kind}", Target(ratio=5))
           for model, word in models for kind, search in asked]
    return [Group("Translation, 32 sentences at a time", ["ctranslate2"], many, "tokens/s"),
            Group("Translation, one sentence at a time", ["ctranslate2"], one, "tokens/s")]


GROUPS = [
    products(), skinny(),
    attention("Attention forward", "forward-", Target(ratio=1.25, share=(0.85, 0.85, 0.72))),
    attention("Attention forward, causal (useful operations)", "forward-causal-", Target(ratio=1.5)),
    attention("Attention backward", "backward-", Target(ratio=1.25)),
    attention("Attention backward, causal (useful operations)", "backward-causal-", Target(ratio=1.5)),
    options(), short(), decode(), window(), training(), segmenter(), *translation(),
    Group("From nothing to the first translation", ["ctranslate2"],
          [Row("translation-start", "seconds until one sentence is translated", Target(ratio=3)),
           Row("translation-memory", "resident memory", Target(ratio=3))], "s"),
]


def rows():
    return [row for group in GROUPS for row in group.rows]


def base_of(case):
    """The case beside which the cost of an option is measured, or None."""
    return next((row.target.base for row in rows() if row.case == case), None)


def rounds_of(case, rounds):
    """Of the longest the memory is asked, not the time."""
    return 1 if case.endswith(("-window-65536", "-window-131072")) else rounds


def in_order(listed):
    """Cases in the order of the table, then those that the table does not have."""
    asked = [row.case for row in rows() if row.case in listed]
    return asked + [case for case in listed if case not in asked]


def asked_of(listed):
    """Those of `listed` that a row needs."""
    asked = {row.case for row in rows()}
    return [case for case in in_order(listed) if case in asked]
