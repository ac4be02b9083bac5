from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.scoreboard.test_sweep import FOUR, NEED
from turnout.evaluate.scoreboard.figures import AREA, GAP, METRIC_NAMES, METRICS, Measured, came_of
from turnout.evaluate.scoreboard.judging import Judged

DOCS = Path(__file__).parents[3] / "docs" / "evaluate.md"


def test_the_page_names_every_figure() -> None:
    found = re.findall(r"^\| `(\w+)` \| [^|]+ \| (more |less |)\|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert found == [(one.name, f"{one.better} " if one.better else "") for one in METRICS]


def judged(**more: object) -> Judged:
    sent = {0.95: np.array([0.0, 0.0, 0.5, 0.5]), 0.98: np.array([0.0, 0.0, 1.0, 1.0])}
    return Judged(name="r", kind="router", scores=NEED, sent=sent, **more)  # type: ignore[arg-type] # by name


def test_four_prompts_by_hand() -> None:
    found = {name: float(value[0]) for name, value in Measured(judged(), FOUR).figures().items()}
    assert set(found) == {*METRIC_NAMES, AREA, GAP}
    assert found[AREA] / found[GAP] == pytest.approx(found["apgr"])
    assert found["apgr"] == pytest.approx(1.125)
    assert (found["cpt50"], found["cpt80"]) == pytest.approx((12.5, 20.0))
    # A half of c and d on the capable model: (1 + 1 + 0.5 + 0.5) / 4 of quality, (0.02 + 0.055 + 0.155) / 4 USD.
    assert (found["kept_95"], found["calls_95"]) == pytest.approx((1.0, 0.25))
    assert found["saved_95"] == pytest.approx(1 - 0.23 / 0.6)
    assert (found["kept_98"], found["calls_98"], found["saved_98"]) == pytest.approx((4 / 3, 0.5, 0.3))
    assert found["saved_95_curve"] == pytest.approx(1 - (0.01 + 0.425 * 0.095) / 0.15)
    assert 0.0 < found["arena"] < 0.75
    assert np.isnan(found["ece"])


def test_calibration_of_both_meanings() -> None:
    gains = Measured(judged(meaning="gains"), FOUR).figures()["ece"][0]
    # Said 0.1, 0.2, 0.7, 0.7 that the capable model is better; it is for c and d.
    assert gains == pytest.approx((0.1 + 0.2 + 0.3 + 0.3) / 4)
    fails = Measured(judged(meaning="fails"), FOUR).figures()["ece"][0]
    assert fails == pytest.approx((0.1 + 0.2 + 0.3 + 0.3) / 4)


def test_grades_in_between_count_as_what_they_are() -> None:
    from tests.evaluate.outcomes.tables import pair_of

    pair = pair_of([0.5, 0.25, 1.0, 0.0], [0.75, 0.25, 0.5, 1.0])
    assert came_of("gains", pair).tolist() == [0.25, 0.0, 0.0, 1.0]
    assert came_of("better", pair).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert came_of("fails", pair).tolist() == [0.5, 0.75, 0.0, 1.0]
    # Said 0.1, 0.2, 0.7, 0.7: the last two are in one bin, 0.7 and 0.5 on the mean.
    found = Measured(judged(meaning="gains"), pair).figures()["ece"][0]
    assert found == pytest.approx((0.15 + 0.2 + 0.7 - 0.3) / 4)


def test_a_weight_is_as_many_prompts() -> None:
    once = Measured(judged(), FOUR).figures()
    twice = Measured(judged(), FOUR).figures(np.array([[2, 2, 2, 2], [1, 1, 1, 1]]))
    for name, value in once.items():
        assert twice[name] == pytest.approx([value[0], value[0]], nan_ok=True)


def test_without_costs_saved_is_in_calls() -> None:
    from tests.evaluate.outcomes.tables import pair_of

    bare = pair_of([1, 1, 0, 0], [1, 0, 1, 1], usd=([np.nan] * 4, [np.nan] * 4))
    found = Measured(judged(), bare).figures()
    assert found["saved_95"][0] == pytest.approx(0.75)
    assert np.isnan([found["aiq"][0], found["arena"][0]]).all()
    assert found["saved_95_curve"][0] == pytest.approx(1 - 0.425 * 0.5)


def test_what_goes_to_one_model_has_no_curve() -> None:
    found = Measured(judged(ranks=False), FOUR).figures()
    assert np.isnan(found["apgr"][0])
    assert found["calls_98"][0] == 0.5
