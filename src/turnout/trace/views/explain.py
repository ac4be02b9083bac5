"""One decision taken apart: what it saw, what each candidate would have cost and why, and what would have changed it.

Nothing here decides and nothing is guessed. The parts of a cost are computed by the core's own functions and add up to
the figure that the decision held; what would have changed it is found by deciding again (`turnout.trace.views.whatif`).
"""

from __future__ import annotations

import msgspec

from turnout.core.cache import CachePlan, Prompt, WarmPrefix, WriteSpan, warm_prefixes, write_spans
from turnout.core.catalog import Model
from turnout.core.cost import Cost
from turnout.core.decide import cache_plan, decide
from turnout.core.decision import Decision, DecisionInput, Estimate
from turnout.core.expect import expected_turn
from turnout.core.price import PriceTier
from turnout.core.verdict import Verdict
from turnout.trace.events import DecisionEvent
from turnout.trace.store.encode import canonical
from turnout.trace.views.whatif import WhatIf, what_ifs


class FirstCall(msgspec.Struct, frozen=True, kw_only=True):
    """One way the first call may go: so many tokens are read from the cache, with that chance, at that cost."""

    read_tokens: int
    write_tokens: int
    fresh_tokens: int
    chance: float
    cost: Cost


class WarmEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix of the prompt that was believed warm: its tokens on that model, and how long it would have stayed so.

    ``readable`` is false where the prefix is below the floor, or no cache point reaches it.
    """

    tokens: int
    chance: float
    left_ms: int
    readable: bool


class CandidateView(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate: whether it could serve, and what the turn was expected to cost on it.

    Attributes:
        model: Catalog id.
        name: Its short name.
        rank: Its rank of capability.
        chosen: Whether it was chosen.
        ineligible: Why it could not serve; empty if it could.
        p: The probability that was held against the bar; none for the most capable and without a verdict.
        clears_bar: Whether it cleared the bar; none where no verdict counted.
        prompt_tokens: The prompt in its own tokens.
        cached_tokens: Up to where its cache is written or read; 0 where nothing is.
        cache_mode: ``explicit``, ``implicit`` or ``none``.
        floor_tokens: The fewest tokens that it caches.
        marked_tokens: Up to where cache points stand, whether or not the floor is reached.
        warm: What was believed warm.
        tier_above: The price tier: that of prompts above so many tokens.
        tiers: How many price tiers the model has.
        output_tokens: What one call was expected to answer.
        learned_calls: How many calls the expectations rest on; 0: they are priors.
        calls: How many calls the turn was expected to make.
        first_calls: How the first call may go, likeliest longest prefix first.
        first_call_pico: The first call's expected cost in pico-USD.
        later_calls_pico: That of all further calls of the turn.
        expected_pico: Both together, as the decision held it; none if it was ineligible.
    """

    model: str
    name: str
    rank: int
    chosen: bool
    ineligible: tuple[str, ...]
    p: float | None
    clears_bar: bool | None
    prompt_tokens: int
    cached_tokens: int
    cache_mode: str
    floor_tokens: int
    marked_tokens: int
    warm: tuple[WarmEntry, ...]
    tier_above: int
    tiers: int
    output_tokens: float
    learned_calls: int
    calls: float
    first_calls: tuple[FirstCall, ...]
    first_call_pico: int
    later_calls_pico: int
    expected_pico: int | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and all that can be said of it from what is stored.

    Attributes:
        event_id: The decision's id.
        run: Its run.
        turn_id: Its turn.
        query_id: The caller's name of the query, or empty.
        started_ms: When it was made, in milliseconds since the epoch.
        simulated: Whether the models were simulated.
        replays: Whether deciding again on the stored input gives the stored decision, byte for byte.
        model: The chosen model's catalog id; none where the request was refused.
        model_name: Its short name, or none.
        reason: Why (`turnout.core.policy.Reason`).
        runner_up: Who would have been next.
        bar: The probability that a candidate had to reach; none where no verdict counted.
        prompt: Reference tokens of each part of the prompt: ``tools``, ``system``, ``message``.
        segments: How many blocks the prompt has.
        markers: How many cache points stand in it, as ``origin`` brought them.
        marker_origin: ``user``, ``fill`` or ``none``.
        needs: What a model had to be able to do.
        parameters: Sampling parameters that the caller set.
        max_output_tokens: The caller's limit on output, or none.
        pin: The model that the caller insisted on, or none.
        stay: The model that had to go on serving, and the cause; or none.
        allowed_models: The models that the caller may use; none: all.
        current_model: Who served the session before.
        spent_pico: What the budget's holder had spent.
        budget_pico: The budget's limit, or none.
        failed: Models that had failed this request, with the error.
        verdict: The classifier's answer or failure; none where none was asked.
        candidates: Each candidate, most capable first.
        what_ifs: What would have changed the decision, and what would not have.
    """

    event_id: str
    run: str
    turn_id: str
    query_id: str
    started_ms: int
    simulated: bool
    replays: bool
    model: str | None
    model_name: str | None
    reason: str
    runner_up: str | None
    bar: float | None
    prompt: dict[str, int]
    segments: int
    markers: int
    marker_origin: str
    needs: tuple[str, ...]
    parameters: tuple[str, ...]
    max_output_tokens: int | None
    pin: str | None
    stay: tuple[str, str] | None
    allowed_models: tuple[str, ...] | None
    current_model: str | None
    spent_pico: int
    budget_pico: int | None
    failed: tuple[tuple[str, str], ...]
    verdict: Verdict | None
    candidates: tuple[CandidateView, ...]
    what_ifs: tuple[WhatIf, ...]


def explain(event: DecisionEvent) -> Explanation:
    """Take a decision apart."""
    given, decision = event.given, event.decision
    request, budget = given.request, given.policy.budget
    plan = cache_plan(request, given.policy)
    prompt = {"tools": 0, "system": 0, "message": 0}
    for segment in request.segments:
        prompt[segment.kind] += segment.tokens
    return Explanation(
        event_id=event.event_id,
        run=event.run,
        turn_id=event.turn_id,
        query_id=event.query_id,
        started_ms=event.started_ms,
        simulated=event.simulated,
        replays=canonical(decide(given)) == canonical(decision),
        model=decision.model,
        model_name=None if decision.model is None else given.catalog[decision.model].name,
        reason=decision.reason.value,
        runner_up=decision.runner_up,
        bar=decision.bar,
        prompt=prompt,
        segments=len(request.segments),
        markers=len(plan.markers),
        marker_origin=plan.origin,
        needs=tuple(name for name in request.needs.__struct_fields__ if getattr(request.needs, name)),
        parameters=request.parameters,
        max_output_tokens=request.max_output_tokens,
        pin=request.pin,
        stay=None if request.hard_stay is None else (request.hard_stay.model, request.hard_stay.cause),
        allowed_models=request.allowed_models,
        current_model=given.session.current_model,
        spent_pico=given.session.spent_pico,
        budget_pico=None if budget is None else budget.limit_pico,
        failed=tuple((attempt.model, attempt.error) for attempt in given.failed),
        verdict=given.verdict,
        candidates=tuple(_candidate(given, decision, estimate) for estimate in decision.estimates),
        what_ifs=what_ifs(given),
    )


def plan_on(given: DecisionInput, model_id: str) -> CachePlan:
    """Where cache points would stand in the request to one candidate: asked of `decide`, as if it were pinned.

    The plan is empty where the candidate is not eligible.
    """
    pinned = msgspec.structs.replace(given.request, pin=model_id)
    return decide(msgspec.structs.replace(given, request=pinned)).cache_plan


def _candidate(given: DecisionInput, decision: Decision, estimate: Estimate) -> CandidateView:
    model, statistics = given.catalog[estimate.model], given.statistics.of(estimate.model)
    prompt = given.request.prompt_for(statistics.tokenizer_ratio or model.tokenizer_ratio)
    plan = plan_on(given, model.id)
    state = given.cache_of(model.id)
    spans = write_spans(prompt, plan, model.cache)
    warm = warm_prefixes(prompt, plan, model.cache, state, given.now_ms)
    tier = model.price.tier_for(prompt.tokens)
    expected = estimate.expected
    first_calls: tuple[FirstCall, ...] = ()
    first_pico = later_pico = 0
    if expected is not None:
        first_calls = _first_calls(tier, prompt.tokens, spans, warm, statistics.output_tokens)
        alone = expected_turn(model, prompt, plan, state, statistics, given.now_ms, uses_tools=False)
        first_pico, later_pico = alone.cost_pico, expected.cost_pico - alone.cost_pico
    return CandidateView(
        model=model.id,
        name=model.name,
        rank=estimate.rank,
        chosen=model.id == decision.model,
        ineligible=estimate.ineligible,
        p=estimate.p,
        clears_bar=estimate.clears_bar,
        prompt_tokens=prompt.tokens,
        cached_tokens=spans[-1].end if spans else 0,
        cache_mode=model.cache.mode,
        floor_tokens=model.cache.floor_tokens,
        marked_tokens=_marked(prompt, plan, model),
        warm=_warm_entries(given, prompt, model, {prefix.tokens for prefix in warm}),
        tier_above=tier.above_prompt_tokens,
        tiers=len(model.price.tiers),
        output_tokens=statistics.output_tokens,
        learned_calls=statistics.calls,
        calls=1.0 if expected is None else expected.calls,
        first_calls=first_calls,
        first_call_pico=first_pico,
        later_calls_pico=later_pico,
        expected_pico=None if expected is None else expected.cost_pico,
    )


def _first_calls(
    tier: PriceTier, prompt_tokens: int, spans: tuple[WriteSpan, ...], warm: tuple[WarmPrefix, ...], output: float
) -> tuple[FirstCall, ...]:
    """The longest warm prefix is read with its chance, else the next one, and with what chance is left none is."""
    ways, left = [], 1.0
    for prefix in (*warm, WarmPrefix(0, 1.0)):
        if left * prefix.chance > 0:
            ways.append(_way(tier, prompt_tokens, spans, prefix.tokens, output, left * prefix.chance))
        left *= 1.0 - prefix.chance
    return tuple(ways)


def _way(
    tier: PriceTier, prompt_tokens: int, spans: tuple[WriteSpan, ...], read: int, output: float, chance: float
) -> FirstCall:
    written = {"5m": 0, "1h": 0}
    start = read
    for span in spans:
        if span.end > start:
            written[span.ttl] += span.end - start
            start = span.end
    return FirstCall(
        read_tokens=read,
        write_tokens=sum(written.values()),
        fresh_tokens=prompt_tokens - start,
        chance=chance,
        cost=Cost(
            input_pico=(prompt_tokens - start) * tier.input_pico,
            cache_read_pico=read * tier.cache_read_pico,
            cache_write_5m_pico=written["5m"] * tier.cache_write_5m_pico,
            cache_write_1h_pico=written["1h"] * tier.cache_write_1h_pico,
            output_pico=round(output * tier.output_pico),
        ),
    )


def _marked(prompt: Prompt, plan: CachePlan, model: Model) -> int:
    if model.cache.mode == "implicit":
        return prompt.tokens
    return max((prompt.offsets[marker.segment] for marker in plan.markers), default=0)


def _warm_entries(given: DecisionInput, prompt: Prompt, model: Model, readable: set[int]) -> tuple[WarmEntry, ...]:
    """What is believed warm of this prompt on one model, longest first."""
    warm = given.cache_of(model.id).warm_entries(given.now_ms)
    rules, entries = model.cache, []
    for tokens, prefix_hash in zip(prompt.offsets, prompt.prefix_hashes, strict=True):
        entry = warm.get(prefix_hash)
        if entry is not None:
            # An implicit cache is read in whole steps.
            read = tokens
            if rules.mode == "implicit" and tokens >= rules.floor_tokens:
                read -= (tokens - rules.floor_tokens) % rules.step_tokens
            left_ms = entry.expires_ms - given.now_ms
            entries.append(WarmEntry(tokens=tokens, chance=entry.chance, left_ms=left_ms, readable=read in readable))
    return tuple(reversed(entries))
