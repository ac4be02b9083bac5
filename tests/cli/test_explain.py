import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.trace import decided
from turnout.trace.store.ledger import Ledger


def write(path: Path) -> None:
    with Ledger(path / "ledger.sqlite3") as ledger:
        ledger.append([decided.decided(event_id="d-1"), decided.called(event_id="c-1")])


def test_a_decision_is_told_in_words(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path)
    for wanted in ((), ("last",), ("d-1",), ("turn",), ("c",)):
        code, out, _ = turnout("explain", *wanted)
        assert code == 0
        for heading in ("What it saw", "Why", "What would have changed it", "How the turn went"):
            assert heading in out
        assert "chosen: Claude Haiku 4.5" in out
        assert "fresh input" in out


def test_machines_get_figures_and_words(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path)
    document = json.loads(turnout("explain", "d-1", "--json")[1])
    assert (document["replays"], document["reason"]) == (True, "cheapest_clears_bar")
    assert document["candidates"][1]["expected_pico"] == 3_520_000_000
    assert [call["event_id"] for call in document["calls"]] == ["c-1"]
    assert document["what_ifs"][0]["value"] == 0.4999
    assert "it is the cheapest of all that can serve, and it clears the bar" in document["words"]["Why"]


def test_mistakes_are_one_line(turnout: Run, tmp_path: Path) -> None:
    code, _, err = turnout("explain", "last")
    assert (code, "there is no ledger" in err) == (2, True)
    write(tmp_path)
    code, out, err = turnout("explain", "nothing")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "begins with 'nothing'" in err
