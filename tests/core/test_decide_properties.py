"""What holds for every decision, whatever it is given."""

from __future__ import annotations

import itertools
from typing import Literal

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.core.strategies import (
    HASHES,
    NOW_MS,
    TTLS,
    cache_states,
    decision_inputs,
    hard_stays,
    probabilities,
)
from turnout.core.cache import CacheEntry, CacheState
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import Decision, DecisionInput, Estimate, FailedAttempt
from turnout.core.policy import NOTHING_CLEARS, Reason
from turnout.core.request import HardStay
from turnout.core.verdict import Failure, FailureKind, Verdict

REFUSALS = {
    Reason.NO_ELIGIBLE_CANDIDATE,
    Reason.PIN_INELIGIBLE,
    Reason.HARD_STAY_INELIGIBLE,
    Reason.FAILOVER_UNSAFE,
    Reason.BUDGET_SPENT,
}
# The reasons under which a candidate below the bar may serve although another clears it.
PAST_THE_BAR = {Reason.PINNED, Reason.HARD_STAY, Reason.FAILOVER, Reason.BUDGET_CHEAPEST}


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def eligible(decision: Decision) -> list[Estimate]:
    """The eligible candidates, most capable first."""
    return [estimate for estimate in decision.estimates if estimate.eligible]


def cost(estimate: Estimate) -> int:
    assert estimate.expected is not None
    return estimate.expected.cost_pico


def clears(estimate: Estimate, made_from: DecisionInput, decision: Decision) -> bool:
    """Whether a candidate clears the bar, worked out again from the verdict."""
    verdict = made_from.verdict
    if estimate.model == eligible(decision)[0].model:
        return True
    if verdict is None or verdict.failure is not None or verdict.unlike:
        return False
    if verdict.basis == "label":
        return verdict.p_simple is not None and verdict.p_simple >= made_from.policy.simple_bar
    return verdict.p_suffices.get(estimate.model, -1.0) >= made_from.policy.quality_bar


def unforced(made_from: DecisionInput) -> DecisionInput:
    """The input without a pin, a hard stay and a budget: nothing but eligibility and verdict counts."""
    return msgspec.structs.replace(
        made_from,
        request=msgspec.structs.replace(made_from.request, pin=None, hard_stay=None),
        policy=msgspec.structs.replace(made_from.policy, budget=None),
    )


@given(decision_inputs())
def test_the_same_input_gives_the_same_decision_byte_for_byte_after_storage(made_from: DecisionInput) -> None:
    decision = decide(made_from)
    replayed = msgspec.json.decode(encoded(made_from), type=DecisionInput)

    assert encoded(decide(made_from)) == encoded(decision)
    assert encoded(decide(replayed)) == encoded(decision)
    assert msgspec.json.decode(encoded(decision), type=Decision) == decision
    assert needs_verdict(replayed) == needs_verdict(made_from)


@given(decision_inputs())
def test_a_candidate_below_the_bar_serves_only_for_a_named_reason(made_from: DecisionInput) -> None:
    decision = decide(made_from)
    event(decision.reason)
    if decision.model is not None and decision.reason not in PAST_THE_BAR:
        assert clears(decision.estimate(decision.model), made_from, decision)


@given(decision_inputs())
def test_the_cheapest_that_clears_the_bar_serves(made_from: DecisionInput) -> None:
    free = unforced(made_from)
    decision = decide(free)
    event(decision.reason)
    if decision.model is None:
        assert not eligible(decision)
        return
    clearing = [estimate for estimate in eligible(decision) if clears(estimate, free, decision)]
    assert cost(decision.estimate(decision.model)) == min(cost(estimate) for estimate in clearing)


@given(decision_inputs())
def test_an_ineligible_candidate_never_serves_and_a_refusal_serves_none(made_from: DecisionInput) -> None:
    decision = decide(made_from)
    ranks = [candidate.rank for candidate in made_from.policy.candidates]
    assert [estimate.rank for estimate in decision.estimates] == sorted(ranks, reverse=True)
    assert (decision.model is None) == (decision.reason in REFUSALS) == decision.refused
    for estimate in decision.estimates:
        assert (estimate.expected is None) == bool(estimate.ineligible)
    if decision.model is not None:
        chosen = decision.estimate(decision.model)
        assert chosen.eligible
        assert decision.model not in {attempt.model for attempt in made_from.failed}
        assert decision.edits == chosen.edits
        assert not decision.edits or made_from.policy.adapt


@given(decision_inputs())
def test_the_runner_up_is_who_would_serve_if_the_chosen_one_failed(made_from: DecisionInput) -> None:
    # An open breaker counts no more where nobody else is left.
    made_from = msgspec.structs.replace(made_from, unavailable=())
    decision = decide(made_from)
    assert decision.runner_up is None or decision.runner_up != decision.model
    if decision.model is None:
        assert decision.runner_up is None
        return
    assert (decision.runner_up is None) == (len(eligible(decision)) == 1)
    if decision.reason is Reason.PINNED or (decision.bar is None and made_from.verdict is not None):
        return  # A pin has no successor; and with the chosen one gone, a verdict that did not count may count.
    failed = (*made_from.failed, FailedAttempt(decision.model, "Throttled"))
    assert decide(msgspec.structs.replace(made_from, failed=failed)).model == decision.runner_up


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (None, Reason.NO_VERDICT),
        ("timeout", Reason.CLASSIFIER_TIMEOUT),
        ("error", Reason.CLASSIFIER_ERROR),
        ("unparsed", Reason.CLASSIFIER_UNPARSED),
    ],
)
@settings(max_examples=30)
@given(made_from=decision_inputs())
def test_without_a_verdict_the_most_capable_eligible_candidate_serves(
    kind: FailureKind | None, reason: Reason, made_from: DecisionInput
) -> None:
    verdict = None if kind is None else Verdict(classifier="c", failure=Failure(kind))
    decision = decide(msgspec.structs.replace(unforced(made_from), verdict=verdict))
    if decision.model is None:
        assert not eligible(decision)
        return
    assert decision.model == eligible(decision)[0].model
    assert decision.bar is None
    assert decision.reason in ({Reason.FAILOVER} if made_from.failed else {reason, Reason.VERDICT_NOT_NEEDED})


@given(decision_inputs())
def test_a_request_unlike_the_calibration_goes_to_the_most_capable_eligible_candidate(made_from: DecisionInput) -> None:
    verdict = Verdict(classifier="c", label="simple", p_simple=1.0, unlikeness=1.01)
    decision = decide(msgspec.structs.replace(unforced(made_from), verdict=verdict))
    if decision.model is None:
        assert not eligible(decision)
        return
    assert decision.model == eligible(decision)[0].model
    assert decision.reason in (
        {Reason.FAILOVER} if made_from.failed else {Reason.UNLIKE_CALIBRATION, Reason.VERDICT_NOT_NEEDED}
    )


@given(decision_inputs(), st.sampled_from(["user", "fill"]), st.booleans())
def test_whatever_caches_budgets_and_horizons_say_nobody_below_the_bar_is_chosen(
    made_from: DecisionInput, markers: Literal["user", "fill"], ahead: bool
) -> None:
    """What a guarantee of quality needs: prices choose among those that clear the bar, and among no others."""
    policy = msgspec.structs.replace(
        made_from.policy, markers=markers, horizon="session" if ahead else "call", budget=None
    )
    request = msgspec.structs.replace(made_from.request, pin=None, hard_stay=None)
    made_from = msgspec.structs.replace(made_from, policy=policy, request=request, failed=(), unavailable=())
    decision = decide(made_from)
    if decision.model is None:
        assert not eligible(decision)
        return
    event(decision.reason)
    chosen = decision.estimate(decision.model)
    assert clears(chosen, made_from, decision)
    # And where no bar can be reached, no price tempts it away from the most capable that can serve.
    closed = msgspec.structs.replace(policy, simple_bar=NOTHING_CLEARS, quality_bar=NOTHING_CLEARS)
    always = decide(msgspec.structs.replace(made_from, policy=closed))
    assert always.model == eligible(always)[0].model


@given(decision_inputs(), st.integers(0, 3))
def test_a_pin_is_served_or_refused_with_what_does_not_fit(made_from: DecisionInput, index: int) -> None:
    candidates = made_from.policy.candidates
    pin = candidates[index % len(candidates)].model
    decision = decide(msgspec.structs.replace(made_from, request=msgspec.structs.replace(made_from.request, pin=pin)))
    if decision.model is None:
        assert decision.reason is Reason.PIN_INELIGIBLE
        assert decision.estimate(pin).ineligible
    else:
        assert (decision.model, decision.reason) == (pin, Reason.PINNED)
        assert decision.estimate(pin).eligible


@given(decision_inputs(), hard_stays, st.integers(0, 3))
def test_a_hard_stay_is_left_only_where_its_own_model_failed(
    made_from: DecisionInput, stay: HardStay, index: int
) -> None:
    candidates = made_from.policy.candidates
    if index < len(candidates):
        stay = HardStay(candidates[index].model, stay.cause)
    request = msgspec.structs.replace(made_from.request, pin=None, hard_stay=stay)
    decision = decide(msgspec.structs.replace(made_from, request=request))
    event(decision.reason)
    if decision.model == stay.model:
        assert decision.reason is Reason.HARD_STAY
    elif decision.model is not None:
        assert stay.model in {attempt.model for attempt in made_from.failed}
        assert stay.cause == "tool_loop"
        assert decision.reason is Reason.FAILOVER


@given(decision_inputs())
def test_a_verdict_is_needed_exactly_where_two_verdicts_would_choose_differently(made_from: DecisionInput) -> None:
    models = [candidate.model for candidate in made_from.policy.candidates]
    possible = [None, Verdict(classifier="c", failure=Failure("error"))]
    possible += [Verdict(classifier="c", label="simple", p_simple=p) for p in (0.0, 1.0)]
    possible += [
        Verdict(classifier="c", label="simple", basis="outcome", p_suffices=dict(zip(models, ps, strict=True)))
        for ps in itertools.product((0.0, 1.0), repeat=len(models))
    ]
    inputs = [msgspec.structs.replace(made_from, verdict=verdict) for verdict in possible]
    differ = len({decide(one).model for one in inputs}) > 1
    event(f"needed: {differ}")
    assert {needs_verdict(one) for one in inputs} == {differ}


def with_entry(state: CacheState, added: CacheEntry, at: int) -> CacheState:
    """The state with one more entry."""
    entries = list(state.entries)
    entries.insert(at % (len(entries) + 1), added)
    return CacheState(tuple(entries))


def surer(state: CacheState, at: int, chance: float) -> CacheState:
    """The state with the chance of one entry raised, where it has one."""
    entries = list(state.entries)
    if entries:
        entry = entries[at % len(entries)]
        entries[at % len(entries)] = msgspec.structs.replace(entry, chance=max(entry.chance, chance))
    return CacheState(tuple(entries))


@given(
    decision_inputs(sane=True),
    cache_states,
    st.builds(
        CacheEntry,
        prefix_hash=st.sampled_from(HASHES),
        ttl=st.sampled_from(TTLS),
        expires_ms=st.just(NOW_MS + 1),
        chance=probabilities,
    ),
    st.integers(0, 3),
)
def test_no_cost_rises_when_a_prefix_gets_warm(
    made_from: DecisionInput, state: CacheState, added: CacheEntry, at: int
) -> None:
    candidates = made_from.policy.candidates
    model = candidates[at % len(candidates)].model
    # From nothing warm, by way of a state, to that state with one entry surer, and to that with one entry more.
    ladder = [CacheState(), state, surer(state, at, added.chance)]
    ladder.append(with_entry(ladder[-1], added, at))
    decisions = [
        decide(msgspec.structs.replace(made_from, caches={**made_from.caches, model: rung})) for rung in ladder
    ]
    for colder, warmer in itertools.pairwise(decisions):
        for before, now in zip(colder.estimates, warmer.estimates, strict=True):
            if before.expected is not None:
                assert cost(now) <= cost(before)
                event("cheaper" if cost(now) < cost(before) else "the same")
        if colder.model is not None and warmer.model is not None:
            assert cost(warmer.estimate(warmer.model)) <= cost(colder.estimate(colder.model))
