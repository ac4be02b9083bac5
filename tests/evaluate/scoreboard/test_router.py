from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.outcomes import prompts as prompts_module
from turnout.evaluate.outcomes.pair import aligned
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.scoreboard.router import Examples, Texts, meaning_of, scored


def texts_of(path: Path, *prompts: str) -> Texts:
    rows = [row for prompt in prompts for row in answers(prompt, 0, 1)]
    source = file_of(path, *rows, *answers(prompts[0], 1, 1), {"prompt": "unanswered", "model": "cheap", "score": 1})
    return Texts(source, aligned(source, "cheap", "capable"))


def lengths(batch: Batch) -> Any:
    return [len(prompt) for prompt in batch.prompt]


@pytest.mark.parametrize("kept", [0, 100])
def test_each_prompt_comes_once_however_often_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(prompts_module, "KEPT_PROMPTS", kept)
    texts = texts_of(tmp_path / "t.csv", "a", "bb", "ccc")
    for _ in range(2):
        found = [prompt for batch, _ in texts.batches() for prompt in batch.prompt]
        assert sorted(found) == ["a", "bb", "ccc"]
    assert sorted(scored(lengths, texts).tolist()) == [1.0, 2.0, 3.0]


def test_only_some_prompts_are_scored(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv", "a", "bb", "ccc")
    told: list[int] = []
    found = scored(lengths, texts, np.array([1]), progress=told.append)
    assert np.isnan(found).tolist() == [True, False, True]
    assert told == [1]


def test_examples_have_their_own_grades(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv", "a", "bb", "ccc")
    examples = Examples(texts, np.array([0, 2]))
    assert len(examples) == len(examples.pair) == 2
    ((batch, places),) = examples.batches()
    assert sorted(places.tolist()) == [0, 1]
    assert examples.pair.places(batch).tolist() == places.tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [([1.0], "one score for each of 3 rows, got an array of shape"), ([1.0, np.nan, 2.0], "must be finite, got nan")],
)
def test_scores_that_are_none(tmp_path: Path, given: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scored(lambda batch: given, texts_of(tmp_path / "t.csv", "a", "b", "c"))


def test_a_meaning_is_one_of_three() -> None:
    def scores(batch: Batch) -> Any:
        return lengths(batch)

    assert meaning_of(scores) is None
    scores.meaning = "gains"  # type: ignore[attr-defined] # functions may have attributes
    assert meaning_of(scores) == "gains"
    scores.meaning = "probability"  # type: ignore[attr-defined] # as above
    with pytest.raises(ValueError, match="'gains', 'better' or 'fails'"):
        meaning_of(scores)
