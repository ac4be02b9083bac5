"""The policies that a replay compares, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from turnout.core.catalog import unknown
from turnout.core.policy import Policy
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.arrivals import Arrival
from turnout.evaluate.replay.conditions import Conditions
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.oracle import Foresight
from turnout.evaluate.replay.policies import (
    Always,
    ByVerdict,
    CorePolicy,
    Free,
    Marking,
    ReplayPolicy,
    Sticky,
    candidates_of,
)
from turnout.evaluate.replay.requests import Grain
from turnout.evaluate.replay.verdicts import Verdicts

SIMPLE_POLICIES = ("capable", "capable-never", "naive", "naive-never", "sticky", "greedy")
"""Habits without a plan: what a plan must not lose against."""

TURNOUT_POLICIES = ("user", "fill", "manage")
"""Turnout's own, by what it may do with cache points."""

FORESIGHT_POLICIES = ("capable-foresight", "foresight")
"""Policies that know the future."""

POLICIES: Mapping[str, str] = {
    "capable": "all calls on the capable model, every prompt cached to its end (v3)",
    "capable-never": "all calls on the capable model, nothing cached",
    "naive": "the model of the verdict, every prompt cached to its end (v4)",
    "naive-never": "the model of the verdict, nothing cached",
    "sticky": "the model of the verdict; a session moves up once and stays; cached to its end",
    "greedy": "the cheapest for this call alone, with what is warm; cached to its end",
    "user": "Turnout, horizon session; cache points as the request has them: at its end",
    "fill": "Turnout, horizon session; a cache point filled in after tools and system",
    "manage": "Turnout, horizon session; cache points placed, moved and dropped by what they are worth",
    "capable-foresight": "all calls on the capable model, written only as far as it comes back in 5 minutes",
    "foresight": "knows every later call and verdict; writes what pays, routes to the cheapest now",
}
"""Every policy by name, and what it does."""


def policies_for(grain: Grain) -> tuple[str, ...]:
    """The policies that a trace of that grain can be played to."""
    return tuple(name for name in POLICIES if grain == "blocks" or name not in FORESIGHT_POLICIES)


def policy_named(
    name: str,
    arrivals: Sequence[Arrival],
    verdicts: Verdicts,
    conditions: Conditions,
    *,
    marking: Marking = "ends",
    bound: SpendBound | None = None,
) -> ReplayPolicy:
    """A policy that has seen nothing yet.

    Args:
        name: One of `POLICIES`.
        arrivals: The calls; only foresight looks at them.
        verdicts: Their verdicts; only foresight looks at them.
        conditions: Models and conventions.
        marking: Where the cache points stand of policies that neither place them nor go without.
        bound: How much Turnout's own policies may spend; none: their spending is not bound.

    Raises:
        TraceError: There is none of that name; the message names the nearest. Or it knows the future of a cache of
            blocks, and the trace is none of blocks. Or the bound cannot be kept under these conditions.
    """
    if name in FORESIGHT_POLICIES and conditions.grain != "blocks":
        raise TraceError(f"the policy {name!r} knows the future of a cache of blocks: this trace is none of blocks")

    def simple(make: Callable[[], Always | ByVerdict | Sticky | Free], where: Marking) -> ReplayPolicy:
        return CorePolicy(name, conditions, make(), marking=where, stays=True)

    def turnout(policy: Policy, where: Marking) -> ReplayPolicy:
        return CorePolicy(
            name, conditions, Free(), marking=where, policy=policy, looks_ahead=True, stays=True, bound=bound
        )

    both = candidates_of(conditions)
    made: dict[str, Callable[[], ReplayPolicy]] = {
        "capable": lambda: simple(lambda: Always(conditions.capable), marking),
        "capable-never": lambda: simple(lambda: Always(conditions.capable), "none"),
        "naive": lambda: simple(lambda: ByVerdict(conditions), marking),
        "naive-never": lambda: simple(lambda: ByVerdict(conditions), "none"),
        "sticky": lambda: simple(lambda: Sticky(conditions), marking),
        "greedy": lambda: simple(Free, marking),
        "user": lambda: turnout(Policy(candidates=both, adapt=True, horizon="session", markers="user"), marking),
        "fill": lambda: turnout(Policy(candidates=both, adapt=True, horizon="session", markers="fill"), "none"),
        "manage": lambda: turnout(Policy(candidates=both, adapt=True, horizon="session", markers="manage"), "none"),
        "capable-foresight": lambda: Foresight(arrivals, verdicts, conditions, route=False),
        "foresight": lambda: Foresight(arrivals, verdicts, conditions),
    }
    if name not in made:
        raise TraceError(unknown("policy", name, made))
    return made[name]()
