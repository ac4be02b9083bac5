"""Plays a trace to one policy: it chooses, the simulated provider serves and bills, the policy learns of it."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.core.cost import cost_of
from turnout.evaluate.replay.arrivals import Arrival
from turnout.evaluate.replay.conditions import Conditions
from turnout.evaluate.replay.files import Advance
from turnout.evaluate.replay.outcome import Outcome, Tally
from turnout.evaluate.replay.policies import ReplayPolicy, stay_cause
from turnout.evaluate.replay.verdicts import Verdicts

FITTED_MS = 30 * 60 * 1000
"""The part of a trace, from its start, in which a policy may learn before its figures count apart."""

_STEP = 100


def replay(
    arrivals: Sequence[Arrival],
    verdicts: Verdicts,
    policy: ReplayPolicy,
    conditions: Conditions,
    advance: Advance = lambda calls: None,
) -> Outcome:
    """What that policy makes of a trace.

    Args:
        arrivals: The calls, in order.
        verdicts: One for each call.
        policy: A policy that has seen nothing yet.
        conditions: What the provider does, the same that the policy was made for.
        advance: Is told of each hundred calls.
    """
    caches = conditions.caches(real=True)
    models = conditions.catalog
    served: dict[str, str] = {}
    fitted, rest = Tally(), Tally()
    for arrival, verdict, simple in zip(arrivals, verdicts.shown, verdicts.simple, strict=True):
        request = arrival.request
        choice = policy.choose(arrival, verdict)
        model = choice.model
        usage = caches[model].call(arrival.hashes, arrival.ends, choice.marks, request.output_tokens, arrival.now_ms)
        policy.called(arrival, choice, usage)
        before = served.get(request.session, model)
        served[request.session] = model
        cheap = model == conditions.cheap
        (fitted if arrival.now_ms < FITTED_MS else rest).add(
            usage,
            cost_of(usage, models[model].price).total_pico,
            cheap=cheap,
            switched=before != model,
            unsafe=stay_cause(request, models[before], models[model]) is not None,
            below=cheap and not simple,
        )
        if arrival.index % _STEP == _STEP - 1:
            advance(_STEP)
    bound = None if policy.bounded is None else policy.bounded.outcome()
    return Outcome(policy=policy.name, fitted=fitted, rest=rest, bound=bound)
