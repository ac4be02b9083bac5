from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.evaluate.training.graded import graded
from turnout.classify.learned.model import Predicted, Price
from turnout.evaluate.training.answers import Answers, read_answers
from turnout.evaluate.training.judged import POWERS, chosen_power, judged


def read(path: Path) -> Answers:
    return read_answers(graded(path, 200), ["cheap", "capable"])


def said(need: np.ndarray, costs: np.ndarray) -> Predicted:
    return Predicted(np.column_stack([np.zeros(len(need)), need]), np.ones((len(need), 2)), costs, Price(0.0, 0.01))


def test_an_oracle_and_a_blind_one(tmp_path: Path) -> None:
    answers = read(tmp_path / "t.csv")
    folds = np.arange(200) % 5
    gains = answers.scores[:, 1] - answers.scores[:, 0]
    (oracle,) = judged(answers, said(gains, answers.costs), folds)
    (blind,) = judged(answers, said(np.random.default_rng(0).uniform(size=200), answers.costs), folds)
    # Levels of folds do not count.
    assert judged(answers, said(gains + 10.0 * folds, answers.costs), folds)[0].apgr == oracle.apgr
    assert oracle.apgr is not None
    assert blind.apgr is not None
    assert oracle.apgr.low > 0.7
    assert blind.apgr.low < 0.5 < blind.apgr.high
    assert oracle.saved_95 is not None
    assert blind.saved_95 is not None
    assert oracle.saved_95.value > blind.saved_95.value
    assert (oracle.cheap, oracle.capable, oracle.capable_score) == ("cheap", "capable", answers.scores[:, 1].mean())


def test_the_power_is_what_saves_most(tmp_path: Path) -> None:
    answers = read(tmp_path / "t.csv")
    gains = answers.scores[:, 1] - answers.scores[:, 0]
    # Both known: the dearer of two gains that are alike comes later.
    assert chosen_power(answers, said(gains, answers.costs)) > min(POWERS)
    # Costs that are predicted the wrong way round are best left out.
    wrong = np.column_stack([answers.costs[:, 0], answers.costs[:, 1] ** -1])
    assert chosen_power(answers, said(gains, wrong)) == 0.0
