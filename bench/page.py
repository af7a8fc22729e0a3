"""docs/benchmarks.md from what bench/run has measured: the page is never edited by hand.

Every kind of processor that was measured has a column group in each table. A row that falls short is marked, with the
reason that bench/reasons gives for it. Letters: a store is what bench/run writes for a kind of processor, a kept is
one case in it; who is "attn" or a peer of table.PEERS.
"""
import math
import pathlib
import statistics

import kinds
import table

REASONS = pathlib.Path(__file__).with_name("reasons")
NO_REASON = "Reason not yet found."
LIMITS = {"GFLOP/s": "FMA peak", "GB/s": "bandwidth"}
BUSY = 0.05  # others' share of the processors from which a case was not measured on a quiet machine


# ---- numbers ----

def times(kept, who="attn"):
    return [r[who]["median"] for r in kept["rounds"] if who in r]


def shares(kept, who="attn"):
    """Of the limit measured in the same round."""
    return [kept["amount"] / r[who]["median"] * 1e-9 / r["attn"]["limit"]
            for r in kept["rounds"] if who in r]


def ratios(kept, who):
    return [r[who]["median"] / r["attn"]["median"] for r in kept["rounds"] if who in r]


def costs(kept):
    """How much more time an operation takes than in the case without the option, in the same round."""
    if "base" not in kept:
        return []
    more = kept["base"]["amount"] / kept["amount"]
    return [r["attn"]["median"] / r["base"]["median"] * more - 1 for r in kept["rounds"] if "base" in r]


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def memory_factor(kept):
    if "data_bytes" not in kept or "temporary_bytes" not in kept:
        return None
    return (kept["data_bytes"] + kept["temporary_bytes"]) / kept["data_bytes"]


def measured_by_script(kept):
    """Rows of the scripts in bench/peers: figures of attn and a peer, and their ratio."""
    return "ratio" in kept


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


def fastest_peer(kept, peers):
    """Of those that answered; None: none did."""
    if measured_by_script(kept):
        return kept.get("who", "ctranslate2")
    there = [p for p in peers if times(kept, p)]
    return min(there, key=lambda p: statistics.median(times(kept, p))) if there else None


def ratio_of(kept, peers):
    """The spread of the ratio to the fastest peer; None: not known."""
    if measured_by_script(kept):
        return kept["ratio"]
    peer = fastest_peer(kept, peers)
    return spread(ratios(kept, peer)) if peer else None


# ---- is the target reached? ----

def asked_share(row, kept, kind):
    """None: none is asked on this kind of processor."""
    column = kinds.KINDS[kind].column
    if row.target.share is None or column is None:
        return None
    arithmetic = row.target.arithmetic is not None and kept.get("bound") != kept.get("unit")
    return (row.target.arithmetic if arithmetic else row.target.share)[column]


def parts(row, kept, peers, kind):
    """{part of the target: True, False, or None where it is not known}"""
    target, found = row.target, {}
    if target.ratio is not None:
        ratio = ratio_of(kept, peers)
        found["ratio"] = None if ratio is None else ratio["median"] >= target.ratio
    if target.share is not None and asked_share(row, kept, kind) is not None:
        found["share"] = spread(shares(kept))["median"] >= asked_share(row, kept, kind)
    if target.cost is not None:
        found["cost"] = statistics.median(costs(kept)) <= target.cost if costs(kept) else None
    if target.memory is not None:
        factor = memory_factor(kept)
        found["memory"] = None if factor is None else factor <= target.memory
    return found


def reached(row, kept, peers, kind):
    """True, False, or None: not known."""
    if kept is None or "error" in kept:
        return None
    found = list(parts(row, kept, peers, kind).values())
    return False if False in found else None if None in found or not found else True


def verdicts(store, kind):
    """{case: reached}, in the order of the table."""
    return {row.case: reached(row, result_of(store, row.case), group.peers, kind)
            for group in table.GROUPS for row in group.rows}


def slower(store):
    """Rows that are slower than the fastest peer."""
    cases = []
    for group in table.GROUPS:
        for row in group.rows:
            kept = result_of(store, row.case)
            ratio = ratio_of(kept, group.peers) if kept and "error" not in kept else None
            if row.target.ratio is not None and ratio and ratio["median"] < 1:
                cases.append(row.case)
    return cases


# ---- reasons ----

def read_reasons(path=REASONS):
    """{key: text} of lines `key = text`, or `KIND/key, key = text`; a line that begins with a space goes on."""
    reasons, keys = {}, []
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace() and keys:
            reasons.update((key, reasons[key] + " " + line.strip()) for key in keys)
        elif "=" in line:
            names, text = (part.strip() for part in line.split("=", 1))
            kind, slash, names = names.rpartition("/")
            keys = [kind + slash + name.strip() for name in names.split(",")]
            reasons.update((key, text) for key in keys)
        else:
            raise SystemExit(f"{path}: `{line}`: lines are `key = text`")
    return reasons


def split_key(key):
    """(kind, or None: every kind; beginning of names)"""
    kind, slash, name = key.partition("/")
    return (kind, name) if slash else (None, key)


def reason_for(case, kind, reasons):
    """The longest key that is the name or begins it, by whole words; that of the kind goes before."""
    def fits(key):
        of, name = split_key(key)
        return of in (None, kind) and (case == name or case.startswith(name + "-"))
    keys = [k for k in reasons if fits(k)]
    return reasons[max(keys, key=lambda k: (len(split_key(k)[1]), "/" in k))] if keys else None


def warnings(stores, reasons):
    """What somebody should look at."""
    short = [(kind, case) for kind, store in stores.items()
             for case, ok in verdicts(store, kind).items() if ok is False]
    lines = [f"{case} falls short on {kind}, and bench/reasons has no reason for it" for kind, case in short
             if reason_for(case, kind, reasons) is None]
    used = {key for kind, case in short for key in reasons if reason_for(case, kind, {key: ""}) is not None}
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


def percent(values, digits=1):
    v = spread(values)
    return f"{v['median']:.{digits}%} ({v['low']:.0%} .. {v['high']:.0%})".replace("%", " %")


def plain_percent(value):
    return f"{value:.0%}".replace("%", " %")


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


def target_cell(target):
    """Of every kind of processor; a share that differs is one for each column of kinds.KINDS."""
    said = []
    if target.ratio is not None:
        said.append(f"{target.ratio} x")
    for share, of in ((target.share, "of the limit"), (target.arithmetic, "where arithmetic binds")):
        if share is not None:
            values = [f"{s:.0%}" for s in share]
            shown = values[0] if len(set(values)) == 1 else " / ".join(v.rstrip("%") for v in values) + "%"
            said.append(f"{shown.replace('%', ' %')} {of}")
    if target.cost is not None:
        said.append(f"at most {plain_percent(target.cost)} more")
    if target.memory is not None:
        said.append(f"under {target.memory} x")
    return "; ".join(said)


# ---- tables ----

def lines_of(heads, rows):
    return ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"] + [
        "| " + " | ".join(cells) + " |" for cells in rows]


def script_scale(row, unit):
    if row.case == "translation-memory":
        return 1e-6, " MB"
    return (1e3, " ms") if unit == "ms" else (1, f" {unit}")


def script_cells(row, kept, unit):
    """attn, more, the peer."""
    scale, unit = script_scale(row, unit)
    more = "-"
    if "python" in kept:
        more = "Python alone: " + between(kept["python"], scale, unit)
    elif "same" in kept:
        more = f"same output: {plain_percent(kept['same'])}"
    elif "share" in kept:
        more = percent([kept["share"][k] for k in ("median", "low", "high")])
    peer = table.PEERS[fastest_peer(kept, [])]
    return between(kept["attn"], scale, unit), more, f"{peer} {between(kept['peer'], scale, unit)}"


def case_cells(group, row, kept):
    more = share_cell(kept)
    if costs(kept):
        more = f"costs {percent(costs(kept))}"
    if row.target.memory is not None:
        factor = memory_factor(kept)
        more = "-" if factor is None else f"{factor:.3f} of in and out"
    peer = fastest_peer(kept, group.peers)
    said = [p for p in group.peers if kept.get("peers", {}).get(p, {}).get("error")]
    theirs = f"{table.PEERS[peer]} {time_cell(kept, peer)}" if peer else "fails, see below" if said else "-"
    return time_cell(kept), more, theirs


CELLS = 5


def kind_cells(group, row, store, kind):
    """What the column group of a kind says of a row."""
    kept = result_of(store, row.case)
    if kept is None or "error" in kept:
        return [(kept or {}).get("error", "not measured"), *["-"] * (CELLS - 1)]
    cells = script_cells(row, kept, group.unit) if measured_by_script(kept) else case_cells(group, row, kept)
    ratio = ratio_of(kept, group.peers)
    told = "-" if ratio is None else between(ratio)
    if ratio is not None and row.target.ratio is not None and ratio["median"] < 1:
        told = f"**{told}**"
    ok = reached(row, kept, group.peers, kind)
    return [*cells, told, {True: "yes", None: "-"}.get(ok, f"**no**[^{kind}-{row.case}]")]


def group_table(group, stores):
    heads = ["", "target"]
    for kind in stores:
        heads += [f"{kind}: attn", "of the limit, and more", "fastest peer", "ratio", "reached"]
    rows = []
    for row in group.rows:
        cells = [row.label, target_cell(row.target)]
        for kind, store in stores.items():
            cells += kind_cells(group, row, store, kind)
        rows.append(cells)
    return lines_of(heads, rows)


def peer_errors(group, stores):
    """What a peer said where it failed."""
    lines = []
    for kind, store in stores.items():
        for row in group.rows:
            kept = result_of(store, row.case) or {}
            lines += [f"* {kind}, {row.label}: {table.PEERS[name]} fails: `{about['error']}`"
                      for name, about in kept.get("peers", {}).items() if "error" in about]
    return [""] + lines if lines else []


def inside_notes(group, stores):
    if group.rows[0].case != "translation-start":
        return []
    lines = []
    for kind, store in stores.items():
        inside = store["cases"].get("translation-start", {}).get("peer", {}).get("inside")
        if inside:
            lines.append(f"{kind}: without the start of Python and its imports, CTranslate2 takes "
                         f"{between(inside, 1, ' s')}.")
    return ["", *lines] if lines else []


def further_rows(store):
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
    return rows


def further(stores):
    lines = []
    for kind, store in stores.items():
        rows = further_rows(store)
        if rows:
            lines += ["", f"## Further cases, without a target: {kind}", "",
                      *lines_of(["case", "work", "attn", "of the limit", "attn / PyTorch"], rows)]
    return lines


def one_line(kept):
    """For the progress of a run."""
    if "error" in kept:
        return kept["error"]
    if "rounds" not in kept or not isinstance(kept["rounds"], list):
        return f"attn / {table.PEERS[fastest_peer(kept, [])]}: {between(kept['ratio'])}" if "ratio" in kept else "done"
    said = [f"{between(times(kept), 1e3, ' ms')}, {percent(shares(kept))} of the limit"]
    if costs(kept):
        said.append(f"costs {percent(costs(kept))}")
    for name, about in kept["peers"].items():
        told = about.get("error") or between(ratios(kept, name))
        said.append(f"{table.PEERS[name]}: {told}")
    return "; ".join(said)


# ---- curves ----

def slope(value):
    return "-" if value is None else f"{value:.2f}"


def curve_lines(curves):
    """curves: {kind: what `attn bench --curves` wrote}"""
    lines = []
    for kind, report in curves.items():
        rows = []
        for curve in report["curves"]:
            theory, found, points = curve["theory"], curve["slope"], curve["points"]
            rows.append([curve["work"], f"{points[0]['x']:,} .. {points[-1]['x']:,} {curve['x']}",
                         slope(found["seconds"]), slope(theory["seconds"]), slope(found["memory"]),
                         slope(theory["memory"]), f"from {curve['large']:,}"])
        lines += ["", f"## Curves: {kind}", "",
                  f"`bench/run --curves`, {report['date']}; {report['machine']}, {report['threads']} threads, attn "
                  f"{report['version']}, {report['isa']} kernels. Time and memory grow as a power of what varies; "
                  "the power is fitted over the logarithms of the points named last, and the theory's is that of "
                  "large sizes. Over threads, points beyond those of the machine are planned: memory alone.", "",
                  *lines_of(["work", "points", "time ~ x to", "theory", "memory ~ x to", "theory", "fitted"], rows)]
        lines += ["", *(f"![{curve['work']}: time and memory](pictures/curves-{kind}-{curve['name']}.svg)"
                        for curve in report["curves"])]
    return lines


# ---- the page ----

def versions(store):
    peers, lines = store["peers"], []
    torch, numpy = peers.get("torch", {}), peers.get("numpy", {})
    if "version" in torch:
        lines.append(f"PyTorch {torch['version']} (its kernels: {torch['capability']})")
    if "version" in numpy:
        lines.append(f"NumPy {numpy['version']} ({numpy['blas']}, its {numpy['kernel']} kernels)")
    for name in ("ctranslate2", "onnx"):
        if "version" in peers.get(name, {}):
            lines.append(f"{table.PEERS[name]} {peers[name]['version']}")
    return lines


def quiet_lines(store):
    """What is known of the machine's other work."""
    known = [(kept["others"], case) for case, kept in store["cases"].items() if kept.get("others") is not None]
    if not known:
        return ["What else the machine did meanwhile was not recorded."]
    most, case = max(known)
    busy = sum(others > BUSY for others, _ in known)
    line = f"Other processes used at most {plain_percent(most)} of the processors (`{case}`)."
    return [line + (f" **In {busy} cases it was more than {plain_percent(BUSY)}: the machine was not quiet.**"
                    if busy else "")]


def kind_head(kind, store):
    machine, cases = store["machine"], store["cases"].values()
    dates = sorted(kept["date"] for kept in cases)
    tools = sorted({kept["tool"]["commit"] for kept in cases})
    fma = ", ".join(f"{isa} {gflops:.0f}" for isa, gflops in machine["fma_gflops"].items())
    ok = list(verdicts(store, kind).values())
    minutes = sum(kept["seconds"] for kept in cases) / 60
    lines = [
        "", f"### {kind}: {kinds.KINDS[kind].title}", "",
        f"* {dates[0]} to {dates[-1][-5:] if dates[0][:10] == dates[-1][:10] else dates[-1]} UTC, "
        f"{minutes:.0f} minutes of measuring",
        f"* {machine['machine']}, {machine['threads']} threads, {machine['memory_bytes'] / 2**30:.0f} GiB, "
        f"{machine['system']}",
        f"* attn {machine['version']} ({', '.join(tools)}), {machine['isa']} kernels",
        f"* FMA peak {machine['fma_peak_gflops']:.0f} GFLOP/s ({fma}); memory read "
        f"{machine['memory_read_gbs']:.1f} GB/s"]
    lines += [f"* {line}" for line in versions(store) + quiet_lines(store)]
    lines += ["", f"**{ok.count(True)} of {len(ok)} targets are reached**, {ok.count(False)} are not"
              + (f", {ok.count(None)} have no figure" if None in ok else "")
              + f". {len(slower(store))} rows are slower than the fastest peer."]
    if len({kept["tool"]["sha256"] for kept in cases}) > 1:
        lines += ["", "Some rows were measured later than the others, with a newer build."]
    return lines + (["", f"**{store['note']}**"] if "note" in store else [])


def head(stores):
    lines = [
        "# Benchmarks", "",
        "`make bench-peers` writes this page from results/benchmarks/KIND.json, which has every repetition on a kind of "
        "processor. Do not edit it: the reasons for rows that fall short are in bench/reasons.", "",
        "    make bench          # attn alone, as shares of the machine's own limit",
        "    make bench-peers    # beside PyTorch, NumPy, CTranslate2 and ONNX Runtime, in turns; needs Python and pip",
        "    bench/run --curves  # time and memory against tokens, batch, words and threads", "",
        "A target is reached where the median of the ratio to the fastest peer is, and the share of the machine's "
        "limit. Shares are asked by kind of processor: " + " / ".join(
            f"{', '.join(name for name, kind in kinds.KINDS.items() if kind.column == column)}" for column in range(3))
        + "."]
    for kind, store in stores.items():
        lines += kind_head(kind, store)
    missing = [f"{kind} ({about.title})" for kind, about in kinds.KINDS.items()
               if kind not in stores and about.column is not None]
    return lines + (["", f"Not measured: {'; '.join(missing)}."] if missing else [])


HOW_TO_READ = """
## How to read it

attn and the peers take turns (A B A B ...) of a quarter of a second, all of them warm, on the same threads. A time is the
median of the rounds, with the smallest and the largest in brackets. A ratio is taken round by round; above 1, attn is
faster, and a row below 1 is in bold. The limit is the peak of fused multiply-adds on registers, or, for work that mostly
reads, the memory bandwidth. It is measured on the same threads, before and after each repetition, and the best sample of
a turn counts. Work that reads cycles through several copies of its data, more than the cache holds, in attn and in the
peers alike. What an option costs is the time of an operation on a pair of query and key that see each other, beside that
of the same attention without the option, taken in turns. bench/bench.h says how operations are counted.
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
  products and a softmax. It has no cache of int8: beside attn's stand its float32 and its bfloat16, whichever is faster. Training uses the same model, sentence lengths and float32, with batches sorted by length. It is written
  over fused attention, with and without padding removed before the projections, or from `nn.TransformerEncoderLayer` and
  `DecoderLayer`, with fused Adam, gradients set to none, and clipping over all tensors at once. Tokens are real target tokens,
  without padding. The segmenter is the same network with the same weights, with ordinary and with channels-last memory.
* **NumPy** uses the OpenBLAS of its wheel, which chooses its kernels itself, with the matrix as it is or transposed in memory.
* **CTranslate2** uses the same weights, exported by bench/peers/ctranslate2_export.py. For each row, the fastest of its settings on
  a few sentences is used (threads within and beside a batch, MKL or oneDNN, packed products). It runs `translate_batch` on prepared
  tokens, in a process that stays warm, while attn's time is that of `attn translate`, from text to text. In float32 the output must
  be the same. Where attn has a shortlist, the same list is its vocabulary map, and is used if that is faster.
* **ONNX Runtime** runs the same network, exported by PyTorch, from pixels to classes. A picture that attn cuts into tiles is
  tried whole, and as the same tiles one after another.
"""


def what_ran(kind, store):
    """The candidate that each peer ran."""
    lines = []
    settings = store["peers"].get("torch", {}).get("settings")
    if settings:
        told = ", ".join(f"{name} {value:.2f}" for name, value in settings["relative"].items())
        lines.append(f"* PyTorch's settings: {settings['chosen']} (relative times: {told})")
    for case, kept in store["cases"].items():
        if "setting" in kept:
            inter, more = kept["setting"]["inter"], kept["setting"]["environment"]
            vmap = ["vocabulary map"] if kept["setting"].get("vmap") else []
            lines.append(f"* `{case}`, CTranslate2: "
                         + ", ".join([f"inter_threads {inter}", *vmap, *(f"{k}={v}" for k, v in more.items())]))
        if "chosen" in kept:
            lines.append(f"* `{case}`, {table.PEERS[kept['who']]}: {kept['chosen']}")
        for name, about in kept.get("peers", {}).items():
            if about.get("candidates"):
                tried = ", ".join(f"{n} {number(t * 1e3)} ms" for n, t in about["candidates"].items())
                padding = f"; {about['padding']:.0%} padding" if "padding" in about else ""
                lines.append(f"* `{case}`, {table.PEERS[name]}: {about['candidate']} "
                             f"(tried: {tried}{padding})")
    return ["", f"What they ran: {kind}", "", *lines] if lines else []


def footnotes(stores, reasons):
    return [f"[^{kind}-{case}]: {reason_for(case, kind, reasons) or NO_REASON}"
            for kind, store in stores.items() for case, ok in verdicts(store, kind).items() if ok is False]


def page(stores, reasons, curves=None):
    """stores and curves: {kind: ...}"""
    stores = {kind: stores[kind] for kind in kinds.KINDS if kind in stores}
    lines = head(stores)
    for group in table.GROUPS if stores else []:
        lines += ["", f"## {group.title}", "", *group_table(group, stores)]
        lines += inside_notes(group, stores) + peer_errors(group, stores)
    lines += further(stores) + curve_lines(curves or {}) + [HOW_TO_READ.rstrip("\n")]
    if any(store["with_peers"] for store in stores.values()):
        lines += [PEER_NOTES.rstrip("\n")]
        for kind, store in stores.items():
            lines += what_ran(kind, store)
    return "\n".join(lines + ["", *footnotes(stores, reasons)]).rstrip("\n") + "\n"
