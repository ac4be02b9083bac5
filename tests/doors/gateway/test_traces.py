"""The trace of a client goes through the gateway, and through its own spans where it has some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace

from tests.doors.gateway.support import OPENAI, Upstreams, served, settings_text
from tests.trace.otel import fresh_tracing
from turnout.doors.gateway.traces import joined_by, traced
from turnout.trace.spans.context import OpenSpan, activate
from turnout.trace.spans.recorder import SpanRecorder

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BODY = {"model": "turnout", "messages": [{"role": "user", "content": "hi"}]}


def test_without_tracing_the_clients_own_goes_through(doubles: Upstreams, tmp_path: Path) -> None:
    doubles.clear()
    with served(tmp_path, settings_text(doubles, OPENAI[0])) as gateway, gateway.http() as client:
        client.post("/v1/chat/completions", json=BODY, headers={"traceparent": CLIENT, "tracestate": "a=b"})
    headers = {name.lower(): value for name, value in doubles.openai.calls[0].headers.items()}
    assert (headers["traceparent"], headers["tracestate"]) == (CLIENT, "a=b")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanRecorder]:
    with fresh_tracing(monkeypatch), SpanRecorder([]) as recorder:
        activate(recorder)
        yield recorder


def test_requests_join_the_clients_trace_and_calls_name_their_own_span(
    doubles: Upstreams, tmp_path: Path, spans: SpanRecorder
) -> None:
    doubles.clear()
    with served(tmp_path, settings_text(doubles, OPENAI[0])) as gateway, gateway.http() as client:
        client.post("/v1/chat/completions", json=BODY, headers={"traceparent": CLIENT})
        client.post("/v1/chat/completions", json=BODY)
        decision, alone = gateway.events.decisions
        call, _ = gateway.events.calls
    assert (decision.trace_id, decision.parent_span_id) == (CLIENT[3:35], CLIENT[36:52])
    assert (call.trace_id, call.parent_span_id) == (decision.trace_id, decision.span_id)
    assert alone.trace_id not in ("", decision.trace_id)
    sent = [one.headers["traceparent"] for one in doubles.openai.calls]
    assert sent[0] == f"00-{call.trace_id}-{call.span_id}-01"
    assert sent[1].startswith(f"00-{alone.trace_id}-")


def test_a_call_names_its_own_span() -> None:
    context = trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1))
    fields = [(b"a", b"b"), (b"traceparent", CLIENT.encode()), (b"tracestate", b"a=b")]
    sent = traced(fields, OpenSpan(span_context=context))
    assert sent == [(b"a", b"b"), (b"tracestate", b"a=b"), (b"traceparent", b"00-%032x-%016x-01" % (1, 2))]
    assert traced(fields, OpenSpan()) is fields
    with joined_by(fields):
        assert not trace.get_current_span().get_span_context().is_valid
