"""Bounds that a plan must keep, for continuous integration."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

import msgspec

from turnout.core.cost import pico_to_usd
from turnout.evaluate.plan.errors import PlanError
from turnout.evaluate.plan.planning import Plan
from turnout.trace.views.figures import rounded, signed, usd

_PERCENT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*%")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What may become of spend and quality; what is none is not bound.

    Attributes:
        spend_increase: By what share of the old spend the new one may be higher.
        spend_usd_per_day: What a day may cost in USD.
        quality_drop: By how much quality may be lower, on its scale from 0 to 1.
        strict: Whether the ends of the estimates count, and not their middles: the new spend's high end against the
            old one's low end, the new quality's lower end against the old estimate.
    """

    spend_increase: Decimal | None = None
    spend_usd_per_day: Decimal | None = None
    quality_drop: Decimal | None = None
    strict: bool = False

    @property
    def any(self) -> bool:
        """Whether something is bound."""
        return not (self.spend_increase is None and self.spend_usd_per_day is None and self.quality_drop is None)


class Held(NamedTuple):
    """A bound, whether it is kept, and in words what was held against it."""

    bound: str
    kept: bool
    words: str


def percent(text: str) -> Decimal:
    """The share of a text such as ``5%``.

    Raises:
        PlanError: It is none.
    """
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise PlanError(f"{text!r} is no share: write a number and a percent sign, such as 5% or 0.5%")
    return Decimal(found[1]) / 100


def held(plan: Plan, limits: Limits) -> tuple[Held, ...]:
    """Each bound that is set, held against the plan. Where any is set, the new side may not refuse more requests.

    Raises:
        PlanError: Quality is bound and not known.
    """
    found: list[Held] = []
    old, new, strict = plan.old, plan.new, limits.strict
    before, after = old.tally.spend, new.tally.spend
    if limits.spend_increase is not None:
        base, now = (before.low_pico, after.high_pico) if strict else (before.pico, after.pico)
        words = f"{usd(pico_to_usd(base))} to {usd(pico_to_usd(now))} USD"
        if base:
            words += f", {signed(Decimal(now - base) * 100 / base, 2)} %"
        kept = Decimal(now - base) <= limits.spend_increase * base
        found.append(Held(f"spend increases by at most {_plain(limits.spend_increase * 100)} %", kept, words))
    if limits.spend_usd_per_day is not None:
        pico = (after.high_pico if strict else after.pico) / Decimal(plan.window.days)
        a_day = pico.scaleb(-12)
        bound = f"at most {_plain(limits.spend_usd_per_day)} USD a day"
        found.append(Held(bound, a_day <= limits.spend_usd_per_day, f"{usd(a_day)} USD a day"))
    if limits.quality_drop is not None:
        value, worst = old.quality.value, new.quality.low if strict else new.quality.value
        if value is None or worst is None:
            missing = ", ".join(dict.fromkeys([*old.quality.missing, *new.quality.missing]))
            why = f"nobody graded {missing}" if missing else "there are neither grades nor verdicts"
            raise PlanError(f"--max-quality-drop cannot be held: quality is not known, since {why}")
        drop = Decimal(repr(value)) - Decimal(repr(worst))
        words = f"{value:.4f} to {worst:.4f}"
        # Rounded to what is shown and locked: a sum's last bits must not break a build.
        kept = rounded(drop, 6) <= limits.quality_drop
        found.append(Held(f"quality drops by at most {_plain(limits.quality_drop)}", kept, words))
    if limits.any:
        words = f"{old.tally.refused:,} to {new.tally.refused:,}"
        found.append(Held("no more requests are refused", new.tally.refused <= old.tally.refused, words))
    return tuple(found)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
