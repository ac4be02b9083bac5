from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.evaluate.scoreboard.test_board import table

BASE = ("evaluate", "--outcomes", "t.csv", "--pair", "cheap,capable", "--resamples", "20", "--folds", "3")


@pytest.fixture(autouse=True)
def outcomes(tmp_path: Path) -> None:
    table(tmp_path / "t.csv")


def test_a_table_for_people(turnout: Run) -> None:
    code, out, err = turnout(*BASE)
    assert (code, err) == (0, "")
    assert "cheap -> capable: 30 prompts (30 different), score 0.667 -> 1.000" in out
    assert "oracle **" in out
    assert "* baseline" in out


def test_json_for_machines(turnout: Run) -> None:
    code, out, _ = turnout(*BASE, "--router", "mine=length", "--require", "mine:apgr<=1", "--json")
    found = json.loads(out)
    assert code == 0
    assert [line["router"] for line in found["board"]["pairs"][0]["lines"]][:5] == [
        "random",
        "length",
        "keyword",
        "category",
        "mine",
    ]
    assert found["requirements"][0]["fulfilled"] is True


def test_a_requirement_that_is_missed_is_exit_code_1(turnout: Run) -> None:
    code, out, _ = turnout(*BASE, "--require", "category:apgr>=0.7", "--require", "random:apgr>=0.62")
    assert code == 1
    assert "fulfilled: category:apgr>=0.7 – category, cheap -> capable: " in out
    assert "NOT FULFILLED: random:apgr>=0.62 – random, cheap -> capable: 0.5000" in out


def test_a_router_of_the_user_s_own_module(turnout: Run, tmp_path: Path) -> None:
    module = f"own_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{module}.py").write_text("def scores(batch):\n    return [len(p) for p in batch.prompt]\n")
    code, out, _ = turnout(*BASE, "--router", f"{module}:scores")
    assert code == 0
    assert f"{module}:scores" in out


def test_files_for_a_readme(turnout: Run, tmp_path: Path) -> None:
    code, _, err = turnout(*BASE, "--markdown", "board.md", "--plot", "board.svg")
    assert code == 0
    assert "written: board.svg" in err
    assert (tmp_path / "board.md").read_text(encoding="utf-8").startswith("**cheap -> capable: 30 prompts")
    assert (tmp_path / "board.svg").read_bytes().startswith(b"<?xml")


def test_saved_predictions_against_a_chosen_reference(turnout: Run, tmp_path: Path) -> None:
    lines = "".join(f"{'even' if n % 2 == 0 else 'odd'} {n},{n % 3 == 0:d}\n" for n in range(30))
    (tmp_path / "saved.csv").write_text("prompt,score\n" + lines)
    code, out, _ = turnout(*BASE, "--router", "saved.csv", "--against", "category", "--all", "--require", "apgr>0.7")
    assert code == 0
    assert "more than category: cheap -> capable" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--router", "tfdif"), "unknown router 'tfdif'; the nearest known one is 'tfidf'"),
        (("--require", "agpr>=0.5"), "unknown figure 'agpr'"),
        (("--pair", "cheap"), "--pair must be CHEAP,CAPABLE"),
        (("--pair", "chep,capable"), "unknown model 'chep'; the nearest known one is 'cheap'"),
        (("--outcomes", "none.csv"), "there is no file none.csv"),
        (("--call-usd", "1"), "--call-usd must be two numbers"),
        (("--call-usd", "1,-1"), "--call-usd must be 0 or more"),
        (("--router", "a=length", "--router", "a=random"), "two routers are named 'a'"),
        (
            ("--require", "apgr>=0.1"),
            "no router is under test: name one by --router, or a line of the table as in 'category:",
        ),
        (("--plot", "no/such.png"), "cannot write no/such.png"),
        (("--plot", "board.xyz"), "cannot write board.xyz"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(turnout: Run, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = turnout(*BASE, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
