import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_all_classifiers_stand_side_by_side(turnout: Run, tmp_path: Path) -> None:
    # The packaged model must have all the time it needs: a busy machine is no failure.
    (tmp_path / "turnout.toml").write_text("[classifier]\ntimeout_seconds = 300\n")
    code, out, _ = turnout("classify", "When does my parcel come?", "--json")
    (row,) = json.loads(out)
    assert code == 0
    assert [verdict["classifier"] for verdict in row["verdicts"]][:4] == ["keyword", "embedding", "learned", "llm"]
    assert row["verdicts"][4]["classifier"].startswith("cascade/")
    for verdict in row["verdicts"]:
        assert verdict["basis"] == "label"
        assert 0 <= verdict["p_simple"] <= 1
        assert verdict["p_suffices"] == {}


def test_people_get_a_table_for_each_query(turnout: Run) -> None:
    _, out, _ = turnout("classify", "first one", "second one", "--only", "keyword")
    assert out.index("first one") < out.index("second one")
    assert "P(simple)" in out


def test_a_query_is_text_and_no_markup(turnout: Run) -> None:
    assert "[red]why[/]" in turnout("classify", "[red]why[/]", "--only", "keyword")[1]


def test_queries_come_from_standard_input_too(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"eins\n\nzwei\n")))
    _, out, _ = turnout("classify", "-", "--only", "keyword", "--json")
    assert [row["query"] for row in json.loads(out)] == ["eins", "zwei"]


@pytest.mark.parametrize(
    ("data", "message"), [(b"\xff\xfe\x00", "not UTF-8 text (byte 0)"), (b"\n \n", "holds no query")]
)
def test_standard_input_that_is_no_query(
    turnout: Run, monkeypatch: pytest.MonkeyPatch, data: bytes, message: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, _, err = turnout("classify", "-")
    assert (code, message in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no query"),
        (["fine", "  "], "query 2 is empty"),
        (["x" * 200_001], "at most 200,000 are taken"),
        (["x", "--only", "oracle"], "unknown classifier 'oracle'"),
        (["x", "--llm", "local/other"], "nearest"),
    ],
)
def test_bad_input_is_one_line(turnout: Run, arguments: list[str], message: str) -> None:
    code, _, err = turnout("classify", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_examples_that_cannot_be_read_are_named(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text('[classifier]\nexamples = "mine.jsonl"\n')
    (tmp_path / "mine.jsonl").write_text("not json\n")
    code, _, err = turnout("classify", "x", "--only", "embedding")
    assert code == 2
    assert "mine.jsonl" in err


def test_the_held_out_table(turnout: Run) -> None:
    code, out, _ = turnout("classify", "--held-out", "--only", "keyword", "--json")
    lines = {line["classifier"]: line for line in json.loads(out)}
    assert code == 0
    assert set(lines) == {"keyword", "length"}
    assert lines["keyword"]["queries"] == 98
    assert lines["keyword"]["accuracy"]["low"] <= lines["keyword"]["accuracy"]["value"]
    _, table, _ = turnout("classify", "--held-out", "--only", "keyword")
    assert "98 held-out support queries in 49 look-alike pairs" in table


def test_attacks_are_counted_by_family_and_target(turnout: Run) -> None:
    code, out, _ = turnout("classify", "--attacks", "--only", "keyword", "--pairs", "5", "--json")
    lines = json.loads(out)
    assert code == 0
    assert {line["target"] for line in lines} == {"simple", "complex"}
    assert {line["family"] for line in lines} >= {"instruction", "words", "harmless", "all"}
    assert all(line["at_risk"] <= 10 for line in lines)
    assert "flipped by any" in turnout("classify", "--attacks", "--only", "keyword", "--pairs", "2")[1]


def test_what_learned_from_outcomes_has_no_labels_to_be_held_against(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text('[classifier]\nartefact = "router"\n')
    for what in ("--held-out", "--attacks"):
        code, _, err = turnout("classify", what, "--only", "learned")
        assert (code, err.count("\n")) == (2, 1)
        assert "use turnout evaluate" in err


def test_the_packaged_default_is_held_against_labels(turnout: Run) -> None:
    code, out, _ = turnout("classify", "--held-out", "--only", "learned", "--json")
    (line,) = [one for one in json.loads(out) if one["classifier"] == "learned"]
    assert code == 0
    assert line["auc"]["low"] > 0.65
