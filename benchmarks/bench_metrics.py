"""What counting for Prometheus costs: on the caller's path, and for an answer to a scrape.

Run it with ``python benchmarks/bench_metrics.py``. Each figure is a median over several repetitions, on one thread. The
same counters kept by ``prometheus_client`` itself stand beside ours: one child of its own for each sum that an event
changes, looked up beforehand.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram

from turnout.config import DEFAULT_PAIR, load_catalog
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Policy
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.trace.events import CallEvent, DecisionEvent, Event, Records, new_id
from turnout.trace.prometheus import MetricsRecorder
from turnout.trace.prometheus.histogram import CALL_SECONDS, CONTENT_SECONDS
from turnout.trace.records import NullRecorder

EVENTS = 20_000
REPEATS = 7
SUMS = 10
"""How many counters the event of a call changes, its two histograms apart."""


def main() -> None:
    """Print all figures."""
    calls, decisions = _events()
    nothing = NullRecorder()
    base = _recording_us(nothing, calls)
    print("on the caller's path, an event (an empty recorder taken off)")
    for what, events in (("a call", calls), ("a decision", decisions)):
        _line(f"count {what}", _recording_us(MetricsRecorder(DEFAULT_PAIR), events) - base, "us")
    _line("the same call by prometheus_client's counters", _client_us(), "us")
    print("an answer to a scrape")
    metrics = _filled()
    _line(f"{len(metrics.render().splitlines())} lines", _us(metrics.render, 1) / 1000, "ms")


def _events() -> tuple[list[Event], list[Event]]:
    catalog = load_catalog()
    usage = Usage(input_tokens=300, cache_read_tokens=6_000, output_tokens=250)
    call = CallEvent(
        event_id=new_id(),
        run="bench",
        session_id="s",
        turn_id=new_id(),
        model=DEFAULT_PAIR.cheap,
        started_ms=1_000,
        latency_ms=1_800.0,
        first_content_ms=450.0,
        usage=usage,
        usage_source="reported",
        cost=cost_of(usage, catalog[DEFAULT_PAIR.cheap].price),
        finish_reason="end_turn",
        streamed=True,
    )
    given = DecisionInput(
        request=Request(session_id="s", segments=(Segment(kind="message", tokens=6_300, prefix_hash="a"),)),
        policy=Policy(candidates=DEFAULT_PAIR.candidates),
        catalog=catalog.only(DEFAULT_PAIR),
        now_ms=1_000,
        verdict=Verdict(classifier="keyword", label="simple", p_simple=0.9),
    )
    decision = DecisionEvent(
        event_id=new_id(),
        run="bench",
        session_id="s",
        turn_id=new_id(),
        started_ms=1_000,
        latency_ms=0.2,
        classifier_ms=0.05,
        given=given,
        decision=decide(given),
    )
    return [call] * EVENTS, [decision] * EVENTS


def _filled() -> MetricsRecorder:
    """Counts of four models with every role and end: more than most servers have."""
    calls, decisions = _events()
    models = [f"bedrock/model-{number}" for number in range(4)]
    metrics = MetricsRecorder(models)
    metrics.record(decisions[0])
    for model in models:
        for role in ("answer", "classifier"):
            for status in ("ok", "error", "cancelled"):
                metrics.record(msgspec.structs.replace(calls[0], model=model, role=role, status=status))
    return metrics


def _client_us() -> float:
    registry = CollectorRegistry()
    counters = [
        Counter(f"c{number}", "A sum.", ["a", "b"], registry=registry).labels("x", "y") for number in range(SUMS)
    ]
    times = [
        Histogram(f"h{index}", "Times.", ["a"], registry=registry, buckets=bounds).labels("x")
        for index, bounds in enumerate((CALL_SECONDS, CONTENT_SECONDS))
    ]

    def count() -> None:
        for _ in range(EVENTS):
            for counter in counters:
                counter.inc(300)
            times[0].observe(1.8)
            times[1].observe(0.45)

    return _us(count, EVENTS)


def _recording_us(records: Records, events: list[Event]) -> float:
    def record() -> None:
        for event in events:
            records.record(event)

    return _us(record, len(events))


def _us(call: Callable[[], object], count: int) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) / count * 1e6)
    return statistics.median(taken)


def _line(what: str, value: float, unit: str) -> None:
    print(f"  {what:50}{value:10.2f} {unit}")


if __name__ == "__main__":
    main()
