"""docs/benchmarks.md from what bench/run has measured: the page is never edited by hand.

A row that falls short is marked, with the reason that bench/reasons gives for it. Letters: a store is what bench/run
writes, a kept is one case in it; who is "attn" or a peer of table.PEERS.
"""
import math
import pathlib
import statistics

import table

REASONS = pathlib.Path(__file__).with_name("reasons")
LIMITS = {"GFLOP/s": "FMA peak", "GB/s": "bandwidth"}


# ---- numbers ----

def times(kept, who="attn"):
    return [r[who]["median"] for r in kept["rounds"] if who in r]


def shares(kept, who="attn"):
    """Of the limit measured in the same round."""
    return [kept["amount"] / r[who]["median"] * 1e-9 / r["attn"]["limit"]
            for r in kept["rounds"] if who in r]


def ratios(kept, who):
    return [r[who]["median"] / r["attn"]["median"] for r in kept["rounds"] if who in r]


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def memory_factor(kept):
    if "data_bytes" not in kept or "temporary_bytes" not in kept:
        return None
    return (kept["data_bytes"] + kept["temporary_bytes"]) / kept["data_bytes"]


def start_rows(start):
    """The two rows that one measurement gives: seconds and bytes of attn, the peer, and Python alone."""
    for case, key in (("translation-start", "seconds"), ("translation-memory", "bytes")):
        ours, theirs = start["attn"][key], start["peer"][key]
        ratio = {"median": theirs["median"] / ours["median"], "low": theirs["low"] / ours["high"],
                 "high": theirs["high"] / ours["low"]}
        yield case, {**start, "attn": ours, "peer": theirs, "python": start["python"][key], "ratio": ratio}


def result_of(store, case):
    """The kept case; None: not measured."""
    start = store["cases"].get("translation-start")
    if start and "error" in start and case == "translation-memory":
        return start
    if start and "error" not in start:
        return dict(start_rows(start)).get(case) or store["cases"].get(case)
    return store["cases"].get(case)


# ---- is the target reached? ----

def asked_share(row, kept):
    target = row.target
    arithmetic = target.arithmetic is not None and kept.get("bound") != kept.get("unit")
    return target.arithmetic if arithmetic else target.value


def reached(row, kept, peer):
    """True, False, or None: not known."""
    if kept is None or "error" in kept:
        return None
    if row.target.kind == "share":
        return spread(shares(kept))["median"] >= asked_share(row, kept)
    if row.target.kind == "memory":
        factor = memory_factor(kept)
        return None if factor is None else factor <= row.target.value
    ratio = kept.get("ratio") or (spread(ratios(kept, peer)) if times(kept, peer) else None)
    return None if ratio is None else ratio["median"] >= row.target.value


def verdicts(store):
    """{case: reached}, in the order of the table."""
    return {row.case: reached(row, result_of(store, row.case), group.peers[0])
            for group in table.GROUPS for row in group.rows}


# ---- reasons ----

def read_reasons(path=REASONS):
    """{key: text} of lines `key = text`; a line that begins with a space goes on."""
    reasons, key = {}, None
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace() and key:
            reasons[key] += " " + line.strip()
        elif "=" in line:
            key, text = (part.strip() for part in line.split("=", 1))
            reasons[key] = text
        else:
            raise SystemExit(f"{path}: `{line}`: lines are `key = text`")
    return reasons


def reason_for(case, reasons):
    """The longest key that is the name or begins it, by whole words."""
    keys = [k for k in reasons if case == k or case.startswith(k + "-")]
    return reasons[max(keys, key=len)] if keys else None


def warnings(store, reasons):
    """What somebody should look at."""
    short = [case for case, ok in verdicts(store).items() if ok is False]
    lines = [f"{case} falls short, and bench/reasons has no reason for it" for case in short
             if reason_for(case, reasons) is None]
    used = {key for case in short for key in reasons if reason_for(case, {key: ""}) is not None}
    return lines + [f"bench/reasons: nothing that begins with {key} falls short any more"
                    for key in reasons if key not in used]


# ---- text ----

def number(value, digits=3):
    """1,234 or 12.3 or 0.0123: so many digits that count."""
    decimals = digits - 1 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:,.{max(0, decimals)}f}"


def between(values, scale=1.0, unit="", digits=3):
    v = spread(values) if isinstance(values, list) else values
    middle, low, high = (number(v[k] * scale, digits) for k in ("median", "low", "high"))
    return f"{middle}{unit} ({low} .. {high})"


def percent(values):
    v = spread(values)
    return f"{v['median']:.1%} ({v['low']:.0%} .. {v['high']:.0%})".replace("%", " %")


def time_cell(kept, who="attn"):
    if not times(kept, who):
        error = kept.get("peers", {}).get(who, {}).get("error")
        return "fails, see below" if error else "not measured"
    text = between(times(kept, who), 1e3, " ms")
    if kept.get("tokens"):
        rate = kept["tokens"] / statistics.median(times(kept, who))
        return f"{rate:,.0f} tokens/s, {text}"
    return text


def share_cell(kept, who="attn"):
    if not times(kept, who):
        return "-"
    rate = kept["amount"] / statistics.median(times(kept, who)) * 1e-9
    return f"{percent(shares(kept, who))}, {number(rate)} {kept['unit']}"


def asked_cell(row, kept):
    kind, value = row.target.kind, row.target.value
    if kind == "memory":
        return f"under {value} x"
    if kind == "ratio":
        return f"{value} x"
    if kept is None or "error" in kept:
        return f"{value:.0%} of the limit".replace("%", " %")
    return f"{asked_share(row, kept):.0%} of {LIMITS[kept['bound']]}".replace("%", " %")


def reached_cell(row, store, peer):
    ok = reached(row, result_of(store, row.case), peer)
    return {True: "yes", None: "-"}.get(ok, f"**no**[^{row.case}]")


# ---- tables ----

def lines_of(heads, rows):
    return ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"] + [
        "| " + " | ".join(cells) + " |" for cells in rows]


def case_table(group, store):
    """Rows that are cases of `attn bench`."""
    peers = [(p, table.PEERS[p]) for p in group.peers if store["with_peers"]]
    memory = group.rows[0].target.kind == "memory"
    heads = ["", "target", "attn", "of the limit"] + (["memory, multiple of in and out"] if memory else [])
    for _, name in peers:
        heads += [name, "of the limit", f"attn / {name}"]
    rows = []
    for row in group.rows:
        kept = result_of(store, row.case)
        if kept is None or "error" in kept:
            cells = [row.label, asked_cell(row, kept), (kept or {}).get("error", "not measured")]
            rows.append(cells + ["-"] * (len(heads) - len(cells)) + ["-"])
            continue
        cells = [row.label, asked_cell(row, kept), time_cell(kept), share_cell(kept)]
        if memory:
            factor = memory_factor(kept)
            cells.append("-" if factor is None else f"{factor:.3f}")
        for peer, _ in peers:
            cells += [time_cell(kept, peer), share_cell(kept, peer),
                      between(ratios(kept, peer)) if times(kept, peer) else "-"]
        rows.append(cells + [reached_cell(row, store, group.peers[0])])
    return lines_of(heads + ["reached"], rows)


def translation_table(group, store):
    """Rows of the translation script: tokens a second, or seconds and bytes from nothing."""
    start = group.rows[0].case.startswith("translation-start")
    heads = ["", "target", "attn", "CTranslate2", "attn / CTranslate2",
             "Python alone" if start else "same output", "reached"]
    rows = []
    for row in group.rows:
        kept = result_of(store, row.case)
        if kept is None or "error" in kept:
            absent = "not measured" if store["with_peers"] else "`make bench-peers` measures it"
            said = (kept or {}).get("error", absent)
            rows.append([row.label, asked_cell(row, kept), said, "-", "-", "-", "-"])
            continue
        memory = row.case == "translation-memory"
        scale, unit = (1e-6, " MB") if memory else (1, " s" if start else " tokens/s")
        cells = [row.label, asked_cell(row, kept), between(kept["attn"], scale, unit),
                 between(kept["peer"], scale, unit), between(kept["ratio"])]
        cells.append(between(kept["python"], scale, unit) if start else f"{kept['same']:.0%}".replace("%", " %"))
        rows.append(cells + [reached_cell(row, store, "ctranslate2")])
    inside = store["cases"].get("translation-start", {}).get("peer", {}).get("inside")
    note = [] if not (start and inside) else [
        "", f"Without the start of Python and its imports, CTranslate2 takes {between(inside, 1, ' s')}."]
    return lines_of(heads, rows) + note


def peer_errors(group, store):
    """What a peer said where it failed."""
    lines = []
    for row in group.rows:
        kept = result_of(store, row.case) or {}
        lines += [f"* {row.label}: {table.PEERS[name]} fails: `{about['error']}`"
                  for name, about in kept.get("peers", {}).items() if "error" in about]
    return [""] + lines if lines else []


def further_table(store):
    """Cases that nothing is asked of."""
    asked = {row.case for row in table.rows()}
    rows = []
    for case, kept in store["cases"].items():
        if case in asked:
            continue
        if "error" in kept:
            rows.append([f"`{case}`", kept["error"], "-", "-", "-"])
            continue
        ratio = between(ratios(kept, "torch")) if times(kept, "torch") else "-"
        rows.append([f"`{case}`", kept["work"], time_cell(kept), share_cell(kept), ratio])
    return lines_of(["case", "work", "attn", "of the limit", "attn / PyTorch"], rows)


def one_line(kept):
    """For the progress of a run."""
    if "error" in kept:
        return kept["error"]
    if "rounds" not in kept or not isinstance(kept["rounds"], list):
        return f"attn / CTranslate2: {between(kept['ratio'])}" if "ratio" in kept else "done"
    parts = [f"{between(times(kept), 1e3, ' ms')}, {percent(shares(kept))} of the limit"]
    for name, about in kept["peers"].items():
        said = about.get("error") or between(ratios(kept, name))
        parts.append(f"{table.PEERS[name]}: {said}")
    return "; ".join(parts)


# ---- the page ----

def versions(store):
    peers, lines = store["peers"], []
    torch, numpy = peers.get("torch", {}), peers.get("numpy", {})
    if "version" in torch:
        lines.append(f"PyTorch {torch['version']} (its kernels: {torch['capability']})")
    if "version" in numpy:
        lines.append(f"NumPy {numpy['version']} ({numpy['blas']}, its {numpy['kernel']} kernels)")
    if "version" in peers.get("ctranslate2", {}):
        lines.append(f"CTranslate2 {peers['ctranslate2']['version']}")
    return lines


def head(store):
    machine, cases = store["machine"], store["cases"].values()
    dates = sorted(kept["date"] for kept in cases)
    tools = sorted({kept["tool"]["commit"] for kept in cases})
    fma = ", ".join(f"{isa} {gflops:.0f}" for isa, gflops in machine["fma_gflops"].items())
    ok = list(verdicts(store).values())
    command = "make bench-peers" if store["with_peers"] else "make bench"
    minutes = sum(kept["seconds"] for kept in cases) / 60
    lines = [
        "# Benchmarks", "",
        f"`{command}` writes this page from results/benchmarks.json, which has every repetition. Do not edit it: the reasons for "
        "rows that fall short are in bench/reasons.", "",
        "    make bench          # attn alone, as shares of the machine's own limit",
        "    make bench-peers    # beside PyTorch, NumPy and CTranslate2, in turns; needs Python and pip", "",
        f"* {dates[0]} to {dates[-1][-5:] if dates[0][:10] == dates[-1][:10] else dates[-1]} UTC, "
        f"{minutes:.0f} minutes of measuring",
        f"* {machine['machine']}, {machine['threads']} threads, {machine['memory_bytes'] / 2**30:.0f} GiB, "
        f"{machine['system']}",
        f"* attn {machine['version']} ({', '.join(tools)}), {machine['isa']} kernels",
        f"* FMA peak {machine['fma_peak_gflops']:.0f} GFLOP/s ({fma}); memory read "
        f"{machine['memory_read_gbs']:.1f} GB/s"]
    lines += [f"* {line}" for line in versions(store)]
    lines += ["", f"**{ok.count(True)} of {len(ok)} targets are reached**, {ok.count(False)} are not"
              + (f", {ok.count(None)} have no figure." if None in ok else ".")]
    if len({kept["tool"]["sha256"] for kept in cases}) > 1:
        lines += ["", "Some rows were measured later than the others, with a newer build."]
    return lines


HOW_TO_READ = """
## How to read it

attn and the peers take turns (A B A B ...) of a quarter of a second, all of them warm, on the same threads. A time is the
median of the rounds, with the smallest and the largest in brackets. A ratio is taken round by round; above 1, attn is
faster. The limit is the peak of fused multiply-adds on registers, or, for work that mostly reads, the memory bandwidth. It
is measured on the same threads, before and after each repetition, and the best sample of a turn counts. Work that reads
cycles through several copies of its data, more than the cache holds, in attn and in the peers alike. bench/bench.h says how
operations are counted. The targets at 1,024 tokens are five points lower than at 4,096.
"""

PEER_NOTES = """
## How each peer was set up

Each peer is installed by pip into a virtual environment of its own. It runs in a process that stays warm, on as many threads
as attn, without the variables (OMP_*, MKL_*, OPENBLAS_* and the like) that may have been set for something else. Where a peer
offers several ways to a result, all are tried when a case begins, and the fastest is measured.

* **PyTorch** runs with MALLOC_MMAP_MAX_=0 and a large MALLOC_TRIM_THRESHOLD_, so that the tensors of a step are kept instead of
  being returned to the system. Large pages (THP_MEM_ALLOC_ENABLE) and threads bound to cores are tried on three probes, and the
  fastest combination is kept. Products use `torch.mm` (MKL) or oneDNN with packed weights. Attention uses
  `scaled_dot_product_attention` with tensors in either order, [B, H, T, D] and [B, T, H, D]. Short sequences are padded to the
  longest, with a mask of keys as booleans, expanded, or as floats to add, on one thread or on all. One query is also tried as two
  products and a softmax. Training uses the same model, sentence lengths and float32, with batches sorted by length. It is written
  over fused attention, with and without padding removed before the projections, or from `nn.TransformerEncoderLayer` and
  `DecoderLayer`, with fused Adam, gradients set to none, and clipping over all tensors at once. Tokens are real target tokens,
  without padding.
* **NumPy** uses the OpenBLAS of its wheel, which chooses its kernels itself, with the matrix as it is or transposed in memory.
* **CTranslate2** uses the same weights, exported by bench/peers/ctranslate2_export.py. For each row, the fastest of its settings on
  a few sentences is used (threads within and beside a batch, MKL or oneDNN, packed products). It runs `translate_batch` on prepared
  tokens, in a process that stays warm, while attn's time is that of `attn translate`, from text to text. In float32 the output must
  be the same.
"""


def what_ran(store):
    """The candidate that each peer ran."""
    lines = []
    settings = store["peers"].get("torch", {}).get("settings")
    if settings:
        told = ", ".join(f"{name} {value:.2f}" for name, value in settings["relative"].items())
        lines.append(f"* PyTorch's settings: {settings['chosen']} (relative times: {told})")
    for case, kept in store["cases"].items():
        if "setting" in kept:
            inter, more = kept["setting"]["inter"], kept["setting"]["environment"]
            lines.append(f"* `{case}`, CTranslate2: "
                         + ", ".join([f"inter_threads {inter}", *(f"{k}={v}" for k, v in more.items())]))
        for name, about in kept.get("peers", {}).items():
            if about.get("candidates"):
                tried = ", ".join(f"{n} {number(t * 1e3)} ms" for n, t in about["candidates"].items())
                padding = f"; {about['padding']:.0%} padding" if "padding" in about else ""
                lines.append(f"* `{case}`, {table.PEERS[name]}: {about['candidate']} "
                             f"(tried: {tried}{padding})")
    return ["", "What they ran:", "", *lines] if lines else []


def footnotes(store, reasons):
    return [f"[^{case}]: {reason_for(case, reasons) or 'No reason is noted yet (bench/reasons).'}"
            for case, ok in verdicts(store).items() if ok is False]


def page(store, reasons):
    lines = head(store)
    for group in table.GROUPS:
        translated = group.peers == ["ctranslate2"]
        lines += ["", f"## {group.title}", ""]
        lines += translation_table(group, store) if translated else case_table(group, store)
        lines += peer_errors(group, store)
    lines += ["", "## Further cases, without a target", "", *further_table(store)]
    lines += [HOW_TO_READ.rstrip("\n")]
    if store["with_peers"]:
        lines += [PEER_NOTES.rstrip("\n"), *what_ran(store)]
    return "\n".join(lines + ["", *footnotes(store, reasons)]).rstrip("\n") + "\n"
