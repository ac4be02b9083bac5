"""What tracing needs to send spans to Langfuse: an exporter, and what is added to spans.

OpenTelemetry's exporter adds the headers of ``OTEL_EXPORTER_OTLP_HEADERS`` to those that it is given. They often hold
the key of another backend, which is none of Langfuse's business: only our own leave here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from turnout.trace.events import Event
from turnout.trace.langfuse.attributes import NO_LABELS, Attributes, Labels, attributes_of, trace_attributes
from turnout.trace.langfuse.errors import require
from turnout.trace.langfuse.settings import LangfuseSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Decorator = Callable[[Event], Attributes]
"""Gives the attributes to add to a span, by an event."""

_OF_HTTP = {
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
}


def langfuse_exporter(settings: LangfuseSettings, *, timeout_s: float = 10.0) -> SpanExporter:
    """The OTLP exporter over HTTP, protobuf and gzip, with the keys and the ingestion-version header.

    Args:
        settings: Where, and with which keys.
        timeout_s: Seconds that an export may take, its own retries included.

    Raises:
        MissingPackageError: The exporter is not installed.
    """
    otlp = require("opentelemetry.exporter.otlp.proto.http", extra="langfuse")
    exporters = require("opentelemetry.exporter.otlp.proto.http.trace_exporter", extra="langfuse")
    session = require("requests", extra="langfuse").Session()
    session.auth = _only(settings.headers)
    exporter: SpanExporter = exporters.OTLPSpanExporter(
        endpoint=settings.traces_endpoint,
        headers=settings.headers,
        timeout=timeout_s,
        compression=otlp.Compression.Gzip,
        session=session,
    )
    return exporter


def span_decorator(settings: LangfuseSettings, labels: Labels = NO_LABELS) -> Decorator:
    """What is added to the span of each event.

    Args:
        settings: Its environment and release count where the labels state none.
        labels: What the application knows of its traces.
    """
    return partial(attributes_of, labels=_completed(labels, settings))


def trace_decorator(settings: LangfuseSettings, labels: Labels = NO_LABELS) -> Decorator:
    """What is added to the other spans of an event's trace, such as an agent framework's.

    Args:
        settings: Its environment and release count where the labels state none.
        labels: What the application knows of its traces.
    """
    return partial(trace_attributes, labels=_completed(labels, settings))


def _only(headers: Mapping[str, str]) -> Callable[[Any], Any]:
    """Takes every header out of a request of `requests` that is neither one of these nor one of HTTP itself."""
    kept = {name.lower() for name in headers} | _OF_HTTP

    def keep(request: Any) -> Any:
        for name in list(request.headers):
            if name.lower() not in kept:
                del request.headers[name]
        return request

    return keep


def _completed(labels: Labels, settings: LangfuseSettings) -> Labels:
    return msgspec.structs.replace(
        labels,
        environment=labels.environment or settings.environment,
        release=labels.release or settings.release,
    )
