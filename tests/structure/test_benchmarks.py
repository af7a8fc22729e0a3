#!/usr/bin/env python3
"""The page of benchmarks: the generator on made-up figures, a run with a made-up tool, and that docs/benchmarks.md
is what the generator writes.

The figures are chosen so that each part of a target is reached once and missed once.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench"))
import kinds  # noqa: E402
import page  # noqa: E402
import quiet  # noqa: E402
import table  # noqa: E402

TOOL = {"commit": "abc1234", "sha256": "0" * 12}


def case(seconds, limit=100.0, unit="GFLOP/s", bound=None, amount=1e9, peers=None, errors=None, **more):
    """seconds and peers' seconds: a list, one a round."""
    def part(value, **rest):
        return {"median": value, "low": value, "high": value, "repetitions": 3, **rest}
    rounds = [{"attn": part(s, limit=limit)} for s in seconds]
    for name, values in (peers or {}).items():
        for one, value in zip(rounds, values):
            one[name] = part(value)
    about = {name: {"candidate": "a", "candidates": {"a": 0.001, "b": 0.002}} for name in peers or {}}
    about.update((name, {"error": text}) for name, text in (errors or {}).items())
    return {"work": "some work", "unit": unit, "bound": bound or unit, "amount": amount, "tokens": 0,
            "rounds": rounds, "peers": about, "peak_bytes": 10**8, "date": "2026-01-02 03:04",
            "tool": TOOL, "seconds": 6.0, **more}


def translated(ratio, **more):
    rate = {"median": 100.0, "low": 90.0, "high": 110.0}
    return {"same": 1.0, "attn": rate, "peer": rate, "rounds": 3, "date": "2026-01-02 03:10",
            "ratio": {"median": ratio, "low": ratio, "high": ratio}, "tool": TOOL, "seconds": 60,
            "setting": {"inter": 2, "environment": {"USE": "1"}}, **more}


def store():
    once = {"median": 1.0, "low": 1.0, "high": 1.0}
    third = {"median": 0.25, "low": 0.2, "high": 0.3}
    return {
        "format": 1, "with_peers": True, "tool": TOOL,
        "peers": {"torch": {"version": "9.9", "capability": "AVX9", "settings": {
                      "chosen": "plain", "relative": {"plain": 1.0, "large pages": 1.1}}},
                  "numpy": {"version": "8.8", "blas": "OpenBLAS 7", "kernel": "Somewell"},
                  "ctranslate2": {"version": "6.6"}},
        "machine": {"version": "0.0.1", "machine": "A Machine", "isa": "ref", "threads": 2,
                    "fma_peak_gflops": 100.0, "fma_gflops": {"plain": 100.0}, "memory_read_gbs": 10.0,
                    "memory_bytes": 2**33, "system": "An OS"},
        "cases": {
            # 1 GFLOP in 10 ms: all of 100 GFLOP/s; in 12.5 ms: 80 %; in 15 ms: 67 %.
            "matmul-512": case([0.010, 0.010], peers={"torch": [0.015, 0.025], "numpy": [0.012, 0.013]}),
            "matmul-1024": case([0.0125], peers={"torch": [0.014]}, errors={"numpy": "not installed here"}),
            "matmul-2048": case([0.010], peers={"torch": [0.009], "numpy": [0.020]}),
            "matmul-4096": case([0.010]),
            # 86 %: enough where arithmetic binds, too little where reading does.
            "matmul-row-4": case([1 / 86], limit=10.0, unit="GB/s", bound="GFLOP/s", amount=1e8 * 1,
                                 peers={"torch": [1 / 60]}),
            "matmul-row-1": case([1 / 86], limit=10.0, unit="GB/s", amount=1e8, peers={"torch": [1 / 60]}),
            "attention-both-short": case([0.001], peers={"torch": [0.005]}),
            "attention-backward-d64-1024": case([0.001], peers={"torch": [0.0012]}),
            # An operation takes 10 % more, then 20 % more: half as many take 0.55 and 0.6 of the time.
            "attention-forward-window-d64-4096": option([0.0055]),
            "attention-backward-bias-d64-4096": option([0.006]),
            "train-base": case([1.0], peers={"torch": [1.2]}),
            "attention-forward-window-131072": case(
                [1.0], data_bytes=1000, temporary_bytes=100, errors={"torch": "no memory, 69 GB"}),
            "attention-backward-window-131072": case([1.0], data_bytes=1000, temporary_bytes=400),
            "matmul-words": case([0.02]),
            "translation-en-fr-float32-greedy-32": translated(1.6),
            "translation-en-fr-float32-greedy-1": translated(2.4),
            "translation-base-int8-beam4-32": {"error": "failed: no room", "date": "2026-01-02 03:10",
                                               "tool": TOOL, "seconds": 1},
            "picture-large": translated(1.7, who="onnx", chosen="4 tiles"),
            "translation-start": {"attn": {"seconds": third, "bytes": third}, "date": "2026-01-02 03:10",
                                  "peer": {"seconds": once, "bytes": once, "inside": third},
                                  "python": {"seconds": third, "bytes": third}, "tool": TOOL, "seconds": 3},
        }}


def option(seconds):
    kept = case(seconds, amount=0.5e9)
    for one in kept["rounds"]:
        one["base"] = {"median": 0.010, "low": 0.010, "high": 0.010, "limit": 100.0, "repetitions": 3}
    return {**kept, "base": {"case": "another", "amount": 1e9}}


# On zen4, where 90 % is asked of products.
EXPECTED = {
    "matmul-512": True, "matmul-1024": False, "matmul-2048": False, "matmul-4096": None,
    "matmul-row-4": True, "matmul-row-1": False, "matmul-row-16": None,
    "attention-both-short": True, "attention-backward-d64-1024": False,
    "attention-forward-window-d64-4096": True, "attention-backward-bias-d64-4096": False,
    "train-base": False, "attention-forward-window-131072": True,
    "attention-backward-window-131072": False, "translation-en-fr-float32-greedy-32": True,
    "translation-en-fr-float32-greedy-1": False, "translation-start": True, "translation-memory": True,
    "translation-base-int8-beam4-32": None, "translation-base-int8-beam4-1": None, "picture-large": True}


def check(condition, what):
    if not condition:
        sys.exit(f"test_benchmarks: {what}")


def check_verdicts():
    verdicts = page.verdicts(store(), "zen4")
    for name, expected in EXPECTED.items():
        check(verdicts[name] is expected, f"{name}: {verdicts[name]}, not {expected}")
    check(list(verdicts) == [row.case for row in table.rows()], "not every row of the table is judged")
    check(page.verdicts(store(), "amx")["matmul-1024"] is True, "80 % is enough with AMX")
    check(page.verdicts(store(), "neon")["matmul-1024"] is True, "no share is asked on NEON")
    check(page.slower(store()) == ["matmul-2048"], page.slower(store()))
    one = store()["cases"]["matmul-512"]
    check(page.fastest_peer(one, ["torch", "numpy"]) == "numpy", "the fastest peer counts")


def check_table():
    """Every base of an option is a case of the table; a case is asked for once."""
    cases = [row.case for row in table.rows()]
    check(len(set(cases)) == len(cases), "a case is in two rows")
    check(all(row.target.base in (None, *cases) for row in table.rows()), "a base is not in the table")


def check_kinds():
    def cpu(vendor, *flags):
        return f"vendor_id\t: {vendor}\ncpu family\t: 25\nflags\t\t: fpu {' '.join(flags)}\n"
    for expected, text, machine in (
            ("avx2", cpu("AuthenticAMD", "avx2"), "x86_64"),
            ("zen4", cpu("AuthenticAMD", "avx2", "avx512f"), "x86_64"),
            ("avx512", cpu("GenuineIntel", "avx2", "avx512f"), "x86_64"),
            ("amx", cpu("GenuineIntel", "avx2", "avx512f", "amx_tile"), "x86_64"),
            ("neon", "", "aarch64"), ("other", "", "riscv64")):
        check(kinds.kind_of(text, machine) == expected, f"{kinds.kind_of(text, machine)}, not {expected}")


def check_quiet():
    """Work of a child is ours; work of a process that is not is another's. The processors may be busy besides."""
    if not pathlib.Path("/proc/stat").exists():
        return
    spin = "import time\nend = time.time() + 0.3\nwhile time.time() < end: pass"
    watch = quiet.Watch()
    subprocess.run([sys.executable, "-c", spin], check=True)
    before = watch.count()
    check(before[1] - watch.before[1] > 0.05, "a child's time is not counted as ours")
    check(0 <= watch.others() <= 1.1, watch.others())


def check_reasons():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "reasons"
        path.write_text("# a comment\nmatmul = of all\nmatmul-1024 = of this\n  one\n\nmatmul-512 = old\n"
                        "amx/matmul-1024, attention-both-short = of a kind\n")
        reasons = page.read_reasons(path)
    check(page.reason_for("matmul-1024", "zen4", reasons) == "of this one", "the longest key wins")
    check(page.reason_for("matmul-1024", "amx", reasons) == "of a kind", "the kind's own wins")
    check(page.reason_for("attention-both-short", "amx", reasons) == "of a kind", "two names, one reason")
    check(page.reason_for("attention-both-short", "zen4", reasons) is None, "of another kind")
    check(page.reason_for("matmul-row-1", "zen4", reasons) == "of all", "a key begins names")
    check(page.reason_for("matmulx", "zen4", reasons) is None, "by whole words")
    told = page.warnings({"zen4": store()}, reasons)
    check("nothing that begins with amx/matmul-1024" in " ".join(told), told)
    check("train-base falls short on zen4, and bench/reasons has no reason for it" in told, told)
    check("bench/reasons: nothing that begins with matmul-512 falls short any more" in told, told)
    check(not any(line.startswith("matmul-1024 falls") for line in told), told)
    return reasons


CURVES = {"date": "2026-01-03", "machine": "A Machine", "threads": 2, "version": "0.0.1", "isa": "ref", "curves": [
    {"name": "forward-tokens", "work": "attention forward", "x": "tokens", "large": 4096,
     "theory": {"seconds": 2.0, "memory": 1.0}, "slope": {"seconds": 1.97, "memory": None},
     "points": [{"x": 64}, {"x": 131072}]}]}


def check_page(reasons):
    busy = {**store(), "note": "Measured before something."}
    busy["cases"] = {**busy["cases"], "matmul-512": {**busy["cases"]["matmul-512"], "others": 0.25}}
    text = page.page({"amx": store(), "zen4": busy}, reasons, {"zen4": CURVES})
    lines = text.splitlines()
    for row in table.rows():
        check(any(line.startswith(f"| {row.label} |") for line in lines), f"{row.label} is not there")
    for part in ("A Machine, 2 threads, 8 GiB", "PyTorch 9.9", "OpenBLAS 7, its Somewell kernels",
                 "CTranslate2 6.6", "2026-01-02 03:04 to 03:10", "| 1.03 x; 90 / 90 / 80 % of the limit | 10.0 ms (10.0 .. 10.0)",
                 "1.25 (1.20 .. 1.30)", "**0.900 (0.900 .. 0.900)**", "fails: `no memory, 69 GB`", "| 1.100 of in and out |",
                 "[^zen4-matmul-1024]: of this one", "[^zen4-train-base]: Reason not yet found.",
                 "| zen4: attn |", "| amx: attn |", "Not measured: avx2", "Measured before something.",
                 "costs 10.0 %", "at most 15 % more", "| `matmul-words` |", "large pages 1.10",
                 "inter_threads 2, USE=1", "| failed: no room |", "CTranslate2 takes 0.250 s (0.200 .. 0.300).",
                 "tried: a 1.00 ms, b 2.00 ms", "ONNX Runtime: 4 tiles", "used at most 25 % of the processors (`matmul-512`)",
                 "the machine was not quiet", "was not recorded", "| 64 .. 131,072 tokens | 1.97 | 2.00 | - | 1.00 |",
                 "](pictures/curves-zen4-forward-tokens.svg)"):
        check(part in text, f"\"{part}\" is not on the page:\n{text}")
    reached = sum(ok is True for ok in page.verdicts(store(), "zen4").values())
    check(f"**{reached} of {len(table.rows())} targets are reached**" in text, "the count is wrong")
    check(page.page({}, {}).startswith("# Benchmarks"), "a page without figures")


def check_kept_page():
    """docs/benchmarks.md is what results/benchmarks gives, and nobody edited the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(ROOT / "results" / "benchmarks", folder / "results" / "benchmarks")
        subprocess.run([sys.executable, ROOT / "bench" / "run", "--page", "--into", folder], check=True,
                       stderr=subprocess.DEVNULL)
        check((ROOT / "docs" / "benchmarks.md").read_text() == (folder / "docs" / "benchmarks.md").read_text(),
              "docs/benchmarks.md is not what bench/run --page writes")


# Measures nothing; says what `attn bench` would.
FAKE_TOOL = """#!/bin/sh
case "$*" in
*--list*) printf 'matmul-up  work\\nmatmul-words  work\\nmatmul-1024  work\\nmatmul-512  work\\n'
    printf 'attention-forward-bias-d64-4096  work\\n' ;;
*--turns*)
    while read -r name seconds; do
        [ "$name" != matmul-up ] || exit 1
        echo '{"work": "some work", "unit": "GFLOP/s", "bound": "GFLOP/s", "repetitions": 1,
               "seconds": {"median": 0.01, "low": 0.01, "high": 0.01}, "limit": 100.0, "amount": 1e9,
               "parts": 1, "peak_bytes": 1}' | tr -d '\\n'
        echo
    done ;;
*) echo '{"version": "0", "machine": "A Machine", "isa": "ref", "threads": 1, "quick": true, "cases": [],
          "fma_peak_gflops": 1.0, "fma_gflops": {}, "memory_read_gbs": 1.0}' ;;
esac
"""


def run_bench(folder, *more):
    """What bench/run says, with the tool of `folder` and a Python in which nothing can be imported."""
    done = subprocess.run([sys.executable, ROOT / "bench" / "run", "--attn", folder / "attn", "--build",
                           folder, "--into", folder, "--rounds", "2", "--threads", "1", "--busy", "--kind", "zen4", *more],
                          env={**os.environ, "PYTHON": "false"}, stderr=subprocess.PIPE, text=True)
    check(done.returncode == 0, done.stderr)
    return done.stderr


def check_run():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tool, kept = folder / "attn", folder / "results" / "benchmarks" / "zen4.json"
        tool.write_text(FAKE_TOOL)
        tool.chmod(0o755)
        said = run_bench(folder, "--only", "matmul-512")
        check("not measured yet: matmul-1024, matmul-up, attention-forward-bias-d64-4096" in said and not kept.exists(), said)
        said = run_bench(folder)
        check("continuing: 1 of 4 cases are there" in said and "matmul-512 .." not in said, said)
        cases = json.loads(kept.read_text())["cases"]
        check(len(cases["matmul-512"]["rounds"]) == 2, "two rounds")
        check("error" in cases["matmul-up"], "a case that fails is told")
        text = (folder / "docs" / "benchmarks.md").read_text()
        check("| attn could not measure it |" in text and "100.0 %" in text, text)
        option = cases["attention-forward-bias-d64-4096"]
        check(option["base"]["case"] == "attention-forward-d64-4096" and page.costs(option) == [0, 0], option)
        check("matmul-words" not in cases and "matmul-512" in cases, "without --all, only what a row asks for")
        check("continuing" not in run_bench(folder), "a run that is complete is followed by a new one")
        said = run_bench(folder, "--peers", "--only", "matmul-512")
        check("PyTorch: not installed here" in said, said)
        tool.write_text(FAKE_TOOL + "\n")
        check("continuing" not in run_bench(folder), "another tool starts anew")


check_verdicts()
check_table()
check_kinds()
check_quiet()
check_run()
check_page(check_reasons())
check_kept_page()
