"""The trace of a client goes through the gateway, and through its own spans where it has some."""

from __future__ import annotations

from pathlib import Path

from opentelemetry import trace

from tests.doors.gateway.support import OPENAI, Upstreams, served, settings_text
from turnout.doors.gateway.traces import joined_by, traced
from turnout.trace.spans.context import OpenSpan

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BODY = {"model": "turnout", "messages": [{"role": "user", "content": "hi"}]}


def test_without_tracing_the_clients_own_goes_through(doubles: Upstreams, tmp_path: Path) -> None:
    doubles.clear()
    with served(tmp_path, settings_text(doubles, OPENAI[0])) as gateway, gateway.http() as client:
        client.post("/v1/chat/completions", json=BODY, headers={"traceparent": CLIENT, "tracestate": "a=b"})
    headers = {name.lower(): value for name, value in doubles.openai.calls[0].headers.items()}
    assert (headers["traceparent"], headers["tracestate"]) == (CLIENT, "a=b")


def test_a_call_names_its_own_span() -> None:
    context = trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1))
    fields = [(b"a", b"b"), (b"traceparent", CLIENT.encode()), (b"tracestate", b"a=b")]
    sent = traced(fields, OpenSpan(span_context=context))
    assert sent == [(b"a", b"b"), (b"tracestate", b"a=b"), (b"traceparent", b"00-%032x-%016x-01" % (1, 2))]
    assert traced(fields, OpenSpan()) is fields
    with joined_by(fields):
        assert not trace.get_current_span().get_span_context().is_valid
