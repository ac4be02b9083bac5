from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.outcomes.pair import aligned
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.scoreboard.baselines import CategoryRouter, LengthRouter, RandomRouter
from turnout.evaluate.scoreboard.figures import Measured
from turnout.evaluate.scoreboard.judging import KEEPS, Split, judge, without_groups_of
from turnout.evaluate.scoreboard.router import Examples, Scorer, Texts
from turnout.evaluate.scoreboard.sweep import cheapest_cut


class Rote:
    """Learns the gain of every text by heart; of one that it never saw it knows nothing."""

    name = "rote"

    def __init__(self) -> None:
        self.trained: list[set[str]] = []

    def fit(self, examples: Examples) -> Scorer:
        pair = examples.pair
        gains = {
            batch.prompt[row]: float(pair.capable_scores[place] - pair.cheap_scores[place])
            for batch, places in examples.batches()
            for row, place in enumerate(places.tolist())
        }
        self.trained.append(set(gains))
        return lambda batch: [gains.get(prompt, 0.0) for prompt in batch.prompt]


def texts_of(path: Path, count: int = 40, **common: Any) -> Texts:
    """Prompts of which every second one, by its text, is twice in the table; the long ones need the capable model."""
    rows = []
    for number in range(count):
        text = f"{number} " + "word " * (number % 7)
        grades = (float(number % 7 < 4), 1.0)
        rows += answers(text, *grades, prompt_id=f"{number}", **common)
        if number % 2:
            rows += answers(text, *grades, prompt_id=f"{number} again", **common)
    source = file_of(path, *rows)
    return Texts(source, aligned(source, "cheap", "capable"))


def test_no_prompt_is_scored_by_what_has_learned_it(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv")
    rote = Rote()
    judged = judge(rote, texts, Split(folds=4, inner_folds=3))
    # By heart everything would be known, and nothing is: the same prompt is never on both sides.
    assert judged.scores.tolist() == [0.0] * len(texts.pair)
    assert len(rote.trained) == 4 * (1 + 3)
    assert all(len(known) < 40 for known in rote.trained)
    # Thresholds were chosen on scores of models that did not know those prompts either.
    assert {cut.at for keep in KEEPS for cut in judged.cuts[keep]} == {0.0}


def test_thresholds_are_chosen_on_the_other_folds(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv")
    judged = judge(LengthRouter(), texts, Split(folds=4))
    assert not np.isnan(judged.scores).any()
    for keep in KEEPS:
        assert len(judged.cuts[keep]) == 4
        for cut in judged.cuts[keep]:
            # A share of the runs of longer prompts, whose number of words is 5 to 7.
            assert 1 <= cut.at <= 8
        assert ((judged.sent[keep] >= 0) & (judged.sent[keep] <= 1)).all()


def test_blind_thresholds_send_a_share(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv")
    judged = judge(RandomRouter(), texts, Split(folds=2))
    pair = texts.pair
    kept = np.mean(pair.cheap_scores + judged.sent[0.95] * (pair.capable_scores - pair.cheap_scores))
    assert kept == pytest.approx(0.95, abs=0.05)
    assert len(set(judged.sent[0.95].tolist())) == 2


def test_a_router_of_few_values_is_fitted_once_a_fold(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv", dataset="d", category="only")
    judged = judge(CategoryRouter(), texts, Split(folds=4))
    for keep in KEEPS:
        assert all(0.0 < cut.share_at < 1.0 for cut in judged.cuts[keep])


class Levels:
    """Ranks by words, each time on another level: what is trained says the same, and higher numbers of it."""

    name = "levels"

    def __init__(self, step: float) -> None:
        self._step = step
        self._fits = 0

    def fit(self, examples: Examples) -> Scorer:
        self._fits += 1
        level = self._step * self._fits
        return lambda batch: [len(prompt.split()) + level for prompt in batch.prompt]


def test_levels_of_folds_do_not_count(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv")
    flat, steep = (judge(Levels(step), texts, Split(folds=4, inner_folds=2)) for step in (0.0, 100.0))
    assert flat.scores.tolist() != steep.scores.tolist()
    assert flat.order_by.tolist() == steep.order_by.tolist()
    found = [Measured(one, texts.pair).figures()["apgr"][0] for one in (flat, steep)]
    assert found[0] == found[1] > 0.75
    as_they_are = Measured(replace(steep, folds=None), texts.pair).figures()["apgr"][0]
    assert as_they_are < 0.65
    # One model for all prompts: its scores are compared as they are.
    length = judge(LengthRouter(), texts, Split(folds=4))
    assert length.order_by is length.scores


class TestTrainFile:
    def test_everything_comes_from_the_file(self, tmp_path: Path) -> None:
        train, tested = texts_of(tmp_path / "train.csv", 30), texts_of(tmp_path / "test.csv", 20)
        rote = Rote()
        judged = judge(rote, tested, Split(inner_folds=3, train=train))
        assert len(rote.trained) == 1 + 3
        assert len(judged.cuts[0.95]) == 1
        assert judged.folds is None
        assert not np.isnan(judged.scores).any()
        length = judge(LengthRouter(), tested, Split(train=train))
        own = np.array([float(len(prompt.split())) for batch, _ in train.batches() for prompt in batch.prompt])
        assert len(own) == len(train.pair)
        cut = cheapest_cut(train.pair, _in_order(train, own), 0.95)
        assert length.cuts[0.95] == [cut]
        assert length.sent[0.95].tolist() == cut.on_capable(length.scores).tolist()

    def test_prompts_that_are_tested_are_not_trained_on(self, tmp_path: Path) -> None:
        train, tested = texts_of(tmp_path / "train.csv", 30), texts_of(tmp_path / "test.csv", 20)
        left, common = without_groups_of(train.pair, tested.pair)
        assert (len(left), common) == (15, 30)
        rote = Rote()
        judge(rote, tested, Split(inner_folds=2, train=Texts(train.source, left)))
        assert max(rote.trained, key=len) == {f"{number} " + "word " * (number % 7) for number in range(20, 30)}

    def test_nothing_is_left_to_train_on(self, tmp_path: Path) -> None:
        tested = texts_of(tmp_path / "test.csv", 20)
        with pytest.raises(ValueError, match="nothing is left to train on"):
            without_groups_of(tested.pair, tested.pair)


def _in_order(texts: Texts, values: Any) -> Any:
    out = np.empty(len(values))
    start = 0
    for batch, places in texts.batches():
        out[places] = values[start : start + len(batch)]
        start += len(batch)
    return out


def test_scores_must_be_one_a_row(tmp_path: Path) -> None:
    class Short:
        name = "short"

        def scores(self, batch: Batch) -> Any:
            return [1.0]

    with pytest.raises(ValueError, match="one score for each of"):
        judge(Short(), texts_of(tmp_path / "t.csv"), Split())
