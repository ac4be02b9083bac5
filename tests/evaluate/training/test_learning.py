from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from tests.evaluate.training.graded import graded
from turnout.classify.learned import features
from turnout.classify.learned.rows import Row
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.training.answers import Answers, Prompts, read_answers
from turnout.evaluate.training.learning import Choice, Learned, drawn_places, learn
from turnout.evaluate.training.looking import Looked
from turnout.evaluate.training.selection import SIMPLEST_FIRST

LINEAR = Choice(heads=("linear",))


def learned(path: Path, count: int = 120, choice: Choice = LINEAR, **common: Any) -> tuple[Answers, Learned]:
    source = graded(path, count, **common)
    found = read_answers(source, ["cheap", "capable"])
    prompts = Prompts(source, found)
    places = drawn_places(found, seed=0)
    looked = Looked(prompts.rows(places), None)
    everything = np.ones(len(found), bool)
    return found, learn(found, looked, places, embed=None, choice=choice, rest=lambda: prompts.batches(everything))


def test_it_learns_where_the_capable_model_is_needed(tmp_path: Path) -> None:
    _, found = learned(tmp_path / "t.csv")
    said = found.model.predict([Row("greet stone river table 7"), Row("prove stone river table 7")])
    assert said.suffices[0, 0] > 0.8 > 0.5 > said.suffices[1, 0]
    assert found.others == 3
    # Costs were 0.001 and 0.02 USD, and up to three times that.
    assert said.costs[:, 1] / said.costs[:, 0] == pytest.approx([20, 20], rel=0.2)


def test_what_is_unseen_ranks_and_is_calibrated(tmp_path: Path) -> None:
    answers_, found = learned(tmp_path / "t.csv", 300)
    gains = answers_.scores[:, 1] - answers_.scores[:, 0]
    assert np.corrcoef(found.unseen.need("call"), gains)[0, 1] > 0.5
    assert 1.0 - found.unseen.suffices[:, 0].mean() == pytest.approx(gains.clip(0).mean(), abs=0.03)


def test_the_same_data_is_the_same_model(tmp_path: Path) -> None:
    one, same = (learned(tmp_path / "t.csv")[1].model for _ in range(2))
    assert np.array_equal(one.weights, same.weights)
    assert one.calibrations == same.calibrations
    other = learned(tmp_path / "t.csv", choice=Choice(heads=("linear",), seed=9))[1].model
    assert not np.array_equal(one.weights, other.weights)


def test_more_prompts_than_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole = learned(tmp_path / "t.csv", 200)
    monkeypatch.setattr(drawn_places, "__kwdefaults__", {"most": 60})
    monkeypatch.setattr(features, "FEW", 100)  # fewer columns, as there are for many prompts
    answers_, found = learned(tmp_path / "t.csv", 200)
    assert 40 <= len(found.places) <= 80
    assert len(answers_) == 200
    rows = [Row("greet stone river table 7"), Row("prove stone river table 7")]
    for model in (whole.model, found.model):
        greet, prove = model.predict(rows).need("call").tolist()
        assert prove - greet > 0.3


def test_groups_are_drawn_whole(tmp_path: Path) -> None:
    rows = [row for number in range(90) for row in answers(f"p {number // 3}", number % 2, 1.0, prompt_id=str(number))]
    found = read_answers(file_of(tmp_path / "t.csv", *rows), ["cheap", "capable"])
    places = drawn_places(found, seed=1, most=30)
    inside = np.isin(np.arange(90), places)
    assert 20 <= len(places) <= 40
    for group in range(30):
        assert len(set(inside[found.groups == group])) == 1


def test_categories_are_used_or_not(tmp_path: Path) -> None:
    from tests.evaluate.training.graded import rows_of

    rows = [row | {"category": row["prompt"].split()[0]} for row in rows_of()]
    file_of(tmp_path / "t.csv", *rows)

    def layout(choice: Choice) -> tuple[str, ...]:
        from turnout.evaluate.outcomes.files import source_of

        source = source_of([tmp_path / "t.csv"])
        found = read_answers(source, ["cheap", "capable"])
        looked = Looked(Prompts(source, found).rows(range(len(found))), None)
        done = learn(found, looked, np.arange(len(found)), embed=None, choice=choice)
        return done.model.features.layout.categories

    assert layout(LINEAR) == ("greet", "prove")
    assert layout(Choice(heads=("linear",), categories=False)) == ()


def test_too_little_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match="10 different prompts were answered by all candidates; 20 are needed"):
        learned(tmp_path / "few.csv", 10)
    same = [row for number in range(30) for row in answers(f"p {number}", 1.0, 1.0)]
    source = file_of(tmp_path / "same.csv", *same)
    found = read_answers(source, ["cheap", "capable"])
    with pytest.raises(OutcomesError, match="'cheap' and 'capable' score the same on every prompt"):
        learn(found, Looked(Prompts(source, found).rows(range(30)), None), np.arange(30), embed=None, choice=LINEAR)


def test_heads_are_compared(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn (extra train), which is large")
    _, found = learned(tmp_path / "t.csv", 150, Choice())
    assert set(found.selected.errors) == set(SIMPLEST_FIRST)
    assert (found.model.trees is None) == (found.model.head == "linear")
