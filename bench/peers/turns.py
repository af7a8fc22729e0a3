"""What the peers in Python have in common: they answer lines `CASE SECONDS` on stdin with a line of JSON each.

The process stays, so that the peer is warm; bench/run asks it and attn in turn. Where a peer has several ways to
the same result, each is a candidate: all are tried the first time a case is asked for, and the fastest is measured
from then on.
"""
import json
import statistics
import sys
import time


def once(run, calls=1):
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def copies(size):
    """How many copies of so many bytes no cache holds; attn_bench_copies of bench/cases.c."""
    return int(256e6 / size) + 1 if size < 256e6 else 1


def in_turn(runs):
    """Work that reads takes copies of its data in turn."""
    state = [0]

    def run():
        state[0] = (state[0] + 1) % len(runs)
        runs[state[0]]()
    return run


def fastest(candidates, prepare):
    """Warms all up; those not far behind take turns of some hundredths of a second."""
    def timed(name, calls=1):
        prepare(candidates[name])
        return once(candidates[name], calls)
    for name in candidates:
        timed(name)
    if len(candidates) == 1:
        return next(iter(candidates)), {}
    tried = {name: timed(name) for name in candidates}
    close = [name for name in tried if tried[name] < 2 * min(tried.values()) and tried[name] < 1]
    times = {name: [timed(name, int(0.02 / tried[name]) + 1) for _ in range(3)] for name in close}
    tried.update((name, statistics.median(t)) for name, t in times.items())
    return min(tried, key=tried.get), tried


def measure(run, seconds, shortest=0.01):
    first = once(run)  # warms the caches again
    if first > seconds:
        return [first]
    calls = int(shortest / first) + 1 if first < shortest else 1
    times, start = [], time.perf_counter()
    while not times or (time.perf_counter() - start < seconds and len(times) < 64):
        times.append(once(run, calls))
    return times


class Chosen:
    """A case that is set up: its fastest candidate, and how long the others took."""

    def __init__(self, make, prepare):
        candidates = make()
        self.name, self.tried = fastest(candidates, prepare)
        self.run, self.prepare = candidates[self.name], prepare

    def answer(self, seconds):
        self.prepare(self.run)
        times = measure(self.run, seconds)
        parts = getattr(self.run, "parts", 1)
        answer = {"seconds": {"median": statistics.median(times) / parts, "low": min(times) / parts,
                              "high": max(times) / parts},
                  "repetitions": len(times), "candidate": self.name,
                  "candidates": {name: t / parts for name, t in self.tried.items()},
                  "tokens": getattr(self.run, "tokens", 0)}
        if answer["tokens"]:
            answer["padding"] = self.run.padded / self.run.real - 1
        return answer


def serve(cases, about, prepare=lambda run: None):
    """cases: {name: function that gives {candidate: function}}; prepare: called before a candidate runs."""
    print(json.dumps(about), flush=True)
    current = chosen = None
    for line in sys.stdin:
        name, seconds = line.split()
        try:
            if name != current:
                chosen = None  # the case before gives its memory back first
                current, chosen = name, Chosen(cases[name], prepare)
            answer = chosen.answer(float(seconds))
        except Exception as error:  # whatever the peer cannot do is part of the result
            current, answer = None, {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
