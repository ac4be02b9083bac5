from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from tests.evaluate.scoreboard.crux import CAPABLE, CHEAP, crux
from turnout.evaluate.outcomes.content import text_key
from turnout.evaluate.outcomes.files import source_of
from turnout.evaluate.outcomes.table import Batch, OutcomesError
from turnout.evaluate.scoreboard.baselines import LengthRouter
from turnout.evaluate.scoreboard.board import BEST_SINGLE, ORACLE, Board, Plan, Wanted, scoreboard
from turnout.evaluate.scoreboard.figures import METRIC_NAMES
from turnout.evaluate.scoreboard.naming import FunctionRouter

PAIR = Wanted(cheap=CHEAP, capable=CAPABLE)


def noise(batch: Batch) -> Any:
    return np.array([text_key(prompt, None) % 1000 for prompt in batch.prompt], float)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    source = crux(tmp_path_factory.mktemp("crux"))
    routers = [FunctionRouter(noise, name="noise"), FunctionRouter(lambda batch: -noise(batch), name="turned")]
    return scoreboard(Plan(source=source, pairs=[PAIR], routers=routers, resamples=300))


def test_real_answers(board: Board) -> None:
    (one,) = board.pairs
    assert (one.prompts, one.groups) == (465, 465)
    assert (one.cheap_score, one.capable_score) == pytest.approx((0.5462, 0.8559), abs=1e-4)
    assert [line.router for line in one.lines] == [
        "random",
        "length",
        "keyword",
        "noise",
        "turned",
        BEST_SINGLE,
        ORACLE,
    ]
    figures = {line.router: line.figures for line in one.lines}
    assert all(set(found) == set(METRIC_NAMES) for found in figures.values())
    random, best = figures["random"]["apgr"], figures[ORACLE]["apgr"]
    assert random is not None
    assert (random.value, random.low, random.high) == pytest.approx((0.5, 0.5, 0.5))
    assert best is not None
    assert best.value > 0.85
    # What knows nothing is near one half, and its turned order is the other half.
    noise_found, turned = figures["noise"]["apgr"], figures["turned"]["apgr"]
    assert noise_found is not None
    assert turned is not None
    assert noise_found.low < 0.5 < noise_found.high
    assert noise_found.value + turned.value == pytest.approx(1.0)
    single = figures[BEST_SINGLE]
    assert single["apgr"] is None
    assert single["saved_95"] is not None
    assert single["saved_95"].value == 0.0
    assert "no category tells prompts apart: there is no line for the known category" in one.notes


def test_differences_are_paired(board: Board) -> None:
    assert board.reference == "random"
    (one,) = board.pairs
    assert set(one.differences) == {"length", "keyword", "noise", "turned", BEST_SINGLE}
    found = one.differences["noise"]["apgr"]
    assert found is not None
    assert found.low <= found.value <= found.high
    assert one.differences[BEST_SINGLE]["apgr"] is None


def test_the_same_plan_gives_the_same_board(tmp_path: Path) -> None:
    plan = Plan(source=crux(tmp_path), pairs=[PAIR], routers=[LengthRouter()], resamples=20)
    one, other = scoreboard(plan), scoreboard(plan)
    lines = [[line.figures for line in board.pairs[0].lines] for board in (one, other)]
    assert lines[0] == lines[1]
    assert [line.router for line in one.pairs[0].lines].count("length") == 1


def table(path: Path) -> Any:
    rows = []
    for number in range(30):
        dataset = "even" if number % 2 == 0 else "odd"
        hard = number % 3 == 0
        rows += answers(
            f"{dataset} {number}", float(not hard), 1.0, dataset=dataset, category="hard" if hard else "easy"
        )
    return file_of(path, *rows)


class TestSeveralPairs:
    def test_medians_and_pooled_differences(self, tmp_path: Path) -> None:
        pairs = [Wanted(cheap="cheap", capable="capable", dataset=name) for name in ("even", "odd")]
        plan = Plan(source=table(tmp_path / "t.csv"), pairs=pairs, routers=[], resamples=50, folds=3)
        board = scoreboard(plan)
        assert board.pooled is not None
        assert [one.prompts for one in board.pairs] == [15, 15]
        for name in ("length", "category"):
            values = [line.figures["apgr"] for one in board.pairs for line in one.lines if line.router == name]
            known = [figure.value for figure in values if figure is not None]
            assert board.pooled.medians[name]["apgr"] == pytest.approx(np.median(known))
            found = board.pooled.differences[name]["apgr"]
            assert found is not None
            assert found.value == pytest.approx(np.mean(known) - 0.5)
            gaps = [one.capable_score - one.cheap_score for one in board.pairs]
            by_gap = board.pooled.by_gap[name]
            assert by_gap is not None
            assert by_gap.value == pytest.approx(np.average(known, weights=gaps) - 0.5)
            assert by_gap.low <= by_gap.value <= by_gap.high
        assert board.pooled.by_gap[BEST_SINGLE] is None
        # The category says it all here.
        assert board.pooled.medians["category"]["apgr"] == pytest.approx(board.pooled.medians[ORACLE]["apgr"])

    def test_a_pair_of_models_that_are_as_good_spoils_the_mean_only(self, tmp_path: Path) -> None:
        rows = []
        for number in range(120):
            hard = number % 3 == 0
            rows += answers(
                f"clear {number}", float(not hard), 1.0, dataset="clear", category="hard" if hard else "easy"
            )
            # Each model is right where the other is not, and the capable one twice more.
            grades = (float(number % 2), float(number % 2 == 0 or number in (1, 31)))
            rows += answers(f"level {number}", *grades, dataset="level", category=f"{number % 4}")
        pairs = [Wanted(cheap="cheap", capable="capable", dataset=name) for name in ("clear", "level")]
        source = file_of(tmp_path / "t.csv", *rows)
        board = scoreboard(Plan(source=source, pairs=pairs, routers=[], resamples=200, folds=3))
        assert board.pooled is not None
        plain, by_gap = board.pooled.differences["category"]["apgr"], board.pooled.by_gap["category"]
        assert plain is not None
        assert by_gap is not None
        assert by_gap.high - by_gap.low < 0.2 * (plain.high - plain.low)
        assert by_gap.low > 0.0

    def test_files_that_name_no_dataset_are_told_apart_by_their_names(self, tmp_path: Path) -> None:
        for name, every in (("a.csv", 2), ("b.csv", 3)):
            rows = (row for n in range(30) for row in answers(f"{name} {n}", float(n % every > 0), 1.0))
            file_of(tmp_path / name, *rows)
        source = source_of([tmp_path / "a.csv", tmp_path / "b.csv"])
        pairs = [Wanted(cheap="cheap", capable="capable", dataset=name) for name in ("a.csv", "b.csv")]
        board = scoreboard(Plan(source=source, pairs=pairs, routers=[], resamples=20, folds=3))
        assert [(one.prompts, one.cheap_score) for one in board.pairs] == [(30, 0.5), (30, pytest.approx(2 / 3))]
        assert board.pooled is not None
        with pytest.raises(OutcomesError, match=r"none is 'c\.csv'; they go by their file's name"):
            scoreboard(
                Plan(
                    source=source,
                    pairs=[pairs[0], Wanted(cheap="cheap", capable="capable", dataset="c.csv")],
                    routers=[],
                )
            )


class TestTrainFile:
    def test_common_prompts_are_told(self, tmp_path: Path) -> None:
        train = file_of(tmp_path / "more.csv", *(row for n in range(20) for row in answers(f"extra {n}", n % 2, 1)))
        source = table(tmp_path / "t.csv")
        both = source._replace(paths=(*source.paths, *train.paths))
        plan = Plan(
            source=source, pairs=[Wanted(cheap="cheap", capable="capable")], routers=[], train=both, resamples=20
        )
        (one,) = scoreboard(plan).pairs
        assert "30 prompts of the training file are in the outcomes too: they were not trained on" in one.notes

    def test_prompts_without_a_category_that_was_trained_with_are_told(self, tmp_path: Path) -> None:
        rows = [row for n in range(20) for row in answers(f"bare {n}", n % 2, 1, category="hard" if n < 5 else "")]
        wanted = [Wanted(cheap="cheap", capable="capable")]
        plan = Plan(
            source=file_of(tmp_path / "bare.csv", *rows),
            pairs=wanted,
            routers=[],
            train=table(tmp_path / "t.csv"),
            resamples=20,
        )
        (one,) = scoreboard(plan).pairs
        assert any(note.startswith("15 prompts have no category that the training file knows") for note in one.notes)
        rows = [row for n in range(20) for row in answers(f"hard {n}", n % 2, 1, dataset="even", category="hard")]
        (one,) = scoreboard(replace(plan, source=file_of(tmp_path / "hard.csv", *rows))).pairs
        assert not any("training file knows" in note for note in one.notes)

    def test_a_training_file_that_is_the_test_file(self, tmp_path: Path) -> None:
        source = table(tmp_path / "t.csv")
        plan = Plan(source=source, pairs=[Wanted(cheap="cheap", capable="capable")], routers=[], train=source)
        with pytest.raises(OutcomesError, match=r"t.csv: every prompt of the training file is in the outcomes too"):
            scoreboard(plan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"pairs": [Wanted(cheap="chap", capable="capable")]},
            "unknown model 'chap'; the nearest known one is 'cheap'",
        ),
        (
            {"pairs": [Wanted(cheap="cheap", capable="capable", dataset="evn")]},
            "unknown dataset 'evn'; the nearest known one is 'even'",
        ),
        ({"reference": "tfidf"}, "no router 'tfidf' to compare with; there are random, length"),
        ({"folds": 99}, "random on cheap -> capable: 30 different prompts cannot make 99 folds"),
        (
            {"routers": [FunctionRouter(lambda batch: [0.0], name="short")]},
            "short on cheap -> capable: a router must give one score for each of 30 rows",
        ),
    ],
)
def test_what_cannot_be_done_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"pairs": [Wanted(cheap="cheap", capable="capable")], "routers": [], "resamples": 20}
    with pytest.raises(OutcomesError, match=re.escape(message)):
        scoreboard(Plan(source=table(tmp_path / "t.csv"), **{**given, **change}))


def test_a_dataset_is_asked_for_where_rows_name_none(tmp_path: Path) -> None:
    source = file_of(tmp_path / "t.csv", *answers("a", 0, 1))
    with pytest.raises(OutcomesError, match=r"t\.csv: its rows name no dataset, so none is 'even'"):
        scoreboard(Plan(source=source, pairs=[Wanted(cheap="cheap", capable="capable", dataset="even")], routers=[]))
