from __future__ import annotations

import numpy as np
import pytest

from turnout.evaluate.training.ridge import PENALTIES
from turnout.evaluate.training.smoothing import FEWEST_OTHERS, averaged, expectations, mixed

FOLDS = np.arange(400) % 5


def world(count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How likely prompts are answered, two candidates' scores and six other models' scores."""
    draw = np.random.default_rng(5)
    ease = draw.uniform(0.05, 0.95, count)
    grades = (draw.uniform(size=(count, 8)) < ease[:, None]).astype(float)
    return ease, grades[:, :2], grades[:, 2:].astype(np.float32)


def test_targets_are_nearer_to_how_likely_the_answer_is() -> None:
    ease, scores, others = world()
    expected = expectations(scores, others, np.ones(400), FOLDS)
    before, after = ((one - ease[:, None]) ** 2 for one in (scores, mixed(scores, expected, 0.5)))
    assert after.mean() < 0.5 * before.mean()


def test_answers_that_are_missing_say_nothing() -> None:
    ease, scores, others = world()
    others[np.random.default_rng(1).uniform(size=others.shape) < 0.3] = np.nan
    found = expectations(scores, others, np.ones(400), FOLDS)
    assert np.isfinite(found).all()
    assert ((found - ease[:, None]) ** 2).mean() < 0.6 * ((scores - ease[:, None]) ** 2).mean()


def test_few_others_say_nothing() -> None:
    _, scores, others = world()
    assert expectations(scores, others[:, : FEWEST_OTHERS - 1], np.ones(400), FOLDS) is None
    rare = others.copy()
    rare[20:] = np.nan
    rare[:20] = 1.0
    assert expectations(scores, rare[:, :FEWEST_OTHERS], np.ones(400), FOLDS) is not None
    rare[5:] = np.nan
    assert expectations(scores, rare, np.ones(400), FOLDS) is None


def test_what_is_expected_does_not_know_the_score_itself() -> None:
    _, scores, others = world()
    changed = scores.copy()
    changed[0, 0] = 1.0 - changed[0, 0]
    before, after = (expectations(one, others, np.ones(400), FOLDS) for one in (scores, changed))
    assert before[0, 0] == after[0, 0]
    assert np.isclose(abs(mixed(scores, before, 0.25) - mixed(changed, after, 0.25))[0, 0], 0.75)


def test_nothing_of_it_is_the_scores_themselves() -> None:
    _, scores, _ = world()
    assert mixed(scores, None, 0.0) is scores


def told(draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, predictions that say them, and for each penalty predictions that say nothing."""
    gains = draw.standard_normal((100, 1))
    scores = np.hstack([np.zeros((100, 1)), gains])
    return scores, scores + 0.01 * draw.standard_normal((100, 2)), draw.standard_normal((len(PENALTIES), 100, 2))


def test_what_clearly_predicts_gains_is_nearly_all_of_the_average() -> None:
    scores, good, noise = told(np.random.default_rng(3))
    by_expectations = noise.copy()
    by_expectations[2] = good
    found = averaged(scores, noise, by_expectations, np.ones(100))
    assert found.share > 0.9
    assert np.argmax(found.parts[:, 1]) == 2
    assert found.parts.sum() == pytest.approx(1.0)
    by_scores = noise.copy()
    by_scores[4] = good
    alone = averaged(scores, by_scores, None, np.ones(100))
    assert alone.share == 0.0
    assert np.argmax(alone.parts[:, 0]) == 4
    assert alone.penalty == pytest.approx(PENALTIES[4], rel=0.1)


def test_what_is_as_good_counts_as_much() -> None:
    scores, good, _ = told(np.random.default_rng(3))
    same = np.stack([good] * len(PENALTIES))
    found = averaged(scores, same, same, np.ones(100))
    assert found.share == pytest.approx(0.5)
    assert np.allclose(found.parts, 0.5 / len(PENALTIES))
    assert np.allclose(found.unseen, good)


def test_the_average_is_of_predictions_as_its_parts_say() -> None:
    draw = np.random.default_rng(4)
    scores, _, noise = told(draw)
    more = draw.standard_normal(noise.shape)
    found = averaged(scores, noise, more, draw.uniform(0.5, 2.0, 100))
    by_hand = sum(a * one + b * other for (a, b), one, other in zip(found.parts, noise, more, strict=True))
    assert np.allclose(found.unseen, by_hand)
