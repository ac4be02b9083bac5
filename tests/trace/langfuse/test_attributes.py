from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from tests.trace.langfuse.events import ANSWERED, ASKED, LARGE, SMALL, START_MS, asked, call, decision
from turnout.core.cost import Cost, cost_of
from turnout.core.request import Request, Segment
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import Failure, Verdict
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.langfuse.attributes import (
    Attributes,
    Labels,
    attributes_of,
    cost_details,
    trace_attributes,
    usage_details,
    usd_text,
)

KINDS = ("input", "input_cached_tokens", "input_cache_creation", "input_cache_creation_1h", "output")


def metadata(attributes: Attributes) -> dict[str, object]:
    prefix = "langfuse.observation.metadata.turnout_"
    return {name.removeprefix(prefix): value for name, value in attributes.items() if name.startswith(prefix)}


def test_a_call_by_hand() -> None:
    found = attributes_of(call(first_content_ms=250.5, streamed=True, finish_reason="end_turn"))
    assert found["langfuse.observation.type"] == "generation"
    assert found["langfuse.observation.model.name"] == "bedrock/small"
    assert found["langfuse.observation.level"] == "DEFAULT"
    assert "langfuse.observation.status_message" not in found
    assert found["langfuse.observation.completion_start_time"] == "2025-10-09T08:53:20.950500Z"
    # 100 fresh, 2,000 read, 300 written for 5 minutes, 40 for an hour, 60 out: 2,500 in all. Thinking is in the output.
    assert json.loads(str(found["langfuse.observation.usage_details"])) == {
        "input": 100,
        "input_cached_tokens": 2000,
        "input_cache_creation": 300,
        "input_cache_creation_1h": 40,
        "output": 60,
        "total": 2500,
    }
    # At $1 in, $0.10 read, $1.25 and $2 written, $5 out per million:
    # 100e-6 + 200e-6 + 375e-6 + 80e-6 + 300e-6 = 1,055e-6.
    assert found["langfuse.observation.cost_details"] == (
        '{"input": 0.0001, "input_cached_tokens": 0.0002, "input_cache_creation": 0.000375, '
        '"input_cache_creation_1h": 0.00008, "output": 0.0003, "total": 0.001055}'
    )
    own = metadata(found)
    assert len(str(own.pop("event_id"))) == 32
    assert own == {
        "event": "call",
        "run": "agent",
        "turn_id": "turn",
        "query_id": "Return Policy",
        "simulated": "false",
        "role": "answer",
        "attempt": "1",
        "status": "ok",
        "finish_reason": "end_turn",
        "streamed": "true",
        "usage_source": "reported",
        "highest_usd": "0.001055",
        "reasoning_tokens": "20",
    }


def test_the_same_tokens_on_the_dearer_model_by_hand() -> None:
    # 300e-6 + 600e-6 + 1,125e-6 + 240e-6 + 900e-6
    found = attributes_of(call(priced=LARGE))
    assert json.loads(str(found["langfuse.observation.cost_details"]))["total"] == 0.003165


def test_a_classifier_call() -> None:
    found = attributes_of(asked())
    assert found["langfuse.observation.type"] == "generation"
    assert found["langfuse.observation.usage_details"] == '{"input": 400, "output": 5, "total": 405}'
    # 400 at $1 and 5 at $5 per million.
    assert found["langfuse.observation.cost_details"] == '{"input": 0.0004, "output": 0.000025, "total": 0.000425}'
    assert (metadata(found)["role"], metadata(found)["classifier"]) == ("classifier", "llm")


def test_a_call_that_failed_costs_nothing_and_says_so_itself() -> None:
    found = attributes_of(
        call(usage=NO_USAGE, usage_source="none", status="error", error="ThrottlingException", attempt=2)
    )
    assert found["langfuse.observation.level"] == "ERROR"
    assert found["langfuse.observation.status_message"] == "ThrottlingException"
    # Stated as zero, so that Langfuse estimates neither.
    assert found["langfuse.observation.usage_details"] == '{"input": 0, "output": 0, "total": 0}'
    assert found["langfuse.observation.cost_details"] == '{"input": 0, "output": 0, "total": 0}'
    assert metadata(found)["attempt"] == "2"


def test_a_cancelled_call_has_its_highest_cost() -> None:
    cancelled = call(
        usage=Usage(input_tokens=10), status="cancelled", usage_source="estimated", cost_high_pico=5 * 10**9
    )
    found = attributes_of(cancelled)
    assert (found["langfuse.observation.level"], found["langfuse.observation.status_message"]) == (
        "WARNING",
        "cancelled",
    )
    assert metadata(found)["highest_usd"] == "0.005"


def test_a_decision_is_a_span_with_the_decision_as_metadata() -> None:
    found = attributes_of(decision())
    assert found["langfuse.observation.type"] == "span"
    assert found["langfuse.observation.level"] == "DEFAULT"
    assert not [name for name in found if "usage" in name or "cost_details" in name or "model.name" in name]
    own = metadata(found)
    assert own["model"] == SMALL.id
    assert (own["reason"], own["runner_up"], own["bar"]) == ("cheapest_clears_bar", LARGE.id, "0.5")
    assert (own["classifier"], own["label"], own["basis"]) == ("llm", "simple", "label")
    assert (own["decision_ms"], own["classifier_ms"]) == ("0.25", "612.5")
    estimates = json.loads(str(own["estimates"]))
    assert [estimate["model"] for estimate in estimates] == [LARGE.id, SMALL.id]
    assert estimates[1]["expected_usd"] == own["expected_usd"]


def test_a_decision_without_a_verdict() -> None:
    own = metadata(attributes_of(decision(verdict=None)))
    assert own["reason"] == "no_verdict"
    assert not {"classifier", "label", "basis", "p_simple"} & set(own)


def test_a_failed_classifier_and_a_refusal_are_warnings() -> None:
    failed = attributes_of(decision(verdict=Verdict(classifier="llm", failure=Failure("timeout", "no verdict"))))
    assert failed["langfuse.observation.level"] == "WARNING"
    assert failed["langfuse.observation.status_message"] == "classifier_timeout"
    assert metadata(failed)["failure"] == "timeout"
    long = Request(session_id="s", segments=(Segment(kind="message", tokens=10**7, prefix_hash="aa"),))
    refused = attributes_of(decision(request=long))
    assert refused["langfuse.observation.status_message"] == "no_eligible_candidate"
    assert "model" not in metadata(refused)


@pytest.mark.parametrize("event", [call(), asked(), decision()])
def test_every_span_says_what_trace_it_belongs_to(event: Event) -> None:
    labels = Labels(
        trace_name="customer-support",
        user_id="user-7",
        tags=("beta", "run:agent"),
        version="v4",
        release="2026.11",
        environment="staging",
    )
    found = attributes_of(event, labels=labels)
    assert found["langfuse.trace.name"] == "customer-support"
    assert (found["session.id"], found["user.id"]) == ("session-1", "user-7")
    assert found["langfuse.trace.tags"] == ("beta", "run:agent")
    assert (found["langfuse.version"], found["langfuse.release"]) == ("v4", "2026.11")
    assert found["langfuse.environment"] == "staging"
    assert trace_attributes(event, labels=labels).items() <= found.items()


def test_without_labels_the_trace_has_the_name_of_its_run() -> None:
    found = attributes_of(call(session_id=""))
    assert (found["langfuse.trace.name"], found["langfuse.trace.tags"]) == ("agent", ("run:agent",))
    absent = {"session.id", "user.id", "langfuse.version", "langfuse.release", "langfuse.environment"}
    assert not absent & set(found)


@pytest.mark.parametrize("event", [call(simulated=True), decision(simulated=True)])
def test_what_is_simulated_says_so_in_tag_and_metadata(event: Event) -> None:
    found = attributes_of(event)
    assert "simulated" in found["langfuse.trace.tags"]
    assert metadata(found)["simulated"] == "true"


def test_amounts_are_plain_decimals() -> None:
    assert [usd_text(pico) for pico in (0, 1, 10, 4_500_000_000, 10**12, 120 * 10**12)] == [
        "0",
        "0.000000000001",
        "0.00000000001",
        "0.0045",
        "1",
        "120",
    ]


@given(st.data())
def test_details_are_exact_and_add_up(data: DataObject) -> None:
    counts = [data.draw(st.integers(0, 10**9)) for _ in KINDS]
    picos = [data.draw(st.integers(0, 10**18)) for _ in KINDS]
    fields = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    usage = Usage(**{f"{name}_tokens": count for name, count in zip(fields, counts, strict=True)})
    cost = Cost(**{f"{name}_pico": pico for name, pico in zip(fields, picos, strict=True)})
    tokens = usage_details(usage)
    amounts = json.loads(cost_details(cost), parse_float=Decimal, parse_int=Decimal)
    for kind, count, pico in zip(KINDS, counts, picos, strict=True):
        assert tokens.get(kind, 0) == count
        assert amounts.get(kind, Decimal(0)).scaleb(12) == pico
    assert tokens["total"] == sum(counts) == sum(count for kind, count in tokens.items() if kind != "total")
    assert amounts["total"].scaleb(12) == sum(picos)
    assert "e" not in cost_details(cost).replace("input_cached_tokens", "").replace("input_cache_creation", "").lower()


@given(st.data())
def test_attributes_are_texts_and_hold_no_more_than_events_do(
    call_events: SearchStrategy[CallEvent], decision_events: SearchStrategy[DecisionEvent], data: DataObject
) -> None:
    found = attributes_of(data.draw(st.one_of(call_events, decision_events)))
    for name, value in found.items():
        assert name == "langfuse.trace.tags" or isinstance(value, str)
    assert all(isinstance(tag, str) for tag in found["langfuse.trace.tags"])


def test_the_hand_worked_costs_are_those_of_the_prices() -> None:
    assert cost_of(ANSWERED, SMALL.price).total_pico == 1_055 * 10**6
    assert cost_of(ASKED, SMALL.price).total_pico == 425 * 10**6
    assert START_MS == 1_760_000_000_000
