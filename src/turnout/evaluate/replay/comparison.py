"""Several policies on one trace side by side: what is shown as a table, as JSON and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from turnout.core.cost import pico_to_usd
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.arrivals import Arrival
from turnout.evaluate.replay.bounded import BoundOutcome
from turnout.evaluate.replay.compared import policy_named
from turnout.evaluate.replay.conditions import Conditions
from turnout.evaluate.replay.engine import replay
from turnout.evaluate.replay.oracle import lower_bound
from turnout.evaluate.replay.outcome import Outcome, Tally
from turnout.evaluate.replay.policies import Marking
from turnout.evaluate.replay.requests import Trace
from turnout.evaluate.replay.verdicts import Verdicts

SIMULATED = "simulated provider cache"
"""The label of every figure: requests are recorded, what a provider would have cached and billed is computed."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What several policies made of the same calls and verdicts.

    Attributes:
        trace: The trace's name.
        cheap: Catalog id of the cheap model.
        capable: Catalog id of the capable model.
        names: Short names of both models by catalog id.
        verdicts: Where the verdicts come from.
        simple_share: The share of calls that are truly simple.
        convention: How floors and the end of a TTL were read.
        notes: What was assumed, one sentence each.
        outcomes: What each policy made of it.
        lower_bound_pico: What no policy can fall below, in pico-USD; none where it was not computed.
    """

    trace: str
    cheap: str
    capable: str
    names: dict[str, str]
    verdicts: str
    simple_share: float
    convention: str
    notes: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    lower_bound_pico: int | None = None

    def outcome(self, policy: str) -> Outcome | None:
        """The outcome of that policy, if it was compared."""
        return next((one for one in self.outcomes if one.policy == policy), None)

    @property
    def best_single_pico(self) -> int | None:
        """The cheapest single model in hindsight, cached to the end or not at all.

        It serves no complex turn below the bar: it is the capable one, or the cheap one too where every turn is simple.
        """
        names = ["capable", "capable-never", *(("naive", "naive-never") if self.simple_share == 1.0 else ())]
        costs = [one.whole.cost_pico for one in map(self.outcome, names) if one is not None]
        return min(costs, default=None)


def compare(
    trace: Trace,
    arrivals: Sequence[Arrival],
    verdicts: Verdicts,
    conditions: Conditions,
    names: Sequence[str],
    *,
    marking: Marking = "ends",
    bound: SpendBound | None = None,
    lower: bool = False,
    advance: Callable[[int], None] = lambda calls: None,
) -> Comparison:
    """Play a trace to each policy.

    Args:
        trace: Where the calls are from.
        arrivals: The calls.
        verdicts: One for each call.
        conditions: Models and conventions.
        names: Names of policies.
        marking: Where the cache points stand of policies that neither place them nor go without.
        bound: How much Turnout's own policies may spend; none: their spending is not bound.
        lower: Whether to compute the lower bound too; only for a trace of blocks.
        advance: Is told of calls, for each policy.

    Raises:
        TraceError: A policy is not known, or a call can be served by no model.
    """
    outcomes = []
    for name in names:
        policy = policy_named(name, arrivals, verdicts, conditions, marking=marking, bound=bound)
        outcomes.append(replay(arrivals, verdicts, policy, conditions, advance))
    return Comparison(
        trace=trace.name,
        cheap=conditions.cheap,
        capable=conditions.capable,
        names={model.id: model.name for model in conditions.catalog.models},
        verdicts=verdicts.name,
        simple_share=sum(verdicts.simple) / len(verdicts.simple),
        convention=conditions.convention,
        notes=(*trace.notes, *_notes(conditions)),
        outcomes=tuple(outcomes),
        lower_bound_pico=lower_bound(arrivals, verdicts, conditions) if lower else None,
    )


def to_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison for machines: its fields, the label, and figures that follow from the sums. Money in USD is text."""
    plain: dict[str, Any] = msgspec.to_builtins(comparison)
    plain["label"] = SIMULATED
    plain["outcomes"] = [
        {
            "policy": one.policy,
            **{part: _figures(getattr(one, part)) for part in ("fitted", "rest", "whole")},
            "bound": None if one.bound is None else _bound(one.bound),
        }
        for one in comparison.outcomes
    ]
    plain["best_single_usd"] = _usd(comparison.best_single_pico)
    plain["lower_bound_usd"] = _usd(comparison.lower_bound_pico)
    return plain


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(tally),
        "cost_usd": _usd(tally.cost_pico),
        "hit_share": tally.hit_share,
        "cheap_share": tally.cheap_share,
    }


def _bound(one: BoundOutcome) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return {**plain, "held": one.held}


def _usd(pico: int | None) -> str | None:
    return None if pico is None else str(pico_to_usd(pico))


def _notes(conditions: Conditions) -> list[str]:
    floor = {
        "strict": "a prefix must reach the floor to be read or written",
        "reference": "a prompt that reaches the floor may read and write any prefix of whole blocks",
    }[conditions.convention]
    known = "known to the decision" if conditions.recorded_output else "learned as a mean"
    notes = [f"convention {conditions.convention}: {floor}", f"lengths of answers are as recorded; {known}"]
    if conditions.lost:
        notes.append(f"with a chance of {conditions.lost:g} a call finds nothing warm")
    return notes
