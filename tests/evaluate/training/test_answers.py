from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from tests.evaluate.training.graded import graded
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.training.answers import Prompts, read_answers


def test_answers_are_aligned(tmp_path: Path) -> None:
    rows = [
        *answers("one", 0.0, 1.0),
        *answers("two", 1.0, 0.5, propensity=0.5),
        {"prompt": "one", "model": "other", "score": 0.25},
        {"prompt": "two", "model": "cheap", "score": 0.0},  # once more: averaged
        {"prompt": "three", "model": "cheap", "score": 1.0},  # the capable model has no answer
    ]
    found = read_answers(file_of(tmp_path / "t.csv", *rows), ["cheap", "capable"])
    assert (found.candidates, found.others, len(found), found.rows) == (("cheap", "capable"), ("other",), 2, 7)
    by_score = np.argsort(found.scores[:, 1])
    assert found.scores[by_score].tolist() == [[0.5, 0.5], [0.0, 1.0]]
    assert np.isnan(found.other_scores[by_score[0], 0])
    assert found.other_scores[by_score[1], 0] == 0.25
    # One draw took both models' answers.
    assert np.allclose(found.weights[by_score], [2.0, 1.0])
    assert not found.costs_known


def test_costs_are_known_where_every_answer_has_one(tmp_path: Path) -> None:
    assert read_answers(graded(tmp_path / "t.csv", 6), ["cheap", "capable"]).costs_known


def test_a_part_has_groups_of_its_own(tmp_path: Path) -> None:
    rows = [row for name in ("a", "b") for row in answers("same", 0.0, 1.0, prompt_id=name)] + answers("new", 1.0, 1.0)
    found = read_answers(file_of(tmp_path / "t.csv", *rows), ["cheap", "capable"])
    assert (len(found), len(found.group_keys)) == (3, 2)
    (same,) = np.flatnonzero(np.bincount(found.groups) == 2)
    part = found.take(np.flatnonzero(found.groups == same))
    assert (len(part), part.groups.tolist(), len(part.group_keys)) == (2, [0, 0], 1)


def test_texts_come_in_the_order_asked_for(tmp_path: Path) -> None:
    source = graded(tmp_path / "t.csv", 8, category="kind", tools='[{"name": "area"}]')
    found = read_answers(source, ["cheap", "capable"])
    prompts = Prompts(source, found)
    rows = prompts.rows([3, 0])
    assert [rows[1], rows[0]] == prompts.rows([0, 3])
    assert rows[0].category == "kind"
    assert rows[0].tools[0].name == "area"
    everything = prompts.rows(range(8))
    assert prompts.rows([5, 5, 1]) == [everything[5], everything[5], everything[1]]
    wanted = np.zeros(8, bool)
    wanted[[2, 6]] = True
    found_rows = {
        place: row for places, part in prompts.batches(wanted) for place, row in zip(places, part, strict=True)
    }
    assert found_rows == {2: everything[2], 6: everything[6]}


def test_the_digest_is_of_the_rows(tmp_path: Path) -> None:
    one = read_answers(graded(tmp_path / "a.csv", 6), ["cheap", "capable"]).digest
    assert one == read_answers(graded(tmp_path / "b.csv", 6), ["capable", "cheap"]).digest
    assert one != read_answers(graded(tmp_path / "c.csv", 7), ["cheap", "capable"]).digest


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        (["cheap"], "two different candidates are needed"),
        (["cheap", "cheap"], "two different candidates are needed"),
        (["cheap", "capabel"], "no answer of 'capabel'.*capable"),
    ],
)
def test_wrong_candidates(tmp_path: Path, candidates: list[str], words: str) -> None:
    with pytest.raises(OutcomesError, match=words):
        read_answers(graded(tmp_path / "t.csv", 6), candidates)


def test_nothing_in_common(tmp_path: Path) -> None:
    source = file_of(tmp_path / "t.csv", answers("one", 0.0, 1.0)[0], answers("two", 0.0, 1.0)[1])
    with pytest.raises(OutcomesError, match="no prompt was answered by all of cheap, capable"):
        read_answers(source, ["cheap", "capable"])
