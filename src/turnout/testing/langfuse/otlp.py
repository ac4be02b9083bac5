"""OTLP over HTTP, decoded: an export request as protobuf or JSON becomes plain spans."""

from __future__ import annotations

import gzip
import importlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from turnout.testing.langfuse.errors import ApiError, invalid


@dataclass(frozen=True, kw_only=True)
class PlainSpan:
    """A span as it was sent; ids in hexadecimal, times in nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    scope: str = ""
    failed: bool = False
    message: str = ""


def spans_of(body: bytes, content_type: str, content_encoding: str) -> list[PlainSpan]:
    """The spans of an export request.

    Raises:
        ApiError: It cannot be read, or protobuf cannot be read here.
    """
    if content_encoding not in ("", "identity", "gzip"):
        raise ApiError(415, f"content encoding {content_encoding} is not supported")
    try:
        raw = gzip.decompress(body) if content_encoding == "gzip" else body
    except (OSError, EOFError, zlib.error) as error:
        raise invalid("the body is not gzip") from error
    kind = content_type.partition(";")[0].strip()
    if kind == "application/x-protobuf":
        return list(_from_protobuf(raw))
    if kind == "application/json":
        try:
            return list(_from_json(json.loads(raw)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise invalid(f"the body is no OTLP request: {type(error).__name__}") from error
    raise ApiError(415, f"content type {kind or 'none'} is not supported")


def _from_protobuf(raw: bytes) -> Iterator[PlainSpan]:
    try:
        protobuf = importlib.import_module("google.protobuf.message")
        service = importlib.import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    except ModuleNotFoundError as error:
        raise ApiError(415, "this double cannot read protobuf: opentelemetry-proto is not installed") from error
    request: Any = service.ExportTraceServiceRequest()
    try:
        request.ParseFromString(raw)
    except protobuf.DecodeError as error:
        raise invalid("the body is no OTLP request") from error
    for resource_spans in request.resource_spans:
        resource = {one.key: _protobuf_value(one.value) for one in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield PlainSpan(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes={one.key: _protobuf_value(one.value) for one in span.attributes},
                    resource=resource,
                    scope=scope_spans.scope.name,
                    failed=span.status.code == 2,
                    message=span.status.message,
                )


def _protobuf_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_protobuf_value(one) for one in value.array_value.values]
    if kind in ("string_value", "int_value", "double_value", "bool_value"):
        return getattr(value, kind)
    return None if kind is None else str(getattr(value, kind))


def _from_json(request: Mapping[str, Any]) -> Iterator[PlainSpan]:
    for resource_spans in request["resourceSpans"]:
        resource = _json_attributes((resource_spans.get("resource") or {}).get("attributes"))
        for scope_spans in resource_spans.get("scopeSpans") or ():
            for span in scope_spans.get("spans") or ():
                status = span.get("status") or {}
                yield PlainSpan(
                    trace_id=span["traceId"].lower(),
                    span_id=span["spanId"].lower(),
                    parent_id=(span.get("parentSpanId") or "").lower(),
                    name=span.get("name") or "",
                    start_ns=int(span["startTimeUnixNano"]),
                    end_ns=int(span.get("endTimeUnixNano") or 0),
                    attributes=_json_attributes(span.get("attributes")),
                    resource=resource,
                    scope=(scope_spans.get("scope") or {}).get("name") or "",
                    failed=status.get("code") in (2, "STATUS_CODE_ERROR"),
                    message=status.get("message") or "",
                )


def _json_attributes(attributes: Any) -> dict[str, Any]:
    return {one["key"]: _json_value(one.get("value") or {}) for one in attributes or ()}


def _json_value(value: Mapping[str, Any]) -> Any:
    for kind in ("stringValue", "doubleValue", "boolValue"):
        if value.get(kind) is not None:
            return value[kind]
    if value.get("arrayValue") is not None:
        return [_json_value(one) for one in value["arrayValue"].get("values") or ()]
    if isinstance(value.get("intValue"), int):
        return value["intValue"]
    # Langfuse does not read whole numbers that JSON carries as text, as OTLP has it: it keeps the value as it stands.
    return json.dumps(value)
