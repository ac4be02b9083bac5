from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from tests.core.strategies import decision_inputs
from tests.trace import decided
from tests.trace.decided import CAPABLE, CHEAP, REQUEST, warm
from turnout.core.cost import Cost
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.request import Needs
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.trace.views.explain import CandidateView, Explanation, explain, plan_on

# The expected costs are worked out by hand from the price table: USD per million tokens are pico-USD times 10**6.
MILLION = 10**6


def view(explanation: Explanation, model: str) -> CandidateView:
    return next(candidate for candidate in explanation.candidates if candidate.model == model)


def test_what_it_saw() -> None:
    explanation = explain(decided.decided())
    assert explanation.prompt == {"tools": 0, "system": 2_000, "message": 20}
    assert (explanation.segments, explanation.markers, explanation.marker_origin) == (2, 1, "fill")
    assert (explanation.model, explanation.model_name) == (CHEAP.id, "Claude Haiku 4.5")
    assert (explanation.reason, explanation.bar) == ("cheapest_clears_bar", 0.5)
    assert explanation.replays


def test_the_parts_of_each_cost_are_those_of_the_price_table() -> None:
    explanation = explain(decided.decided())
    capable, cheap = view(explanation, CAPABLE.id), view(explanation, CHEAP.id)
    [way] = capable.first_calls
    assert (way.read_tokens, way.write_tokens, way.fresh_tokens, way.chance) == (0, 2_000, 20, 1.0)
    assert way.cost == Cost(
        cache_write_5m_pico=2_000 * 3_750_000, input_pico=20 * 3 * MILLION, output_pico=300 * 15 * MILLION
    )
    # The head is below the cheap model's floor: nothing is written.
    [way] = cheap.first_calls
    assert (way.write_tokens, way.fresh_tokens) == (0, 2_020)
    assert way.cost == Cost(input_pico=2_020 * MILLION, output_pico=300 * 5 * MILLION)
    assert (cheap.cached_tokens, cheap.marked_tokens, cheap.floor_tokens) == (0, 2_000, 4_096)
    assert (cheap.later_calls_pico, cheap.expected_pico) == (0, way.cost.total_pico)


def test_an_uncertain_cache_shows_both_ways_with_their_chances() -> None:
    explanation = explain(decided.decided(decided.given(caches={CAPABLE.id: warm(0.75)})))
    capable = view(explanation, CAPABLE.id)
    read, cold = capable.first_calls
    assert (read.read_tokens, read.chance) == (2_000, 0.75)
    assert (cold.write_tokens, cold.chance) == (2_000, 0.25)
    assert read.cost.cache_read_pico == 2_000 * 300_000
    [entry] = capable.warm
    assert (entry.tokens, entry.chance, entry.left_ms, entry.readable) == (2_000, 0.75, 200_000, True)


def test_what_is_warm_and_cannot_be_read_says_so() -> None:
    explanation = explain(decided.decided(decided.given(caches={CHEAP.id: warm()})))
    [entry] = view(explanation, CHEAP.id).warm
    assert not entry.readable


def test_the_calls_of_a_tool_loop_stand_apart() -> None:
    request = msgspec.structs.replace(REQUEST, needs=Needs(tools=True))
    learned = Statistics({CHEAP.id: ModelStatistics(output_tokens=100, calls_per_turn=2, growth_tokens=500, calls=7)})
    explanation = explain(decided.decided(decided.given(request=request, statistics=learned)))
    cheap = view(explanation, CHEAP.id)
    assert (cheap.calls, cheap.output_tokens, cheap.learned_calls) == (2, 100, 7)
    assert cheap.first_call_pico == (2_020 + 100 * 5) * MILLION
    assert cheap.later_calls_pico == (2_520 + 100 * 5) * MILLION
    assert explanation.needs == ("tools",)


def test_a_changed_decision_does_not_replay() -> None:
    event = decided.decided()
    changed = msgspec.structs.replace(event.decision, model=CAPABLE.id)
    assert not explain(msgspec.structs.replace(event, decision=changed)).replays


def test_a_candidate_that_could_not_serve_has_its_reasons_and_no_cost() -> None:
    request = msgspec.structs.replace(REQUEST, allowed_models=(CAPABLE.id,))
    explanation = explain(decided.decided(decided.given(request=request)))
    cheap = view(explanation, CHEAP.id)
    assert (cheap.ineligible, cheap.expected_pico, cheap.first_calls) == (("not_allowed",), None, ())
    assert explanation.allowed_models == (CAPABLE.id,)


def test_a_refusal_is_explained_too() -> None:
    explanation = explain(decided.decided(decided.given(request=msgspec.structs.replace(REQUEST, allowed_models=()))))
    assert (explanation.model, explanation.model_name, explanation.reason) == (None, None, "no_eligible_candidate")


def test_where_cache_points_would_stand_on_each_model() -> None:
    assert [marker.segment for marker in plan_on(decided.given(), CAPABLE.id).markers] == [0]


@settings(max_examples=150)
@given(decision_inputs())
def test_the_parts_add_up_to_what_the_decision_held(made_from: DecisionInput) -> None:
    explanation = explain(decided.decided(made_from))
    assert explanation.replays
    for candidate, estimate in zip(explanation.candidates, decide(made_from).estimates, strict=True):
        if estimate.expected is None:
            assert candidate.expected_pico is None
            continue
        assert candidate.first_call_pico + candidate.later_calls_pico == estimate.expected.cost_pico
        assert sum(way.chance for way in candidate.first_calls) == pytest.approx(1)
        weighed = sum(way.chance * way.cost.total_pico for way in candidate.first_calls)
        assert candidate.first_call_pico == pytest.approx(weighed, rel=1e-12, abs=1)
        for way in candidate.first_calls:
            assert way.read_tokens + way.write_tokens + way.fresh_tokens == candidate.prompt_tokens
            assert min(way.read_tokens, way.write_tokens, way.fresh_tokens) >= 0
