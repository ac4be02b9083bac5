"""The spend bound: Turnout never spends more than the most capable model alone would have, but for a stated margin.

The *reference* of a request is its most capable eligible candidate. For all turns together, and after each one::

    S + D <= (1 + epsilon)·R + kappa

S is what was spent, classifiers and failed tries included. R is what the reference would have spent on the same calls,
cached by the same policy. D is what it would cost to bring the reference back to the warmth that it would then have
(`turnout.core.warm_debt`). A turn is given to another candidate only where the sum still holds if that turn goes as
badly as it can, and a classifier is asked only where its price still fits; else the reference serves, which never
breaks the sum. Theorem, assumptions and proof: ``docs/decisions/0008-spend-bound.md``.

All here is pure. `decide` reads a `BoundView`; `turnout.sessions.spend_bound` keeps the account.

Known limitations: what lies outside the claim is counted apart, with a cause of its own (`BoundAccount`).
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from turnout.core.cache import NO_PLAN, CachePlan
from turnout.core.catalog import Model
from turnout.core.price import PriceTier

Cause = Literal["overrun", "unmarked", "evicted", "failed", "outside"]
"""Why spending is counted apart: see `BoundAccount`."""


class SpendBound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much more than the reference may be spent, and what a turn may come to.

    Attributes:
        epsilon: The share of the reference's spend that may be added to it.
        kappa_pico: What may be added once and for all, in pico-USD. It lets the first turns be routed, before the
            reference has spent anything to take a share of.
        call_limit: The most calls of a turn with tools; a turn without tools is one call.
        growth_limit_tokens: By how much the prompt grows at most from a call of a turn to the next, in reference
            tokens.
        output_limit_tokens: The longest answer that is reckoned with where neither the request nor the model allows
            less, in the answering model's own tokens.

    Raises:
        ValueError: A figure is out of range.
    """

    epsilon: float = 0.05
    kappa_pico: int = 0
    call_limit: int = 8
    growth_limit_tokens: int = 4_000
    output_limit_tokens: int = 8_000

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < math.inf:
            raise ValueError(f"epsilon must be a share of 0 or more, got {self.epsilon}")
        leasts = {"kappa_pico": 0, "call_limit": 1, "growth_limit_tokens": 0, "output_limit_tokens": 0}
        for name, least in leasts.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")

    def allowed_pico(self, reference_pico: int) -> int:
        """The right side of the sum, in whole pico-USD, rounded down."""
        return self.credit_pico(reference_pico) + self.kappa_pico

    def credit_pico(self, reference_pico: int) -> int:
        """By how much the right side grows at least where the reference spends so much, in whole pico-USD."""
        share, of = self.epsilon.as_integer_ratio()
        return reference_pico + reference_pico * share // of


class BoundView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a decision needs to know of the account.

    Attributes:
        reference: Catalog id of the most capable candidate that is eligible.
        reference_plan: The cache points with which it is taken to serve the call in the reference's own run.
        plan: The cache points that it gets if it serves the call in fact.
        slack_pico: What may still be spent beyond serving by the reference, before a classifier is asked.
        classify_pico: What asking the classifier costs at most; 0 where it was asked already.
        leave_pico: What a turn on another candidate takes from the slack beside what that candidate costs at most: the
            debt that it leaves, less what the reference is sure to spend on the turn. None: it must not be left.
        call_limit: The most calls that the turn may have.
        growth_limit_tokens: By how much the prompt grows at most from call to call, in reference tokens.
        output_limit_tokens: The longest answer that is reckoned with.
    """

    reference: str
    reference_plan: CachePlan = NO_PLAN
    plan: CachePlan = NO_PLAN
    slack_pico: int = 0
    classify_pico: int = 0
    leave_pico: int | None = 0
    call_limit: int = 1
    growth_limit_tokens: int = 0
    output_limit_tokens: int | None = None


def may_leave(view: BoundView, model: Model, worst_pico: int, worst_try_pico: int, *, to_classify: bool) -> bool:
    """Whether a turn may be given to a candidate that costs at most so much.

    Args:
        view: The account as the decision sees it.
        model: The candidate.
        worst_pico: What the turn costs on it at most (`worst_turn_pico`).
        worst_try_pico: What a try costs at most that fails before its first content (`worst_try_pico`): the reference
            then serves after all.
        to_classify: Whether a classifier would be asked first.
    """
    if model.id == view.reference:
        return True
    if view.leave_pico is None:
        return False
    left = view.slack_pico - (view.classify_pico if to_classify else 0)
    return worst_pico + view.leave_pico <= left and worst_try_pico <= left


def worst_turn_pico(
    model: Model,
    prompt_tokens: int,
    max_output_tokens: int | None,
    *,
    calls: int,
    growth_tokens: int,
    output_limit_tokens: int | None = None,
) -> int:
    """What a turn costs on a model at most, in pico-USD: nothing is warm, all is charged at its dearest, all is output.

    Args:
        model: The model.
        prompt_tokens: The first call's prompt in the model's own tokens.
        max_output_tokens: The caller's limit on output; none: the model's own, else what its context window leaves.
        calls: The most calls of the turn.
        growth_tokens: By how much the prompt grows at most from call to call, in the model's own tokens.
        output_limit_tokens: The longest answer that is reckoned with; none: no other limit.
    """
    total = 0
    for number in range(calls):
        prompt = prompt_tokens + number * growth_tokens
        limits = (max_output_tokens, model.max_output_tokens, output_limit_tokens)
        output = min([limit for limit in limits if limit is not None], default=max(0, model.context_window - prompt))
        tiers = _tiers_up_to(model, prompt)
        total += max(prompt * _dearest_input(tier) + output * tier.output_pico for tier in tiers)
    return total


def worst_try_pico(model: Model, prompt_tokens: int) -> int:
    """What a call costs at most, in pico-USD, that fails before its first content: its prompt, all charged dearest."""
    return max(prompt_tokens * _dearest_input(tier) for tier in _tiers_up_to(model, prompt_tokens))


def _tiers_up_to(model: Model, prompt_tokens: int) -> list[PriceTier]:
    """The tiers of all prompts of up to so many tokens: a shorter one may be the dearer one."""
    return [tier for tier in model.price.tiers if tier.above_prompt_tokens < max(prompt_tokens, 1)]


def _dearest_input(tier: PriceTier) -> int:
    return max(tier.input_pico, tier.cache_read_pico, tier.cache_write_5m_pico, tier.cache_write_1h_pico)


class BoundAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sums, in pico-USD. `moved` is the only transition, and keeps the claim.

    Attributes:
        spent_pico: S: what was spent within the claim.
        reference_pico: R: what the reference would have spent.
        debt_pico: D: what it would cost to bring it back to the warmth that it would have.
        reserved_pico: What open turns and classifier calls may still come to, beside what R will gain by them.
        overrun_pico: Apart: turns that went beyond the limits of the bound (calls, growth, output, classifier), and
            prefixes that turned out to have other tokens than they were counted with.
        unmarked_pico: Apart: prefixes that the reference would have read and that a request's own cache points did not
            let fact write again; they are never touched, and this is what that costs.
        evicted_pico: Apart: what a prompt cost on the reference above what its cache should have made it cost, as after
            an eviction by the provider.
        failed_pico: Apart: what calls cost after the reference itself had failed.
        outside_pico: Apart: turns in which nothing was ours to choose, such as pins.
    """

    spent_pico: int = 0
    reference_pico: int = 0
    debt_pico: int = 0
    reserved_pico: int = 0
    overrun_pico: int = 0
    unmarked_pico: int = 0
    evicted_pico: int = 0
    failed_pico: int = 0
    outside_pico: int = 0

    @property
    def apart_pico(self) -> int:
        """All that is counted apart."""
        return self.overrun_pico + self.unmarked_pico + self.evicted_pico + self.failed_pico + self.outside_pico

    @property
    def total_pico(self) -> int:
        """All that was spent, within the claim and apart from it."""
        return self.spent_pico + self.apart_pico

    def slack_pico(self, bound: SpendBound) -> int:
        """What may still be spent: the right side of the sum less the left one and what is reserved."""
        return bound.allowed_pico(self.reference_pico) - self.spent_pico - self.debt_pico - self.reserved_pico

    def moved(
        self,
        bound: SpendBound,
        *,
        spent: int = 0,
        reference: int = 0,
        debt: int = 0,
        reserved: int = 0,
        cause: Literal["overrun", "unmarked"] = "overrun",
    ) -> BoundAccount:
        """The account after a change of its sums; what would break the claim is counted apart, under that cause.

        By the theorem nothing is, unless an assumption of that name failed.
        """
        after = msgspec.structs.replace(
            self,
            spent_pico=self.spent_pico + spent,
            reference_pico=self.reference_pico + reference,
            debt_pico=self.debt_pico + debt,
            reserved_pico=self.reserved_pico + reserved,
        )
        over = -after.slack_pico(bound)
        return after if over <= 0 else after._apart(cause, over, of_spent=True)

    def apart(self, cause: Cause, pico: int) -> BoundAccount:
        """The account after spending that is outside the claim."""
        return self._apart(cause, pico, of_spent=False)

    def _apart(self, cause: Cause, pico: int, *, of_spent: bool) -> BoundAccount:
        name = cause + "_pico"
        sums = {name: getattr(self, name) + pico, "spent_pico": self.spent_pico - (pico if of_spent else 0)}
        return msgspec.structs.replace(self, **sums)
