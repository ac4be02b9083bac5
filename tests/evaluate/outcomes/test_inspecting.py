from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.guarantee.threshold import least_units, usual_units
from turnout.evaluate.outcomes.inspecting import Leak, ModelRow, inspect
from turnout.evaluate.outcomes.table import OutcomesError


def test_counts_by_hand(tmp_path: Path) -> None:
    rows = [
        *answers("What is 2?", 0, 1, dataset="d", prompt_id="1", split="train"),
        *answers("what is 2", 1, 1, dataset="d", prompt_id="2", split="test", input_tokens=1, output_tokens=1),
        *answers("same", 1, 1, dataset="d", prompt_id="3", split="train"),
        *answers("same", 1, 1, dataset="d", prompt_id="4", split="test"),
        {"dataset": "d", "prompt_id": "1", "prompt": "other", "model": "third", "score": 0.5, "propensity": 0.5},
        {"dataset": "d", "prompt_id": "3", "prompt": "same", "model": "cheap", "score": 0.5, "split": "train"},
    ]
    found = inspect(file_of(tmp_path / "t.jsonl", *rows), [("cheap", "capable", "")])
    assert (found.rows, found.prompts, found.texts, found.normalised_texts, found.groups) == (10, 5, 4, 3, 4)
    assert (found.models, found.datasets) == (3, {"d": 5})
    assert found.splits == {"train": 5, "test": 4, "": 1}
    assert (found.duplicates, found.disagreeing, found.sampled) == (1, 1, 1)
    assert (found.names_with_several_texts, found.texts_with_several_names) == (1, 1)
    assert found.per_model[2] == ModelRow(
        dataset="d", model="third", answers=1, score=0.5, costs_missing=1, tokens_missing=1
    )
    assert (found.per_model[1].answers, found.per_model[1].score) == (5, 0.7)
    assert found.leaks == [Leak(first="test", second="train", exact=1, normalised=2, example=found.leaks[0].example)]
    assert found.leaks[0].example in ("same", "what is 2", "What is 2?")
    (pair,) = found.pairs
    assert (pair.prompts, pair.groups, pair.only_cheap, pair.only_capable) == (4, 3, 0, 0)
    assert (pair.cheap_score, pair.capable_score) == (0.6875, 1.0)
    assert pair.least == least_units(1.0)
    assert pair.usual == usual_units(1.0, 0.5 * (1 + 0.25**2) / 4)


def test_without_splits_there_is_no_leak(tmp_path: Path) -> None:
    found = inspect(file_of(tmp_path / "t.csv", *answers("a", 0, 1)))
    assert (found.leaks, found.pairs, found.other_columns) == ([], [], [])


def test_texts_that_are_in_several_files(tmp_path: Path) -> None:
    one = file_of(tmp_path / "one.csv", *answers("a", 0, 1, category="x"), *answers("b", 0, 1))
    other = file_of(tmp_path / "other.csv", *answers("b", 0, 1), *answers("c", 0, 1))
    found = inspect(one._replace(paths=(*one.paths, *other.paths)))
    assert (found.texts, found.texts_in_several_files) == (3, 1)
    assert (found.categories, found.categories_missing) == (1, 6)
    assert inspect(one).texts_in_several_files == 0


def test_a_table_without_a_row_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match=r"t\.csv: there are no graded answers in it"):
        inspect(file_of(tmp_path / "t.csv"))
