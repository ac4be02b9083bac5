from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.evaluate.plan.world import CHEAP, World
from tests.trace.decided import NOW_MS, called, decided, given
from turnout.evaluate.plan.errors import PlanError
from turnout.evaluate.plan.recorded import DAY_MS, Recorded, recorded, window_of
from turnout.trace.events import Event
from turnout.trace.store import selection
from turnout.trace.store.ledger import Ledger


def read(path: Path, days: int = 30, run: str | None = None) -> list[Recorded]:
    with Ledger(path, create=False) as ledger:
        return [one for batch in recorded(ledger, window_of(ledger, days, run)) for one in batch]


def at(ms: int, number: int, **changes: Any) -> list[Event]:
    """A decision and its call, so long after the beginning."""
    names: dict[str, Any] = {"turn_id": f"turn {number}", "session_id": f"s {number}", **changes}
    decision = decided(given(now_ms=NOW_MS + ms), **names)
    return [decision, called(started_ms=NOW_MS + ms + 1, **names)]


def test_every_call_belongs_to_one_decision(tmp_path: Path) -> None:
    path = World(sessions=20, trouble=0.3, asks=CHEAP).write(tmp_path / "ledger.db")
    found = read(path)
    with Ledger(path) as ledger:
        calls, decisions = ledger.calls(), ledger.decisions()
    assert sorted(call.event_id for one in found for call in (*one.answers, *one.classifier)) == sorted(
        call.event_id for call in calls
    )
    assert [one.event for one in found] == decisions
    for one in found:
        assert all(call.model == one.event.decision.model for call in one.answers)
        assert all(call.role == "classifier" for call in one.classifier)
        assert not one.classifier or one.event.given.verdict is not None


def test_what_was_written_late_comes_in_its_place(tmp_path: Path) -> None:
    numbers = [3, 1, 2, 0, 4]
    with Ledger(tmp_path / "ledger.db") as ledger:
        for number in numbers:
            ledger.append(at(number * 1_000, number))
    assert [one.event.turn_id for one in read(tmp_path / "ledger.db")] == [f"turn {n}" for n in range(5)]


def test_many_batches_keep_every_decision_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "BATCH", 7)
    path = World(sessions=15, trouble=0.2, asks=CHEAP).write(tmp_path / "ledger.db")
    found = read(path)
    with Ledger(path) as ledger:
        assert [one.event.event_id for one in found] == [event.event_id for event in ledger.decisions()]
        assert sum(len(one.answers) + len(one.classifier) for one in found) == len(ledger.calls())


def test_the_window_counts_whole_days_back_from_the_newest_decision(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        for day, number in ((0, 0), (1, 1), (4, 2)):
            ledger.append(at(day * DAY_MS + 1_000, number))
        last = window_of(ledger, 1)
        assert (last.decisions, last.first_day, last.last_day, last.days) == (1, "2026-11-27", "2026-11-27", 1)
        assert window_of(ledger, 4).decisions == 2
        whole = window_of(ledger, 5)
        assert (whole.decisions, whole.first_day, whole.days) == (3, "2026-11-23", 5)
    assert len(read(tmp_path / "ledger.db", 4)) == 2


def test_only_the_run_that_is_named(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append([*at(0, 0, run="a"), *at(1, 0, run="b"), *at(2, 1, run="b")])
    assert [one.event.run for one in read(tmp_path / "ledger.db", run="b")] == ["b", "b"]
    # Turns of the same id in different runs keep their own calls.
    for one in read(tmp_path / "ledger.db"):
        assert [call.run for call in one.answers] == [one.event.run]


def test_the_most_frequent_policy_comes_first(tmp_path: Path) -> None:
    other = msgspec.structs.replace(given().policy, simple_bar=0.6)
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append([decided(given(policy=other), turn_id="o"), *at(1, 1), *at(2, 2)])
        assert [one.simple_bar for one in window_of(ledger, 1).policies] == [0.5, 0.6]


def test_a_ledger_without_decisions_says_so(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append([called()])
        with pytest.raises(PlanError, match=r"there is nothing to replay: the ledger .* holds no decision;"):
            window_of(ledger, 7)
        ledger.append([decided()])
        with pytest.raises(PlanError, match="holds no decision in the run 'other'"):
            window_of(ledger, 7, "other")
