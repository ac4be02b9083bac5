from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from tests.core.strategies import decision_inputs
from tests.trace import decided
from tests.trace.decided import CAPABLE, CHEAP, COMPLEX, POLICY, REQUEST, warm
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import DecisionInput, FailedAttempt, SessionView
from turnout.core.policy import Budget
from turnout.core.request import HardStay
from turnout.core.verdict import Failure, Verdict
from turnout.trace.views.whatif import STEP_OF_P, Change, WhatIf, what_ifs


def of(made_from: DecisionInput, change: Change) -> list[WhatIf]:
    return [one for one in what_ifs(made_from) if one.change == change]


def test_the_probability_that_would_have_sufficed_is_just_below_the_bar() -> None:
    [lower] = of(decided.given(), "p")
    assert (lower.was, lower.value, lower.flips) == (0.8, 0.4999, True)
    assert lower.outcome.model == CAPABLE.id
    assert lower.words == "P(simple) had been 0.4999 or less (it was 0.8)"
    [higher] = of(decided.given(verdict=COMPLEX), "p")
    assert (higher.value, higher.outcome.model) == (0.5, CHEAP.id)


def test_the_bar_that_would_have_kept_the_cheap_model_out() -> None:
    [bar] = of(decided.given(), "bar")
    assert (bar.value, bar.outcome.model) == (0.8001, CAPABLE.id)
    [bar] = of(decided.given(verdict=COMPLEX), "bar")
    assert (bar.value, bar.outcome.model) == (0.2, CHEAP.id)


def test_a_failed_classifier_gives_the_capable_model() -> None:
    [failed] = of(decided.given(), "verdict")
    assert (failed.flips, failed.outcome.model, failed.outcome.reason) == (True, CAPABLE.id, "classifier_timeout")
    timeout = Verdict(classifier="llm", failure=Failure("timeout"))
    simple, complex_ = of(decided.given(verdict=timeout), "verdict")
    assert (simple.flips, simple.outcome.model) == (True, CHEAP.id)
    assert not complex_.flips


def test_each_graded_probability_is_tried_by_itself() -> None:
    graded = Verdict(
        classifier="learned", label="simple", basis="outcome", p_suffices={CHEAP.id: 0.95, CAPABLE.id: 0.99}
    )
    [cheap] = of(decided.given(verdict=graded), "p")
    assert (cheap.model, cheap.value, cheap.outcome.model) == (CHEAP.id, 0.8999, CAPABLE.id)
    [bar] = of(decided.given(verdict=graded), "bar")
    assert bar.value == 0.9501


def test_without_a_classifier_one_would_have_counted() -> None:
    simple, complex_ = of(decided.given(verdict=None), "verdict")
    assert (simple.flips, simple.outcome.model) == (True, CHEAP.id)
    assert not complex_.flips


def long_head() -> DecisionInput:
    """A head of 6,000 tokens that the capable model holds warm: it is the cheaper one, and no verdict is needed."""
    head = msgspec.structs.replace(REQUEST.segments[0], tokens=6_000)
    request = msgspec.structs.replace(REQUEST, segments=(head, REQUEST.segments[1]))
    return decided.given(request=request, caches={CAPABLE.id: warm()}, verdict=None)


def test_a_cold_cache_would_have_had_a_classifier_asked() -> None:
    made_from = long_head()
    assert decide(made_from).reason == "verdict_not_needed"
    [cold] = of(made_from, "cache_cold")
    assert cold.flips
    assert cold.outcome.asks
    assert (cold.outcome.model, cold.outcome.if_simple, cold.outcome.if_complex) == (None, CHEAP.id, CAPABLE.id)


def test_the_moment_at_which_a_prefix_goes_cold_is_named() -> None:
    [later] = of(long_head(), "later")
    assert later.flips
    assert later.words == "it had come 200.0 s later, a prefix of Claude Sonnet 4.6 gone cold"


def test_a_later_moment_that_changes_nothing() -> None:
    [later] = of(decided.given(caches={CAPABLE.id: warm()}), "later")
    assert not later.flips


def test_a_warm_cache_is_tried_where_the_model_could_hold_one() -> None:
    warmed = of(decided.given(), "cache_warm")
    assert [one.model for one in warmed] == [CAPABLE.id]  # the head is below the cheap model's floor
    assert warmed[0].words.endswith("had surely held 2,000 tokens of the prompt warm")
    assert of(decided.given(caches={CAPABLE.id: warm()}), "cache_warm") == []


def test_the_output_length_at_which_the_choice_turns() -> None:
    # Reading 6,020 tokens warm costs 0.0018 + 0.00006, fresh on the cheap one 0.00602 (its head is written for 0.0075
    # where it reaches the floor); each token of output costs 10 USD a million more on the capable one.
    made_from = msgspec.structs.replace(long_head(), verdict=decided.SIMPLE)
    [longer] = of(made_from, "output")
    assert longer.value is not None
    # 6,000 read at 0.3 and 20 fresh at 3, against 6,000 written at 1.25 and 20 fresh at 1; then 15 against 5 a token.
    assert longer.value == (6_000 * (1.25 - 0.3) + 20 * (1 - 3)) // (15 - 5) + 1
    assert longer.outcome.model == CHEAP.id


def asked(**changes: object) -> DecisionInput:
    return decided.given(request=msgspec.structs.replace(REQUEST, **changes))


BUDGET = msgspec.structs.replace(POLICY, budget=Budget(limit_pico=5))


@pytest.mark.parametrize(
    ("made_from", "change", "flips"),
    [
        (asked(pin=CAPABLE.id), "pin", True),
        (asked(pin=CHEAP.id), "pin", False),
        (asked(hard_stay=HardStay(CAPABLE.id, "tool_loop")), "stay", True),
        (decided.given(failed=(FailedAttempt(CHEAP.id, "Throttled"),)), "failed", True),
        (asked(allowed_models=(CAPABLE.id,)), "allowed", True),
        (decided.given(policy=BUDGET), "budget", True),
        (decided.given(policy=BUDGET, session=SessionView(spent_pico=5)), "budget", True),
        (asked(max_output_tokens=10**6), "adapt", True),
    ],
)
def test_each_rule_is_lifted(made_from: DecisionInput, change: Change, flips: bool) -> None:
    [lifted] = of(made_from, change)
    assert lifted.flips is flips


@settings(max_examples=80)
@given(decision_inputs())
def test_what_is_said_to_change_the_choice_does_and_the_step_before_does_not(made_from: DecisionInput) -> None:
    base = decide(made_from)
    for one in what_ifs(made_from):
        if one.flips:
            assert one.outcome.asks or one.outcome.model != base.model
        else:
            assert (one.outcome.model, one.outcome.asks) == (base.model, False)
        if one.change != "bar" or one.value is None or one.was is None:
            continue
        field = "quality_bar" if made_from.verdict and made_from.verdict.basis == "outcome" else "simple_bar"
        step = STEP_OF_P if one.value < one.was else -STEP_OF_P
        for bar, changed in ((one.value, True), (one.value + step, False)):
            if (bar - one.was) * (one.value - one.was) <= 0:
                continue  # the step before is on the other side of the bar that was
            policy = msgspec.structs.replace(made_from.policy, **{field: round(bar, 4)})
            model = decide(msgspec.structs.replace(made_from, policy=policy)).model
            assert (model != base.model) is changed


@settings(max_examples=80)
@given(decision_inputs())
def test_a_classifier_is_said_to_be_asked_only_where_none_was(made_from: DecisionInput) -> None:
    asked = [one for one in what_ifs(made_from) if one.outcome.asks]
    assert not asked or (made_from.verdict is None and not needs_verdict(made_from))
