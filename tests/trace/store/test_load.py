"""The recorders under load: doors that record far more than they ever will, and a ledger that cannot follow.

A door of one process serves tens of requests a second. Here four threads, each with its own loop and its own door,
serve some hundreds together, paced as doors are: one request a task at a time, with a pause that makes up no lost time.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.trace.otel import span_id
from tests.trace.samples import CAPABLE, CHEAP, POLICY, call, decision
from turnout.core.catalog import Catalog
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Verdict
from turnout.messages.conversation import Conversation, conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import Router
from turnout.trace.errors import LedgerError
from turnout.trace.events import Event, Records, new_id
from turnout.trace.fanout import Fanout
from turnout.trace.records import ListRecorder
from turnout.trace.spans.recorder import SpanRecorder
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder

pytestmark = pytest.mark.once

DOORS = 4
TASKS = 10
REQUESTS = 25
"""Of each task."""

PAUSE_S = 0.1
CAPACITY = 2_048
"""Of both recorders: less than what is recorded, so that nothing is dropped only if they keep up."""

JOIN_S = 60.0


class Alternating:
    """A classifier that asks a model which answers at once, and says simple every other time."""

    name = "alternating"

    def __init__(self) -> None:
        self._asked = 0

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        self._asked += 1
        simple = self._asked % 2 == 0
        asked = ClassifierCall(
            model=CHEAP.id, usage=Usage(input_tokens=400, output_tokens=3), latency_ms=1.0, usage_source="reported"
        )
        return Verdict(
            classifier=self.name,
            label="simple" if simple else "complex",
            p_simple=0.9 if simple else 0.1,
            calls=(asked,),
        )


async def _serve(router: Router, name: str) -> None:
    """One client's requests, one after the other; every tenth fails over."""
    conversation, hasher = conversation_of(f"What are the store hours of shop {name}?"), PrefixHasher(b"load")
    request = request_of(conversation, hasher, session_id=name)
    for number in range(REQUESTS):
        routed = await router.route(conversation, request, router.begin_turn(name))
        answer = router.begin_call(routed)
        if number % 10 == 0 and routed.model.id == CHEAP.id:
            answer.end("error", error="ThrottlingException")
            answer = router.begin_call(router.failover(routed, "ThrottlingException"))
        answer.content()
        answer.usage(Usage(input_tokens=100 + number, output_tokens=20))
        answer.finish_reason("end_turn")
        answer.end()
        await asyncio.sleep(PAUSE_S)


async def _clients(door: int, records: Records) -> None:
    router = Router(POLICY, Catalog.of([CHEAP, CAPABLE]), classifier=Alternating(), records=records, run="load")
    await asyncio.gather(*(_serve(router, f"{door}-{task}") for task in range(TASKS)))


def _in_threads(work: Callable[[int], None]) -> None:
    """Run the work of all doors; a door that is blocked or that fails fails the test."""
    errors: list[BaseException] = []

    def run(door: int) -> None:
        try:
            work(door)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(door,), daemon=True) for door in range(DOORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_S)
    assert [thread.is_alive() for thread in threads] == [False] * DOORS
    assert errors == []


class Waiting:
    """Notes how many events wait, each time that one is recorded."""

    def __init__(self, recorder: Recorder) -> None:
        self.most = 0
        self._recorder = recorder

    def record(self, event: Event) -> None:
        self.most = max(self.most, self._recorder.waiting)


def _by_id(events: list[Event]) -> dict[str, Event]:
    found = {event.event_id: event for event in events}
    assert len(found) == len(events)
    return found


def test_under_load_both_recorders_drop_nothing_and_the_ledger_has_each_event_once(tmp_path: Path) -> None:
    listed, memory = ListRecorder(), InMemorySpanExporter()
    with (
        Ledger(tmp_path / "ledger.db") as ledger,
        Recorder(ledger, capacity=CAPACITY) as recorder,
        SpanRecorder([SimpleSpanProcessor(memory)], capacity=CAPACITY) as spans,
    ):
        waiting = Waiting(recorder)
        records = Fanout(listed, recorder, waiting, spans)
        _in_threads(lambda door: asyncio.run(_clients(door, records)))
        recorder.flush()
        assert spans.flush()
        assert (recorder.dropped, recorder.rejected, spans.dropped) == (0, 0, 0)
        assert (recorder.waiting, spans.waiting) == (0, 0)
        kept: list[Event] = [*ledger.calls(run="load"), *ledger.decisions(run="load")]
        [run] = ledger.runs()
    requests = DOORS * TASKS * REQUESTS
    calls, decisions = listed.calls, listed.decisions
    # Of each request a decision, a classifier's call and an answer; some more where one failed over.
    assert len(decisions) > requests
    assert len(calls) > 2 * requests
    assert len(listed.events) > 1.5 * CAPACITY
    assert (run.calls, run.decisions) == (len(calls), len(decisions))
    assert _by_id(kept) == _by_id(listed.events)
    # Memory is bounded by the queue; threads that record at the same time may exceed it by one each.
    assert 0 < waiting.most <= CAPACITY + DOORS
    # One span a call, and one a request however often it was decided.
    built = [span_id(span) for span in memory.get_finished_spans()]
    assert len(built) == len(calls) + requests
    assert set(built) == {event.span_id for event in listed.events}


@contextmanager
def _locked(ledger: Ledger) -> Iterator[None]:
    """Somebody else has the file to himself for as long as the block runs."""
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def _full_disk(ledger: Ledger) -> Iterator[None]:
    """The file cannot grow for as long as the block runs."""
    [[pages]] = ledger.select("PRAGMA page_count")
    ledger.select(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        ledger.select(f"PRAGMA max_page_count = {2**30}")


OVERLOAD = 2_000
"""Events that each door records while nothing can be written."""

SMALL = 1_500


def _record_much(records: Records) -> None:
    """Each door records decisions and calls as fast as it can."""
    made: list[Event] = [decision(run="overload"), call(run="overload")]

    def work(door: int) -> None:
        for number in range(OVERLOAD):
            records.record(msgspec.structs.replace(made[number % 2], event_id=new_id()))

    _in_threads(work)


@pytest.mark.parametrize(
    ("unwritable", "reason"), [(_locked, "locked by another process"), (_full_disk, "cannot grow")]
)
def test_a_ledger_that_cannot_be_written_drops_and_counts_and_blocks_nobody(
    tmp_path: Path,
    unwritable: Callable[[Ledger], AbstractContextManager[None]],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    listed, memory = ListRecorder(), InMemorySpanExporter()
    with (
        Ledger(tmp_path / "ledger.db", busy_timeout_s=0.05) as ledger,
        Recorder(ledger, interval_s=0.01, capacity=SMALL) as recorder,
        SpanRecorder([SimpleSpanProcessor(memory)]) as spans,
        caplog.at_level(logging.WARNING),
    ):
        waiting = Waiting(recorder)
        recorder.record(call(run="before"))
        recorder.flush()
        counts = [recorder.dropped]
        with unwritable(ledger):
            for _ in range(2):
                # Comes back while nothing can be written: recording waits for nobody.
                _record_much(Fanout(listed, recorder, waiting, spans))
                counts.append(recorder.dropped)
            with pytest.raises(LedgerError, match=reason):
                recorder.flush()
            assert ledger.calls(run="overload") == []
        # The counter rises as long as it lasts; the log says once that events wait, and once that they are dropped.
        assert counts[0] == 0 < counts[1] < counts[2]
        assert caplog.text.count("events wait to be written") == 1
        assert caplog.text.count("events are dropped") == 1
        assert SMALL <= waiting.most <= SMALL + DOORS
        recorder.flush()
        kept: list[Event] = [*ledger.calls(run="overload"), *ledger.decisions(run="overload")]
        # What was not dropped is there, once, and as it was recorded.
        assert len(kept) == len(listed.events) - recorder.dropped
        everything = _by_id(listed.events)
        assert all(everything[event.event_id] == event for event in kept)
        assert len({event.event_id for event in kept}) == len(kept)
        assert ledger.select("PRAGMA integrity_check") == [("ok",)]
        assert "can be written again" in caplog.text
        # Spans do not suffer for the ledger.
        assert spans.dropped == 0
