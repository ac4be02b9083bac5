from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trace import decided
from tests.trace.decided import NOW_MS, POLICY
from turnout.core.cost import Cost
from turnout.trace.errors import LedgerError
from turnout.trace.events import Event
from turnout.trace.store import prune as module
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.prune import prune
from turnout.trace.store.spill import spill

DAY_MS = 86_400_000
OLD_POLICY = msgspec.structs.replace(POLICY, simple_bar=0.25)


def turn(name: str, age_days: float, *, run: str = "run", policy: bool = False) -> list[Event]:
    """A decision and a call that cost 5 pico-USD, both of that age."""
    started_ms = NOW_MS - round(age_days * DAY_MS)
    given = decided.given(policy=OLD_POLICY if policy else POLICY)
    return [
        decided.decided(given, event_id=f"d-{name}", turn_id=name, run=run, started_ms=started_ms),
        decided.called(event_id=f"c-{name}", turn_id=name, run=run, started_ms=started_ms, cost=Cost(input_pico=5)),
    ]


def write(path: Path, events: list[Event]) -> Path:
    with Ledger(path) as ledger:
        ledger.append(events)
    return path


def left(path: Path) -> tuple[set[str], set[str], int]:
    """Ids of the events that are left, names of runs, and how many snapshots."""
    with Ledger(path, read_only=True) as ledger:
        kept: list[Event] = [*ledger.calls(), *ledger.decisions()]
        events = {event.event_id for event in kept}
        return events, {run.name for run in ledger.runs()}, ledger.select("SELECT count(*) FROM snapshots")[0][0]


def test_what_is_old_goes_with_what_it_alone_used(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ledger.db", [*turn("old", 40, run="gone", policy=True), *turn("older", 50), *turn("new", 1)]
    )
    told: list[int] = []
    pruned = prune(path, NOW_MS - 30 * DAY_MS, advance=told.append)
    assert (pruned.calls, pruned.decisions, pruned.events, sum(told)) == (2, 2, 4, 4)
    assert (pruned.cost_pico, pruned.runs, pruned.snapshots, pruned.dry_run) == (10, ("gone",), 1, False)
    assert left(path) == ({"d-new", "c-new"}, {"run"}, 2)
    with Ledger(path, read_only=True) as ledger:
        assert ledger.decision("d-new").given.policy == POLICY


def test_a_dry_run_says_the_same_and_deletes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.db", [*turn("old", 40, run="gone", policy=True), *turn("new", 1)])
    before = left(path)
    planned = prune(path, NOW_MS - 30 * DAY_MS, dry_run=True)
    assert left(path) == before
    done = prune(path, NOW_MS - 30 * DAY_MS)
    ignored = {"dry_run": True, "bytes_before": 0, "bytes_after": 0}
    assert msgspec.structs.replace(planned, **ignored) == msgspec.structs.replace(done, **ignored)


def test_a_turn_goes_whole_or_not_at_all(tmp_path: Path) -> None:
    [decision, call] = turn("long", 40)
    late = msgspec.structs.replace(call, event_id="late", started_ms=NOW_MS)
    path = write(tmp_path / "ledger.db", [decision, call, late])
    assert prune(path, NOW_MS - 30 * DAY_MS).events == 0
    # The same name in another run is another turn.
    write(path, turn("long", 40, run="other"))
    with Ledger(path) as ledger:
        ledger.append([msgspec.structs.replace(call, event_id="x", run="other")])
    assert prune(path, NOW_MS - 30 * DAY_MS).events == 1


def test_events_without_a_turn_go_one_by_one(tmp_path: Path) -> None:
    old, new = (
        decided.called(event_id=name, turn_id="", started_ms=started_ms)
        for name, started_ms in (("old", 1), ("new", NOW_MS))
    )
    path = write(tmp_path / "ledger.db", [old, new])
    assert prune(path, NOW_MS).calls == 1
    assert left(path)[0] == {"new"}


def test_a_run_that_somebody_described_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.db", turn("old", 40))
    with Ledger(path) as ledger:
        ledger.describe("run", note="the first one")
    assert prune(path, NOW_MS).runs == ()
    assert left(path) == (set(), {"run"}, 0)


def test_more_than_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    path = write(tmp_path / "ledger.db", [event for number in range(10) for event in turn(f"t{number}", 40)])
    told: list[int] = []
    assert prune(path, NOW_MS, advance=told.append).events == 20
    assert told == [3, 3, 3, 1, 3, 3, 3, 1]
    assert left(path)[0] == set()


def test_what_waits_beside_the_ledger_is_old_too(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.db", turn("new", 0))
    spill(path, turn("old", 40))
    assert prune(path, NOW_MS - 30 * DAY_MS).events == 2
    assert left(path)[0] == {"d-new", "c-new"}


def test_nothing_of_an_old_decision_stays_in_a_pack_that_others_need(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ledger.db",
        [event for name, days in (("old", 40), ("a", 1), ("b", 2)) for event in turn(name, days)],
    )
    write(path, [*turn("c", 1), *turn("d", 1)])  # a pack that nothing old stands in
    write(path, [*turn("e", 40), *turn("f", 40)])  # and one that goes whole
    with Ledger(path, read_only=True) as ledger:
        before = {event.event_id: event for event in ledger.decisions()}
        assert ledger.select("SELECT count(*) FROM packs") == [(3,)]
    assert prune(path, NOW_MS - 30 * DAY_MS).decisions == 3
    with Ledger(path, read_only=True) as ledger:
        after = {event.event_id: event for event in ledger.decisions()}
        assert ledger.select("SELECT count(*) FROM packs") == [(1,)]
        assert ledger.select("SELECT event_id FROM decisions WHERE pack IS NULL ORDER BY 1") == [("d-a",), ("d-b",)]
    assert after == {name: before[name] for name in ("d-a", "d-b", "d-c", "d-d")}


def test_many_packs_that_others_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PACKS_AT_ONCE", 2)
    path = tmp_path / "ledger.db"
    for number in range(5):
        write(path, [event for days in (40, 1, 2) for event in turn(f"{number}-{days}", days)])
    with Ledger(path, read_only=True) as ledger:
        before = {event.event_id: event for event in ledger.decisions()}
    assert prune(path, NOW_MS - 30 * DAY_MS).decisions == 5
    with Ledger(path, read_only=True) as ledger:
        assert ledger.select("SELECT count(*) FROM packs") == [(0,)]
        after = {event.event_id: event for event in ledger.decisions()}
    assert after == {name: event for name, event in before.items() if not name.endswith("-40")}


def test_vacuum_gives_the_space_back(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.db", [event for number in range(400) for event in turn(f"t{number}", 40)])
    pruned = prune(path, NOW_MS, vacuum=True)
    assert pruned.bytes_after < pruned.bytes_before / 2
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_there_must_be_a_ledger(tmp_path: Path) -> None:
    for dry_run in (True, False):
        with pytest.raises(LedgerError, match="there is no ledger"):
            prune(tmp_path / "none.db", NOW_MS, dry_run=dry_run)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25)
@given(ages=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=12), limit=st.integers(0, 20))
def test_no_turn_with_a_new_event_loses_any(
    tmp_path_factory: pytest.TempPathFactory, ages: list[tuple[str, int]], limit: int
) -> None:
    path = tmp_path_factory.mktemp("prune") / "ledger.db"
    events: list[Event] = [
        decided.called(event_id=f"{number}", turn_id=name, started_ms=NOW_MS - age)
        for number, (name, age) in enumerate(ages)
    ]
    write(path, events)
    before_ms = NOW_MS - limit
    kept = {event.turn_id for event in events if event.started_ms >= before_ms}
    assert prune(path, before_ms).calls == sum(event.turn_id not in kept for event in events)
    assert left(path)[0] == {event.event_id for event in events if event.turn_id in kept}
