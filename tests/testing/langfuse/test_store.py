from __future__ import annotations

from datetime import UTC, datetime

from turnout.testing.clock import ManualClock
from turnout.testing.langfuse.store import LATE_S, Store, StoredScore, StoredSpan, iso

START = datetime(2026, 11, 22, 10, 0, 0, 123_456, tzinfo=UTC)


def span(span_id: str, name: str = "step") -> StoredSpan:
    return StoredSpan(id=span_id, trace_id="t", parent_id="", name=name, type="SPAN", started=START, ended=None)


def ids(store: Store) -> list[str]:
    return [found.id for found in store.read()]


def test_what_was_added_can_be_read_at_once() -> None:
    store = Store(ManualClock())
    store.add([span("a"), span("b")], late=False)
    assert ids(store) == ["a", "b"]


def test_a_delay_by_the_clock() -> None:
    clock = ManualClock()
    store = Store(clock)
    store.delay_s = 5.0
    store.add([span("a")], late=False)
    assert ids(store) == []
    clock.advance(4.9)
    assert ids(store) == []
    clock.advance(0.1)
    assert ids(store) == ["a"]


def test_a_delay_by_reads() -> None:
    store = Store(ManualClock())
    store.delay_reads = 2
    store.add([span("a")], late=False)
    store.delay_reads = 0
    store.add([span("b")], late=False)
    assert [ids(store) for _ in range(4)] == [["b"], ["b"], ["a", "b"], ["a", "b"]]


def test_spans_without_the_header_come_ten_minutes_later() -> None:
    clock = ManualClock()
    store = Store(clock)
    store.add([span("a")], late=True)
    clock.advance(LATE_S - 1)
    assert ids(store) == []
    clock.advance(1)
    assert ids(store) == ["a"]


def test_what_is_sent_again_replaces() -> None:
    store = Store(ManualClock())
    store.add([span("a", "old")], late=False)
    store.add([span("a", "new")], late=False)
    store.add_score(StoredScore(id="s", body={"value": 0}))
    store.add_score(StoredScore(id="s", body={"value": 1}))
    assert [found.name for found in store.read()] == ["new"]
    assert [score.body for score in store.scores] == [{"value": 1}]
    assert [found.name for found in store.spans] == ["new"]


def test_clear_forgets_delays_too() -> None:
    store = Store(ManualClock())
    store.delay_s, store.delay_reads = 5.0, 2
    store.add([span("a")], late=False)
    store.clear()
    store.add([span("b")], late=False)
    assert ids(store) == ["b"]


def test_times_are_written_with_milliseconds() -> None:
    assert iso(START) == "2026-11-22T10:00:00.123Z"
