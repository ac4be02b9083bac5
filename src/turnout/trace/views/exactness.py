"""How much of a cost is known exactly, and between which bounds the rest lies.

A call's cost is *exact* where its provider reported the usage in full and the catalog priced it, and nowhere else. The
others are kept apart:

- *bounded*: a part of the usage was reported, or it was estimated; the cost lies between the event's low and high one;
- *open*: nothing was reported or estimated, or nobody here had a price: there is no upper bound;
- *failed*: it ended in an error and reported nothing: it is taken as not billed, which a provider may see otherwise.

Amounts of money are integers of 1e-12 USD, and exact sums whatever they are sums of.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Literal

import msgspec

from turnout.core.cost import pico_to_usd
from turnout.core.verdict import UsageSource
from turnout.trace.events import CallEvent

UNPRICED = "unpriced_model"
"""The error of a call whose model the catalog has no price for (`turnout.router`): its cost is not known."""

Certainty = Literal["exact", "bounded", "open", "failed"]
"""How well one call's cost is known."""

SOURCES: tuple[UsageSource, ...] = ("reported", "partial", "estimated", "none")
"""Where a call's usage may come from."""


class Exactness(msgspec.Struct, frozen=True, kw_only=True):
    """How well the cost of some calls is known. The cost itself stands elsewhere: the low sums are a part of it.

    Attributes:
        exact_calls: How many calls have an exact cost.
        bounded_calls: How many lie between two bounds.
        open_calls: How many have no upper bound.
        failed_calls: How many failed, reported nothing and are taken as not billed.
        reported: How many calls say that their usage was reported.
        partial: How many, that a part of it was.
        estimated: How many, that it was estimated.
        none: How many, that nothing is known of it.
        foreign: How many say nothing, since something other than Turnout recorded them (in Langfuse); they are open.
        low_pico: What the bounded and the open calls cost at least, in pico-USD.
        high_pico: What the bounded calls cost at most, and the open ones at least.
    """

    exact_calls: int = 0
    bounded_calls: int = 0
    open_calls: int = 0
    failed_calls: int = 0
    reported: int = 0
    partial: int = 0
    estimated: int = 0
    none: int = 0
    foreign: int = 0
    low_pico: int = 0
    high_pico: int = 0

    def __add__(self, other: Exactness) -> Exactness:
        return sum_exactness((self, other))

    @property
    def calls(self) -> int:
        """How many calls."""
        return self.exact_calls + self.bounded_calls + self.open_calls + self.failed_calls

    @property
    def exact(self) -> bool:
        """Whether every call's usage was reported and priced by the catalog."""
        return self.exact_calls == self.calls

    @property
    def settled(self) -> bool:
        """Whether the low and the high cost are the same: all is exact but for calls that failed."""
        return not self.inexact_calls

    @property
    def inexact_calls(self) -> int:
        """How many calls are bounded or open."""
        return self.bounded_calls + self.open_calls


ALL_EXACT = Exactness()
"""No call: nothing that is not exact."""


class CostRange(msgspec.Struct, frozen=True, kw_only=True):
    """A cost with its exact part and the two ends of the rest, in pico-USD.

    Attributes:
        exact_pico: The part that is exact.
        low_pico: What the rest cost at least.
        high_pico: What it cost at most; none where a call has no upper bound.
    """

    exact_pico: int
    low_pico: int
    high_pico: int | None

    @property
    def settled(self) -> bool:
        """Whether both ends are the same."""
        return self.high_pico == self.low_pico

    @property
    def least_pico(self) -> int:
        """What all cost at least."""
        return self.exact_pico + self.low_pico

    @property
    def most_pico(self) -> int | None:
        """What all cost at most; none where that is not known."""
        return None if self.high_pico is None else self.exact_pico + self.high_pico


def cost_range(cost_pico: int, *exactness: Exactness) -> CostRange:
    """A cost taken apart.

    Args:
        cost_pico: The cost, with every call that is not exact at its lowest.
        exactness: That of the same calls, in one part or several.
    """
    low = sum(part.low_pico for part in exactness)
    high = None if any(part.open_calls for part in exactness) else sum(part.high_pico for part in exactness)
    return CostRange(exact_pico=cost_pico - low, low_pico=low, high_pico=high)


def certainty(source: UsageSource, status: str, error: str, cost_pico: int, high_pico: int) -> Certainty:
    """How well one call's cost is known, by what its event says. The ledger's sums say the same in SQL.

    Args:
        source: Where its usage comes from.
        status: How it ended.
        error: The error's name.
        cost_pico: Its low cost, in pico-USD.
        high_pico: Its high cost, in pico-USD.
    """
    if error == UNPRICED:
        return "open"
    if source in ("partial", "estimated") or high_pico > cost_pico:
        return "bounded"
    if source == "reported":
        return "exact"
    return "failed" if status == "error" and not cost_pico else "open"


def exactness_of(calls: Iterable[CallEvent]) -> Exactness:
    """That of some calls."""
    return sum_exactness(
        one_call(call.usage_source, call.status, call.error, call.cost.total_pico, call.cost_high_pico)
        for call in calls
    )


def one_call(source: UsageSource, status: str, error: str, cost_pico: int, high_pico: int) -> Exactness:
    """That of one call; see `certainty`."""
    found = certainty(source, status, error, cost_pico, high_pico)
    inexact = found in ("bounded", "open")
    counts = {f"{found}_calls": 1, source: 1}
    return Exactness(
        **counts,
        low_pico=cost_pico if inexact else 0,
        high_pico=max(cost_pico, high_pico) if inexact else 0,
    )


def sum_exactness(parts: Iterable[Exactness]) -> Exactness:
    """Those of several sets of calls, added up."""
    listed = list(parts)
    return Exactness(**{name: sum(getattr(part, name) for part in listed) for name in Exactness.__struct_fields__})


class Between(msgspec.Struct, frozen=True):
    """Two ends of a figure; an end is none where there is no bound on that side."""

    low: Decimal | None
    high: Decimal | None


def usd_between(given: CostRange) -> Between:
    """The two ends of a whole cost, in USD."""
    most = given.most_pico
    return Between(pico_to_usd(given.least_pico), None if most is None else pico_to_usd(most))


def difference(before: Between, after: Between) -> Between:
    """Where after minus before can lie."""
    return Between(_minus(after.low, before.high), _minus(after.high, before.low))


def relative(before: Between, after: Between) -> Between:
    """Where the difference can lie in per cent of before; an end is none where before may be nothing.

    Both must be amounts of money of 0 or more with a low end.
    """
    return Between(_percent(before.high, after.low), _percent(before.low, after.high))


def _minus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one - other


def _percent(before: Decimal | None, after: Decimal | None) -> Decimal | None:
    if before is None or after is None or before == 0:
        return None
    with localcontext() as context:
        context.prec = 28
        return (after - before) * 100 / before
