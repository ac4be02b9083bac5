"""Whether the gateway's memory stays flat: requests of all kinds for minutes, memory every few seconds.

Run it with ``python -m benchmarks.gateway.soak``, which takes ten minutes (``--minutes 1`` for a short one). The load
is plain answers, answers with tools and streams, over sixteen connections, each of another conversation, so that every
memory of sessions, turns and prefixes fills up to its bound. Memory is compared between the second fifth and the last:
what fills in the first is not yet what stays. Exits with 1 where it grew by more than the given share.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.gateway.bodies import chat
from benchmarks.gateway.load import load, requests_of
from benchmarks.gateway.reading import memory_mb, peak_mb
from benchmarks.gateway.servers import PATH, Server, end, kinds, provider

CONNECTIONS = 16
MOST_GROWTH = 0.1
"""More than this share is called growth: less is what allocators do."""


class Soaked(NamedTuple):
    """What came of it: requests, memory in MB by seconds since the start, and the peak."""

    requests: int
    memory: list[tuple[float, float]]
    peak_mb: float

    @property
    def growth(self) -> float:
        """By which share the last fifth's median memory is above the second fifth's."""
        fifth = max(1, len(self.memory) // 5)
        before = statistics.median(mb for _, mb in self.memory[fifth : 2 * fifth] or self.memory[:1])
        after = statistics.median(mb for _, mb in self.memory[-fifth:])
        return after / before - 1


def soak(seconds: float, *, step_s: float = 2.0) -> Soaked:
    """Ask for that long."""
    import uvloop

    turnout = next(kind for kind in kinds(peers_too=False)[0] if kind.name == "turnout")
    process, port = provider()
    server: Server | None = None
    memory: list[tuple[float, float]] = []
    count = number = 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            server = turnout.start(f"http://127.0.0.1:{port}", Path(folder), ())
            began = time.perf_counter()
            while (past := time.perf_counter() - began) < seconds:
                bodies = list(_conversations(number, 3_000))
                number += len(bodies)
                asked = requests_of(PATH, server.headers, bodies)
                done = uvloop.run(
                    load(server.port, asked, connections=CONNECTIONS, seconds=min(step_s, seconds - past))
                )
                count += done.answers
                memory.append((round(time.perf_counter() - began, 1), memory_mb(server.process.pid)))
            peak = peak_mb(server.process.pid)
            server.stop()
            server = None
    finally:
        if server is not None:
            server.stop()
        end(process)
    return Soaked(count, memory, peak)


def _conversations(first: int, count: int) -> Iterator[bytes]:
    """Bodies of which no two are alike: two in twenty are streams, four bring tools."""
    for number in range(first, first + count):
        kind = number % 20
        if kind < 2:
            yield chat(number, stream=True)
        elif kind < 6:
            yield chat(number, tools=8, words=80)
        else:
            yield chat(number)


def main(arguments: list[str]) -> int:
    """Print memory over time.

    Returns:
        1 where it grew, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--growth", type=float, default=MOST_GROWTH, help="The share that is growth. Default: 0.1.")
    given = parser.parse_args(arguments)
    soaked = soak(given.minutes * 60)
    shown = soaked.memory[:: max(1, len(soaked.memory) // 10)]
    print(", ".join(f"{seconds:.0f} s: {mb:.0f} MB" for seconds, mb in shown))
    print(f"{soaked.requests:,} requests, peak {soaked.peak_mb:.0f} MB, growth {soaked.growth:+.1%}")
    return 1 if soaked.growth > given.growth else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
