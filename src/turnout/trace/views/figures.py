"""Money, changes and what lies between two bounds, as text."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from turnout.core.cost import pico_to_usd
from turnout.trace.views.compare import Change
from turnout.trace.views.exactness import Between, CostRange

NOT_KNOWN = "–"
"""Stands for a figure that is not known."""


def usd(amount: Decimal, digits: int = 6) -> str:
    """A plain number with that many decimals, rounded half to even: ``0.004500``."""
    return f"{rounded(amount, digits):,f}"


def usd_range(cost: CostRange, digits: int = 6) -> str:
    """A cost as far as it is known: ``0.004500``, ``0.004500 to 0.320000``, ``at least 0.004500``."""
    least, most = pico_to_usd(cost.least_pico), cost.most_pico
    if most is None:
        return f"at least {usd(least, digits)}"
    return usd(least, digits) if cost.settled else f"{usd(least, digits)} to {usd(pico_to_usd(most), digits)}"


def signed(value: Decimal, digits: int) -> str:
    """A number with its sign; none before a zero."""
    figure = rounded(value, digits)
    return f"{figure:+,f}" if figure else f"{figure:f}"


def percent(change: Change) -> str:
    """A change with its sign in per cent: ``-15.8 %``; ``n/a`` where something came from nothing."""
    return "n/a" if change.percent is None else f"{signed(change.percent, 1)} %"


def between(figure: Between, digits: int, *, sign: bool = False, unit: str = "") -> str:
    """What a figure lies between: ``-0.030000 to +0.010000``, ``at least ...``, ``at most ...``, ``not known``."""

    def text(value: Decimal) -> str:
        return (signed(value, digits) if sign else usd(value, digits)) + unit

    match figure.low, figure.high:
        case None, None:
            return "not known"
        case None, Decimal() as high:
            return f"at most {text(high)}"
        case Decimal() as low, None:
            return f"at least {text(low)}"
        case Decimal() as low, Decimal() as high:
            return text(low) if low == high else f"{text(low)} to {text(high)}"
    raise AssertionError("an end is an amount or none")


def rounded(value: Decimal, digits: int) -> Decimal:
    """A number with that many decimals, rounded half to even, without a minus before a zero."""
    figure = value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return figure if figure else abs(figure)
