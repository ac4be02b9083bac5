from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from turnout.evaluate.guarantee.sequence import Units, in_order


def test_units_are_the_means_of_their_prompts() -> None:
    units = Units(np.array([0, 0, 1, 2]), 3, seed=1)
    found = units.means(np.array([[1.0, 0.0, 0.25, -1.0], [0.0, 0.0, 0.0, 1.0]]))
    assert sorted(found[0].tolist()) == [-1.0, 0.25, 0.5]
    assert sorted(found[1].tolist()) == [0.0, 0.0, 1.0]
    # One order for all rows.
    assert found[0].argmin() == found[1].argmax()


def test_the_first_that_does_not_pass_ends_it_and_is_given() -> None:
    asked: list[int] = []
    # Each hypothesis loses on more prompts; the fourth is one whose mean is above 0.
    rows = np.full((200, 500), -0.1)
    for place in range(200):
        rows[place, : 15 * place] = 0.9

    def losses(places: range) -> Any:
        asked.extend(places)
        return rows[places.start : places.stop]

    steps = list(in_order(200, losses, Units(np.arange(500), 500), delta=0.05, most=0.9, room=0.1))
    assert [step.place for step in steps] == list(range(len(steps)))
    assert [step.passed for step in steps] == [True] * (len(steps) - 1) + [False]
    assert 1 < len(steps) <= 5
    assert steps[1].mean_loss == pytest.approx(-0.1 + 15 / 500)
    assert steps[0].spread == pytest.approx(0.0)
    assert len(asked) < 200


def test_all_may_pass() -> None:
    steps = list(
        in_order(
            3,
            lambda places: np.full((len(places), 300), -0.1),
            Units(np.arange(300), 300),
            delta=0.05,
            most=0.9,
            room=0.1,
        )
    )
    assert [step.passed for step in steps] == [True] * 3
