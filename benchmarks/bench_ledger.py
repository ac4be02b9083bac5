"""The ledger's speed: recording on the caller's path, under load, writing, and the summary of a run of 100,000 events.

Run it with ``python benchmarks/bench_ledger.py``. Each figure is a median over several repetitions. Times of a machine
that does other work at the same time are too high, seldom too low.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from turnout.core.cache import CacheRules
from turnout.core.catalog import Catalog, Model
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Candidate, Policy
from turnout.core.price import Price, PriceTier
from turnout.core.request import Needs, Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.trace.events import CallEvent, DecisionEvent, Event, new_id
from turnout.trace.store.decisions import MOST_IN_A_PACK
from turnout.trace.store.encode import decision_json
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.pack import packed_pair, packed_pairs
from turnout.trace.store.recorder import Recorder
from turnout.trace.views.compare import compare
from turnout.trace.views.metrics import run_metrics

EVENTS = 100_000
BATCH = 1_000
REPEATS = 3
THREADS = 4
LOAD_S = 3.0
RATES = (1_000, 10_000)


def main() -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as directory:
        print(f"{'record() on the caller path':44}{record_us(Path(directory)):12.2f} us")
        _bench_load(Path(directory))
        _bench_packs()
        _bench_writes(Path(directory))


def record_us(directory: Path, count: int = 20_000) -> float:
    """Median microseconds of one `Recorder.record`, while its thread writes; the event is made before."""
    events = [_call(turn) for turn in range(count)]
    medians = []
    with Ledger(directory / "record.db") as ledger, Recorder(ledger) as recorder:
        for _ in range(REPEATS):
            taken = []
            for start in range(0, count, 100):
                began = time.perf_counter()
                for event in events[start : start + 100]:
                    recorder.record(event)
                taken.append((time.perf_counter() - began) / 100)
            medians.append(statistics.median(taken) * 1e6)
            recorder.flush()
        if recorder.dropped:
            raise RuntimeError(f"{recorder.dropped} events were dropped")
    return statistics.median(medians)


def _bench_load(directory: Path) -> None:
    """Threads that record at a steady rate, and as fast as they can: what is dropped, and how many events wait."""
    for rate in (*RATES, None):
        name = f"{rate:,} events/s from {THREADS} threads" if rate else f"no pause between events, {THREADS} threads"
        with Ledger(directory / f"load {rate}.db") as ledger, Recorder(ledger) as recorder:
            recorded, most = _load(recorder, rate)
            recorder.flush()
            kept = ledger.select("SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM decisions)")[0][0]
            dropped = recorder.dropped
        if kept + dropped != recorded:
            raise RuntimeError(f"{recorded} events were recorded, {kept} kept and {dropped} dropped")
        print(f"{name:44}{dropped:12,} dropped of {recorded:,}, {most:,} waiting at most")


def _load(recorder: Recorder, rate: int | None) -> tuple[int, int]:
    """Record for some seconds; how many events, and how many waited at the most."""
    until = time.perf_counter() + LOAD_S
    counts: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        made: list[Event] = [_decision(0), _call(0), _call(0)]
        number, began = 0, time.perf_counter()
        while (now := time.perf_counter()) < until:
            due = (now - began) * rate / THREADS if rate else number + 1
            while number < due:
                recorder.record(msgspec.structs.replace(made[number % 3], event_id=new_id()))
                number += 1
            most = max(most, recorder.waiting)
            if rate:
                time.sleep(0.002)
        counts.append(number)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), most


def _bench_packs() -> None:
    """What a decision's JSON takes in the ledger, by itself and with those that are written together."""
    pairs = [decision_json(_decision(turn), "policy", "catalog") for turn in range(10 * MOST_IN_A_PACK)]
    groups = [pairs[start : start + MOST_IN_A_PACK] for start in range(0, len(pairs), MOST_IN_A_PACK)]
    size = sum(len(one) + len(other) for one, other in pairs) / len(pairs)
    print(f"{'JSON of a decision':44}{size:12,.0f} bytes")
    ways: dict[str, Callable[[], list[bytes]]] = {
        "packed by itself": lambda: [packed_pair(*pair) for pair in pairs],
        f"packed with {MOST_IN_A_PACK - 1} others": lambda: [packed_pairs(group) for group in groups],
    }
    for name, pack in ways.items():
        size = sum(map(len, pack())) / len(pairs)
        print(f"{f'  {name}':44}{size:12,.0f} bytes, {_median_s(pack) / len(pairs) * 1e6:.1f} us")


def _bench_writes(directory: Path) -> None:
    # Two calls and one decision a turn, as an agent with a tool makes them.
    decided = [_decision(turn) for turn in range(300)]
    events: list[Event] = []
    for turn in range(EVENTS // 3):
        decision = msgspec.structs.replace(decided[turn % 300], event_id=new_id(), turn_id=f"turn {turn}")
        events += [decision, _call(turn), _call(turn)]
    with Ledger(directory / "writes.db") as ledger:
        for name, kept in (
            ("calls", [event for event in events if isinstance(event, CallEvent)]),
            ("decisions", [event for event in events if isinstance(event, DecisionEvent)]),
        ):
            rates = []
            for start in range(0, len(kept), BATCH):
                batch = kept[start : start + BATCH]
                began = time.perf_counter()
                ledger.append(batch)
                rates.append(len(batch) / (time.perf_counter() - began))
            print(f"{f'{name} written, batches of {BATCH:,}':44}{statistics.median(rates):12,.0f} /s")
        metrics_s = _median_s(lambda: run_metrics(ledger, "bench"))
        print(f"{f'run_metrics() on {len(events):,} events':44}{metrics_s:12.3f} s")
        metrics = run_metrics(ledger, "bench")
        print(
            f"{f'compare() of {len(metrics.turns):,} turns':44}{_median_s(lambda: compare(metrics, metrics)):12.3f} s"
        )
        print(f"{'runs()':44}{_median_s(ledger.runs):12.3f} s")
        sample = ledger.select("SELECT event_id FROM decisions LIMIT 1")[0][0]
        print(f"{'decision() by id':44}{_median_s(lambda: ledger.decision(sample)) * 1e6:12.0f} us")
        path = ledger.path
    print(f"{f'file of {len(events):,} events':44}{path.stat().st_size / 1e6:12.1f} MB")


def _median_s(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _model(name: str, rank: int) -> Model:
    tier = PriceTier(
        input=Decimal(rank),
        output=Decimal(5 * rank),
        cache_read=Decimal(rank) / 10,
        cache_write_5m=Decimal(rank) * 5 / 4,
    )
    return Model(
        id=f"bedrock/global.{name}",
        provider="bedrock",
        model_id=f"global.{name}",
        name=name,
        price=Price((tier,)),
        context_window=200_000,
        cache=CacheRules(floor_tokens=1024),
    )


_MODELS = [_model("small", 1), _model("large", 3)]
_CATALOG = Catalog.of(_MODELS)
_POLICY = Policy(candidates=tuple(Candidate(model.id, rank) for rank, model in enumerate(_MODELS)), markers="fill")
_PARTS: tuple[tuple[Literal["tools", "system", "message"], int], ...] = (
    ("tools", 900),
    ("system", 1900),
    ("message", 40),
    ("message", 300),
    ("message", 50),
)
_SEGMENTS = tuple(Segment(kind=kind, tokens=tokens, prefix_hash=f"{tokens:064x}") for kind, tokens in _PARTS)


def _call(turn: int) -> CallEvent:
    usage = Usage(input_tokens=300 + turn % 100, cache_read_tokens=2800, output_tokens=200 + turn % 50)
    return CallEvent(
        event_id=new_id(),
        run="bench",
        session_id=f"{turn // 5:064x}",
        turn_id=f"turn {turn}",
        query_id=f"query {turn}",
        model=_MODELS[turn % 2].id,
        started_ms=1_790_000_000_000 + turn,
        latency_ms=1234.5,
        first_content_ms=432.1,
        usage=usage,
        usage_source="reported",
        cost=cost_of(usage, _MODELS[turn % 2].price),
        finish_reason="end_turn",
        streamed=True,
    )


def _decision(turn: int) -> DecisionEvent:
    given = DecisionInput(
        request=Request(session_id=f"{turn // 5:064x}", segments=_SEGMENTS, needs=Needs(tools=True)),
        policy=_POLICY,
        catalog=_CATALOG,
        now_ms=1_790_000_000_000 + turn,
        verdict=Verdict(classifier="embedding", label="simple", p_simple=(turn % 100) / 100, latency_ms=3.2),
    )
    return DecisionEvent(
        event_id=new_id(),
        run="bench",
        session_id=given.request.session_id,
        turn_id=f"turn {turn}",
        query_id=f"query {turn}",
        started_ms=given.now_ms,
        latency_ms=0.05,
        classifier_ms=3.2,
        given=given,
        decision=decide(given),
    )


if __name__ == "__main__":
    main()
