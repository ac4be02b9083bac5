from __future__ import annotations

from datetime import date

from turnout.config.dated_price import DatedPrice, PriceSchedule
from turnout.core.price import flat_price


def test_the_last_price_that_has_begun_holds() -> None:
    before, first, second = flat_price("3", "6"), flat_price("2", "4"), flat_price("1", "2")
    schedule = PriceSchedule(
        (DatedPrice(before), DatedPrice(first, date(2026, 3, 13)), DatedPrice(second, date(2026, 9, 1)))
    )
    assert schedule.on(date(2026, 3, 12)) == before
    assert schedule.on(date(2026, 3, 13)) == first
    assert schedule.on(date(2026, 8, 31)) == first
    assert schedule.on(date(2026, 9, 1)) == second


def test_before_the_first_date_the_first_price_holds() -> None:
    schedule = PriceSchedule((DatedPrice(flat_price("1", "2"), date(2026, 3, 13)),))
    assert schedule.on(date(2020, 1, 1)) == flat_price("1", "2")
