"""A call as the reference of the spend bound sees it, and what it and what follows may come to. Pure functions.

The sums, the caches and the open turns that these are reckoned from are kept by `turnout.sessions.spend_bound`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from turnout.core.catalog import Model
from turnout.core.decision import DecisionInput
from turnout.core.spend_bound import BoundAccount, SpendBound, worst_turn_pico
from turnout.core.warm_debt import (
    Call,
    Path,
    Side,
    Step,
    can_be_restored,
    debt_pico,
    debt_prices,
    not_ahead,
    nothing_ahead,
    recharged,
    step,
)

KEPT_FREE = 4
"""One part in so many of the debt is kept free before the reference may serve with points of fact's own: measured on a
public trace, where no room cost 2.2 % more, a half 0.1 % and the whole debt 0.3 %."""


class Asked(NamedTuple):
    """A call as its reference sees it, before anything is booked.

    ``takes_pico``: what the reference's own serving takes from the slack at most, where its points were checked.
    """

    reference: Model
    ratio: float
    call: Call
    path: Path
    takes_pico: int = 0

    @property
    def debt_pico(self) -> int:
        """What is owed of its prefixes."""
        return debt_pico(self.path, debt_prices(self.reference))

    def step(self, side: Side, path: Path | None = None) -> Step:
        """What it does to one of the caches."""
        return step(self.path if path is None else path, self.call, self.reference.price, side)


def not_serving(given: DecisionInput) -> set[str]:
    """The models that failed the request, or are out of service."""
    return {attempt.model for attempt in given.failed} | {one.model for one in given.unavailable}


def ratio_of(given: DecisionInput, model: Model) -> float:
    """A model's tokens for one of the request's: what was learned of it, else what the catalog says."""
    return given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio


def takes_pico(asked: Asked, account: BoundAccount, bound: SpendBound) -> int | None:
    """What the reference takes from the slack with cache points of fact's own; none where it may not have them.

    They may bring back less than was owed. Only while they leave free a share of the debt: else the room is used
    up, and then nobody can leave, which costs more than repaying in time. The claim would hold without that.
    """
    shadow = asked.step("shadow")
    fact = asked.step("fact", shadow.path)
    if not nothing_ahead(fact.path, asked.call.now_ms):
        return None
    path = recharged(asked.path, fact.path, asked.call)
    debt = debt_pico(path, debt_prices(asked.reference)) - asked.debt_pico
    free = max(0, account.debt_pico + debt) // KEPT_FREE
    takes = fact.cost_pico + debt - bound.credit_pico(shadow.cost_pico)
    return takes if takes + free <= account.slack_pico(bound) else None


def leave_pico(asked: Asked, limit: int, bound: SpendBound) -> int | None:
    """What leaving takes from the slack beside what the other model costs; none where it must not be."""
    if not can_be_restored(asked.reference):
        return None
    done = asked.step("shadow")
    after = without_fact(asked, done.path, limit)
    credit = bound.credit_pico(done.cost_pico)
    owed_pico = debt_pico(after, debt_prices(asked.reference))
    return owed_pico - asked.debt_pico + further_pico(asked, after, limit - 1, bound) - credit


def further_pico(asked: Asked, after: Path, calls: int, bound: SpendBound) -> int:
    """What further calls of a turn add to the debt at most, less what the reference surely spends on them."""
    reference, tokens, plan = asked.reference, asked.call.prompt.tokens, asked.call.plans.shadow
    if calls <= 0 or reference.cache.mode == "none" or plan.origin == "fill":
        return 0
    growth = round(bound.growth_limit_tokens * asked.ratio)
    dearest = max(debt_prices(reference).values())
    if reference.cache.mode == "implicit":
        return calls * growth * dearest
    if asked.call.every_block:
        return dearest * (tokens + calls * growth)
    if plan.origin == "user":
        # Their points move along with the end of the prompt, and what they leave behind is written off.
        return len(plan.markers) * dearest * (tokens + calls * growth)
    short_only = "1h" not in reference.cache.ttls
    roots = [one.tokens for one in after if one.owed_tokens and not one.root and (one.ttl == "1h" or short_only)]
    hang_from = max(roots, default=0)
    surely = min(min(tier.cache_read_pico, tier.input_pico) for tier in reference.price.tiers) * tokens
    lengths = [tokens + number * growth - hang_from for number in range(1, calls + 1)]
    return sum([max(0, dearest * length - surely) for length in lengths])


def worst_of_pico(given: DecisionInput, model: Model, limit: int, bound: SpendBound) -> int:
    """What a turn of so many calls may come to on a model."""
    ratio = ratio_of(given, model)
    tokens = given.request.prompt_for(ratio).tokens
    growth = round(bound.growth_limit_tokens * ratio)
    return worst_pico(model, tokens, given.request.max_output_tokens, limit, growth, bound)


def worst_pico(
    model: Model, tokens: int, max_output_tokens: int | None, calls: int, growth: int, bound: SpendBound
) -> int:
    """What so many calls may come to on a model, the first with so many tokens, each later one with so many more."""
    return worst_turn_pico(
        model,
        tokens,
        max_output_tokens,
        calls=calls,
        growth_tokens=growth,
        output_limit_tokens=bound.output_limit_tokens,
    )


def in_line(path: Path, asked: Asked) -> Path:
    """What a call with points of ours left: points that are no longer the right ones may put fact ahead."""
    return not_ahead(path, asked.call.now_ms) if asked.call.plans.ours else path


def without_fact(asked: Asked, after: Path, calls: int) -> Path:
    """What is owed at most after a left turn's call: further calls renew the shadow past what fact still holds."""
    if calls > 1:
        after = tuple([msgspec.structs.replace(one, fact_ms=0) for one in after])
    return recharged(asked.path, after, asked.call)
