from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.trace.samples import CAPABLE, CHEAP, POLICY, call, classifier_call, decision, failed_call
from turnout.core.cost import usd_to_pico
from turnout.core.policy import Budget
from turnout.core.request import HardStay
from turnout.core.usage import Usage
from turnout.core.verdict import Failure, Verdict
from turnout.trace.events import CallEvent
from turnout.trace.spans.attributes import call_attributes, request_attributes


def test_a_call_says_which_model_answered_how_and_for_how_much() -> None:
    usage = Usage(
        input_tokens=100,
        cache_read_tokens=1_000,
        cache_write_5m_tokens=200,
        cache_write_1h_tokens=300,
        output_tokens=50,
        reasoning_tokens=20,
    )
    event = call(CAPABLE, usage=usage, first_content_ms=125.0, streamed=True, query_id="Return Policy")
    assert call_attributes(event) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "capable",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "capable",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.response.time_to_first_chunk": 0.125,
        "gen_ai.conversation.id": "s-1",
        # Cached tokens are counted within the input, as the conventions want it.
        "gen_ai.usage.input_tokens": 1_600,
        "gen_ai.usage.cache_read.input_tokens": 1_000,
        "gen_ai.usage.cache_creation.input_tokens": 500,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "turnout.usage.cache_write_5m_tokens": 200,
        "turnout.usage.cache_write_1h_tokens": 300,
        "turnout.usage.source": "reported",
        # 100 x $3 + 1,000 x $0.30 + 200 x $3.75 + 300 x $6 + 50 x $15, per million
        "turnout.cost.usd_exact": "0.003900000000",
        "turnout.cost.usd": 0.0039,
        "turnout.cost.low_usd": 0.0039,
        "turnout.cost.high_usd": 0.0039,
        "turnout.model": "bedrock/capable",
        "turnout.role": "answer",
        "turnout.attempt": 1,
        "turnout.status": "ok",
        "turnout.run": "r",
        "turnout.turn_id": "t-1",
        "turnout.query_id": "Return Policy",
        "turnout.event_id": event.event_id,
        "turnout.simulated": False,
    }


def test_a_failed_call_has_an_error_type_and_no_tokens() -> None:
    attributes = call_attributes(failed_call())
    assert attributes["error.type"] == "ThrottlingException"
    assert not [name for name in attributes if name.startswith(("gen_ai.usage.", "gen_ai.response."))]
    assert attributes["turnout.cost.usd_exact"] == "0.000000000000"
    assert call_attributes(failed_call(error=""))["error.type"] == "unknown"


def test_an_abandoned_call_says_what_it_can_have_cost() -> None:
    attributes = call_attributes(call(status="cancelled", usage_source="estimated", cost_high_pico=9_000_000_000))
    assert (attributes["turnout.cost.low_usd"], attributes["turnout.cost.high_usd"]) == (0.00015, 0.009)
    assert attributes["turnout.usage.source"] == "estimated"
    assert "error.type" not in attributes


def test_a_classifiers_call_names_the_classifier() -> None:
    attributes = call_attributes(classifier_call())
    assert (attributes["turnout.role"], attributes["turnout.classifier"]) == ("classifier", "rule")


@given(st.data())
def test_tokens_and_cost_of_any_call_come_back_exactly(
    call_events: SearchStrategy[CallEvent], data: st.DataObject
) -> None:
    event = data.draw(call_events)
    attributes = call_attributes(event)
    assert usd_to_pico(Decimal(str(attributes["turnout.cost.usd_exact"]))) == event.cost.total_pico
    if event.usage_source != "none":
        writes = {
            name: attributes[f"turnout.usage.{name}"] for name in ("cache_write_5m_tokens", "cache_write_1h_tokens")
        }
        read = Usage.from_opentelemetry(attributes)
        assert msgspec.structs.replace(read, **writes) == event.usage


def test_a_request_says_what_was_decided_and_why() -> None:
    event = decision()
    attributes = request_attributes([event], [call()])
    cheap, capable = (event.decision.estimate(model.id).expected for model in (CHEAP, CAPABLE))
    assert cheap is not None
    assert capable is not None
    assert attributes == {
        "gen_ai.conversation.id": "s-1",
        "turnout.run": "r",
        "turnout.turn_id": "t-1",
        "turnout.event_id": event.event_id,
        "turnout.simulated": False,
        "turnout.model": "bedrock/cheap",
        "turnout.reason": "cheapest_clears_bar",
        "turnout.reasons": ("cheapest_clears_bar",),
        "turnout.runner_up": "bedrock/capable",
        "turnout.bar": 0.5,
        "turnout.candidates": ("bedrock/capable", "bedrock/cheap"),
        "turnout.expected_cost_usd.bedrock/cheap": cheap.cost_pico / 10**12,
        "turnout.expected_cost_usd.bedrock/capable": capable.cost_pico / 10**12,
        "turnout.p.bedrock/cheap": 0.9,
        "turnout.classifier": "rule",
        "turnout.classifier_ms": 30.0,
        "turnout.verdict.label": "simple",
        "turnout.verdict.basis": "label",
        "turnout.verdict.p_simple": 0.9,
        "turnout.cache_plan": "none",
        "turnout.decision_ms": 2.0,
        "turnout.failover": False,
        "turnout.attempts": 1,
        "turnout.status": "ok",
    }


def test_after_a_failover_the_model_is_the_last_and_the_candidates_are_the_first_ones() -> None:
    decisions = [decision(), decision(failed=(CHEAP.id,))]
    attributes = request_attributes(decisions, [failed_call(), call(CAPABLE)])
    assert attributes["turnout.model"] == CAPABLE.id
    assert attributes["turnout.reason"] == "failover"
    assert attributes["turnout.reasons"] == ("cheapest_clears_bar", "failover")
    assert attributes["turnout.failed_models"] == (CHEAP.id,)
    assert (attributes["turnout.failover"], attributes["turnout.attempts"]) == (True, 2)
    assert "turnout.expected_cost_usd.bedrock/cheap" in attributes
    assert attributes["turnout.status"] == "ok"
    assert attributes["turnout.decision_ms"] == 4.0
    assert "error.type" not in attributes


def test_a_request_whose_last_call_failed_has_its_error() -> None:
    attributes = request_attributes([decision()], [failed_call()])
    assert (attributes["turnout.status"], attributes["error.type"]) == ("error", "ThrottlingException")


def test_a_refused_request_names_the_reason_and_why_nobody_could() -> None:
    attributes = request_attributes([decision(pin="bedrock/other")], [])
    assert (attributes["turnout.status"], attributes["error.type"]) == ("refused", "pin_ineligible")
    assert attributes["turnout.pin"] == "bedrock/other"
    assert "turnout.model" not in attributes
    spent = decision(policy=msgspec.structs.replace(POLICY, budget=Budget(limit_pico=0)))
    assert request_attributes([spent], [])["error.type"] == "budget_spent"


def test_ineligible_candidates_are_named_with_their_reasons() -> None:
    event = decision(hard_stay=HardStay(CAPABLE.id, "bound_state"))
    attributes = request_attributes([event], [])
    assert attributes["turnout.hard_stay"] == "bound_state"
    ineligible = attributes["turnout.ineligible"]
    assert isinstance(ineligible, tuple)
    assert [text.partition(":")[0] for text in ineligible] == [CHEAP.id]


def test_a_verdict_that_failed_says_how() -> None:
    verdict = Verdict(classifier="rule", failure=Failure("timeout", "no verdict within 10 s"))
    attributes = request_attributes([decision(verdict=verdict)], [])
    assert attributes["turnout.verdict.failure"] == "timeout"
    assert "turnout.verdict.label" not in attributes
    assert "no verdict" not in str(attributes)
