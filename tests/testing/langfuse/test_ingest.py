from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from turnout.testing.langfuse.ingest import observation_of
from turnout.testing.langfuse.otlp import PlainSpan
from turnout.testing.langfuse.store import StoredSpan


def observed(scope: str = "test", parent: str = "", **fields: Any) -> StoredSpan:
    attributes = fields.pop("attributes", {})
    usual = {"trace_id": "t", "span_id": "s", "name": "step", "start_ns": 10**18, "end_ns": 10**18 + 1_999_999}
    return observation_of(PlainSpan(**{**usual, **fields}, parent_id=parent, scope=scope, attributes=attributes))


@pytest.mark.parametrize(
    ("attributes", "type_"),
    [
        ({"langfuse.observation.type": "generation"}, "GENERATION"),
        ({"langfuse.observation.type": "span", "langfuse.observation.model.name": "m"}, "SPAN"),
        ({"langfuse.observation.type": "nonsense"}, "SPAN"),
        ({"gen_ai.operation.name": "chat"}, "GENERATION"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, "AGENT"),
        ({"gen_ai.operation.name": "execute_tool"}, "TOOL"),
        ({"gen_ai.request.model": "m"}, "GENERATION"),
        ({}, "SPAN"),
    ],
)
def test_types(attributes: dict[str, Any], type_: str) -> None:
    assert observed(attributes=attributes).type == type_


def test_usage_and_cost_that_were_stated_are_kept_to_twelve_decimals() -> None:
    found = observed(
        attributes={
            "langfuse.observation.usage_details": '{"input": 3, "input_cache_creation_1h": 7, "output": 5}',
            "langfuse.observation.cost_details": '{"input": 0.000000000003, "output": 0.0000075}',
            "gen_ai.usage.input_tokens": 999,
        }
    )
    assert found.usage == {"input": 3, "input_cache_creation_1h": 7, "output": 5, "total": 15}
    assert found.cost == {
        "input": Decimal("0.000000000003"),
        "output": Decimal("0.000007500000"),
        "total": Decimal("0.000007500003"),
    }


def test_usage_by_the_conventions_counts_cached_tokens_once() -> None:
    found = observed(
        attributes={
            "gen_ai.usage.input_tokens": 2000,
            "gen_ai.usage.cache_read.input_tokens": 1500,
            "gen_ai.usage.cache_creation.input_tokens": 300,
            "gen_ai.usage.output_tokens": 50,
        }
    )
    expected = {"input": 200, "input_cached_tokens": 1500, "input_cache_creation": 300, "output": 50, "total": 2050}
    assert found.usage == expected
    assert found.cost == {}


def test_details_that_cannot_be_read_are_none() -> None:
    broken = {"langfuse.observation.usage_details": "{", "langfuse.observation.cost_details": '{"total": "much"}'}
    found = observed(attributes=broken)
    assert (found.usage, found.cost) == ({}, {})


def test_what_a_span_says_of_its_trace_is_its_own_only() -> None:
    root = observed()
    child = observed(parent="p")
    named = observed(parent="p", attributes={"langfuse.trace.name": "agent", "session.id": "x", "user.id": "u"})
    assert (root.trace_name, root.root) == ("step", True)
    assert (child.trace_name, child.root) == (None, False)
    assert (named.trace_name, named.session_id, named.user_id) == ("agent", "x", "u")


@pytest.mark.parametrize(
    ("value", "tags"),
    [(["a", "b"], ("a", "b")), ('["a", "b"]', ("a", "b")), ("a, b", ("a", "b")), ("a", ("a",)), (None, ())],
)
def test_tags(value: Any, tags: tuple[str, ...]) -> None:
    assert observed(attributes={"langfuse.trace.tags": value}).tags == tags


def test_levels_and_messages() -> None:
    assert observed(failed=True, message="broke").level == "ERROR"
    assert observed(failed=True, attributes={"langfuse.observation.level": "WARNING"}).level == "WARNING"
    assert observed(failed=True, message="broke").message == "broke"


def test_metadata_of_the_sdk_is_json_and_that_of_others_is_text() -> None:
    attributes = {"langfuse.observation.metadata.n": "7"}
    assert observed("langfuse-sdk", attributes=attributes).metadata["n"] == 7
    found = observed("other", attributes=attributes).metadata
    assert found["n"] == "7"
    assert found["attributes"] == attributes
    assert (
        observed("langfuse-sdk", attributes={"langfuse.observation.metadata.n": "not json"}).metadata["n"] == "not json"
    )


def test_times_are_cut_to_milliseconds() -> None:
    found = observed()
    assert found.started == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    assert found.latency_s == 0.001
    assert observed(end_ns=0).latency_s is None


def test_the_first_content() -> None:
    for text in ("2026-11-22T10:00:00.250Z", json.dumps("2026-11-22T10:00:00.250Z")):
        found = observed(attributes={"langfuse.observation.completion_start_time": text})
        assert found.first_content == datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC)
    assert observed(attributes={"langfuse.observation.completion_start_time": "soon"}).first_content is None


def test_environment_version_and_release_also_come_from_the_resource() -> None:
    resource = {"deployment.environment.name": "staging", "service.version": "2", "langfuse.release": "r"}
    found = observed(resource=resource)
    assert (found.environment, found.version, found.release) == ("staging", "2", "r")
    assert observed(resource=resource, attributes={"langfuse.environment": "live"}).environment == "live"
    assert observed().environment == "default"
