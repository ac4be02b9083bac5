from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from turnout.evaluate.training.selection import SIMPLEST_FIRST, calibrated, select

DRAW = np.random.default_rng(2)
COUNT = 2_000
TRUTH = DRAW.uniform(size=COUNT)
SCORES = np.column_stack([np.zeros(COUNT), (DRAW.uniform(size=COUNT) < TRUTH).astype(float)])


def said(quality: float) -> Any:
    return np.column_stack([np.zeros(COUNT), quality * TRUTH + (1 - quality) * 0.5])


def of(qualities: tuple[float, float, float]) -> Any:
    unseen: dict[Any, Any] = {head: said(one) for head, one in zip(SIMPLEST_FIRST, qualities, strict=True)}
    return select(unseen, SCORES, np.ones(COUNT), np.arange(COUNT))


def test_what_is_clearly_better_is_taken() -> None:
    found = of((0.0, 0.2, 1.0))
    assert found.head == "linear+boosted"
    assert found.errors["linear+boosted"] < found.errors["linear"]
    assert found.beyond["linear+boosted"] == 0.0
    assert found.beyond["linear"] > 2.0


def test_the_simplest_that_is_about_as_good_is_taken() -> None:
    assert of((0.98, 1.0, 1.0)).head == "linear"
    assert of((0.0, 0.98, 1.0)).head == "linear+forest"


def test_rows_of_a_group_are_one_piece_of_evidence() -> None:
    unseen: dict[Any, Any] = {"linear": said(0.0), "linear+forest": said(1.0)}
    alone = select(unseen, SCORES, np.ones(COUNT), np.arange(COUNT)).beyond["linear"]
    together = select(unseen, SCORES, np.ones(COUNT), np.arange(COUNT) % 10).beyond["linear"]
    assert alone != pytest.approx(together)


def test_calibration_finds_the_curve() -> None:
    z = DRAW.normal(size=20_000)
    came = (DRAW.uniform(size=20_000) < 1.0 / (1.0 + np.exp(-(2.0 * z - 1.0)))).astype(float)
    found = calibrated(z, came, np.ones(20_000))
    assert found.slope == pytest.approx(2.0, abs=0.15)
    assert found.intercept == pytest.approx(-1.0, abs=0.1)


@pytest.mark.parametrize(
    ("predicted", "came", "share"),
    [
        ([0.1, 0.2, 0.3, 0.4] * 50, [1.0, 1.0, 0.0, 0.0] * 50, 0.5),  # the wrong way round: they say nothing
        ([0.1, 0.1, 0.1, 0.1], [1.0, 0.0, 0.0, 0.0], 0.3),
        ([0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0, 0.0], 0.1),
    ],
)
def test_where_there_is_no_curve_there_is_a_share(predicted: list[float], came: list[float], share: float) -> None:
    found = calibrated(np.array(predicted), np.array(came), np.ones(len(came)))
    assert found.slope == 0.0
    assert 1.0 / (1.0 + np.exp(-found.intercept)) == pytest.approx(share, rel=1e-4)


def test_few_answers_leave_the_slope_at_face_value() -> None:
    said, came = np.array([0.2, 0.4, 0.6, 0.8]), np.array([0.0, 1.0, 0.0, 1.0])
    found = calibrated(said, came, np.ones(4))
    assert found.slope == pytest.approx(4.0, rel=0.1)
    many = calibrated(np.tile(said, 200), np.tile(came, 200), np.ones(800))
    assert many.slope > found.slope
