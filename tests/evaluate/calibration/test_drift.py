from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.evaluate.calibration.drift import evidence, together

LEVEL = 0.05


@pytest.mark.once
@pytest.mark.parametrize("kinds", [0, 5])
def test_looking_all_the_time_raises_no_more_false_alarms_than_it_says(kinds: int) -> None:
    """The p-value is of the greatest evidence ever on the way: whoever stops at an alarm sees just that."""
    draw = random.Random(1)
    runs, alarms = 400, 0
    for _ in range(runs):
        figures = [draw.betavariate(2, 5) for _ in range(700)]
        if kinds:
            figures = [round(figure * kinds) / kinds for figure in figures]
        alarms += evidence(figures[:300], figures[300:]).p <= LEVEL
    assert alarms / runs <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / runs)


@pytest.mark.parametrize(
    "later",
    [
        lambda draw: draw.betavariate(2, 3),  # higher
        lambda draw: draw.betavariate(2, 9),  # lower
        lambda draw: draw.betavariate(0.4, 1.0),  # about the same mean, wider
    ],
)
def test_a_change_is_found(later: object) -> None:
    assert callable(later)
    draw = random.Random(2)
    sample = [draw.betavariate(2, 5) for _ in range(800)]
    before = [draw.betavariate(2, 5) for _ in range(300)]
    found = evidence(sample, before + [later(draw) for _ in range(400)])
    assert evidence(sample, before).p > LEVEL
    assert found.p < 1e-6
    assert found.figures == 700
    assert found.psi > 0.1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.lists(st.floats(0, 1), max_size=30))
def test_a_p_value_is_one_and_does_not_rise_as_more_comes(sample: list[float], stream: list[float]) -> None:
    whole = evidence(sample, stream)
    assert 0.0 < whole.p <= 1.0
    assert whole.p <= evidence(sample, stream[: len(stream) // 2]).p
    assert whole.psi >= 0.0
    assert evidence(sample, stream) == whole


def test_several_streams_share_the_level() -> None:
    assert together([]) == 1.0
    rising = evidence([0.1] * 50 + [0.2] * 50, [0.9] * 60)
    flat = evidence([0.5] * 50, [0.5] * 60)
    assert together([flat, rising]) == pytest.approx(2 * rising.p)
    assert together([flat, flat]) == 1.0


def test_a_long_stream_neither_overflows_nor_vanishes() -> None:
    assert evidence([0.5] * 10, [0.9] * 3_000).p >= 0.0
    draw = random.Random(3)
    assert 0.0 < evidence([draw.random() for _ in range(10)], [draw.random() for _ in range(5_000)]).p <= 1.0


def test_nothing_to_be_like() -> None:
    with pytest.raises(ValueError, match="a sample of at least one"):
        evidence([], [0.5])
