from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Run
from tests.evaluate.outcomes.tables import answers, file_of
from tests.trace import samples
from turnout.evaluate.collect.agreement import agreement_of
from turnout.evaluate.collect.card import Card, card_path
from turnout.evaluate.collect.judges.llm import grade_of
from turnout.evaluate.outcomes.files import private
from turnout.trace.store.ledger import Ledger


@pytest.fixture(autouse=True)
def outcomes(tmp_path: Path) -> None:
    rows = [
        *answers("one", 0, 1, dataset="d", prompt_id="1", split="train"),
        *answers("One!", 1, 1, dataset="d", prompt_id="2", split="test"),
        *answers("two", 1, 1, dataset="d", prompt_id="3", split="test", propensity=0.5),
    ]
    file_of(tmp_path / "t.csv", *rows)
    (tmp_path / "empty.csv").write_text("prompt,model,score\n")


class TestSplit:
    def test_no_group_is_in_two_parts(self, turnout: Run, tmp_path: Path) -> None:
        file_of(tmp_path / "many.csv", *(row for number in range(100) for row in answers(f"p{number}", 0, 1)))
        code, out, err = turnout("outcomes", "split", "many.csv", "--to", "a.csv=0.5", "--to", "b.jsonl=0.5")
        assert (code, err) == (0, "")
        counts = [int(line.split()[0]) for line in out.splitlines()]
        assert sum(counts) == 200
        assert "rows written to b.jsonl" in out
        a, b = (tmp_path / "a.csv").read_text(), (tmp_path / "b.jsonl").read_text()
        assert not [number for number in range(100) if f"p{number}," in a and f'"p{number}"' in b]

    @pytest.mark.parametrize(
        ("to", "message"),
        [
            (("a.csv",), "--to must be FILE=SHARE such as train.csv=0.6, got 'a.csv'"),
            (("a.csv=x", "b.csv=0.5"), "--to must be FILE=SHARE"),
            (("a.csv=0.5", "b.csv=0.6"), "together 1"),
            (("t.csv=0.5", "b.csv=0.5"), "t.csv is named twice"),
            (("no/a.csv=0.5", "b.csv=0.5"), "cannot write no/.a.csv.part"),
        ],
    )
    def test_mistakes_are_told_in_one_line(self, turnout: Run, to: tuple[str, ...], message: str) -> None:
        code, _, err = turnout("outcomes", "split", "t.csv", *(word for one in to for word in ("--to", one)))
        assert code == 2
        assert message in err
        assert err.count("\n") == 1


class TestInspect:
    def test_for_people(self, turnout: Run) -> None:
        code, out, err = turnout("outcomes", "inspect", "t.csv", "--pair", "cheap,capable")
        assert (code, err) == (0, "")
        flat = " ".join(out.split())
        assert "3; 2 with case, punctuation and blanks passed over; 3 groups" in flat
        assert "train 2" in flat
        assert "2 rows have a propensity below 1" in flat
        assert "LEAKAGE: 0 texts are in both split 'test' and 'train', 1 with case" in flat
        assert "calibration needs at least 158 different prompts" in flat
        assert "NOT ENOUGH" in flat

    def test_for_machines(self, turnout: Run) -> None:
        code, out, _ = turnout("outcomes", "inspect", "t.csv", "--json")
        found = json.loads(out)
        assert code == 0
        assert (found["rows"], found["prompts"], found["leaks"][0]["normalised"]) == (6, 3, 1)

    def test_a_collection_is_shown_by_its_card(self, turnout: Run, tmp_path: Path) -> None:
        said = [grade_of("cheap", "cheap"), *[grade_of("cheap", "capable")] * 2]
        card = Card(
            cheap="cheap", capable="capable", judge="llm:some-model:1a2b", seed="s", share=0.2, strata=((1.0, 0.5),),
            population=40, sampled=4, graded=3, failed={}, pending=1, cheap_score=0.75, capable_score=1.0,
            agreement=agreement_of(said), calls=9, spent_usd="0.25",
        )  # fmt: skip
        card_path(tmp_path / "t.csv").write_bytes(msgspec.json.encode(card))
        code, out, err = turnout("outcomes", "inspect", "t.csv")
        assert (code, err) == (0, "")
        flat = " ".join(out.split())
        assert "cheap -> capable: 3 prompts" in flat  # the pair that it was collected for
        assert "t.csv: collected for cheap -> capable, judged by llm:some-model:1a2b" in flat
        assert "share of requests that was sampled: 0.2, 0.5 up to P 1" in flat
        assert "the same in both orders in 33.3% of 3 requests" in flat
        assert "WARNING: so many contradictions" in flat
        assert "NOT DONE: 1 requests of the sample are not graded" in flat
        assert "CHANGED" not in flat
        assert json.loads(turnout("outcomes", "inspect", "t.csv", "--json")[1])["cards"]["t.csv"]["judge"] == card.judge
        card_path(tmp_path / "t.csv").write_bytes(msgspec.json.encode(msgspec.structs.replace(card, graded=4)))
        flat = " ".join(turnout("outcomes", "inspect", "t.csv")[1].split())
        assert "CHANGED: the card is of 4 graded requests, two rows each; the table has 6 rows" in flat
        (tmp_path / "t.csv").chmod(0o600)
        assert turnout("outcomes", "split", "t.csv", "--to", "a.csv=0.5", "--to", "b.csv=0.5")[0] == 0
        parts = [tmp_path / name for name in ("a.csv", "b.csv") if "cheap" in (tmp_path / name).read_text()]
        assert parts
        for part in parts:
            flat = " ".join(turnout("outcomes", "inspect", part.name)[1].split())
            assert "judged by llm:some-model:1a2b" in flat
            assert "this is a part of t.csv" in flat
            assert "CHANGED" not in flat
            assert {one.stat().st_mode & 0o777 for one in (part, card_path(part))} == {0o600}
        card_path(tmp_path / "t.csv").write_text("[]")
        assert "t.csv.card.json is no card of a collection" in turnout("outcomes", "inspect", "t.csv")[2]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("t.cvs",), "the name must end in"),
            (("t.csv", "--pair", "cheap,cappable"), "unknown model 'cappable'; the nearest known one is 'capable'"),
            (("t.csv", "--pair", "cheap"), "--pair must be"),
            (("empty.csv",), "empty.csv: there are no graded answers in it"),
        ],
    )
    def test_what_is_wrong(self, turnout: Run, arguments: tuple[str, ...], message: str) -> None:
        code, _, err = turnout("outcomes", "inspect", *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err


class TestConvert:
    def test_our_table_to_another_format(self, turnout: Run, tmp_path: Path) -> None:
        assert turnout("outcomes", "convert", "t.csv", "t.jsonl")[:2] == (0, "6 rows written to t.jsonl\n")
        first = json.loads((tmp_path / "t.jsonl").read_text().splitlines()[0])
        assert first == {
            "dataset": "d",
            "prompt_id": "1",
            "prompt": "one",
            "model": "cheap",
            "score": 0.0,
            "cost_usd": 0.001,
            "split": "train",
        }

    def test_what_only_its_owner_may_read_stays_so(self, turnout: Run, tmp_path: Path) -> None:
        (tmp_path / "t.csv").chmod(0o644)
        assert not private([tmp_path / "t.csv", tmp_path / "none.csv"])
        (tmp_path / "t.csv").chmod(0o600)
        assert turnout("outcomes", "convert", "t.csv", "hidden.csv")[0] == 0
        assert (tmp_path / "hidden.csv").stat().st_mode & 0o777 == 0o600

    def test_from_routellm(self, turnout: Run, tmp_path: Path) -> None:
        (tmp_path / "mmlu_law.csv").write_text("prompt,small,large\nWhy?,False,True\n")
        assert turnout("outcomes", "convert", "--from", "routellm", "mmlu_law.csv", "out.csv")[0] == 0
        assert "mmlu,,Why?,,,law,,large,1.0" in (tmp_path / "out.csv").read_text()

    def test_from_the_ledger(self, turnout: Run, tmp_path: Path) -> None:
        with Ledger(tmp_path / "ledger.sqlite3") as ledger:
            ledger.append([samples.call(event_id="c-1"), samples.call(samples.CAPABLE, event_id="c-2", turn_id="t-2")])
        (tmp_path / "grades.csv").write_text("id,prompt,score\nt-1,Why?,0.5\nt-2,Why?,1\nt-9,Why?,1\n")
        code, out, _ = turnout("outcomes", "convert", "--from", "ledger", "grades.csv", "out.jsonl")
        assert code == 0
        assert out == "2 rows written to out.jsonl\nleft out: 1 ids that the ledger has no answer for\n"
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [(row["model"], row["score"], row["input_tokens"]) for row in rows] == [
            ("bedrock/cheap", 0.5, 100),
            ("bedrock/capable", 1.0, 100),
        ]
        assert rows[0]["cost_usd"] == pytest.approx(100e-6 + 50e-6)

    def test_grades_that_are_all_left_out_make_no_file(self, turnout: Run, tmp_path: Path) -> None:
        with Ledger(tmp_path / "ledger.sqlite3") as ledger:
            ledger.append([samples.call(event_id="c-1")])
        (tmp_path / "grades.csv").write_text("id,score\nt-1,1\nt-9,1\n")
        code, _, err = turnout("outcomes", "convert", "--from", "ledger", "grades.csv", "out.csv")
        assert (code, err.count("\n")) == (2, 1)
        assert "grades.csv: no grade can be used: 1 ids that the ledger has no answer for; 1 grades without" in err
        assert not (tmp_path / "out.csv").exists()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("t.csv",), "two files at the least are needed"),
            (("t.csv", "t.csv"), "t.csv is both read and written"),
            (("t.csv", "t.xlsx"), "the name must end in .parquet, .csv, .jsonl"),
            (("--from", "routelm", "t.csv", "o.csv"), "unknown format 'routelm'; the nearest known one is 'routellm'"),
            (("t.csv", "no/such.csv"), "cannot write no/such.csv"),
            (("empty.csv", "o.csv"), "empty.csv: there are no graded answers in it"),
            (("--from", "routellm", "empty.csv", "o.csv"), "empty.csv: there are no graded answers in it"),
            (("--from", "routerbench", "empty.csv", "o.csv"), "empty.csv: there are no graded answers in it"),
        ],
    )
    def test_what_is_wrong(self, turnout: Run, arguments: tuple[str, ...], message: str) -> None:
        code, _, err = turnout("outcomes", "convert", *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
        assert not Path("o.csv").exists()


def test_without_a_command_it_shows_its_help(turnout: Run) -> None:
    code, out, _ = turnout("outcomes")
    assert code == 2
    assert "convert" in out
