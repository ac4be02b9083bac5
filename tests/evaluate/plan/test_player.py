from __future__ import annotations

from typing import Any

import msgspec

from tests.trace.decided import CAPABLE, CATALOG, CHEAP, COMPLEX, NOW_MS, POLICY, REQUEST, called, decided, given
from turnout.config.policy_lock import LockedClassifier, lock_of
from turnout.core.cache import CacheEntry, CacheState
from turnout.core.cost import cost_of
from turnout.core.decision import DecisionInput, FailedAttempt, SessionView
from turnout.core.policy import Policy, Reason
from turnout.core.request import HardStay, HistoryFit
from turnout.core.spend_bound import SpendBound
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.evaluate.plan.costs import exactly
from turnout.evaluate.plan.naming import Naming
from turnout.evaluate.plan.player import Again, Player, Recent, Served
from turnout.evaluate.plan.recorded import Recorded, Window
from turnout.evaluate.plan.sides import Side
from turnout.trace.events import DecisionEvent

STRICT = msgspec.structs.replace(POLICY, simple_bar=0.95)
USAGE = Usage(input_tokens=2_020, output_tokens=100)


def player(policy: Policy = POLICY, kind: str = "keyword", **changes: Any) -> Player:
    lock = lock_of(policy, changes.pop("bound", None), CATALOG, LockedClassifier(kind=kind))
    window = Window(
        since_ms=0, first_ms=0, last_ms=0, decisions=1, simulated=False, left_out=0, run=None, policies=(POLICY,)
    )
    options: dict[str, Any] = {"held_markers": True, "own_account": True, "again": Again(), **changes}
    return Player(Side(name="side", lock=lock), window, Naming(POLICY, {}), **options)


def answered(event: DecisionEvent, usage: Usage = USAGE, **changes: Any) -> Recorded:
    """A decision and the call that followed it, billed by the catalog."""
    assert event.decision.model is not None
    cost = cost_of(usage, CATALOG[event.decision.model].price)
    base: dict[str, Any] = {"usage": usage, "cost": cost, "cost_high_pico": cost.total_pico, **changes}
    call = called(event.decision.model, started_ms=event.started_ms, turn_id=event.turn_id, **base)
    return Recorded(event, (call,), ())


def turn(number: int, made_from: DecisionInput, **changes: Any) -> DecisionEvent:
    """The decision of a turn that comes so many minutes after the first."""
    made_from = msgspec.structs.replace(made_from, now_ms=NOW_MS + number * 60_000)
    return decided(made_from, turn_id=f"turn {number}", **changes)


def stay(model: str, cause: Any = "tool_loop") -> DecisionInput:
    request = msgspec.structs.replace(REQUEST, hard_stay=HardStay(model, cause))
    return given(request=request, session=SessionView(current_model=model))


def test_what_goes_as_recorded_costs_what_was_recorded() -> None:
    one = answered(turn(0, given()))
    found = player().play(one)
    assert found == Served(
        model=CHEAP.id,
        reason="cheapest_clears_bar",
        spend=exactly(one.answers[0].cost.total_pico),
        p=0.8,
        verdict_p=0.8,
    )


def test_a_hard_stay_is_on_the_model_that_this_side_serves_with() -> None:
    side = player(STRICT)
    assert side.play(answered(turn(0, given()))).model == CAPABLE.id
    found = side.play(answered(turn(1, stay(CHEAP.id))))
    assert (found.model, found.reason, found.switched) == (CAPABLE.id, "hard_stay", False)
    # Another session stays where it was.
    other = side.play(answered(turn(2, stay(CHEAP.id), session_id="other")))
    assert other.model == CHEAP.id


def test_a_hard_stay_on_a_model_that_is_gone_binds_nobody() -> None:
    alone = msgspec.structs.replace(POLICY, candidates=POLICY.candidates[1:])
    assert player(alone).play(answered(turn(0, stay(CHEAP.id)))).model == CAPABLE.id


def test_a_session_that_comes_back_to_what_was_recorded_is_as_recorded_again() -> None:
    side, back = player(STRICT), turn(1, given(verdict=COMPLEX, session=SessionView(current_model=CHEAP.id)))
    side.play(answered(turn(0, given())))
    assert side.given_for(back).session.current_model == CAPABLE.id
    side.play(answered(back))
    third = turn(90, given(verdict=COMPLEX, session=SessionView(current_model=CAPABLE.id)))
    assert side.given_for(third).session.current_model == CAPABLE.id
    assert side.given_for(third).request is third.given.request


def test_what_another_decision_left_warm_is_carried_forward() -> None:
    side = player(STRICT)
    side.play(answered(turn(0, given())))
    # The recorded session was on the cheap model, whose floor the head does not reach: nothing was warm anywhere.
    later = side.given_for(turn(1, given()))
    assert [entry.prefix_hash for entry in later.cache_of(CAPABLE.id).entries] == ["head"]
    read = side.play(answered(turn(1, given())))
    assert read.spend.pico == 2_000 * 300_000 + 20 * 3_000_000 + 100 * 15_000_000
    # An hour later nothing of it is left.
    assert side.given_for(turn(70, given())).cache_of(CAPABLE.id).entries == ()


def test_what_the_recorded_call_left_warm_is_not_there() -> None:
    written = Usage(input_tokens=20, cache_write_5m_tokens=2_000, output_tokens=100)
    lenient = player(msgspec.structs.replace(POLICY, simple_bar=0.1))
    first = turn(0, given(verdict=COMPLEX))
    assert first.decision.model == CAPABLE.id
    assert lenient.play(answered(first, written)).model == CHEAP.id
    warm = CacheState((CacheEntry(prefix_hash="head", ttl="5m", expires_ms=NOW_MS + 300_000),))
    second = turn(1, given(verdict=COMPLEX, caches={CAPABLE.id: warm}))
    assert lenient.given_for(second).cache_of(CAPABLE.id).entries == ()


def test_the_cost_of_a_failed_call_is_not_the_sides_that_went_elsewhere() -> None:
    first = turn(0, given())
    failed = called(
        CHEAP.id,
        turn_id="turn 0",
        usage=Usage(),
        usage_source="none",
        status="error",
        error="Throttled",
        started_ms=NOW_MS,
    )
    again = turn(0, given(failed=(FailedAttempt(CHEAP.id, "Throttled"),)))
    assert (first.decision.model, again.decision.model) == (CHEAP.id, CAPABLE.id)
    as_it_was, elsewhere = player(), player(STRICT)
    for side in (as_it_was, elsewhere):
        assert side.play(Recorded(first, (failed,), ())).spend == exactly(0)
    found = as_it_was.play(answered(again))
    assert (found.model, found.reason) == (CAPABLE.id, "failover")
    # It had chosen the model that answered in the end: what was recorded of that stands, and it is no failover.
    found = elsewhere.play(answered(again))
    assert (found.model, found.reason) == (CAPABLE.id, "cheapest_below_bar")
    assert found.spend == exactly(cost_of(USAGE, CAPABLE.price).total_pico)


def test_an_answer_that_nothing_is_known_of_stays_at_what_it_cost() -> None:
    one = answered(turn(0, given()), Usage(input_tokens=7), usage_source="estimated", cost_high_pico=10**12)
    found = player(STRICT).play(one)
    assert (found.model, found.kept) == (CAPABLE.id, True)
    assert found.spend.pico == one.answers[0].cost.total_pico
    assert found.spend.high_pico == 10**12


def test_what_was_refused_and_now_is_served_costs_what_is_expected() -> None:
    request = msgspec.structs.replace(REQUEST, pin="bedrock/gone")
    refused = decided(given(request=request))
    assert refused.decision.reason is Reason.PIN_INELIGIBLE
    assert player().play(Recorded(refused, (), ())).model is None
    stuck = decided(stay("bedrock/gone"))
    assert stuck.decision.reason is Reason.HARD_STAY_INELIGIBLE
    found = player().play(Recorded(stuck, (), ()))
    assert found.model == CHEAP.id  # it binds to no candidate of this side
    assert 0 < found.spend.low_pico < found.spend.pico < found.spend.high_pico


def test_a_pin_keeps_its_name() -> None:
    pinned = answered(turn(0, given(request=msgspec.structs.replace(REQUEST, pin=CHEAP.id))))
    assert player(STRICT).play(pinned).model == CHEAP.id
    alone = msgspec.structs.replace(POLICY, candidates=POLICY.candidates[1:])
    found = player(alone).play(pinned)
    assert (found.model, found.reason, found.spend) == (None, "pin_ineligible", exactly(0))


def test_a_history_that_this_side_wrote_itself_needs_no_carrying() -> None:
    fits = (HistoryFit(CAPABLE.id, ("drop_thinking",)), HistoryFit(CHEAP.id, ("other",)))
    side = player(STRICT)
    side.play(answered(turn(0, given())))
    request = msgspec.structs.replace(REQUEST, history=fits)
    assert side.given_for(turn(1, given(request=request))).request.history == (fits[1],)


def test_a_classifier_that_is_not_needed_any_more_is_not_paid() -> None:
    asked = called(CHEAP.id, role="classifier", usage=Usage(input_tokens=400, output_tokens=2), started_ms=NOW_MS)
    asked = msgspec.structs.replace(asked, cost=cost_of(asked.usage, CHEAP.price))
    event = turn(0, given())
    one = Recorded(event, answered(event).answers, (asked,))
    assert player().play(one).classifier_pico == asked.cost.total_pico == 410_000_000
    alone = msgspec.structs.replace(POLICY, candidates=POLICY.candidates[1:])
    assert player(alone).play(one).classifier_pico == 0
    found = player(kind="none").play(one)
    assert (found.model, found.reason, found.classifier_pico) == (CAPABLE.id, "no_verdict", 0)


def test_verdicts_on_outcomes_say_who_suffices() -> None:
    verdict = Verdict(
        classifier="learned", label="simple", basis="outcome", p_suffices={CHEAP.id: 0.93, CAPABLE.id: 0.97}
    )
    one = answered(turn(0, given(verdict=verdict)))
    assert player().play(one).p == 0.93
    assert player(msgspec.structs.replace(POLICY, quality_bar=0.95)).play(one).p == 0.97


def test_a_tight_spend_bound_keeps_requests_on_the_reference() -> None:
    free, bound = player(), player(bound=SpendBound(epsilon=0.0, kappa_pico=0))
    one = answered(turn(0, given()))
    assert free.play(one).model == CHEAP.id
    found = bound.play(one)
    assert (found.model, found.reason) == (CAPABLE.id, "spend_bound")


def test_what_was_set_longest_ago_is_forgotten() -> None:
    recent: Recent[int] = Recent(2)
    for number in range(3):
        recent.put(("run", str(number)), number)
    assert [recent.get(("run", str(number)), -1) for number in range(3)] == [-1, 1, 2]
    assert recent.pop(("run", "1")) == 1
    assert ("run", "1") not in recent
