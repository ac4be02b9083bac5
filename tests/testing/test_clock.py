from __future__ import annotations

import pytest

from turnout.testing.clock import ManualClock


def test_time_stands_until_it_is_advanced() -> None:
    clock = ManualClock(100.0)
    assert (clock(), clock()) == (100.0, 100.0)
    clock.advance(2.5)
    assert clock() == 102.5


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back: -1 s"):
        ManualClock().advance(-1)
