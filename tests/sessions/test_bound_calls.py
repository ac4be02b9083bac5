"""What one call may come to, by hand; in whole worlds: test_spend_bound.py."""

from __future__ import annotations

import msgspec
import pytest

from tests.sessions.bound_world import CAPABLE, CHEAP
from tests.sessions.test_spend_bound import (
    CATALOG,
    CHEAP_PICO,
    COLD_PICO,
    DEBT_PICO,
    NOW_MS,
    POLICY,
    PROMPT,
)
from turnout.core.cache import CacheRules
from turnout.core.decide import plan_alone
from turnout.core.decision import DecisionInput, FailedAttempt
from turnout.core.request import Request
from turnout.core.spend_bound import BoundAccount, SpendBound
from turnout.core.warm_debt import Call, plans_for, state_of
from turnout.sessions.bound_calls import (
    Asked,
    further_pico,
    in_line,
    leave_pico,
    not_serving,
    ratio_of,
    takes_pico,
    without_fact,
    worst_of_pico,
)

GIVEN = DecisionInput(
    request=Request(session_id="s", segments=PROMPT, max_output_tokens=10),
    policy=POLICY,
    catalog=CATALOG,
    now_ms=NOW_MS,
)
EXACT = SpendBound(epsilon=0, kappa_pico=0)


def asked(**changes: object) -> Asked:
    """The call as the capable model sees it, in cold caches."""
    reference = msgspec.structs.replace(CATALOG[CAPABLE], **changes)
    prompt = GIVEN.request.prompt_for(1.0)
    plan = plan_alone(GIVEN, reference, state_of((), "shadow"))
    plans = plans_for(plan, prompt, reference.cache, (), NOW_MS)
    return Asked(reference, 1.0, Call(prompt, plans, reference.cache, NOW_MS), ())


def test_leaving_owes_what_the_reference_would_have_written() -> None:
    call = asked()
    assert call.step("shadow").cost_pico == COLD_PICO
    # What it would have spent is free to be spent otherwise.
    assert leave_pico(call, 1, EXACT) == DEBT_PICO - COLD_PICO
    tenth = SpendBound(epsilon=0.1, kappa_pico=0)
    assert leave_pico(call, 1, tenth) == DEBT_PICO - COLD_PICO * 11 // 10


def test_whoever_cannot_repay_is_not_left() -> None:
    # A read that renews nothing: what is owed could not be kept warm.
    assert leave_pico(asked(cache=CacheRules(renewed_by_read=False)), 1, EXACT) is None


def test_further_calls_of_a_turn_owe_more_only_where_they_may_move_cache_points() -> None:
    call = asked()
    after = without_fact(call, call.step("shadow").path, 3)
    assert all(one.fact_ms == 0 for one in after)
    assert further_pico(call, after, 2, EXACT) == 0  # filled points stay where they are
    assert further_pico(asked(cache=CacheRules(mode="none")), after, 2, EXACT) == 0


def test_points_of_ours_are_taken_only_with_room_for_them() -> None:
    call = asked()
    # Cold on both sides: what it spends is what the shadow spends, so that with a bound of its size nothing is taken.
    assert takes_pico(call, BoundAccount(), EXACT) == call.step("fact").cost_pico - EXACT.credit_pico(COLD_PICO)
    assert takes_pico(call, BoundAccount(spent_pico=10**15), EXACT) is None


def test_the_worst_of_a_turn_is_all_of_it_cold_and_dear() -> None:
    cheap = CATALOG[CHEAP]
    assert worst_of_pico(GIVEN, cheap, 1, EXACT) == CHEAP_PICO  # output is free here
    assert worst_of_pico(GIVEN, cheap, 2, EXACT) > 2 * CHEAP_PICO  # the second prompt is longer


def test_who_serves_and_how_long_prompts_are() -> None:
    assert not_serving(GIVEN) == set()
    failed = msgspec.structs.replace(GIVEN, failed=(FailedAttempt(CHEAP, "Throttled"),))
    assert not_serving(failed) == {CHEAP}
    assert ratio_of(GIVEN, msgspec.structs.replace(CATALOG[CHEAP], tokenizer_ratio=1.25)) == pytest.approx(1.25)


def test_callers_points_are_left_as_they_are() -> None:
    call = asked()
    path = call.step("shadow").path
    theirs = call._replace(
        call=msgspec.structs.replace(call.call, plans=msgspec.structs.replace(call.call.plans, ours=False))
    )
    assert in_line(path, theirs) is path
