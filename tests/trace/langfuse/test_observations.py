from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse.api import ObservationV2

from tests.trace.langfuse.events import START_MS, call, decision
from tests.trace.langfuse.sending import new_trace_id, sent_for
from turnout.core.cost import NO_COST, Cost
from turnout.core.usage import NO_USAGE, Usage
from turnout.testing.langfuse.ingest import observation_of
from turnout.testing.langfuse.otlp import PlainSpan
from turnout.testing.langfuse.views import GROUPS, v1_observation, v2_observation
from turnout.trace.events import Event
from turnout.trace.langfuse.attributes import cost_details
from turnout.trace.langfuse.observations import Observation, from_v1, from_v2, pico_of


def read(fields: dict[str, Any]) -> Observation:
    """An observation of the v2 API as the SDK parses it."""
    from langfuse.api.core.pydantic_utilities import parse_obj_as

    usual = {"id": "o", "traceId": "t", "startTime": "2026-11-22T10:00:00.250Z", "projectId": "p", "type": "GENERATION"}
    return from_v2(parse_obj_as(ObservationV2, json.loads(json.dumps({**usual, **fields}))))


def both(event: Event) -> tuple[Observation, Observation]:
    """An event that went to Langfuse and came back by both APIs."""
    sent = sent_for(event, new_trace_id())
    stored = observation_of(
        PlainSpan(
            trace_id=sent.trace_id,
            span_id=sent.span_id,
            parent_id="",
            name=sent.name,
            start_ns=round(sent.started_ms * 1e6),
            end_ns=round(sent.ended_ms * 1e6),
            attributes=sent.attributes,
        )
    )
    return read(v2_observation(stored, GROUPS, [])), from_v1(json.loads(json.dumps(v1_observation(stored))))


def test_a_call_comes_back_as_it_was() -> None:
    event = call()
    for found in both(event):
        assert (found.type, found.model, found.root) == ("GENERATION", event.model, True)
        assert (found.usage, found.cost) == (event.usage, event.cost)
        assert (found.started_ms, found.ended_ms) == (START_MS + 700, START_MS + 2200)
        assert (found.own, found.event, found.facts["role"]) == (True, "call", "answer")


def test_a_decision_comes_back() -> None:
    for found in both(decision()):
        assert (found.type, found.event, found.usage, found.cost) == ("SPAN", "decision", NO_USAGE, NO_COST)
        assert found.facts["reason"] == "cheapest_clears_bar"


def test_what_others_wrote_has_no_facts() -> None:
    found = read({"metadata": {"tier": "simple"}, "parentObservationId": "p", "level": "ERROR"})
    assert (found.own, found.facts, found.root, found.level) == (False, {}, False, "ERROR")


@pytest.mark.parametrize(
    ("details", "usage"),
    [
        ({"input": 3, "output": 5, "total": 8}, Usage(input_tokens=3, output_tokens=5)),
        ({"input": 3, "input_cached_tokens": 100}, Usage(input_tokens=3, cache_read_tokens=100)),
        (
            {"cache_read_input_tokens": 7, "cache_creation_input_tokens": 9},
            Usage(cache_read_tokens=7, cache_write_5m_tokens=9),
        ),
        (
            {"input_cache_creation_5m": 1, "input_cache_creation_1h": 2},
            Usage(cache_write_5m_tokens=1, cache_write_1h_tokens=2),
        ),
        ({"input": 3, "input_audio_tokens": 4}, Usage(input_tokens=7)),
        ({"output": 5, "output_reasoning_tokens": 6}, Usage(output_tokens=11)),
        ({"units": 5, "total": 5}, NO_USAGE),
        ({}, NO_USAGE),
        (None, NO_USAGE),
    ],
)
def test_the_usage_of_others(details: dict[str, int] | None, usage: Usage) -> None:
    assert read({"usageDetails": details}).usage == usage


@pytest.mark.parametrize(
    ("fields", "cost"),
    [
        (
            {"costDetails": {"input": 0.5, "output": 0.25, "total": 0.75}},
            Cost(input_pico=5 * 10**11, output_pico=25 * 10**10),
        ),
        ({"costDetails": {"total": 0.75}}, Cost(input_pico=75 * 10**10)),
        ({"costDetails": {}, "totalCost": 0.75}, Cost(input_pico=75 * 10**10)),
        (
            {"costDetails": {"output": 0.25, "tax": 0.5, "total": 0.75}},
            Cost(input_pico=5 * 10**11, output_pico=25 * 10**10),
        ),
        ({"costDetails": {"input": 0.5, "output": 0.25}}, Cost(input_pico=5 * 10**11, output_pico=25 * 10**10)),
        ({"costDetails": None, "totalCost": None}, NO_COST),
    ],
)
def test_the_costs_of_others(fields: dict[str, Any], cost: Cost) -> None:
    assert read(fields).cost == cost


def test_an_old_observation_has_only_the_old_usage() -> None:
    found = from_v1(
        {
            "id": "o",
            "type": "GENERATION",
            "startTime": "2026-11-22T10:00:00.250Z",
            "usage": {"unit": "TOKENS", "input": 40, "output": 5, "total": 45},
            "calculatedTotalCost": 0.5,
        }
    )
    assert (found.usage.input_tokens, found.usage.output_tokens, found.cost.total_pico) == (40, 5, 5 * 10**11)
    assert (found.ended_ms, found.trace_id, found.model) == (None, "", "")


@given(st.integers(0, 8_000 * 10**12))
def test_amounts_come_back_exactly_through_json(pico: int) -> None:
    as_json = json.loads(cost_details(Cost(output_pico=pico)))
    assert pico_of(json.loads(json.dumps(as_json))["output"]) == pico
    assert pico_of(Decimal(pico).scaleb(-12)) == pico


@pytest.mark.parametrize("amount", ["much", None, float("nan"), float("inf")])
def test_what_is_no_amount(amount: object) -> None:
    with pytest.raises(ValueError, match="no number"):
        pico_of(amount)
