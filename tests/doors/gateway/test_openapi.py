"""The description tells of every path, and requests that are drawn from it get what it says."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from tests.doors.gateway.support import Served, Upstreams
from turnout.doors.gateway.openapi import described
from turnout.doors.gateway.routes import match, paths

CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
    schemathesis.checks.response_headers_conformance,
]


def test_every_path_is_described_and_every_described_path_is_there() -> None:
    found = described()["paths"]
    assert set(paths()) <= set(found)
    for path, operations in found.items():
        for method in operations:
            route = match(method.upper(), path.replace("{modelId}", "turnout").replace("{model}", "turnout").encode())
            assert route.kind not in ("unknown", "method"), path


@pytest.mark.once
class TestSchemathesis:
    """Requests drawn from the description, right ones and wrong ones, against the served gateway."""

    def test_no_error_of_our_own_and_answers_as_described(self, gateway: Served, doubles: Upstreams) -> None:
        schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
        schema.config.update(base_url=gateway.url)
        tried = Counter[int]()
        for result in schema.get_all_operations():
            operation = result.ok()  # type: ignore[union-attr]  # an error says what it is when it is asked so
            for mode in schemathesis.GenerationMode:
                tried += statuses(operation.as_strategy(generation_mode=mode))
            tried += statuses(operation.as_strategy().map(of_a_known_model))
        print(f"\n{tried.total()} requests, by status: {dict(sorted(tried.items()))}")
        assert tried[200] > 10
        assert tried[400] > 20


def of_a_known_model(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """The same request, which now gets as far as a provider."""
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = "turnout"
    for name in case.path_parameters or {}:
        case.path_parameters[name] = "turnout"
    case.headers.pop("x-turnout-pin", None)
    case.headers["anthropic-version"] = "2023-06-01"
    return case


def statuses(cases: st.SearchStrategy[schemathesis.Case[Any]]) -> Counter[int]:
    """Send requests, and hold each answer against the description."""
    found = Counter[int]()

    @settings(
        phases=[Phase.generate],
        max_examples=settings().max_examples if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 8,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def one(case: schemathesis.Case[Any]) -> None:
        answer = case.call()
        found[answer.status_code] += 1
        if "text/event-stream" not in answer.headers["content-type"][0]:  # which the checks cannot read
            case.validate_response(answer, checks=CHECKS)

    # Of a path that takes nothing, nothing wrong can be drawn.
    with contextlib.suppress(Unsatisfiable):
        one()
    return found
