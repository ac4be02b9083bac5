"""The decision: a pure function, and the only place where routing is decided.

The order: (1) who is eligible; (2) a pin is served or refused; (3) a hard stay; (4) a spent budget; (5) where one
candidate is left or every verdict would choose alike, the cheapest, without a verdict; (6) without a verdict, or with
one on a request that is unlike those of the calibration, the most capable; (7) the cheapest that clears the bar. Ties
go to the current model, then to the more capable. From (4) on, a candidate counts only where the spend bound allows it;
it always allows the most capable.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnout.core.cache import NO_PLAN, CachePlan, CacheRules, CacheState, Marker, Prompt, WarmPrompt
from turnout.core.catalog import Model
from turnout.core.decision import BREAKER_OPEN, FAILOVER_UNSAFE, Decision, DecisionInput, Estimate
from turnout.core.eligible import ineligible_reasons, marker_reasons
from turnout.core.expect import ExpectedTurn, expected_turn_cold, expected_turn_on
from turnout.core.horizon import Horizon, Savings
from turnout.core.managed import managed_plans
from turnout.core.policy import Policy, Reason
from turnout.core.request import Request
from turnout.core.spend_bound import may_leave, worst_try_pico, worst_turn_pico
from turnout.core.statistics import ModelStatistics
from turnout.core.verdict import Verdict

_FAILURE_REASONS = {
    "timeout": Reason.CLASSIFIER_TIMEOUT,
    "error": Reason.CLASSIFIER_ERROR,
    "unparsed": Reason.CLASSIFIER_UNPARSED,
}


def decide(
    given: DecisionInput, estimates: tuple[Estimate, ...] | None = None, *, verdict_counts: bool = False
) -> Decision:
    """Choose the cheapest candidate that clears the bar, or refuse.

    Deterministic: the same input gives the same decision, byte for byte.

    Args:
        given: What the decision is made from.
        estimates: Those of `estimates_of` where they are known; an input that differs in its verdict alone has the
            same.
        verdict_counts: Whether `needs_verdict` has said so of these estimates; what a spend bound allows is looked at
            again in any case.

    Raises:
        UnknownModelError: A candidate is missing in the input's catalog.
    """
    if estimates is None:
        estimates = estimates_of(given)
    if not verdict_counts or given.bound is not None:
        settled = _settled(given, estimates)
        if settled is not None:
            return settled
    verdict = given.verdict
    most_capable = next(estimate for estimate in estimates if estimate.eligible)
    if verdict is None:
        return _chosen(given, estimates, most_capable, Reason.NO_VERDICT)
    if verdict.failure is not None:
        return _chosen(given, estimates, most_capable, _FAILURE_REASONS[verdict.failure.kind])
    if verdict.unlike:
        return _chosen(given, estimates, most_capable, Reason.UNLIKE_CALIBRATION)
    bar, judged = _judged(given, estimates, verdict, most_capable.model)
    eligible = [estimate for estimate in judged if estimate.eligible]
    clears = [estimate for estimate in eligible if estimate.clears_bar]
    cheapest = _cheapest(given, clears)
    chosen = cheapest if given.bound is None else _cheapest(given, _affordable(given, clears))
    if chosen is not cheapest:
        reason = Reason.SPEND_BOUND
    elif len(clears) == len(eligible) or chosen is _cheapest(given, eligible):
        reason = Reason.CHEAPEST_CLEARS_BAR
    else:
        reason = Reason.CHEAPEST_BELOW_BAR
    return _chosen(given, judged, chosen, reason, bar=bar)


def needs_verdict(given: DecisionInput, estimates: tuple[Estimate, ...] | None = None) -> bool:
    """Whether `decide` would make use of a verdict on this input: only then is a classifier worth asking.

    Args:
        given: What the decision is made from.
        estimates: As of `decide`.
    """
    return _settled(given, estimates_of(given) if estimates is None else estimates) is None


def cache_plan(request: Request, policy: Policy) -> CachePlan:
    """Where cache points stand in a request: its own, or with ``fill`` one at the end of its head.

    The head is tools and system; tools come first in every cache, so one point after the system covers both. Without a
    system the point stands after the tools. With ``manage`` there is no such plan: each candidate has one of its own.
    """
    plan = request.user_plan
    if policy.markers == "manage":
        return NO_PLAN
    if plan.markers or policy.markers == "user":
        return plan
    ends = {segment.kind: index for index, segment in enumerate(request.segments)}
    end = ends.get("system", ends.get("tools"))
    return plan if end is None else CachePlan((Marker(end, policy.fill_ttl),), "fill")


def reference_of(given: DecisionInput) -> Model | None:
    """The most capable candidate that is eligible, whether or not it has failed; none where none is."""
    request, policy = given.request, given.policy
    plan = cache_plan(request, policy)
    for candidate in policy.ranked:
        model = given.catalog[candidate.model]
        prompt = request.prompt_for(given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio)
        if not ineligible_reasons(request, model, policy, prompt.tokens)[0] and not marker_reasons(plan, model.cache):
            return model
    return None


def plan_of(given: DecisionInput, model: Model) -> CachePlan:
    """The cache points that the policy sets on a model, as `decide` prices it where spending is not bound."""
    given = msgspec.structs.replace(given, bound=None)
    statistics = given.statistics.of(model.id)
    prompt = given.request.prompt_for(statistics.tokenizer_ratio or model.tokenizer_ratio)
    return _priced(given, model, prompt, cache_plan(given.request, given.policy), statistics)[2]


def plan_alone(given: DecisionInput, model: Model, state: CacheState) -> CachePlan:
    """The cache points that the policy would set on a model that serves every call and has that cache."""
    horizon = given.horizon
    alone = Horizon(prefixes=horizon.prefixes, next_on={model.id: 1.0}, further=horizon.further)
    return plan_of(msgspec.structs.replace(given, caches={model.id: state}, horizon=alone), model)


def estimates_of(given: DecisionInput) -> tuple[Estimate, ...]:
    """An estimate for each candidate, most capable first, before any verdict."""
    request, policy = given.request, given.policy
    plan = cache_plan(request, policy)
    failed = {attempt.model: attempt.error for attempt in given.failed}
    estimates, all_tokens = list[Estimate](), request.tokens
    for candidate in policy.ranked:
        model = given.catalog[candidate.model]
        statistics = given.statistics.of(model.id)
        ratio = statistics.tokenizer_ratio or model.tokenizer_ratio
        tokens = round(all_tokens * ratio)
        reasons, edits = ineligible_reasons(request, model, policy, tokens)
        if plan.origin == "user":
            reasons += marker_reasons(plan, model.cache)
        if model.id in failed:
            reasons = (*reasons, "failed:" + failed[model.id])
        if reasons:
            estimates.append(Estimate(model=model.id, rank=candidate.rank, ineligible=reasons, edits=edits))
            continue
        if plan is NO_PLAN and _is_cold(given, model):
            turn = expected_turn_cold(model, tokens, statistics, uses_tools=request.needs.tools)
            estimates.append(Estimate(model=model.id, rank=candidate.rank, expected=turn, edits=edits))
            continue
        expected, ahead_pico, placed = _priced(given, model, request.prompt_for(ratio), plan, statistics)
        estimates.append(
            Estimate(
                model=model.id,
                rank=candidate.rank,
                expected=expected,
                ahead_pico=ahead_pico,
                cache_plan=placed,
                edits=edits,
            )
        )
    return _available(given, tuple(estimates))


def _is_cold(given: DecisionInput, model: Model) -> bool:
    """Whether nothing is warm on a model and nothing is looked ahead to: then a prompt's length is all that counts."""
    return given.policy.horizon == "call" and given.bound is None and not given.cache_of(model.id).entries


def _available(given: DecisionInput, estimates: tuple[Estimate, ...]) -> tuple[Estimate, ...]:
    """The estimates, with those of unavailable candidates marked as such.

    An open breaker is a guess of ours about the provider. So it never stands in the way of the model that must serve (a
    pin, a hard stay), and where no other eligible candidate is left it does not count at all.
    """
    if not given.unavailable:
        return estimates
    whys = {one.model: one.why for one in given.unavailable if one.why == BREAKER_OPEN}
    if given.request.pin is not None:
        whys.pop(given.request.pin, None)
    elif given.request.hard_stay is not None:
        whys.pop(given.request.hard_stay.model, None)
    sure = {one.model: one.why for one in given.unavailable if one.why != BREAKER_OPEN}
    if all(one.model in whys or one.model in sure for one in estimates if one.eligible):
        whys.clear()
    whys |= sure
    return tuple(
        [
            Estimate(model=one.model, rank=one.rank, ineligible=(f"unavailable:{whys[one.model]}",), edits=one.edits)
            if one.eligible and one.model in whys
            else one
            for one in estimates
        ]
    )


def _priced(
    given: DecisionInput, model: Model, prompt: Prompt, plan: CachePlan, statistics: ModelStatistics
) -> tuple[ExpectedTurn, int, CachePlan]:
    """What the turn is expected to cost on a model, what that saves ahead, and the cheapest plan of those it may have.

    Only the change in what is warm on this very model counts as saved: what the other models' caches are worth is the
    same whichever model serves, but for the one that does.
    """
    held = WarmPrompt(prompt, model.cache, given.cache_of(model.id), given.now_ms)
    looks_ahead = given.policy.horizon == "session"
    plans: tuple[CachePlan, ...] = (_plan_on(plan, model.cache),)
    if given.bound is not None and model.id == given.bound.reference:
        plans = (given.bound.plan,)
    elif given.policy.markers == "manage":
        plans = managed_plans(held, given.horizon)
    savings = Savings(model, held, given.horizon) if looks_ahead else None
    before = savings.pico(held.warm) if savings is not None else 0
    best: tuple[ExpectedTurn, int, CachePlan] | None = None
    for placed in plans:
        expected = expected_turn_on(model, held, placed, statistics, uses_tools=given.request.needs.tools)
        ahead_pico = savings.pico(held.after(placed)) - before if savings is not None else 0
        if best is None or expected.cost_pico - ahead_pico < best[0].cost_pico - best[1]:
            best = expected, ahead_pico, placed
    assert best is not None, "there is always a plan, if only the one without markers"
    return best


def _plan_on(plan: CachePlan, rules: CacheRules) -> CachePlan:
    """The plan for one model: points are filled in only where it caches at marks, with a TTL that it offers."""
    if plan.origin != "fill":
        return plan
    if rules.mode != "explicit":
        return NO_PLAN
    return CachePlan(
        tuple(
            [marker if marker.ttl in rules.ttls else Marker(marker.segment, rules.ttls[0]) for marker in plan.markers]
        ),
        "fill",
    )


def _settled(given: DecisionInput, estimates: tuple[Estimate, ...]) -> Decision | None:
    """The decision of steps 1 to 5, or none where a verdict counts."""
    request, policy = given.request, given.policy
    eligible = [estimate for estimate in estimates if estimate.eligible]
    by_model = {}
    if request.pin is not None or request.hard_stay is not None:
        by_model = {estimate.model: estimate for estimate in eligible}
    if request.pin is not None:
        if request.pin not in by_model:
            return Decision(model=None, reason=Reason.PIN_INELIGIBLE, estimates=estimates)
        return _chosen(given, estimates, by_model[request.pin], Reason.PINNED)
    if not eligible:
        unsafe = any(one.why.startswith(FAILOVER_UNSAFE) for one in given.unavailable)
        reason = Reason.FAILOVER_UNSAFE if unsafe else Reason.NO_ELIGIBLE_CANDIDATE
        return Decision(model=None, reason=reason, estimates=estimates)
    stay = request.hard_stay
    if stay is not None:
        if stay.model in by_model:
            return _chosen(given, estimates, by_model[stay.model], Reason.HARD_STAY)
        if all(attempt.model != stay.model for attempt in given.failed):
            return Decision(model=None, reason=Reason.HARD_STAY_INELIGIBLE, estimates=estimates)
    cheapest = _cheapest(given, eligible if given.bound is None else _affordable(given, eligible))
    if policy.budget is not None and given.session.spent_pico >= policy.budget.limit_pico:
        if policy.budget.when_spent == "refuse":
            return Decision(model=None, reason=Reason.BUDGET_SPENT, estimates=estimates)
        return _chosen(given, estimates, cheapest, Reason.BUDGET_CHEAPEST)
    # The most capable eligible candidate clears every bar: where it is also the cheapest, no verdict can change that.
    if cheapest is eligible[0]:
        bound = given.bound is not None and cheapest is not _cheapest(given, eligible)
        return _chosen(given, estimates, cheapest, Reason.SPEND_BOUND if bound else Reason.VERDICT_NOT_NEEDED)
    return None


def _affordable(given: DecisionInput, estimates: Sequence[Estimate]) -> list[Estimate]:
    """Those whose worst turn the spend bound has room for; all where spending is not bound or the reference failed."""
    view, request = given.bound, given.request
    if view is None or all(estimate.model != view.reference for estimate in estimates):
        return list(estimates)
    calls = view.call_limit if request.needs.tools else 1
    affordable = []
    for estimate in estimates:
        model = given.catalog[estimate.model]
        ratio = given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio
        tokens = request.prompt_for(ratio).tokens
        growth = round(view.growth_limit_tokens * ratio)
        worst = worst_turn_pico(
            model,
            tokens,
            request.max_output_tokens,
            calls=calls,
            growth_tokens=growth,
            output_limit_tokens=view.output_limit_tokens,
        )
        if may_leave(view, model, worst, worst_try_pico(model, tokens), to_classify=given.verdict is None):
            affordable.append(estimate)
    return affordable


def _judged(
    given: DecisionInput, estimates: Sequence[Estimate], verdict: Verdict, most_capable: str
) -> tuple[float, tuple[Estimate, ...]]:
    """The bar, and the estimates with what the verdict says of each."""
    bar = given.policy.simple_bar if verdict.basis == "label" else given.policy.quality_bar
    judged = []
    for estimate in estimates:
        p = verdict.p_simple if verdict.basis == "label" else verdict.p_suffices.get(estimate.model)
        always = estimate.model == most_capable
        judged.append(
            msgspec.structs.replace(
                estimate,
                clears_bar=always or (p is not None and p >= bar),
                p=None if always or p is None else float(p),
            )
        )
    return float(bar), tuple(judged)


def _cheapest(given: DecisionInput, estimates: Sequence[Estimate]) -> Estimate:
    current = given.session.current_model
    cheapest, *others = estimates
    least = cheapest.priced_pico
    for estimate in others:
        pico = estimate.priced_pico
        if pico < least or (
            pico == least and (estimate.model != current, -estimate.rank) < (cheapest.model != current, -cheapest.rank)
        ):
            cheapest, least = estimate, pico
    return cheapest


def _chosen(
    given: DecisionInput,
    estimates: Sequence[Estimate],
    chosen: Estimate,
    reason: Reason,
    *,
    bar: float | None = None,
) -> Decision:
    kept = reason in (Reason.PINNED, Reason.HARD_STAY)
    return Decision(
        model=chosen.model,
        reason=Reason.FAILOVER if given.failed and not kept else reason,
        estimates=tuple(estimates),
        runner_up=_runner_up(given, estimates, chosen, reason),
        cache_plan=chosen.cache_plan,
        bar=bar,
        edits=chosen.edits,
    )


def _runner_up(given: DecisionInput, estimates: Sequence[Estimate], chosen: Estimate, reason: Reason) -> str | None:
    """The candidate that would be chosen if the chosen one failed: the most capable where no verdict counted."""
    others = [estimate for estimate in estimates if estimate.eligible and estimate.model != chosen.model]
    if not others:
        return None
    if reason is not Reason.BUDGET_CHEAPEST:
        others = [other for other in others if other.clears_bar or other is others[0]]
    return _cheapest(given, others).model
