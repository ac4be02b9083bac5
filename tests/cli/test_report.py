from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.evaluate.report.runs import ALONE, run_of
from turnout.trace.store.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as opened:
        opened.append([*run_of("v3", ALONE), *run_of("v4")])
    return path


@pytest.mark.usefixtures("ledger")
def test_runs_become_a_page(turnout: Run, tmp_path: Path) -> None:
    code, out, err = turnout("report", "v3", "v4", "-o", "mine.html")
    assert (code, out, err) == (0, "", "wrote mine.html\n")
    text = (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert "<title>simulated models · Turnout report: v3, v4</title>" in text
    assert [path.name for path in tmp_path.glob("*.partial*")] == []


@pytest.mark.usefixtures("ledger")
def test_the_newest_run_and_the_usual_name_are_taken(turnout: Run, tmp_path: Path) -> None:
    assert turnout("report")[2] == "wrote report.html\n"
    assert turnout("report")[0] == 2
    assert turnout("report", "--force")[0] == 0


@pytest.mark.usefixtures("ledger")
def test_charts_become_pictures(turnout: Run, tmp_path: Path) -> None:
    code, _, err = turnout("report", "v4", "--png", "pictures")
    assert code == 0
    assert err.splitlines()[1] == "wrote pictures/cost.png"
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v5"], "the nearest known one is 'v"),
        (["v3", "v3"], "stands twice"),
        (["v3", "-o", "missing/report.html"], "cannot be written"),
        (["v3", "-o", "."], "is a directory"),
        (["v3", "--png", "ledger.sqlite3/x"], "ledger.sqlite3/x cannot be written"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_mistakes_are_one_line(turnout: Run, arguments: list[str], message: str) -> None:
    code, out, err = turnout("report", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_an_empty_ledger_says_how_to_fill_it(turnout: Run, tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.sqlite3").close()
    code, _, err = turnout("report")
    assert (code, "turnout demo" in err) == (2, True)
    assert not (tmp_path / "report.html").exists()
