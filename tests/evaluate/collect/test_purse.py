from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.evaluate.collect.errors import OutOfBudgetError
from turnout.evaluate.collect.purse import Purse


async def test_what_does_not_fit_is_refused() -> None:
    purse = Purse(100, spent_pico=60)
    with pytest.raises(OutOfBudgetError):
        await purse.reserve(41)
    await purse.reserve(40)
    await purse.settle(40, 10)
    assert (purse.spent_pico, purse.reserved_pico) == (70, 0)


async def test_what_does_not_fit_beside_others_waits_for_them() -> None:
    purse = Purse(100)
    await purse.reserve(80)
    second = asyncio.create_task(purse.reserve(50))
    await asyncio.sleep(0)
    assert not second.done()
    await purse.settle(80, 20)
    await second
    assert (purse.spent_pico, purse.reserved_pico) == (20, 50)


async def test_and_is_refused_where_they_leave_no_room() -> None:
    purse = Purse(100)
    await purse.reserve(80)
    second = asyncio.create_task(purse.reserve(50))
    await asyncio.sleep(0)
    await purse.settle(80, 60)
    with pytest.raises(OutOfBudgetError):
        await second


@given(st.integers(0, 1_000), st.lists(st.tuples(st.integers(0, 400), st.floats(0.0, 1.0)), max_size=20))
def test_the_limit_is_never_exceeded(limit: int, calls: list[tuple[int, float]]) -> None:
    async def run() -> None:
        purse = Purse(limit)

        async def one(high: int, share: float) -> None:
            try:
                await purse.reserve(high)
            except OutOfBudgetError:
                return
            assert purse.spent_pico + purse.reserved_pico <= limit
            await asyncio.sleep(0)
            await purse.settle(high, int(high * share))

        await asyncio.gather(*(one(*call) for call in calls))
        assert purse.reserved_pico == 0
        assert purse.spent_pico <= limit

    asyncio.run(run())
