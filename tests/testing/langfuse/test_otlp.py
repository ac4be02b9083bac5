from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from tests.testing.langfuse.sending import START_MS, export, span
from turnout.testing.langfuse.errors import ApiError
from turnout.testing.langfuse.otlp import spans_of

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


def protobuf() -> bytes:
    """Two spans as the real exporter encodes them."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("scope")
    attributes: dict[str, Any] = {"a": "text", "n": 7, "f": 0.5, "b": True, "l": ["x", "y"]}
    with tracer.start_as_current_span("outer", attributes=attributes), tracer.start_as_current_span("inner") as inner:
        inner.set_status(Status(StatusCode.ERROR, "broke"))
    encoded: bytes = encode_spans(kept.get_finished_spans()).SerializeToString()
    return encoded


@pytest.mark.parametrize("encoding", ["", "identity", "gzip"])
def test_protobuf_of_the_real_exporter(encoding: str) -> None:
    body = gzip.compress(protobuf()) if encoding == "gzip" else protobuf()
    inner, outer = spans_of(body, PROTOBUF, encoding)
    assert outer.attributes == {"a": "text", "n": 7, "f": 0.5, "b": True, "l": ["x", "y"]}
    assert (outer.name, outer.parent_id, outer.scope, outer.failed) == ("outer", "", "scope", False)
    assert (inner.parent_id, inner.trace_id) == (outer.span_id, outer.trace_id)
    assert (inner.failed, inner.message) == (True, "broke")
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns
    assert outer.resource["telemetry.sdk.name"] == "opentelemetry"


def test_json() -> None:
    body = json.dumps(export(span(a="text", n=7, f=0.5, b=True, l=["x"]))).encode()
    (found,) = spans_of(body, JSON + "; charset=utf-8", "")
    assert found.attributes == {"a": "text", "n": 7, "f": 0.5, "b": True, "l": ["x"]}
    assert found.start_ns == START_MS * 1_000_000


def test_a_whole_number_that_json_carries_as_text_is_not_read_as_one() -> None:
    sent = span()
    sent["attributes"] = [{"key": "n", "value": {"intValue": "7"}}]
    (found,) = spans_of(json.dumps(export(sent)).encode(), JSON, "")
    assert found.attributes == {"n": '{"intValue": "7"}'}


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "status"),
    [
        (b"{", JSON, "", 400),
        (b"[]", JSON, "", 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}', JSON, "", 400),
        (b"\xff\xff", PROTOBUF, "", 400),
        (b"no gzip", PROTOBUF, "gzip", 400),
        (gzip.compress(b"{}", mtime=0)[:12], JSON, "gzip", 400),
        (b"", PROTOBUF, "br", 415),
        (b"", "text/plain", "", 415),
        (b"", "", "", 415),
    ],
)
def test_what_is_no_export(body: bytes, kind: str, encoding: str, status: int) -> None:
    with pytest.raises(ApiError) as caught:
        spans_of(body, kind, encoding)
    assert caught.value.status == status
