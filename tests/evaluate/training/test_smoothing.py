from __future__ import annotations

import numpy as np

from turnout.evaluate.training.ridge import PENALTIES
from turnout.evaluate.training.smoothing import FEWEST_OTHERS, choose_mixture, expectations, mixed

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


def test_the_mixture_is_the_one_that_predicts_gains() -> None:
    draw = np.random.default_rng(3)
    gains = draw.standard_normal((100, 1))
    scores = np.hstack([np.zeros((100, 1)), gains])
    noise = draw.standard_normal((len(PENALTIES), 100, 2))
    good = scores + 0.01 * draw.standard_normal((100, 2))
    by_scores, by_expectations = noise.copy(), noise.copy()
    by_expectations[2] = good
    found = choose_mixture(scores, by_scores, by_expectations, np.ones(100))
    assert (found.penalty, found.share) == (PENALTIES[2], 1.0)
    assert np.array_equal(found.unseen, good)
    by_scores[4] = good
    assert choose_mixture(scores, by_scores, None, np.ones(100)).penalty == PENALTIES[4]
