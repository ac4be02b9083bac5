from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trace import decided
from tests.trace.decided import CAPABLE, CHEAP, NOW_MS, REQUEST
from turnout.trace.errors import LedgerError
from turnout.trace.events import Event
from turnout.trace.store import selection
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter, age_ms, newest, since

REFUSED = decided.given(request=msgspec.structs.replace(REQUEST, allowed_models=()))
EVENTS: list[Event] = [
    decided.decided(event_id="d0"),
    decided.called(event_id="c0"),
    decided.called(CAPABLE.id, event_id="c1", run="other", started_ms=NOW_MS + 10, status="error", error="Throttled"),
    decided.decided(REFUSED, event_id="d1", started_ms=NOW_MS + 20, turn_id="refused"),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(EVENTS)
        yield ledger


@pytest.mark.parametrize(
    ("chosen", "calls", "decisions"),
    [
        (Filter(), ["c0", "c1"], ["d0", "d1"]),
        (Filter(run="other"), ["c1"], []),
        (Filter(model=CHEAP.id), ["c0"], ["d0"]),
        (Filter(status="ok"), ["c0"], ["d0"]),
        (Filter(status="error"), ["c1"], []),
        (Filter(status="refused"), [], ["d1"]),
        (Filter(since_ms=NOW_MS + 10), ["c1"], ["d1"]),
        (Filter(run="run", status="error"), [], []),
    ],
)
def test_what_is_meant(ledger: Ledger, chosen: Filter, calls: list[str], decisions: list[str]) -> None:
    assert [event.event_id for batch in selection.calls(ledger, chosen) for event in batch] == calls
    assert [event.event_id for batch in selection.decisions(ledger, chosen) for event in batch] == decisions
    assert selection.count(ledger, chosen, "calls") == len(calls)
    assert selection.count(ledger, chosen, "decisions") == len(decisions)
    assert {line.event_id for line in newest(ledger, chosen, 10)} == {*calls, *decisions}


def test_what_is_read_is_what_was_written(ledger: Ledger) -> None:
    read: list[Event] = [event for batch in selection.calls(ledger, Filter()) for event in batch]
    read += [event for batch in selection.decisions(ledger, Filter()) for event in batch]
    assert {event.event_id: event for event in read} == {event.event_id: event for event in EVENTS}


def test_more_than_a_batch_comes_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "BATCH", 3)
    names = [f"c{number:02}" for number in range(10)]
    with Ledger(tmp_path / "many.db") as ledger:
        ledger.append([decided.called(event_id=name) for name in names])
        batches = list(selection.calls(ledger, Filter(run="run")))
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    assert [event.event_id for batch in batches for event in batch] == names


def test_the_newest_stand_last(ledger: Ledger) -> None:
    assert [line.event_id for line in newest(ledger, Filter(), 10)] == ["d0", "c0", "c1", "d1"]
    lines = newest(ledger, Filter(), 2)
    assert [(line.event_id, line.status, line.detail) for line in lines] == [
        ("c1", "error", "Throttled"),
        ("d1", "refused", "no_eligible_candidate"),
    ]
    assert (lines[0].prompt_tokens, lines[0].output_tokens, lines[0].simulated) == (2_020, 100, False)


def test_a_damaged_snapshot_is_named(ledger: Ledger) -> None:
    with ledger._database.write() as connection:
        connection.execute("DELETE FROM snapshots WHERE kind = 'policy'")
    with pytest.raises(LedgerError, match=r"the policy .* is missing"):
        list(selection.decisions(ledger, Filter()))


def test_an_unknown_status_names_the_nearest() -> None:
    with pytest.raises(LedgerError, match="the nearest known one is 'refused'"):
        Filter(status="refuse")


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("90s", 90_000), ("90m", 5_400_000), ("36h", 129_600_000), ("30d", 2_592_000_000), ("2w", 1_209_600_000),
     ("1.5d", 129_600_000), ("0d", 0)],
)  # fmt: skip
def test_ages(text: str, milliseconds: int) -> None:
    assert age_ms(text) == milliseconds
    assert since(text, NOW_MS) == NOW_MS - milliseconds


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-11-23", NOW_MS),
        ("2026-11-23T01:00", NOW_MS + 3_600_000),
        ("2026-11-23T01:00:00+01:00", NOW_MS),
        ("1969-12-31", -86_400_000),
    ],
)
def test_dates_and_times_are_of_utc_where_they_say_nothing(text: str, milliseconds: int) -> None:
    assert since(text, NOW_MS) == milliseconds


@pytest.mark.parametrize("text", ["", "d", "-3d", "3", "3 days", "30y", "yesterday", "2026-13-01", "nan", "1e3d"])
def test_what_is_no_age_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(LedgerError, match="30d"):
        age_ms(text)
    with pytest.raises(LedgerError, match="30d"):
        since(text, NOW_MS)


def test_an_age_has_an_end() -> None:
    with pytest.raises(LedgerError, match="longer than a century"):
        age_ms("99999999w")


@given(st.integers(0, 5_000), st.sampled_from("smhdw"))
def test_a_longer_age_is_longer(number: int, unit: str) -> None:
    assert age_ms(f"{number + 1}{unit}") > age_ms(f"{number}{unit}")
