"""How fast a trace is replayed and how much memory that takes, for prefixes of it of growing length.

Run it with ``python -m benchmarks.bench_replay [TRACE]``; TRACE is a Mooncake trace, plain or ``.xz``. Without one, a
trace of the same form is made up: chat sessions of one to four turns on a shared head. Each figure is of a process of
its own that reads the trace, then plays it to one policy: seconds of processor time, so that other work on the machine
counts little, and the process's peak resident size.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.evaluate.replay.arrivals import arrivals_of
from turnout.evaluate.replay.compared import policy_named
from turnout.evaluate.replay.conditions import conditions
from turnout.evaluate.replay.engine import replay
from turnout.evaluate.replay.files import read_lines
from turnout.evaluate.replay.mooncake import BLOCK_TOKENS, load_mooncake
from turnout.evaluate.replay.verdicts import Difficulty, draw

POLICIES = ("naive", "manage")
MADE_UP = 12_000
PARTS = (1 / 4, 1 / 2, 1)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one replay took, in seconds of processor time; ``peak_mb`` is that of its process."""

    policy: str
    calls: int
    blocks: int
    read_s: float
    replay_s: float
    peak_mb: float


def measure(path: Path, policy: str, limit: int) -> Figures:
    """Read the first calls of a trace and play them to a policy."""
    began = time.process_time()
    trace = load_mooncake(path, limit=limit)
    arrivals = arrivals_of(trace.requests)
    read_s = time.process_time() - began
    held = conditions(load_catalog(), PAIR_4, trace.grain)
    verdicts = draw(trace.requests, Difficulty())
    began = time.process_time()
    replay(arrivals, verdicts, policy_named(policy, arrivals, verdicts, held), held)
    unit = 1 if sys.platform == "darwin" else 1024
    return Figures(
        policy=policy,
        calls=len(arrivals),
        blocks=sum(len(arrival.hashes) for arrival in arrivals),
        read_s=read_s,
        replay_s=time.process_time() - began,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    )


def make_up(path: Path, calls: int, seed: int = 0) -> None:
    """Write a trace of that many calls: sessions begin every half second, turns follow after a minute on average."""
    draws = random.Random(seed)
    lines: list[tuple[int, list[int], int]] = []
    blocks, at_ms = 0, 0
    while len(lines) < calls:
        at_ms += 500
        history, now_ms = [0], at_ms
        for _ in range(draws.randint(1, 4)):
            new = draws.randint(2, 30)
            history = [*history, *range(blocks + 1, blocks + 1 + new)]
            blocks += new
            lines.append((now_ms, history, draws.randint(50, 600)))
            now_ms += round(draws.expovariate(1 / 60_000))
    with path.open("w") as file:
        for sent_ms, history, output in sorted(lines)[:calls]:
            line = {
                "timestamp": sent_ms,
                "input_length": len(history) * BLOCK_TOKENS,
                "output_length": output,
                "hash_ids": history,
            }
            file.write(json.dumps(line) + "\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", nargs="?", type=Path, help="a Mooncake trace (default: a made-up one)")
    wanted: Path | None = parser.parse_args().trace
    with tempfile.TemporaryDirectory() as directory:
        path = wanted or Path(directory) / "made_up.jsonl"
        if wanted is None:
            make_up(path, MADE_UP)
        # Counted line by line: a child's peak begins with its parent's.
        calls = sum(1 for _ in read_lines(path, msgspec.Raw, lambda lines: None))
        table = Table(title=f"replay of {path.name}, {PAIR_4.cheap} / {PAIR_4.capable}", title_justify="left")
        for heading in ("policy", "calls", "blocks", "read s", "replay s", "calls/s", "peak MB"):
            table.add_column(heading, justify="right" if heading != "policy" else "left")
        for policy in POLICIES:
            for part in PARTS:
                found = _in_its_own_process(path, policy, round(calls * part))
                table.add_row(
                    found.policy,
                    f"{found.calls:,}",
                    f"{found.blocks:,}",
                    f"{found.read_s:.2f}",
                    f"{found.replay_s:.2f}",
                    f"{found.calls / found.replay_s:,.0f}",
                    f"{found.peak_mb:.0f}",
                )
    Console().print(table)


def _in_its_own_process(path: Path, policy: str, limit: int) -> Figures:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, path, policy, limit).result()


if __name__ == "__main__":
    main()
