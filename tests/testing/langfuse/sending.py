"""Spans sent to the double as OTLP/JSON by plain HTTP."""

from __future__ import annotations

from typing import Any

import httpx

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
START_MS = 1_760_000_000_000


def attribute(key: str, value: Any) -> dict[str, Any]:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    if isinstance(value, list | tuple):
        return {"key": key, "value": {"arrayValue": {"values": [attribute("", one)["value"] for one in value]}}}
    return {"key": key, "value": {kinds[type(value)]: value}}


def span(
    span_id: str = SPAN,
    *,
    trace_id: str = TRACE,
    parent: str = "",
    name: str = "step",
    start_ms: int = START_MS,
    length_ms: int = 250,
    **attributes: Any,
) -> dict[str, Any]:
    """A span; attribute names with ``__`` for each dot."""
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(start_ms * 1_000_000),
        "endTimeUnixNano": str((start_ms + length_ms) * 1_000_000),
        "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
    }


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    """An OTLP request."""
    scope_spans = {"scope": {"name": "test"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scope_spans]}]}


def send(http: httpx.Client, *spans: dict[str, Any], at_once: bool = True) -> httpx.Response:
    """Post spans, by default with the header that makes them readable at once."""
    headers = {"x-langfuse-ingestion-version": "4"} if at_once else {}
    response = http.post("/api/public/otel/v1/traces", json=export(*spans), headers=headers)
    assert response.status_code == 200
    return response
