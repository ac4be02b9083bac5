"""A ledger of a million events: how fast it is written, how long the questions take, its size, and the memory used.

Run it with ``python -m benchmarks.bench_million_events [--events N] [--runs N]``. A turn is three events: a decision
and two calls. The runs answer the same queries, so that any two compare turn by turn. Events are made and written in
batches; writing, asking, making the decisions again and pruning are processes of their own, so that each peak of
memory is that of its work. Each figure is a median over `REPEATS` (writing: over batches; all decisions are made again
once). Times of a machine that does other work at the same time are too high. With a million events it takes a few
minutes and writes about half a gigabyte.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.bench_ledger import _call, _decision
from turnout.evaluate.replay.verify import verify
from turnout.trace.events import DecisionEvent, Event, new_id
from turnout.trace.store.export import write_jsonl
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.lookup import deciding
from turnout.trace.store.prune import prune
from turnout.trace.store.selection import Filter, newest
from turnout.trace.views.compare import compare
from turnout.trace.views.metrics import run_metrics

EVENTS = 1_000_000
RUNS = 10
BATCH = 3_000
REPEATS = 3
EVENTS_A_TURN = 3

Figures = list[tuple[str, str]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="how many events (default: a million)")
    parser.add_argument("--runs", type=int, default=RUNS, help="over how many runs, two or more")
    wanted = parser.parse_args()
    turns = wanted.events // EVENTS_A_TURN // max(wanted.runs, 1)
    if wanted.runs < 2 or turns < 1:
        parser.error(f"at least two runs of {EVENTS_A_TURN} events each are needed")
    print(f"{turns * EVENTS_A_TURN * wanted.runs:,} events, {wanted.runs} runs of {turns:,} turns", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "million.db"
        for work in (write, ask, decide_again, clean_up):
            began = time.perf_counter()
            figures = _in_its_own_process(work, path, turns, wanted.runs)
            for what, figure in [*figures, ("  all that together", f"{time.perf_counter() - began:,.1f} s")]:
                print(f"{what:52}{figure:>16}", flush=True)


def write(path: Path, turns: int, runs: int) -> Figures:
    """Write all events in batches."""
    rates: dict[str, list[float]] = {"decisions": [], "calls": []}
    with Ledger(path) as ledger:
        for batch in _batches(turns, runs):
            decided = [event for event in batch if isinstance(event, DecisionEvent)]
            called = [event for event in batch if not isinstance(event, DecisionEvent)]
            for kind, events in (("decisions", decided), ("calls", called)):
                began = time.perf_counter()
                ledger.append(events)
                rates[kind].append(len(events) / (time.perf_counter() - began))
    size = path.stat().st_size
    return [
        *((f"{kind} written, a second", f"{statistics.median(found):,.0f}") for kind, found in rates.items()),
        ("file", f"{size / 1e6:,.0f} MB"),
        ("file, bytes an event", f"{size / (turns * runs * EVENTS_A_TURN):,.0f}"),
        ("peak memory while writing", _peak()),
    ]


def ask(path: Path, turns: int, runs: int) -> Figures:
    """Ask what people ask."""
    with Ledger(path, read_only=True) as ledger:
        before, after = run_metrics(ledger, "run 0"), run_metrics(ledger, "run 1")
        last = newest(ledger, Filter(), 1)[0].event_id
        events = turns * EVENTS_A_TURN
        figures = [
            ("runs()", _median(ledger.runs)),
            (f"run_metrics(), a run of {events:,} events", _median(lambda: run_metrics(ledger, "run 0"))),
            (f"compare(), two runs of {turns:,} turns", _median(lambda: compare(before, after))),
            ("the newest 50 events", _median(lambda: newest(ledger, Filter(), 50))),
            ("the newest 50 of the first run", _median(lambda: newest(ledger, Filter(run="run 0"), 50))),
            ("a decision and its turn, by the beginning of an id", _median(lambda: deciding(ledger, last[:-2]))),
            (f"export of a run of {events:,} events as JSON lines", _median(lambda: _export(ledger, path))),
        ]
    return [*figures, ("peak memory while asking", _peak())]


def decide_again(path: Path, turns: int, runs: int) -> Figures:
    """Make every decision again, as ``turnout replay --verify`` does.

    Raises:
        RuntimeError: One came out otherwise.
    """
    with Ledger(path, read_only=True) as ledger:
        began = time.perf_counter()
        verified = verify(ledger, Filter())
        took = time.perf_counter() - began
    if verified.different or verified.decisions != turns * runs:
        raise RuntimeError(f"{verified.different} of {verified.decisions} decisions differ, of {turns * runs} written")
    return [
        (f"verify(), {verified.decisions:,} decisions made again", f"{took:,.1f} s"),
        ("  decisions made again, a second", f"{verified.decisions / took:,.0f}"),
        ("peak memory while making them again", _peak()),
    ]


def clean_up(path: Path, turns: int, runs: int) -> Figures:
    """Say what half of the events would be pruned, and prune them."""
    half = _STARTED_MS + turns * runs // 2
    planned = _median(lambda: prune(path, half, dry_run=True))
    began = time.perf_counter()
    done = prune(path, half)
    took = time.perf_counter() - began
    return [
        ("prune --dry-run", planned),
        (f"prune of {done.events:,} events", f"{took:,.2f} s"),
        ("peak memory while pruning", _peak()),
    ]


_STARTED_MS = 1_790_000_000_000


def _batches(turns: int, runs: int) -> Iterator[list[Event]]:
    """The events of all runs, in the order of time."""
    decided = [_decision(turn) for turn in range(300)]
    batch: list[Event] = []
    for number in range(turns * runs):
        run, turn = divmod(number, turns)
        same: dict[str, Any] = {"run": f"run {run}", "turn_id": new_id(), "query_id": f"query {turn}"}
        started_ms = _STARTED_MS + number
        decision = decided[(turn * (run + 1)) % len(decided)]
        given = msgspec.structs.replace(decision.given, now_ms=started_ms)
        own = msgspec.structs.replace(decision, event_id=new_id(), started_ms=started_ms, given=given, **same)
        calls = (_call(turn + run), _call(turn + run))
        batch += [own, *(msgspec.structs.replace(call, started_ms=started_ms, **same) for call in calls)]
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def _export(ledger: Ledger, path: Path) -> None:
    with path.with_suffix(".jsonl").open("wb") as out:
        write_jsonl(ledger, Filter(run="run 0"), out, lambda events: None)


def _median(work: Callable[[], object]) -> str:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    middle = statistics.median(taken)
    return f"{middle:,.2f} s" if middle >= 1 else f"{middle * 1000:,.2f} ms"


def _peak() -> str:
    """The largest resident size of this process so far: kilobytes on Linux, bytes on macOS."""
    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6:,.0f} MB"


def _in_its_own_process(work: Callable[[Path, int, int], Figures], *arguments: Any) -> Figures:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


if __name__ == "__main__":
    main()
