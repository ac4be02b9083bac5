from __future__ import annotations

import importlib
import typing
from typing import Any

import pytest

from tests.testing.langfuse.contract import CONTRACT, check, jsonschema, schema
from turnout.testing.langfuse import Exchange, LangfuseDouble

MODELS = {
    "CreateScoreRequest": "langfuse.api.scores.types.create_score_request",
    "CreateScoreBatchResponse": "langfuse.api.scores.types.create_score_batch_response",
    "CreateScoreBatchResults": "langfuse.api.scores.types.create_score_batch_results",
    "CreateScoreBatchError": "langfuse.api.scores.types.create_score_batch_error",
    "ObservationV2": "langfuse.api.commons.types.observation_v2",
    "ObservationsV2Response": "langfuse.api.observations.types.observations_v2response",
    "MetricsV2Response": "langfuse.api.metrics.types.metrics_v2response",
    "OtelResourceSpan": "langfuse.api.opentelemetry.types.otel_resource_span",
    "OtelScopeSpan": "langfuse.api.opentelemetry.types.otel_scope_span",
    "OtelSpan": "langfuse.api.opentelemetry.types.otel_span",
    "OtelAttribute": "langfuse.api.opentelemetry.types.otel_attribute",
    "OtelAttributeValue": "langfuse.api.opentelemetry.types.otel_attribute_value",
}


def fields_of(model: Any) -> dict[str, bool]:
    """The fields of a model of the SDK by their names in JSON, and whether each is required."""
    hints = typing.get_type_hints(model, include_extras=True)
    names = {
        name: next((one.alias for one in getattr(hint, "__metadata__", ()) if hasattr(one, "alias")), name)
        for name, hint in hints.items()
    }
    return {names[name]: field.is_required() for name, field in model.model_fields.items()}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_contract_has_the_fields_of_the_sdk_that_langfuse_generates(name: str) -> None:
    model = getattr(importlib.import_module(MODELS[name]), name)
    stated, generated = CONTRACT["$defs"][name], fields_of(model)
    assert sorted(stated["properties"]) == sorted(generated)
    required = {field for field, needed in generated.items() if needed}
    # What has a default only for the SDK's sake is required of the server.
    assert required <= set(stated.get("required", ()))


def test_the_contract_is_a_schema() -> None:
    for part in CONTRACT["$defs"].values():
        jsonschema.Draft202012Validator.check_schema(schema(part))


def exchange(**fields: Any) -> Exchange:
    usual: dict[str, Any] = {
        "method": "GET",
        "path": "/api/public/v2/observations",
        "query": {},
        "headers": {},
        "body": None,
    }
    return Exchange(**{**usual, "status": 200, "answer": {"data": [], "meta": {}}, **fields})


def test_what_fits_the_contract() -> None:
    assert check([exchange(), exchange(status=429, answer={"message": "slow down"})]) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": {"traceid": ["t"]}},
        {"answer": {"data": [{"id": "o"}], "meta": {}}},
        {"answer": {"data": []}},
        {"status": 204, "answer": None},
        {"method": "POST", "path": "/api/public/scores", "body": [{"value": 1}], "status": 202},
        {"path": "/api/public/traces", "answer": {"data": [{"id": "t"}], "meta": {}}},
    ],
)
def test_what_does_not(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        check([exchange(**wrong)])


def test_a_time_must_have_its_offset() -> None:
    observation = {"id": "o", "startTime": "2026-11-22T10:00:00", "projectId": "p", "type": "SPAN"}
    with pytest.raises(AssertionError, match="date-time"):
        check([exchange(answer={"data": [observation], "meta": {}})])


def test_the_sdk_understands_every_answer_of_the_double(double: LangfuseDouble, api: Any) -> None:
    assert api.observations.get_many().data == []
    assert api.health.health().status == "OK"
