from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from tests.evaluate.plan.world import CAPABLE, CATALOG, CHEAP, POLICY, World, priced, side
from turnout.core.catalog import Catalog
from turnout.evaluate.plan.limits import Held
from turnout.evaluate.plan.planning import Plan, make_plan
from turnout.evaluate.plan.show import document, markdown, sentence, tables
from turnout.evaluate.plan.sides import Side
from turnout.evaluate.plan.wording import keys, notes, rows
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


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_terminal_of_any_width_loses_no_figure(path: Path, width: int) -> None:
    made = plan(path, side(msgspec.structs.replace(POLICY, simple_bar=0.75)))
    text = shown(made, width)
    for row in rows(made):
        assert row.new in text
    assert "BROKEN: spend: a lot" in text


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
