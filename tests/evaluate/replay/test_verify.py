from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.trace.decided import CAPABLE, CHEAP, SIMPLE, called, decided, given, warm
from turnout.core.catalog import Catalog
from turnout.core.decision import DecisionInput
from turnout.core.horizon import Horizon, PrefixReturns, Returns
from turnout.core.policy import Policy
from turnout.evaluate.replay.verify import MOST_NAMED, differences, verify
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter


def session_input() -> DecisionInput:
    """One that looks ahead, on a warm head."""
    base = given(verdict=SIMPLE, caches={CAPABLE.id: warm()})
    policy = msgspec.structs.replace(base.policy, markers="manage", horizon="session")
    returns = Returns((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    horizon = Horizon(prefixes=(PrefixReturns(0, returns), PrefixReturns(1, returns)), next_on={CAPABLE.id: 0.5})
    return msgspec.structs.replace(base, policy=policy, horizon=horizon)


@pytest.mark.parametrize("looks_ahead", [False, True])
def test_what_was_decided_comes_out_again(tmp_path: Path, looks_ahead: bool) -> None:
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        made_from = session_input() if looks_ahead else given()
        ledger.append([decided(made_from), called(), decided(made_from, run="other")])
        told: list[int] = []
        verified = verify(ledger, Filter(), told.append)
        assert (verified.decisions, verified.different, verified.first) == (2, 0, ())
        assert sum(told) == 2
        assert verify(ledger, Filter(run="other")).decisions == 1


def test_a_changed_decision_is_named_with_its_fields(tmp_path: Path) -> None:
    event = decided()
    other = CAPABLE.id if event.decision.model == CHEAP.id else CHEAP.id
    changed = msgspec.structs.replace(event, decision=msgspec.structs.replace(event.decision, model=other))
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        ledger.append([decided(), changed])
        verified = verify(ledger, Filter())
    assert (verified.decisions, verified.different) == (2, 1)
    (one,) = verified.first
    assert one.event_id == changed.event_id
    assert one.fields == (f'model: "{other}" -> "{event.decision.model}"',)


def test_few_are_named_and_all_counted(tmp_path: Path) -> None:
    wrong = [
        msgspec.structs.replace(event, decision=msgspec.structs.replace(event.decision, bar=0.123))
        for event in (decided() for _ in range(MOST_NAMED + 3))
    ]
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        ledger.append(wrong)
        verified = verify(ledger, Filter())
    assert (verified.different, len(verified.first)) == (MOST_NAMED + 3, MOST_NAMED)


def test_a_long_list_of_fields_is_cut() -> None:
    event = decided()
    estimates = [
        msgspec.structs.replace(one, rank=one.rank + 7, p=0.123, clears_bar=None, ahead_pico=9, ineligible=("x",))
        for one in event.decision.estimates
    ]
    changed = msgspec.structs.replace(
        event, decision=msgspec.structs.replace(event.decision, estimates=tuple(estimates))
    )
    fields = differences(changed)
    assert len(fields) == 6
    assert fields[-1].endswith("more")
    assert any(field.startswith("estimates[0].rank: ") for field in fields)


def test_input_that_cannot_be_decided_is_a_difference() -> None:
    event = decided()
    lacking = msgspec.structs.replace(event.given, catalog=Catalog.of([CAPABLE]))
    (field,) = differences(msgspec.structs.replace(event, given=lacking))
    assert field.startswith("deciding raised UnknownModelError")


def test_the_policy_is_part_of_the_input() -> None:
    policy = Policy(candidates=given().policy.candidates, markers="fill", simple_bar=0.99)
    event = decided()
    assert differences(event) == ()
    assert differences(msgspec.structs.replace(event, given=msgspec.structs.replace(event.given, policy=policy)))
