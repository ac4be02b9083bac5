"""Prices that change on known dates."""

from __future__ import annotations

from datetime import date

import msgspec

from turnout.core.price import Price


class DatedPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price and the day (UTC) from which it holds; none: always."""

    price: Price
    start: date | None = None


class PriceSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of one model in the order of their dates; the last one that has begun holds."""

    prices: tuple[DatedPrice, ...]

    def on(self, day: date) -> Price:
        """The price on that day; before the first date, the first price."""
        for dated in reversed(self.prices):
            if dated.start is None or dated.start <= day:
                return dated.price
        return self.prices[0].price
