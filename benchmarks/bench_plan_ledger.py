"""A plan over a million recorded events: how many decisions a second are played on both sides, and the memory used.

Run it with ``python -m benchmarks.bench_plan_ledger [--events N]``. Some thousand turns are routed by a real router,
and repeated under other names, a few minutes apart, until there are as many events as wanted: a decision and a call
each. Writing and planning are processes of their own, so that each peak of memory is that of its work. Three plans are
made: nothing changes, a bar changes, and another pair of models serves. Times of a machine that does other work at the
same time are too high. With a million events it takes about ten minutes and writes about half a gigabyte.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from turnout.config.catalog import load_catalog
from turnout.config.pairs import PAIR_4, PAIR_5_5, Pair
from turnout.config.policy_lock import LockedClassifier, lock_of
from turnout.core.cache import CacheState
from turnout.core.decision import DecisionInput
from turnout.core.policy import Policy
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.evaluate.plan.planning import make_plan
from turnout.evaluate.plan.sides import Side
from turnout.evaluate.replay.provider import SimulatedCache
from turnout.messages.conversation import Conversation
from turnout.router import Router
from turnout.trace.events import DecisionEvent, Event, new_id
from turnout.trace.records import ListRecorder
from turnout.trace.store.ledger import Ledger

EVENTS = 1_000_000
TURNS = 5_000
NOW_MS = 1_795_392_000_000
"""2026-11-23 00:00 UTC."""

CATALOG = load_catalog()
CONVERSATION = Conversation(messages=[{"role": "user", "content": [{"text": "Hello"}]}])


class _Told:
    """A classifier that says what it is told."""

    name = "told"
    p = 0.5

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        return Verdict(classifier="told", label="simple" if self.p >= 0.5 else "complex", p_simple=self.p)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="how many events (default: a million)")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "plan.db"
        for name in ("write", "same", "bar", "models"):
            began = time.perf_counter()
            decisions, peak_mb = _alone(name, path, wanted.events)
            took = time.perf_counter() - began
            what = f"{name}: {decisions:,} decisions"
            print(f"{what:32}{took:10,.1f} s{decisions / took:12,.0f} a second{peak_mb:10,.0f} MB", flush=True)
        print(f"ledger: {path.stat().st_size / 1e6:,.0f} MB")


def work(name: str, path: Path, events: int) -> tuple[int, float]:
    """One piece of work: how many decisions, and the peak of memory in MB."""
    count = _write(path, events) if name == "write" else _plan(name, path)
    return count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _alone(name: str, path: Path, events: int) -> tuple[int, float]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, name, path, events).result()


def _plan(name: str, path: Path) -> int:
    policy = _policy(PAIR_4)
    other = {
        "same": policy,
        "bar": msgspec.structs.replace(policy, simple_bar=0.75),
        "models": _policy(PAIR_5_5),
    }[name]
    keyword = LockedClassifier(kind="keyword")
    sides = [Side(name=name, lock=lock_of(one, None, CATALOG, keyword)) for one in (policy, other)]
    with Ledger(path, create=False, read_only=True) as ledger:
        plan = make_plan(ledger, sides[0], sides[1], days=36_500)
    assert plan.old.tally.spend.pico == plan.recorded_pico, "what is recorded comes out to the last digit"
    return plan.old.tally.decisions


def _write(path: Path, events: int) -> int:
    recorded = asyncio.run(_routed())
    span_ms = max(event.started_ms for event in recorded) - NOW_MS + 3_600_000
    written = 0
    with Ledger(path) as ledger:
        number = 0
        while written < events:
            batch = list(_again(recorded[: events - written], number, span_ms))
            ledger.append(batch)
            written += len(batch)
            number += 1
    return written // 2


def _again(recorded: list[Event], number: int, span_ms: int) -> Iterator[Event]:
    later = number * span_ms
    for event in recorded:
        names = {name: f"{number}-{getattr(event, name)}" for name in ("session_id", "turn_id")}
        changes: dict[str, Any] = {**names, "event_id": new_id(), "started_ms": event.started_ms + later}
        if isinstance(event, DecisionEvent):
            changes["given"] = _moved(event.given, later)
        yield msgspec.structs.replace(event, **changes)


def _moved(given: DecisionInput, later_ms: int) -> DecisionInput:
    """The same input so much later."""
    caches = {
        model: CacheState(
            tuple([msgspec.structs.replace(one, expires_ms=one.expires_ms + later_ms) for one in state.entries])
        )
        for model, state in given.caches.items()
    }
    return msgspec.structs.replace(given, now_ms=given.now_ms + later_ms, caches=caches)


def _policy(pair: Pair) -> Policy:
    return Policy(candidates=pair.candidates, markers="fill", adapt=True)


async def _routed() -> list[Event]:
    """Sessions of up to six turns, many at a time, that share a head; answers are billed by a simulated cache."""
    chance, records, told = random.Random(0), ListRecorder(), _Told()
    now = [NOW_MS / 1000]
    policy = _policy(PAIR_4)
    router = Router(policy, CATALOG, classifier=told, records=records, clock=lambda: now[0])
    caches = {one.model: SimulatedCache(CATALOG[one.model].cache, grain="entries") for one in policy.candidates}
    lengths = [0] * 200
    for turn_number in range(TURNS):
        now[0] += chance.random() * 4
        place = chance.randrange(len(lengths))
        session = f"s{place}-{lengths[place] // 8_000}"
        lengths[place] += chance.randint(50, 1_500)
        segments = (
            Segment(kind="system", tokens=3_000, prefix_hash="head"),
            Segment(kind="message", tokens=lengths[place] % 8_000, prefix_hash=f"{session}/{turn_number}"),
        )
        request = Request(session_id=session, segments=segments, max_output_tokens=2_000)
        told.p = chance.random()
        routed = await router.route(CONVERSATION, request, router.begin_turn(session))
        opened = router.begin_call(routed)
        plan = [(marker.segment, marker.ttl) for marker in routed.decision.cache_plan.markers]
        hashes, ends = [one.prefix_hash for one in segments], [3_000, request.tokens]
        output = chance.randint(20, 800)
        usage: Usage = caches[routed.model.id].call(hashes, ends, plan, output, int(now[0] * 1000))
        opened.usage(usage)
        opened.finish_reason("end_turn")
        opened.end()
    return records.events


if __name__ == "__main__":
    main()
