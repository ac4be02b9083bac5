"""Whether a model would accept every part of a request, and what would have to be changed for it."""

from __future__ import annotations

import functools

from turnout.core.cache import CachePlan, CacheRules
from turnout.core.catalog import Model
from turnout.core.parameters import may_be_dropped, stance
from turnout.core.policy import Policy
from turnout.core.request import Needs, Request

_NOTHING = Needs()


@functools.cache  # there are 64 of them
def _named(needs: Needs) -> tuple[str, ...]:
    return tuple([need for need in Needs.__struct_fields__ if getattr(needs, need)])


def ineligible_reasons(
    request: Request, model: Model, policy: Policy, prompt_tokens: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why a model cannot serve a request, and the edits that adapt the request to it.

    Args:
        request: The call for a completion.
        model: The model.
        policy: Says whether the request may be adapted.
        prompt_tokens: The prompt in the model's own tokens.

    Returns:
        Two tuples: the reasons, each ``name`` or ``name:detail``, empty where the model can serve; and the edits.
    """
    reasons: list[str] = []
    edits: list[str] = []
    if request.allowed_models is not None and model.id not in request.allowed_models:
        reasons.append("not_allowed")
    stay = request.hard_stay
    if stay is not None and stay.cause == "bound_state" and stay.model != model.id:
        reasons.append("history_bound:" + stay.model)
    for fit in request.history:
        if fit.model == model.id:
            edits += ["history:" + edit for edit in fit.edits]
            reasons += ["history:" + refusal for refusal in fit.refusals]
    if request.needs != _NOTHING:
        reasons += ["lacks:" + need for need in _named(request.needs) if not getattr(model.capabilities, need)]
    for parameter in request.parameters:
        stand = stance(model, parameter)
        if stand == "takes" or (stand == "unknown" and request.pin == model.id):
            continue
        if policy.adapt and may_be_dropped(parameter):
            edits.append("drop_parameter:" + parameter)
        else:
            reasons.append(("parameter_rejected:" if stand == "rejects" else "parameter_unknown:") + parameter)
    output = request.max_output_tokens or 0
    limit = model.max_output_tokens
    if limit is not None and output > limit:
        if policy.adapt:
            edits.append(f"clamp_output:{limit}")
            output = limit
        else:
            reasons.append(f"output_limit:{output}>{limit}")
    if prompt_tokens + output > model.context_window:
        reasons.append(f"context_window:{prompt_tokens + output}>{model.context_window}")
    return tuple(reasons), tuple(edits)


def marker_reasons(plan: CachePlan, rules: CacheRules) -> tuple[str, ...]:
    """Why a model that caches at marks would refuse the markers that a request brought; empty where it takes them."""
    if plan.origin != "user" or rules.mode != "explicit":
        return ()
    reasons = [f"cache_ttl:{ttl}" for ttl in sorted({marker.ttl for marker in plan.markers} - set(rules.ttls))]
    if len(plan.markers) > rules.max_markers:
        reasons.append(f"cache_markers:{len(plan.markers)}>{rules.max_markers}")
    return tuple(reasons)
