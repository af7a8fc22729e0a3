#!/usr/bin/env python3
"""The page of benchmarks: the generator on made-up figures, a run with a made-up tool, and that docs/benchmarks.md
is what the generator writes.

The figures are chosen so that each kind of target is reached once and missed once.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench"))
import page  # noqa: E402
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
            # 1 GFLOP in 10 ms: all of 100 GFLOP/s; in 12.5 ms: 80 %.
            "matmul-512": case([0.010, 0.010], peers={"torch": [0.015, 0.025]},
                               errors={"numpy": "not installed here"}),
            "matmul-1024": case([0.0125]),
            # 86 %: enough where arithmetic binds, too little where reading does.
            "matmul-row-4": case([1 / 86], limit=10.0, unit="GB/s", bound="GFLOP/s", amount=1e8 * 1),
            "matmul-row-1": case([1 / 86], limit=10.0, unit="GB/s", amount=1e8),
            "attention-both-short": case([0.001], peers={"torch": [0.005]}),
            "train-base": case([1.0], peers={"torch": [1.5]}),
            "attention-forward-window-131072": case(
                [1.0], data_bytes=1000, temporary_bytes=100, errors={"torch": "no memory, 69 GB"}),
            "attention-backward-window-131072": case([1.0], data_bytes=1000, temporary_bytes=400),
            "matmul-up": case([0.02]),
            "translation-en-fr-float32-greedy-32": translated(1.6),
            "translation-en-fr-float32-greedy-1": translated(2.4),
            "translation-base-int8-beam4-32": {"error": "failed: no room", "date": "2026-01-02 03:10",
                                               "tool": TOOL, "seconds": 1},
            "translation-start": {"attn": {"seconds": third, "bytes": third}, "date": "2026-01-02 03:10",
                                  "peer": {"seconds": once, "bytes": once, "inside": third},
                                  "python": {"seconds": third, "bytes": third}, "tool": TOOL, "seconds": 3},
        }}


EXPECTED = {
    "matmul-512": True, "matmul-1024": False, "matmul-row-4": True, "matmul-row-1": False,
    "attention-both-short": True, "train-base": False, "attention-forward-window-131072": True,
    "attention-backward-window-131072": False, "translation-en-fr-float32-greedy-32": True,
    "translation-en-fr-float32-greedy-1": False, "translation-start": True, "translation-memory": True, "matmul-2048": None,
    "translation-base-int8-beam4-32": None, "translation-base-int8-beam4-1": None}


def check(condition, what):
    if not condition:
        sys.exit(f"test_benchmarks: {what}")


def check_verdicts():
    verdicts = page.verdicts(store())
    for name, expected in EXPECTED.items():
        check(verdicts[name] is expected, f"{name}: {verdicts[name]}, not {expected}")
    check(list(verdicts) == [row.case for row in table.rows()], "not every row of the table is judged")


def check_reasons():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "reasons"
        path.write_text("# a comment\nmatmul = of all\nmatmul-1024 = of this\n  one\n\nmatmul-512 = old\n")
        reasons = page.read_reasons(path)
    check(page.reason_for("matmul-1024", reasons) == "of this one", "the longest key wins")
    check(page.reason_for("matmul-row-1", reasons) == "of all", "a key begins names")
    check(page.reason_for("matmulx", reasons) is None, "by whole words")
    told = page.warnings(store(), reasons)
    check("train-base falls short, and bench/reasons has no reason for it" in told, told)
    check("bench/reasons: nothing that begins with matmul-512 falls short any more" in told, told)
    check(not any("matmul-1024" in line for line in told), told)
    return reasons


def check_page(reasons):
    text = page.page(store(), reasons)
    lines = text.splitlines()
    for row in table.rows():
        check(any(line.startswith(f"| {row.label} |") for line in lines), f"{row.label} is not there")
    for part in ("A Machine, 2 threads, 8 GiB", "PyTorch 9.9", "OpenBLAS 7, its Somewell kernels",
                 "CTranslate2 6.6", "2026-01-02 03:04 to 03:10", "| 92 % of FMA peak | 10.0 ms (10.0 .. 10.0)",
                 "2.00 (1.50 .. 2.50)", "fails: `no memory, 69 GB`", "| 1.100 |", "[^matmul-1024]: of this one",
                 "[^train-base]: No reason is noted yet", "| 85 % of FMA peak |", "| 90 % of bandwidth |",
                 "| `matmul-up` |", "large pages 1.10", "inter_threads 2, USE=1",
                 "| failed: no room |", "CTranslate2 takes 0.250 s (0.200 .. 0.300).", "tried: a 1.00 ms, b 2.00 ms"):
        check(part in text, f"\"{part}\" is not on the page:\n{text}")
    reached = sum(ok is True for ok in page.verdicts(store()).values())
    check(f"**{reached} of {len(table.rows())} targets are reached**" in text, "the count is wrong")


def check_kept_page():
    """docs/benchmarks.md and results/benchmarks.json are of one run, and nobody edited the page."""
    kept = ROOT / "results" / "benchmarks.json"
    if kept.exists():
        expected = page.page(json.loads(kept.read_text()), page.read_reasons())
        check((ROOT / "docs" / "benchmarks.md").read_text() == expected,
              "docs/benchmarks.md is not what bench/run --page writes")


# Measures nothing; says what `attn bench` would.
FAKE_TOOL = """#!/bin/sh
case "$*" in
*--list*) printf 'matmul-up  work\\nmatmul-1024  work\\nmatmul-512  work\\n' ;;
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
                           folder, "--into", folder, "--rounds", "2", "--threads", "1", *more],
                          env={**os.environ, "PYTHON": "false"}, stderr=subprocess.PIPE, text=True)
    check(done.returncode == 0, done.stderr)
    return done.stderr


def check_run():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tool, kept = folder / "attn", folder / "results" / "benchmarks.json"
        tool.write_text(FAKE_TOOL)
        tool.chmod(0o755)
        said = run_bench(folder, "--only", "matmul-512")
        check("not measured yet: matmul-1024, matmul-up" in said and not kept.exists(), said)
        said = run_bench(folder)
        check("continuing: 1 of 3 cases are there" in said and "matmul-512 .." not in said, said)
        cases = json.loads(kept.read_text())["cases"]
        check(len(cases["matmul-512"]["rounds"]) == 2, "two rounds")
        check("error" in cases["matmul-up"], "a case that fails is told")
        text = (folder / "docs" / "benchmarks.md").read_text()
        check("| `matmul-up` | attn could not measure it |" in text and "100.0 %" in text, text)
        check("continuing" not in run_bench(folder), "a run that is complete is followed by a new one")
        said = run_bench(folder, "--peers", "--only", "matmul-512")
        check("PyTorch: not installed here" in said, said)
        tool.write_text(FAKE_TOOL + "\n")
        check("continuing" not in run_bench(folder), "another tool starts anew")


check_verdicts()
check_run()
check_page(check_reasons())
check_kept_page()
