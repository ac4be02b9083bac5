from __future__ import annotations

import numpy as np

from turnout.evaluate.training.smoothing import FEWEST_OTHERS, smoothed


def world(count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How likely prompts are answered, two candidates' scores and six other models' scores."""
    draw = np.random.default_rng(5)
    ease = draw.uniform(0.05, 0.95, count)
    grades = (draw.uniform(size=(count, 8)) < ease[:, None]).astype(float)
    return ease, grades[:, :2], grades[:, 2:].astype(np.float32)


def test_targets_are_nearer_to_how_likely_the_answer_is() -> None:
    ease, scores, others = world()
    found = smoothed(scores, others, np.ones(400), np.arange(400) % 5)
    before, after = ((one - ease[:, None]) ** 2 for one in (scores, found))
    assert after.mean() < 0.5 * before.mean()


def test_answers_that_are_missing_say_nothing() -> None:
    ease, scores, others = world()
    others[np.random.default_rng(1).uniform(size=others.shape) < 0.3] = np.nan
    found = smoothed(scores, others, np.ones(400), np.arange(400) % 5)
    assert np.isfinite(found).all()
    assert ((found - ease[:, None]) ** 2).mean() < 0.6 * ((scores - ease[:, None]) ** 2).mean()


def test_few_others_change_nothing() -> None:
    _, scores, others = world()
    assert smoothed(scores, others[:, : FEWEST_OTHERS - 1], np.ones(400), np.arange(400) % 5) is scores
    rare = others.copy()
    rare[20:] = np.nan
    rare[:20] = 1.0
    assert smoothed(scores, rare[:, :FEWEST_OTHERS], np.ones(400), np.arange(400) % 5) is not scores
    rare[5:] = np.nan
    assert smoothed(scores, rare, np.ones(400), np.arange(400) % 5) is scores


def test_the_score_itself_stays_in_by_half() -> None:
    _, scores, others = world()
    changed = scores.copy()
    changed[0, 0] = 1.0 - changed[0, 0]
    folds = np.arange(400) % 5
    before, after = smoothed(scores, others, np.ones(400), folds), smoothed(changed, others, np.ones(400), folds)
    # What is expected of a prompt does not know its own score.
    assert np.isclose(abs(after[0, 0] - before[0, 0]), 0.5)
