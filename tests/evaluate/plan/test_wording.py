from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.evaluate.outcomes.tables import file_of
from tests.evaluate.plan.test_show import plan
from tests.evaluate.plan.world import CAPABLE, CHEAP, POLICY, World, priced, side
from turnout.config.policy_lock import LockedClassifier
from turnout.core.policy import Budget
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.plan.planning import make_plan
from turnout.evaluate.plan.sides import Side
from turnout.evaluate.plan.wording import basis, headline, notes, routes, rows
from turnout.trace.store.ledger import Ledger


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return World(sessions=30).write(tmp_path_factory.mktemp("world") / "ledger.db")


def test_figures_add_up_and_are_labelled(path: Path) -> None:
    made = plan(path, side(msgspec.structs.replace(POLICY, simple_bar=0.75)))
    found = {row.what: row for row in rows(made)}
    assert found["of the spend exact"].old == "all"
    assert found["of the spend exact"].new.endswith("%")
    assert " to " in found["reckoned with, USD"].new
    assert found["spend, USD"].change.startswith("+")
    assert found["requests on Claude Haiku 4.5"].change.startswith("-")
    assert "(estimated)" in headline(made)
    assert headline(plan(path, side())).startswith("Spend $")
    assert "(estimated)" not in headline(plan(path, side()))
    assert sum(route.requests for route in routes(made)) == made.changes.decisions
    assert any("cheapest_clears_bar → cheapest_below_bar" in route.why for route in routes(made))


def test_what_is_held_or_left_out_is_said(path: Path, tmp_path: Path) -> None:
    said = " ".join(notes(plan(path, side(classifier=LockedClassifier(kind="learned")))))
    assert "The classifier changes, and the ledger holds no text" in said
    said = " ".join(notes(plan(path, side(msgspec.structs.replace(POLICY, budget=Budget(limit_pico=1))))))
    assert "more requests would be refused" in said
    said = " ".join(notes(plan(path, side(bound=SpendBound()))))
    assert "The account of the spend bound begins empty" in said
    assert not notes(plan(path, side()))
    dear = priced(CHEAP, "50")
    other = World(catalog=dear).write(tmp_path / "ledger.db")
    assert "a classifier would be asked that was not" in " ".join(notes(plan(other, side(), side(catalog=dear))))


def test_what_grades_do_not_say_is_said(path: Path, tmp_path: Path) -> None:
    def graded(*models: str) -> str:
        rows = [{"prompt": "a", "model": model, "score": 1.0} for model in models]
        with Ledger(path, create=False) as ledger:
            outcomes = file_of(tmp_path / f"{len(models)}.jsonl", *rows)
            return " ".join(notes(make_plan(ledger, side(name="old"), side(), days=30, outcomes=outcomes)))

    assert f"Quality is not known: nobody graded {CAPABLE}." in graded(CHEAP)
    said = graded(CHEAP, CAPABLE, "another")
    assert "1 grades of other models are left out." in said
    assert "Quality is not known" not in said


def test_a_lock_that_was_edited_is_said(path: Path) -> None:
    lock = side(catalog=priced(CHEAP, "2")).lock
    edited = Side(name="mine.toml", lock=msgspec.structs.replace(lock, catalog_sha256="0" * 64))
    assert "mine.toml was edited by hand" in " ".join(notes(plan(path, side(), edited)))


def test_simulated_models_are_called_so(tmp_path: Path) -> None:
    events = [msgspec.structs.replace(event, simulated=True) for event in World().events()]
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(events)
        made = make_plan(ledger, side(), side(), days=30)
        assert "with simulated models" in basis(made)
        ledger.append(World(seed=9).events())
        made = make_plan(ledger, side(), side(), days=30)
        assert "simulated" not in basis(made)
        assert "decisions of simulated models are left out" in " ".join(notes(made))
        assert made.window.left_out > 10
