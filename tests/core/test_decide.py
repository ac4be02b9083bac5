"""Decisions, step by step of their order, on prices that can be checked at a glance."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnout.core.cache import NO_PLAN, CacheEntry, CachePlan, CacheRules, CacheState, Marker, Ttl
from turnout.core.catalog import Capabilities, Catalog, Model, UnknownModelError
from turnout.core.decide import cache_plan, decide, needs_verdict, reference_of
from turnout.core.decision import (
    BREAKER_OPEN,
    FAILOVER_UNSAFE,
    Decision,
    DecisionInput,
    FailedAttempt,
    SessionView,
    Unavailable,
)
from turnout.core.policy import Budget, Candidate, Policy, Reason
from turnout.core.price import flat_price
from turnout.core.request import HardStay, Needs, Request, Segment
from turnout.core.spend_bound import BoundView
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.verdict import Failure, FailureKind, Verdict

NOW_MS = 1_760_000_000_000


def model(name: str, usd_per_million: str, **parts: Any) -> Model:
    """A model that charges that much for input and nothing for output."""
    return Model(
        id=name,
        provider="lab",
        model_id=name,
        name=name,
        price=flat_price(usd_per_million, "0", cache_read="0.1", cache_write_5m="4", cache_write_1h="8"),
        **{"context_window": 100_000, **parts},
    )


# The more capable, the dearer; a prompt of 1,000 tokens costs 0.001, 0.002 and 0.003 USD on them.
CHEAP, MIDDLE, CAPABLE = model("cheap", "1"), model("middle", "2"), model("capable", "3")
TRIO = (CHEAP, MIDDLE, CAPABLE)
PAIR = (CHEAP, CAPABLE)
PROMPT = (Segment(kind="message", tokens=1_000, prefix_hash="m"),)
SIMPLE = Verdict(classifier="c", label="simple", p_simple=0.8)
COMPLEX = Verdict(classifier="c", label="complex", p_simple=0.2)


def outcome(**p_suffices: float) -> Verdict:
    return Verdict(classifier="c", label="simple", basis="outcome", p_suffices=p_suffices)


def given_of(
    *models: Model,
    verdict: Verdict | None = None,
    policy: dict[str, Any] | None = None,
    request: dict[str, Any] | None = None,
    **parts: Any,
) -> DecisionInput:
    """The input of a decision among these models, the least capable first."""
    return DecisionInput(
        request=Request(**{"session_id": "s", "segments": PROMPT, **(request or {})}),
        policy=Policy(
            candidates=tuple(Candidate(one.id, rank) for rank, one in enumerate(models)),
            **(policy or {}),
        ),
        catalog=Catalog.of(models),
        now_ms=NOW_MS,
        verdict=verdict,
        **parts,
    )


def decided(*models: Model, **parts: Any) -> Decision:
    return decide(given_of(*models, **parts))


def outline(decision: Decision) -> tuple[str | None, Reason, str | None]:
    return decision.model, decision.reason, decision.runner_up


def failed(*names: str) -> tuple[FailedAttempt, ...]:
    return tuple(FailedAttempt(name, "ThrottlingException") for name in names)


class TestEligibility:
    def test_where_nobody_is_eligible_each_reason_is_named(self) -> None:
        small = model("small", "1", context_window=999)
        blind = model("blind", "2", capabilities=Capabilities(tools=False))
        decision = decided(small, blind, verdict=SIMPLE, request={"needs": Needs(tools=True)})
        assert outline(decision) == (None, Reason.NO_ELIGIBLE_CANDIDATE, None)
        assert {one.model: one.ineligible for one in decision.estimates} == {
            "small": ("context_window:1000>999",),
            "blind": ("lacks:tools",),
        }
        assert decision.cache_plan == NO_PLAN

    def test_a_prompt_is_counted_in_each_models_own_tokens(self) -> None:
        wordy = model("wordy", "0.1", tokenizer_ratio=1.3, context_window=1_299)
        decision = decided(wordy, CAPABLE, verdict=SIMPLE)
        assert decision.estimate("wordy").ineligible == ("context_window:1300>1299",)
        expected = decision.estimate("capable").expected
        assert expected is not None
        assert expected.prompt_tokens == 1_000

    def test_what_was_learned_of_a_tokenizer_comes_before_the_catalog(self) -> None:
        wordy = model("wordy", "1", tokenizer_ratio=1.3)
        statistics = Statistics({"wordy": ModelStatistics(tokenizer_ratio=1.1)})
        expected = decided(wordy, CAPABLE, statistics=statistics).estimate("wordy").expected
        assert expected is not None
        assert (expected.prompt_tokens, expected.cost_pico) == (1_100, 1_100_000_000)

    def test_a_candidate_that_is_not_in_the_catalog_is_an_error(self) -> None:
        incomplete = msgspec.structs.replace(given_of(CHEAP, CAPABLE), catalog=Catalog.of([CAPABLE]))
        with pytest.raises(UnknownModelError, match="unknown model 'cheap'"):
            decide(incomplete)

    def test_markers_that_one_model_would_refuse_leave_the_other(self) -> None:
        hourly = model("hourly", "3", cache=CacheRules(ttls=("5m", "1h")))
        marked = (Segment(kind="message", tokens=1_000, prefix_hash="m", marker="1h"),)
        decision = decided(CHEAP, hourly, model("short", "2", cache=CacheRules()), request={"segments": marked})
        assert decision.estimate("short").ineligible == ("cache_ttl:1h",)
        assert decision.model == "hourly"


class TestPins:
    @pytest.mark.parametrize("verdict", [None, SIMPLE, COMPLEX])
    def test_a_pin_is_served_whatever_the_verdict(self, verdict: Verdict | None) -> None:
        for pin in ("cheap", "middle", "capable"):
            decision = decided(*TRIO, verdict=verdict, request={"pin": pin})
            assert (decision.model, decision.reason, decision.bar) == (pin, Reason.PINNED, None)

    def test_an_ineligible_pin_is_refused_with_what_does_not_fit(self) -> None:
        small = model("small", "1", context_window=10)
        decision = decided(small, CAPABLE, verdict=SIMPLE, request={"pin": "small"})
        assert outline(decision) == (None, Reason.PIN_INELIGIBLE, None)
        assert decision.estimate("small").ineligible == ("context_window:1000>10",)

    def test_a_pin_that_is_no_candidate_is_refused(self) -> None:
        assert outline(decided(*PAIR, request={"pin": "middle"})) == (None, Reason.PIN_INELIGIBLE, None)

    def test_a_pin_that_failed_is_refused_and_not_replaced(self) -> None:
        decision = decided(*PAIR, verdict=SIMPLE, request={"pin": "cheap"}, failed=failed("cheap"))
        assert outline(decision) == (None, Reason.PIN_INELIGIBLE, None)
        assert decision.estimate("cheap").ineligible == ("failed:ThrottlingException",)

    def test_a_pin_comes_before_a_hard_stay_in_a_tool_loop_and_before_a_budget(self) -> None:
        request = {"pin": "cheap", "hard_stay": HardStay("capable", "tool_loop")}
        decision = decided(
            *PAIR, request=request, policy={"budget": Budget(limit_pico=0)}, session=SessionView(spent_pico=1)
        )
        assert outline(decision) == ("cheap", Reason.PINNED, "capable")

    def test_a_pin_cannot_take_over_a_history_that_is_bound_to_another_model(self) -> None:
        request = {"pin": "cheap", "hard_stay": HardStay("capable", "bound_state")}
        decision = decided(*PAIR, request=request)
        assert outline(decision) == (None, Reason.PIN_INELIGIBLE, None)
        assert decision.estimate("cheap").ineligible == ("history_bound:capable",)


class TestHardStays:
    @pytest.mark.parametrize("verdict", [None, SIMPLE, COMPLEX])
    @pytest.mark.parametrize("stays_on", ["cheap", "middle", "capable"])
    def test_a_tool_loop_stays_whatever_the_verdict(self, stays_on: str, verdict: Verdict | None) -> None:
        request = {"hard_stay": HardStay(stays_on, "tool_loop")}
        decision = decided(*TRIO, verdict=verdict, request=request)
        assert (decision.model, decision.reason) == (stays_on, Reason.HARD_STAY)
        assert not needs_verdict(given_of(*TRIO, request=request))

    def test_a_bound_history_stays(self) -> None:
        decision = decided(*TRIO, verdict=SIMPLE, request={"hard_stay": HardStay("middle", "bound_state")})
        assert outline(decision) == ("middle", Reason.HARD_STAY, None)

    def test_a_stay_that_cannot_serve_is_refused(self) -> None:
        small = model("small", "1", context_window=10)
        decision = decided(small, CAPABLE, request={"hard_stay": HardStay("small", "tool_loop")})
        assert outline(decision) == (None, Reason.HARD_STAY_INELIGIBLE, None)
        decision = decided(*PAIR, request={"hard_stay": HardStay("no candidate", "tool_loop")})
        assert outline(decision) == (None, Reason.HARD_STAY_INELIGIBLE, None)

    def test_a_bound_history_that_cannot_be_served_is_refused(self) -> None:
        decision = decided(*PAIR, request={"hard_stay": HardStay("no candidate", "bound_state")})
        assert outline(decision) == (None, Reason.NO_ELIGIBLE_CANDIDATE, None)

    def test_a_tool_loop_whose_model_failed_goes_on_elsewhere(self) -> None:
        request = {"hard_stay": HardStay("capable", "tool_loop")}
        decision = decided(*TRIO, verdict=COMPLEX, request=request, failed=failed("capable"))
        assert outline(decision) == ("middle", Reason.FAILOVER, "cheap")

    def test_a_bound_history_whose_model_failed_does_not(self) -> None:
        request = {"hard_stay": HardStay("capable", "bound_state")}
        decision = decided(*TRIO, request=request, failed=failed("capable"))
        assert outline(decision) == (None, Reason.NO_ELIGIBLE_CANDIDATE, None)

    def test_the_failure_of_another_model_does_not_end_a_stay(self) -> None:
        request = {"hard_stay": HardStay("capable", "tool_loop")}
        decision = decided(*TRIO, verdict=SIMPLE, request=request, failed=failed("middle"))
        assert outline(decision) == ("capable", Reason.HARD_STAY, "cheap")

    def test_a_stay_that_cannot_serve_is_refused_also_where_another_model_failed(self) -> None:
        request = {"hard_stay": HardStay("no candidate", "tool_loop")}
        decision = decided(*TRIO, request=request, failed=failed("middle"))
        assert outline(decision) == (None, Reason.HARD_STAY_INELIGIBLE, None)

    def test_a_stay_comes_before_a_spent_budget(self) -> None:
        request = {"hard_stay": HardStay("capable", "tool_loop")}
        decision = decided(
            *PAIR, request=request, policy={"budget": Budget(limit_pico=5)}, session=SessionView(spent_pico=5)
        )
        assert (decision.model, decision.reason) == ("capable", Reason.HARD_STAY)


class TestBudgets:
    def spent(self, spent_pico: int, when_spent: str, **parts: Any) -> Decision:
        budget = msgspec.convert({"limit_pico": 1_000, "when_spent": when_spent}, Budget)
        return decided(
            *TRIO,
            policy={"budget": budget},
            session=SessionView(spent_pico=spent_pico),
            **{"verdict": COMPLEX, **parts},
        )

    def test_a_budget_that_is_not_spent_changes_nothing(self) -> None:
        assert self.spent(999, "refuse").reason is Reason.CHEAPEST_BELOW_BAR

    def test_a_spent_budget_refuses(self) -> None:
        assert outline(self.spent(1_000, "refuse")) == (None, Reason.BUDGET_SPENT, None)

    def test_or_serves_the_cheapest_below_the_bar_or_not(self) -> None:
        assert outline(self.spent(1_000, "cheapest")) == ("cheap", Reason.BUDGET_CHEAPEST, "middle")
        assert outline(self.spent(5_000, "cheapest", failed=failed("cheap"))) == ("middle", Reason.FAILOVER, "capable")

    def test_needs_no_verdict(self) -> None:
        for when_spent in ("refuse", "cheapest"):
            budget = msgspec.convert({"limit_pico": 0, "when_spent": when_spent}, Budget)
            assert not needs_verdict(given_of(*TRIO, policy={"budget": budget}))


class TestVerdictNotNeeded:
    def test_one_candidate_needs_none(self) -> None:
        assert outline(decided(CHEAP)) == ("cheap", Reason.VERDICT_NOT_NEEDED, None)
        assert not needs_verdict(given_of(CHEAP))

    def test_one_eligible_candidate_needs_none(self) -> None:
        small = model("small", "9", context_window=10)
        assert outline(decided(CHEAP, small)) == ("cheap", Reason.VERDICT_NOT_NEEDED, None)

    def test_where_the_most_capable_is_the_cheapest_too_no_verdict_counts(self) -> None:
        bargain = model("bargain", "0.5")
        for verdict in (None, SIMPLE, COMPLEX, outcome(cheap=1.0, middle=1.0)):
            decision = decided(CHEAP, MIDDLE, bargain, verdict=verdict)
            assert outline(decision) == ("bargain", Reason.VERDICT_NOT_NEEDED, "middle")
            assert [one.clears_bar for one in decision.estimates] == [None, None, None]
        assert not needs_verdict(given_of(CHEAP, MIDDLE, bargain))

    def test_else_it_is_needed(self) -> None:
        assert needs_verdict(given_of(*PAIR))
        assert needs_verdict(given_of(*PAIR, verdict=SIMPLE))


class TestNoVerdict:
    def test_without_a_classifier_the_most_capable_serves_and_the_next_one_follows(self) -> None:
        assert outline(decided(*TRIO)) == ("capable", Reason.NO_VERDICT, "middle")

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("timeout", Reason.CLASSIFIER_TIMEOUT),
            ("error", Reason.CLASSIFIER_ERROR),
            ("unparsed", Reason.CLASSIFIER_UNPARSED),
        ],
    )
    def test_each_failure_of_a_classifier_has_its_own_reason(self, kind: FailureKind, reason: Reason) -> None:
        verdict = Verdict(classifier="c", failure=Failure(kind))
        decision = decided(*TRIO, verdict=verdict)
        assert outline(decision) == ("capable", reason, "middle")
        assert (decision.bar, [one.p for one in decision.estimates]) == (None, [None, None, None])

    def test_a_request_unlike_the_calibration_goes_to_the_most_capable(self) -> None:
        beyond = msgspec.structs.replace(SIMPLE, unlikeness=1.2)
        decision = decided(*TRIO, verdict=beyond)
        assert outline(decision) == ("capable", Reason.UNLIKE_CALIBRATION, "middle")
        assert (decision.bar, [one.clears_bar for one in decision.estimates]) == (None, [None, None, None])
        assert decided(*TRIO, verdict=msgspec.structs.replace(SIMPLE, unlikeness=1.0)).model == "cheap"

    def test_a_failed_verdict_with_a_probability_is_still_a_failure(self) -> None:
        verdict = Verdict(classifier="c", p_simple=1.0, failure=Failure("unparsed"))
        assert decided(*PAIR, verdict=verdict).model == "capable"

    def test_the_most_capable_eligible_serves(self) -> None:
        small = model("small", "9", context_window=10)
        assert outline(decided(CHEAP, MIDDLE, small)) == ("middle", Reason.NO_VERDICT, "cheap")


class TestVerdictsOnLabels:
    def test_simple_clears_all_and_the_cheapest_serves(self) -> None:
        decision = decided(*TRIO, verdict=SIMPLE)
        assert outline(decision) == ("cheap", Reason.CHEAPEST_CLEARS_BAR, "middle")
        assert decision.bar == 0.5
        assert [(one.model, one.clears_bar, one.p) for one in decision.estimates] == [
            ("capable", True, None),
            ("middle", True, 0.8),
            ("cheap", True, 0.8),
        ]

    def test_complex_clears_only_the_most_capable(self) -> None:
        decision = decided(*TRIO, verdict=COMPLEX)
        assert outline(decision) == ("capable", Reason.CHEAPEST_BELOW_BAR, "middle")
        assert [one.clears_bar for one in decision.estimates] == [True, False, False]

    @pytest.mark.parametrize(("bar", "chosen"), [(0.79, "cheap"), (0.8, "cheap"), (0.81, "capable"), (0, "cheap")])
    def test_the_bar_is_reached_by_a_probability_that_equals_it(self, bar: float, chosen: str) -> None:
        assert decided(*PAIR, verdict=SIMPLE, policy={"simple_bar": bar}).model == chosen

    def test_the_bar_for_labels_is_not_the_one_for_outcomes(self) -> None:
        assert decided(*PAIR, verdict=SIMPLE, policy={"quality_bar": 1.0}).model == "cheap"
        assert decided(*PAIR, verdict=outcome(cheap=0.6), policy={"simple_bar": 0.1}).model == "capable"

    def test_a_verdict_is_used_on_whoever_is_left(self) -> None:
        small = model("small", "9", context_window=10)
        decision = decided(CHEAP, MIDDLE, small, verdict=COMPLEX)
        assert outline(decision) == ("middle", Reason.CHEAPEST_BELOW_BAR, "cheap")
        assert [one.clears_bar for one in decision.estimates] == [False, True, False]


class TestVerdictsOnOutcomes:
    def test_the_cheapest_that_suffices_serves(self) -> None:
        decision = decided(*TRIO, verdict=outcome(cheap=0.5, middle=0.9, capable=0.1))
        assert outline(decision) == ("middle", Reason.CHEAPEST_BELOW_BAR, "capable")
        assert decision.bar == 0.9
        # The most capable clears the bar whatever is said of it.
        assert [(one.model, one.clears_bar, one.p) for one in decision.estimates] == [
            ("capable", True, None),
            ("middle", True, 0.9),
            ("cheap", False, 0.5),
        ]

    def test_a_candidate_of_which_nothing_is_said_does_not_clear(self) -> None:
        decision = decided(*TRIO, verdict=outcome(cheap=1.0))
        assert outline(decision) == ("cheap", Reason.CHEAPEST_CLEARS_BAR, "capable")
        assert decision.estimate("middle").clears_bar is False
        assert decision.estimate("middle").p is None
        assert decided(*TRIO, verdict=outcome()).model == "capable"

    def test_the_runner_up_clears_the_bar_before_it_is_cheap(self) -> None:
        assert decided(*TRIO, verdict=outcome(cheap=0.1, middle=1.0)).runner_up == "capable"
        assert decided(*TRIO, verdict=outcome(cheap=1.0, middle=0.1)).runner_up == "capable"

    def test_capability_is_the_rank_and_not_the_price(self) -> None:
        # Ranks: dear 0, cheap 1. The most capable is the cheaper one, so nothing is left to decide.
        assert outline(decided(CAPABLE, CHEAP, verdict=outcome(capable=1.0))) == (
            "cheap",
            Reason.VERDICT_NOT_NEEDED,
            "capable",
        )


class TestTies:
    TWINS = (model("alpha", "1"), model("beta", "1"), model("gamma", "1"))

    def test_a_tie_goes_to_the_current_model(self) -> None:
        for current in ("alpha", "beta", "gamma"):
            decision = decided(*self.TWINS, verdict=SIMPLE, session=SessionView(current_model=current))
            assert decision.model == current

    def test_else_to_the_more_capable(self) -> None:
        for session in (SessionView(), SessionView(current_model="no candidate")):
            decision = decided(*self.TWINS, verdict=SIMPLE, session=session)
            assert outline(decision) == ("gamma", Reason.VERDICT_NOT_NEEDED, "beta")

    def test_a_verdict_is_needed_where_the_current_model_ties_with_the_most_capable(self) -> None:
        session = SessionView(current_model="alpha")
        assert needs_verdict(given_of(*self.TWINS, session=session))
        assert outline(decided(*self.TWINS, verdict=COMPLEX, session=session))[:2] == (
            "gamma",
            Reason.CHEAPEST_BELOW_BAR,
        )

    def test_the_current_model_has_no_other_privilege(self) -> None:
        decision = decided(*PAIR, verdict=SIMPLE, session=SessionView(current_model="capable"))
        assert decision.model == "cheap"


class TestFailover:
    def test_the_next_choice_is_named_so(self) -> None:
        decision = decided(*TRIO, verdict=SIMPLE, failed=failed("cheap"))
        assert outline(decision) == ("middle", Reason.FAILOVER, "capable")
        assert decision.estimate("cheap").ineligible == ("failed:ThrottlingException",)

    def test_a_complex_query_goes_to_the_most_capable_that_is_left(self) -> None:
        assert outline(decided(*TRIO, verdict=COMPLEX, failed=failed("capable"))) == (
            "middle",
            Reason.FAILOVER,
            "cheap",
        )
        assert outline(decided(*TRIO, verdict=COMPLEX, failed=failed("capable", "middle"))) == (
            "cheap",
            Reason.FAILOVER,
            None,
        )

    def test_where_all_failed_nobody_is_left(self) -> None:
        decision = decided(*PAIR, verdict=SIMPLE, failed=failed("cheap", "capable"))
        assert outline(decision) == (None, Reason.NO_ELIGIBLE_CANDIDATE, None)

    def test_a_failed_model_may_be_unfit_as_well(self) -> None:
        small = model("small", "1", context_window=10)
        decision = decided(small, CAPABLE, failed=failed("small"))
        assert decision.estimate("small").ineligible == ("context_window:1000>10", "failed:ThrottlingException")


class TestEdits:
    FUSSY = model("fussy", "1", rejected_parameters=("temperature",), max_output_tokens=100)
    REQUEST: dict[str, Any] = {"parameters": ("temperature",), "max_output_tokens": 500}  # noqa: RUF012  # Never changed.

    def test_without_leave_to_adapt_a_candidate_that_needs_an_edit_is_not_eligible(self) -> None:
        decision = decided(self.FUSSY, CAPABLE, verdict=SIMPLE, request=self.REQUEST)
        assert (decision.model, decision.edits) == ("capable", ())
        assert decision.estimate("fussy").ineligible == ("parameter_rejected:temperature", "output_limit:500>100")

    def test_with_leave_the_edits_of_the_chosen_one_are_named(self) -> None:
        decision = decided(self.FUSSY, CAPABLE, verdict=SIMPLE, request=self.REQUEST, policy={"adapt": True})
        assert decision.model == "fussy"
        assert decision.edits == ("drop_parameter:temperature", "clamp_output:100")
        other = decided(self.FUSSY, CAPABLE, verdict=COMPLEX, request=self.REQUEST, policy={"adapt": True})
        assert (other.model, other.edits) == ("capable", ())
        assert other.estimate("fussy").edits == decision.edits


class TestCachePlans:
    SYSTEM: tuple[Segment, ...] = (
        Segment(kind="tools", tokens=500, prefix_hash="t0"),
        Segment(kind="tools", tokens=500, prefix_hash="t1"),
        Segment(kind="system", tokens=1_000, prefix_hash="s0"),
        Segment(kind="system", tokens=1_000, prefix_hash="s1"),
        Segment(kind="message", tokens=50, prefix_hash="m"),
    )

    def plan(self, segments: tuple[Segment, ...], *, markers: str = "fill", ttl: Ttl = "5m") -> CachePlan:
        policy = msgspec.convert(
            {"candidates": [{"model": "m", "rank": 0}], "markers": markers, "fill_ttl": ttl}, Policy
        )
        return cache_plan(Request(session_id="s", segments=segments), policy)

    def test_a_head_without_markers_is_filled_with_one_at_its_end(self) -> None:
        assert self.plan(self.SYSTEM) == CachePlan((Marker(3, "5m"),), "fill")
        assert self.plan(self.SYSTEM, ttl="1h") == CachePlan((Marker(3, "1h"),), "fill")
        assert self.plan(self.SYSTEM[2:]) == CachePlan((Marker(1, "5m"),), "fill")

    def test_without_a_system_the_tools_are_the_head(self) -> None:
        assert self.plan((*self.SYSTEM[:2], self.SYSTEM[4])) == CachePlan((Marker(1, "5m"),), "fill")

    def test_without_a_head_nothing_is_filled(self) -> None:
        assert self.plan(self.SYSTEM[4:]) == NO_PLAN
        assert self.plan(()) == NO_PLAN

    def test_the_users_markers_are_never_touched(self) -> None:
        marked = (*self.SYSTEM[:4], Segment(kind="message", tokens=50, prefix_hash="m", marker="1h"))
        for markers in ("user", "fill"):
            assert self.plan(marked, markers=markers) == CachePlan((Marker(4, "1h"),), "user")
        assert self.plan(self.SYSTEM, markers="user") == NO_PLAN

    def filled(self, model_of_choice: Model, ttl: Ttl) -> Decision:
        return decided(model_of_choice, policy={"markers": "fill", "fill_ttl": ttl}, request={"segments": self.SYSTEM})

    def test_the_decisions_plan_is_one_that_the_chosen_model_takes(self) -> None:
        hourly = model("hourly", "1", cache=CacheRules(ttls=("5m", "1h")))
        assert self.filled(hourly, "1h").cache_plan == CachePlan((Marker(3, "1h"),), "fill")
        short = model("short", "1", cache=CacheRules(ttls=("5m",)))
        assert self.filled(short, "1h").cache_plan == CachePlan((Marker(3, "5m"),), "fill")
        for mode in ("implicit", "none"):
            rules = msgspec.convert({"mode": mode}, CacheRules)
            assert self.filled(model("m", "1", cache=rules), "5m").cache_plan == NO_PLAN

    def test_a_filled_plan_is_priced_at_the_ttl_that_the_model_offers(self) -> None:
        # 3,000 x 4 for 5 minutes, or x 8 for an hour, and 50 x 1: 12,050 or 24,050 millionths of a USD.
        for ttls, usd_millionths in ((("5m", "1h"), 24_050), (("5m",), 12_050)):
            priced = self.filled(model("m", "1", cache=CacheRules(ttls=msgspec.convert(ttls, tuple[Ttl, ...]))), "1h")
            expected = priced.estimate("m").expected
            assert expected is not None
            assert expected.cost_pico == usd_millionths * 10**6


class TestCacheStates:
    HEAD = (Segment(kind="system", tokens=10_000, prefix_hash="s", marker="5m"),)
    CACHED = tuple(msgspec.structs.replace(one, cache=CacheRules(floor_tokens=1_024)) for one in PAIR)

    def warm(self, expires_ms: int) -> CacheState:
        return CacheState((CacheEntry(prefix_hash="s", ttl="5m", expires_ms=expires_ms),))

    def test_a_warm_capable_model_may_be_cheaper_than_a_cold_cheap_one(self) -> None:
        # Cold: 10,000 x 4 a million; warm: 10,000 x 0.1.
        caches = {"capable": self.warm(NOW_MS + 1)}
        decision = decided(*self.CACHED, verdict=SIMPLE, request={"segments": self.HEAD}, caches=caches)
        assert outline(decision) == ("capable", Reason.VERDICT_NOT_NEEDED, "cheap")
        assert [one.expected.cost_pico for one in decision.estimates if one.expected] == [1_000_000_000, 40_000_000_000]

    def test_its_warmth_ends_in_the_millisecond_in_which_it_expires(self) -> None:
        caches = {"capable": self.warm(NOW_MS)}
        decision = decided(*self.CACHED, verdict=SIMPLE, request={"segments": self.HEAD}, caches=caches)
        # Cold, both write 10,000 tokens at 4: a tie, which goes to the more capable.
        assert [one.expected.cost_pico for one in decision.estimates if one.expected] == [40_000_000_000] * 2
        assert decision.model == "capable"

    def test_each_model_has_a_cache_of_its_own(self) -> None:
        caches = {"cheap": self.warm(NOW_MS + 1)}
        decision = decided(*self.CACHED, verdict=SIMPLE, request={"segments": self.HEAD}, caches=caches)
        assert outline(decision) == ("cheap", Reason.CHEAPEST_CLEARS_BAR, "capable")


def test_a_turn_with_tools_is_priced_as_the_calls_that_it_is_expected_to_take() -> None:
    statistics = Statistics({"cheap": ModelStatistics(calls_per_turn=4, growth_tokens=0)})
    request = {"needs": Needs(tools=True)}
    # Four calls on the cheap model cost 4 x 0.001 USD; the prior is two of 1,000 and 1,400 tokens on the capable one:
    # 0.003 + 0.0042 USD.
    decision = decided(*PAIR, verdict=SIMPLE, request=request, statistics=statistics)
    assert [one.expected.cost_pico for one in decision.estimates if one.expected] == [7_200_000_000, 4_000_000_000]


def test_means_given_as_whole_numbers_are_stored_as_floats() -> None:
    statistics = Statistics({"cheap": ModelStatistics(output_tokens=120, calls_per_turn=2)})
    verdict = Verdict(classifier="c", label="simple", p_simple=1)
    made_from = given_of(
        *PAIR,
        verdict=verdict,
        policy={"simple_bar": 1},
        request={"needs": Needs(tools=True)},
        statistics=statistics,
    )
    replayed = msgspec.json.decode(msgspec.json.encode(made_from), type=DecisionInput)
    assert msgspec.json.encode(decide(made_from)) == msgspec.json.encode(decide(replayed))


def opened(*models: str) -> tuple[Unavailable, ...]:
    return tuple(Unavailable(name, BREAKER_OPEN) for name in models)


class TestUnavailable:
    def test_an_open_breaker_leaves_a_candidate_out(self) -> None:
        decision = decided(*TRIO, verdict=SIMPLE, unavailable=opened("cheap"))
        assert outline(decision) == ("middle", Reason.CHEAPEST_CLEARS_BAR, "capable")
        assert decision.estimate("cheap").ineligible == ("unavailable:breaker_open",)
        assert decision.estimate("cheap").expected is None

    def test_the_next_capable_clears_the_bar_then(self) -> None:
        decision = decided(*TRIO, verdict=COMPLEX, unavailable=opened("capable"))
        assert outline(decision) == ("middle", Reason.CHEAPEST_BELOW_BAR, "cheap")

    @pytest.mark.parametrize("verdict", [SIMPLE, COMPLEX, None])
    def test_where_all_are_open_none_counts(self, verdict: Verdict | None) -> None:
        decision = decided(*PAIR, verdict=verdict, unavailable=opened("cheap", "capable"))
        assert decision == decided(*PAIR, verdict=verdict)

    def test_where_the_others_failed_or_cannot_serve_it_does_not_count(self) -> None:
        small = model("small", "1", context_window=10)
        decision = decided(small, *PAIR, failed=failed("cheap"), unavailable=opened("capable"))
        assert outline(decision) == ("capable", Reason.FAILOVER, None)

    def test_a_pin_and_a_stay_are_tried_all_the_same(self) -> None:
        assert decided(*PAIR, request={"pin": "cheap"}, unavailable=opened("cheap")).model == "cheap"
        for cause in ("tool_loop", "bound_state"):
            stay = {"hard_stay": HardStay("cheap", cause)}
            assert decided(*PAIR, request=stay, unavailable=opened("cheap")).reason is Reason.HARD_STAY

    def test_a_move_that_is_not_safe_is_never_made(self) -> None:
        stay = {"hard_stay": HardStay("cheap", "tool_loop")}
        unsafe = tuple(Unavailable(name, f"{FAILOVER_UNSAFE}:tool_ids") for name in ("middle", "capable"))
        decision = decided(*TRIO, request=stay, failed=failed("cheap"), unavailable=unsafe)
        assert outline(decision) == (None, Reason.FAILOVER_UNSAFE, None)
        assert decision.estimate("middle").ineligible == ("unavailable:failover_unsafe:tool_ids",)
        decision = decided(*TRIO, request=stay, failed=failed("cheap"), unavailable=unsafe[:1])
        assert outline(decision) == ("capable", Reason.FAILOVER, None)

    def test_what_cannot_be_used_counts_also_where_all_are_open(self) -> None:
        unavailable = (Unavailable("cheap", "no_prefill"), *opened("capable", "cheap"))
        assert outline(decided(*PAIR, unavailable=unavailable)) == ("capable", Reason.VERDICT_NOT_NEEDED, None)

    def test_a_candidate_that_cannot_serve_anyway_keeps_its_own_reason(self) -> None:
        small = model("small", "1", context_window=10)
        decision = decided(small, CAPABLE, unavailable=opened("small"))
        assert decision.estimate("small").ineligible == ("context_window:1000>10",)


class TestSpendBound:
    # On the cheap model a turn of 1,000 tokens costs at most 0.008 USD: all written for an hour, nothing for output.
    WORST_PICO = 8_000_000_000

    def view(self, **parts: Any) -> BoundView:
        return BoundView(**{"reference": "capable", "slack_pico": self.WORST_PICO, "leave_pico": 0, **parts})

    def test_a_candidate_whose_worst_turn_fits_may_be_chosen(self) -> None:
        decision = decided(*PAIR, verdict=SIMPLE, bound=self.view())
        assert outline(decision) == ("cheap", Reason.CHEAPEST_CLEARS_BAR, "capable")

    def test_one_whose_worst_turn_does_not_fit_may_not(self) -> None:
        decision = decided(*PAIR, verdict=SIMPLE, bound=self.view(slack_pico=self.WORST_PICO - 1))
        assert outline(decision) == ("capable", Reason.SPEND_BOUND, "cheap")

    def test_what_leaving_leaves_behind_counts_too(self) -> None:
        assert decided(*PAIR, verdict=SIMPLE, bound=self.view(leave_pico=1)).reason == Reason.SPEND_BOUND
        view = self.view(leave_pico=-5, slack_pico=self.WORST_PICO - 5)
        # The debt may fall, but a try that fails before its first content must fit by itself.
        assert decided(*PAIR, verdict=SIMPLE, bound=view).reason == Reason.SPEND_BOUND

    def test_no_classifier_is_asked_where_its_price_does_not_fit(self) -> None:
        view = self.view(classify_pico=1)
        assert not needs_verdict(given_of(*PAIR, bound=view))
        assert needs_verdict(given_of(*PAIR, bound=self.view(classify_pico=1, slack_pico=self.WORST_PICO + 1)))
        assert decided(*PAIR, verdict=SIMPLE, bound=view).model == "cheap"

    def test_the_calls_of_a_turn_with_tools_are_counted_at_their_limit(self) -> None:
        # 8,000 pico-USD a token: prompts of 1,000, 1,100 and 1,200 tokens.
        request = {"needs": Needs(tools=True)}
        for slack, model_id in ((26_400_000_000, "cheap"), (26_399_999_999, "capable")):
            view = self.view(call_limit=3, growth_limit_tokens=100, slack_pico=slack)
            assert decided(*PAIR, verdict=SIMPLE, request=request, bound=view).model == model_id

    def test_the_cheapest_that_fits_is_the_next_choice(self) -> None:
        # Expected are 300 tokens of output, but its context window would let it write 99,000.
        talkative = msgspec.structs.replace(CHEAP, price=flat_price("1", "1"))
        decision = decided(talkative, MIDDLE, CAPABLE, verdict=SIMPLE, bound=self.view())
        assert outline(decision) == ("middle", Reason.SPEND_BOUND, "cheap")

    def test_a_spent_budget_serves_the_cheapest_that_fits(self) -> None:
        policy = {"budget": Budget(limit_pico=1, when_spent="cheapest")}
        spent = SessionView(spent_pico=1)
        assert decided(*PAIR, session=spent, policy=policy, bound=self.view()).model == "cheap"
        decision = decided(*PAIR, session=spent, policy=policy, bound=self.view(leave_pico=None))
        assert outline(decision) == ("capable", Reason.BUDGET_CHEAPEST, "cheap")

    def test_where_the_reference_failed_the_bound_holds_nobody(self) -> None:
        decision = decided(*PAIR, failed=failed("capable"), bound=self.view(leave_pico=None))
        assert outline(decision) == ("cheap", Reason.FAILOVER, None)

    def test_the_reference_is_priced_with_the_plan_that_it_would_get(self) -> None:
        plan = CachePlan((Marker(0),), "fill")
        cached = msgspec.structs.replace(CAPABLE, cache=CacheRules())
        decision = decided(CHEAP, cached, bound=self.view(plan=plan, leave_pico=None))
        assert decision.cache_plan == plan
        assert decision.estimate("capable").priced_pico == 4_000_000_000

    def test_the_reference_is_the_most_capable_that_is_eligible(self) -> None:
        assert reference_of(given_of(*TRIO)) == CAPABLE
        assert reference_of(given_of(*TRIO, failed=failed("capable"))) == CAPABLE
        small = model("capable", "3", context_window=10)
        assert reference_of(given_of(CHEAP, MIDDLE, small)) == MIDDLE
        assert reference_of(given_of(small)) is None


def test_every_reason_is_reached_by_a_test_of_its_step() -> None:
    small = model("small", "9", context_window=10)
    spent = SessionView(spent_pico=1)
    stay = {"hard_stay": HardStay("cheap", "tool_loop")}
    lost = {"hard_stay": HardStay("lost", "tool_loop")}
    decisions = [
        decided(*PAIR, request={"pin": "cheap"}),
        decided(*PAIR, request=stay),
        decided(*PAIR, session=spent, policy={"budget": Budget(limit_pico=1, when_spent="cheapest")}),
        decided(CHEAP),
        decided(*PAIR, verdict=SIMPLE),
        decided(*PAIR, verdict=COMPLEX),
        decided(*PAIR),
        *(
            decided(*PAIR, verdict=Verdict(classifier="c", failure=Failure(k)))
            for k in ("timeout", "error", "unparsed")
        ),
        decided(*PAIR, verdict=msgspec.structs.replace(SIMPLE, unlikeness=2.0)),
        decided(*PAIR, bound=BoundView(reference="capable", leave_pico=None)),
        decided(*PAIR, failed=failed("cheap")),
        decided(small),
        decided(*PAIR, request={"pin": "lost"}),
        decided(*PAIR, request=lost),
        decided(*PAIR, failed=failed("cheap"), unavailable=(Unavailable("capable", FAILOVER_UNSAFE),)),
        decided(*PAIR, session=spent, policy={"budget": Budget(limit_pico=1)}),
    ]
    assert [decision.reason for decision in decisions] == list(Reason)
