from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.trace import decided
from tests.trace.decided import NOW_MS, REQUEST
from turnout.core.request import HardStay
from turnout.trace.errors import LedgerError
from turnout.trace.events import Event
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.lookup import Found, deciding, events_of, find

STAY = decided.given(request=msgspec.structs.replace(REQUEST, hard_stay=HardStay(decided.CHEAP.id, "tool_loop")))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Turn a: a decision, a call, and a decision of its tool loop. Turn b: a call that nothing decided."""
    events: list[Event] = [
        decided.decided(event_id="d-first", turn_id="turn-a"),
        decided.decided(STAY, event_id="d-stay", turn_id="turn-a", started_ms=NOW_MS + 2),
        decided.called(event_id="c-first", turn_id="turn-a"),
        decided.called(event_id="c-alone", turn_id="turn-b", started_ms=NOW_MS + 3),
    ]
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(events)
        yield ledger


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("d-first", Found("decision", "d-first")),
        ("d-s", Found("decision", "d-stay")),
        ("c-a", Found("call", "c-alone")),
        ("turn-a", Found("turn", "turn-a")),
        ("turn-b", Found("turn", "turn-b")),
        ("last", Found("call", "c-alone")),
    ],
)
def test_ids_beginnings_and_the_newest(ledger: Ledger, wanted: str, found: Found) -> None:
    assert find(ledger, wanted) == found


def test_an_exact_id_wins_over_longer_ones_that_begin_with_it(ledger: Ledger) -> None:
    ledger.append([decided.called(event_id="c-first-and-more", turn_id="turn-c")])
    assert find(ledger, "c-first") == Found("call", "c-first")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("nothing", "has an id that begins with 'nothing': `turnout ledger list"),
        ("c-fizz", "begins with 'c-fizz': the nearest is the call c-first;"),
        ("d-stayed", "the nearest is the decision d-stay;"),
        ("turn-c", "the nearest is the turn turn-"),
        ("d-", "several ids begin with 'd-': decision d-first, decision d-stay; give more"),
        ("turn", "several ids begin with 'turn'"),
        ("", "an empty id"),
    ],
)
def test_what_is_not_found_says_so(ledger: Ledger, wanted: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message):
        find(ledger, wanted)


def test_an_empty_ledger_has_no_newest(tmp_path: Path) -> None:
    with Ledger(tmp_path / "empty.db") as ledger, pytest.raises(LedgerError, match="no decision yet"):
        deciding(ledger, "last")


@pytest.mark.parametrize("wanted", ["turn-a", "c-first", "last", "d-first"])
def test_of_a_turn_it_is_the_decision_that_was_free(ledger: Ledger, wanted: str) -> None:
    found = deciding(ledger, wanted)
    assert found.decision.event_id == "d-first"
    assert [other.event_id for other in found.others] == ["d-stay"]
    assert [call.event_id for call in found.calls] == ["c-first"]


def test_a_decision_that_is_named_is_that_one(ledger: Ledger) -> None:
    assert deciding(ledger, "d-stay").decision.event_id == "d-stay"


def test_a_turn_that_was_not_routed_cannot_be_explained(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="nothing was decided in the turn 'turn-b'"):
        deciding(ledger, "turn-b")


def test_the_events_of_what_was_found(ledger: Ledger) -> None:
    names = {
        wanted: [event.event_id for event in events_of(ledger, find(ledger, wanted))]
        for wanted in ("d-first", "c-first", "turn-a")
    }
    assert names == {"d-first": ["d-first"], "c-first": ["c-first"], "turn-a": ["d-first", "d-stay", "c-first"]}


def test_one_turn_name_in_two_runs_is_one_runs_turn(ledger: Ledger) -> None:
    ledger.append([decided.called(event_id="c-other", turn_id="turn-a", run="another")])
    assert [call.event_id for call in deciding(ledger, "d-first").calls] == ["c-first"]
