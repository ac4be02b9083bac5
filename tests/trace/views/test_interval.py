from __future__ import annotations

from decimal import Decimal

import pytest

from turnout.trace.views.interval import FEWEST_QUERIES, interval_of


def test_a_small_sample_has_none() -> None:
    assert interval_of([1] * (FEWEST_QUERIES - 1), seed=0) is None


@pytest.mark.parametrize("count", [20, 1_001])
def test_lower_and_upper_ends_widen_it_on_their_side(count: int) -> None:
    changes = [10**9 * (place % 3) for place in range(count)]
    alone = interval_of(changes, seed=0)
    wide = interval_of(changes, [one - 10**9 for one in changes], [one + 10**9 for one in changes], seed=0)
    assert alone is not None
    assert wide is not None
    assert (alone.method, wide.mean) == ("bootstrap" if count == 20 else "normal", alone.mean)
    assert alone.low - wide.low == Decimal("0.001")
    assert wide.high - alone.high == Decimal("0.001")
