from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import pair_of
from turnout.evaluate.guarantee.pvalues import BOLDEST, Test
from turnout.evaluate.guarantee.threshold import calibrate, least_units, sequence_from, units_for, usual_units

DELTA = 0.1
DRAWS = 1_000


def world(seed: int, prompts: int) -> tuple[Any, Any, Any]:
    """Scores and both models' grades of a population: the cheap model fails more the higher the score."""
    rng = np.random.default_rng(seed)
    need = rng.random(prompts)
    capable = (rng.random(prompts) < 0.9).astype(float)
    cheap = np.where(rng.random(prompts) < 0.6 * need, 0.0, capable)
    cheap = np.where((capable == 0) & (rng.random(prompts) < 0.05), 1.0, cheap)
    return need + rng.normal(0, 0.1, prompts), cheap, capable


@pytest.mark.once
@pytest.mark.parametrize(
    ("test", "units", "keep"),
    [("betting", 400, 0.95), ("betting_in_order", 400, 0.95), ("hoeffding_bentkus", 1_000, 0.8)],
)
def test_the_statement_is_wrong_no_more_often_than_it_says(test: Test, units: int, keep: float) -> None:
    """1,000 draws without replacement; the rest is the population on which what is served is held against the bar."""
    scores, cheap, capable = world(1, 20_000)
    thresholds = sequence_from(world(2, 2_000)[0], steps=25)
    # From just before to just behind the bar: a test that lets too much pass would be seen.
    rng = np.random.default_rng(3)
    wrong = served_cheap = 0.0
    for draw in range(DRAWS):
        drawn = rng.choice(len(scores), units, replace=False)
        rest = np.ones(len(scores), bool)
        rest[drawn] = False
        pair = pair_of(cheap[drawn], capable[drawn])
        found = calibrate(pair, scores[drawn], thresholds, keep=keep, delta=DELTA, test=test, seed=draw)
        served = np.where(scores > found.threshold, capable, cheap)
        wrong += served[rest].mean() < keep * capable[rest].mean()
        served_cheap += 1.0 - found.share_capable
    assert wrong / DRAWS <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / DRAWS)
    # And it is of use: some of the 40 to 80 % that could be sent to the cheap model are.
    assert served_cheap / DRAWS > 0.15


def test_the_last_that_passed_is_taken_and_the_first_failure_ends_it() -> None:
    # The cheap model fails on every prompt with a score above 0.5.
    scores = np.linspace(0, 1, 2_000)
    pair = pair_of((scores <= 0.5).astype(float), np.ones(2_000))
    found = calibrate(pair, scores, [0.1, 0.3, 0.5, 0.7, 0.9], keep=0.95, delta=0.05)
    assert found.threshold == 0.5
    assert found.share_capable == pytest.approx(0.5)
    assert [one.threshold for one in found.tested] == [0.1, 0.3, 0.5, 0.7]
    assert [one.p <= 0.05 for one in found.tested] == [True, True, True, False]
    assert found.tested[0].mean_loss == pytest.approx(-0.05)
    assert not found.always_capable
    assert found.statement == (
        "With probability at least 0.95 over the drawing of the calibration set, the mean score on requests "
        "exchangeable with it is at least 0.95 of the capable model's, as measured by this scorer."
    )


def test_too_few_prompts_give_always_capable_and_how_many_are_needed() -> None:
    found = calibrate(pair_of([1.0] * 50, [1.0] * 50), np.zeros(50), [0.0], keep=0.98, delta=0.05)
    assert found.always_capable
    assert (found.threshold, found.share_capable) == (-math.inf, 1.0)
    assert found.least_units is not None
    assert found.least_units > 50


def test_with_the_least_number_the_easiest_router_passes_and_hardly_before() -> None:
    least = least_units(1.0, keep=0.98, delta=0.05)
    assert least is not None
    passed = [
        not calibrate(pair_of([1.0] * n, [1.0] * n), np.zeros(n), [0.0], keep=0.98, delta=0.05).always_capable
        for n in (least - 1, least)
    ]
    assert passed == [False, True]


def test_a_prompt_that_is_there_often_is_one_unit() -> None:
    count = 600
    alone = calibrate(pair_of([1.0] * count, [1.0] * count), np.zeros(count), [0.0], keep=0.98)
    repeated = pair_of([1.0] * count, [1.0] * count, groups=[number // 20 for number in range(count)])
    together = calibrate(repeated, np.zeros(count), [0.0], keep=0.98)
    assert (alone.units, alone.always_capable) == (600, False)
    assert (together.units, together.always_capable) == (30, True)


def test_sampled_answers_are_weighted() -> None:
    # Of the prompts that the cheap model fails on only a tenth were graded.
    cheap, weights = [1.0] * 500 + [0.0] * 50, [1.0] * 500 + [10.0] * 50
    weighted = calibrate(pair_of(cheap, [1.0] * 550, weights=weights), np.zeros(550), [0.0], keep=0.8)
    ignored = calibrate(pair_of(cheap, [1.0] * 550), np.zeros(550), [0.0], keep=0.8)
    assert weighted.tested[0].mean_loss > 0.0
    assert weighted.always_capable
    assert not ignored.always_capable


def test_the_sequence_comes_from_other_prompts() -> None:
    laid = sequence_from([3.0, 1.0, 2.0, 2.0], steps=4)
    assert laid == [1.0, 2.0, 3.0]
    assert sequence_from(np.arange(1_000.0), steps=10)[-1] == 999.0
    with pytest.raises(ValueError, match="finite scores"):
        sequence_from([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keep": 0.0}, "keep and delta"),
        ({"delta": 1.0}, "keep and delta"),
        ({"thresholds": [0.2, 0.1]}, "must ascend"),
    ],
)
def test_what_cannot_be_asked_for(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"thresholds": [0.1], **change}
    with pytest.raises(ValueError, match=message):
        calibrate(pair_of([1.0], [1.0]), np.zeros(1), **given)


def test_how_many_by_hand() -> None:
    # The boldest bettor alone needs 157; the mean wealth of all bettors is a little behind it.
    assert math.ceil(math.log(20) / math.log1p(BOLDEST / 0.98 * 0.02)) == 157
    assert least_units(1.0, keep=0.98, delta=0.05) == 158
    assert least_units(0.0) is None
    assert least_units(0.9, keep=1.0) is None
    # One bettor who knew mean and variance would need 2 (0.1 + 0.018^2) log(20) / 0.018^2.
    known = 2 * (0.1 + 0.018**2) * math.log(20) / 0.018**2
    assert known < (usual_units(0.9, 0.1, keep=0.98, delta=0.05) or 0) < 1.5 * known
    assert units_for(-0.018, 0.1**0.5, keep=0.98, delta=0.05) == usual_units(0.9, 0.1, keep=0.98, delta=0.05)
    assert units_for(0.0, 0.1) is None
    assert usual_units(0.0, 0.1) is None
    assert usual_units(1.0, 0.0, keep=0.98, delta=0.05) == 158
