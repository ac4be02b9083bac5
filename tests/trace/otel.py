"""Parts that tests of tracing share: a process without OpenTelemetry's globals, sums over spans, a collector."""

from __future__ import annotations

import gzip
import importlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import opentelemetry.trace
import pytest
import strands.telemetry.tracer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.util._once import Once

from turnout.core.cost import usd_to_pico
from turnout.core.usage import NO_USAGE, Usage
from turnout.trace.spans import context, otlp

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@contextmanager
def fresh_tracing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a new process: OpenTelemetry lets a process set one provider, and Strands and Turnout keep it."""
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(strands.telemetry.tracer, "_tracer_instance", None)
    monkeypatch.setattr(otlp, "_current", None)
    monkeypatch.setattr(otlp, "_ours", None)
    monkeypatch.setattr(context, "_active", None)
    monkeypatch.setattr(context, "_joins", True)
    yield
    if otlp._current is not None:
        otlp._current.close()


def current_id() -> str:
    """The id of the current span."""
    return f"{opentelemetry.trace.get_current_span().get_span_context().span_id:016x}"


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def usage(spans: Iterable[ReadableSpan]) -> Usage:
    """The tokens of all spans together, as a backend adds them up."""
    return sum((Usage.from_opentelemetry(attributes(span)) for span in spans), NO_USAGE)


def cost_pico(spans: Iterable[ReadableSpan]) -> int:
    """What all spans together cost."""
    texts = [attributes(span).get("turnout.cost.usd_exact") for span in spans]
    return sum(usd_to_pico(Decimal(text)) for text in texts if text is not None)


def named(spans: Iterable[ReadableSpan], name: str) -> list[ReadableSpan]:
    """The spans whose names begin so, in the order in which they began."""
    return sorted((span for span in spans if span.name.startswith(name)), key=lambda span: span.start_time or 0)


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent_id(span: ReadableSpan) -> str:
    return "" if span.parent is None else f"{span.parent.span_id:016x}"


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


class Receiver(ThreadingHTTPServer):
    """Takes spans over OTLP and HTTP, as a collector does; keeps headers and bodies."""

    def __init__(self, *, status: int = 200) -> None:
        self.received: list[tuple[str, Message, bytes]] = []
        self.status = status
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def payload(self) -> bytes:
        return b"".join(body for _, _, body in self.received)

    def spans(self) -> list[Any]:
        """The spans as the protocol's own decoder reads them."""
        service = importlib.import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        found = []
        for _, _, body in self.received:
            request = service.ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found += [(resource.resource, scope, span) for span in scope.spans]
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.received.append((self.path, self.headers, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that runs."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def values(pairs: Any) -> dict[str, Any]:
    """Attributes of the protocol as Python's values."""

    def value(any_value: Any) -> Any:
        kind = any_value.WhichOneof("value")
        if kind == "array_value":
            return [value(item) for item in any_value.array_value.values]
        return getattr(any_value, kind)

    return {pair.key: value(pair.value) for pair in pairs}
