"""The description tells of every path, and requests that are drawn from it get what it says."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from functools import partial
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from tests.doors.gateway.support import Served, Upstreams
from turnout.doors.gateway.openapi import described
from turnout.doors.gateway.routes import allowed, match, paths

CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
    schemathesis.checks.response_headers_conformance,
]


def test_every_path_is_described_and_every_described_path_is_there() -> None:
    found = described()["paths"]
    assert set(found) == {*paths(), "/v1/models/{model}"}
    for path, operations in found.items():
        raw = re.sub(r"\{\w+\}", "turnout", path).encode()
        described_methods = {name.upper() for name in operations if name != "parameters"}
        assert described_methods == set(allowed(raw)) - {"HEAD"}, path
        for method in described_methods:
            assert match(method, raw).kind not in ("unknown", "method"), path


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
            with gateway.http() as client:
                kept = client.post("/v1/responses", json={"model": "turnout", "input": "hi"}).json()["id"]
            named = {"id": kept, "model": "turnout", "modelId": "turnout"}
            known = statuses(operation.as_strategy().map(partial(understood, schema.raw_schema, named)))
            tried += known
            assert known[200] or operation.path in NEVER, operation.label
        print(f"\n{tried.total()} requests, by status: {dict(sorted(tried.items()))}")
        assert tried[200] > 10
        assert tried[400] > 20


NEVER = ("/metrics", "/v1/responses/{id}/cancel")
"""No metrics are counted here, and an answer that has come cannot be cancelled."""


def understood(
    description: dict[str, Any], named: dict[str, str], case: schemathesis.Case[Any]
) -> schemathesis.Case[Any]:
    """The same request without members that are not described, for what is there: it gets as far as a provider."""
    if isinstance(case.body, dict):
        asked = description["paths"][case.operation.path]["post"]["requestBody"]["content"]["application/json"]
        body: dict[str, Any] = described_part(case.body, asked["schema"], description["components"]["schemas"])
        if "model" in body:
            body["model"] = "turnout"
        inner = body.get("input")
        spoken = inner["converse"] if isinstance(inner, dict) and "converse" in inner else body
        if "messages" in spoken:
            # Conversations have rules that a description cannot tell: who begins, who ends.
            plain = "/model/" not in case.operation.path or "/invoke" in case.operation.path
            spoken["messages"] = [{"role": "user", "content": "hi" if plain else [{"text": "hi"}]}]
        case.body = body
    for name in case.path_parameters or {}:
        case.path_parameters[name] = named[name]
    case.headers.pop("x-turnout-pin", None)
    case.headers["anthropic-version"] = "2023-06-01"
    return case


def described_part(value: Any, shape: dict[str, Any], named: dict[str, Any]) -> Any:
    """A value without the members that its description does not name."""
    if "$ref" in shape:
        shape = named[shape["$ref"].rpartition("/")[2]]
    for one in (*shape.get("anyOf", ()), *shape.get("oneOf", ())):
        fits = {"string": str, "array": list, "object": dict}.get(one.get("type", ""), object)
        if isinstance(value, fits) and not (isinstance(value, dict) and set(one["required"]) - set(value)):
            return described_part(value, one, named)
    if isinstance(value, dict) and "properties" in shape:
        known = shape["properties"]
        return {name: described_part(inner, known[name], named) for name, inner in value.items() if name in known}
    if isinstance(value, list) and "items" in shape:
        return [described_part(inner, shape["items"], named) for inner in value]
    return value


def statuses(cases: st.SearchStrategy[schemathesis.Case[Any]]) -> Counter[int]:
    """Send requests, and hold each answer against the description."""
    found = Counter[int]()

    @settings(
        phases=[Phase.generate],
        max_examples=settings().max_examples if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 5,
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
