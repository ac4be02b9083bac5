from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from tests.evaluate.plan.world import CAPABLE, CATALOG, CHEAP, POLICY, World, priced, side
from turnout.config.policy_lock import LockedClassifier
from turnout.core.catalog import Catalog
from turnout.core.policy import Budget
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.plan.limits import Held
from turnout.evaluate.plan.planning import Plan, make_plan
from turnout.evaluate.plan.show import document, markdown, sentence, tables
from turnout.evaluate.plan.sides import Side
from turnout.evaluate.plan.wording import basis, headline, keys, notes, routes, rows
from turnout.trace.store.ledger import Ledger


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return World(sessions=30).write(tmp_path_factory.mktemp("world") / "ledger.db")


def plan(path: Path, new: Side, old: Side | None = None) -> Plan:
    with Ledger(path, create=False) as ledger:
        return make_plan(ledger, old or side(name="old"), new, days=30)


def shown(made: Plan, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    for part in tables(made, [Held("spend", False, "a lot")]):
        console.print(part)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


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


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_terminal_of_any_width_loses_no_figure(path: Path, width: int) -> None:
    made = plan(path, side(msgspec.structs.replace(POLICY, simple_bar=0.75)))
    text = shown(made, width)
    for row in rows(made):
        assert row.new in text
    assert "BROKEN: spend: a lot" in text


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


def test_names_out_of_files_cannot_break_a_table(path: Path) -> None:
    evil = Catalog.of(
        msgspec.structs.replace(one, name="a | b <img src=x>\n# c") if one.id == CAPABLE else one
        for one in CATALOG.models
    )
    made = plan(path, Side(name="new`|`.toml", lock=side(catalog=evil).lock))
    text = markdown(made, [Held("spend | more", True, "<b>")])
    assert "<img" not in text
    assert "<b>" not in text
    assert "a \\| b &lt;img" in text
    for line in text.splitlines():
        assert not line.startswith("# c")


def test_what_differs_is_a_table_of_keys(path: Path) -> None:
    made = plan(path, side(catalog=priced(CHEAP, "2")))
    assert [row.what.rpartition(".")[2] for row in keys(made)] == [
        "input",
        "output",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
    ]
    assert "| `models." in markdown(made)
    assert "Nothing differs" in markdown(plan(path, side()))


def test_the_document_is_json_and_says_what_the_tables_say(path: Path) -> None:
    made = plan(path, side(msgspec.structs.replace(POLICY, simple_bar=0.75)))
    held = [Held("spend", True, "words")]
    found = msgspec.json.decode(msgspec.json.encode(document(made, held)))
    assert found["window"]["requests"] == made.window.decisions
    assert sum(found["new"]["requests"].values()) == made.window.decisions
    assert found["bounds"] == [{"bound": "spend", "kept": True, "words": "words"}]
    assert sentence(held[0]) == "kept: spend: words"
    assert found["notes"] == notes(made)


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
