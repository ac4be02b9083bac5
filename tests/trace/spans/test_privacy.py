from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.trace.otel import attributes
from turnout.trace.spans.privacy import Privacy, cleaned, is_strands, without_usage

STRANDS = "strands.telemetry.tracer"
SECRET = "my card is 4111"
OFF = Privacy()
ON = Privacy(record_text=True)


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(memory: InMemorySpanExporter) -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(memory))
    yield made
    made.shutdown()


def ended(provider: TracerProvider, memory: InMemorySpanExporter, scope: str, **given: Any) -> ReadableSpan:
    """A span that was made and ended with these attributes."""
    provider.get_tracer(scope, "1.2").start_span("chat", attributes=given).end()
    return memory.get_finished_spans()[-1]


KEPT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "strands-agents",
    "gen_ai.provider.name": "strands-agents",
    "gen_ai.request.model": "turnout",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.response.finish_reasons": ("end_turn",),
    "gen_ai.conversation.id": "s-1",
    "gen_ai.agent.name": "shop",
    "gen_ai.agent.tools": '["get_price"]',
    "gen_ai.tool.name": "get_price",
    "gen_ai.tool.call.id": "tooluse_1",
    "gen_ai.tool.status": "success",
    "gen_ai.server.request.duration": 12,
    "gen_ai.event.start_time": "2026-11-23T03:11:44+00:00",
    "event_loop.cycle_id": "c-1",
    "memory.result.count": 3,
    "session.id": "s-1",
    "turnout.model": "bedrock/cheap",
    "queue.messages": 12,
    "http.request.method": "POST",
}
CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "gen_ai.tool.description",
    "gen_ai.tool.json_schema",
    "gen_ai.prompt.0.content",
    "gen_ai.request.stop_sequences",
    "gen_ai.something.new",
    "content",
    "message",
    "tool.result",
    "input.value",
    "output.value",
    "llm.input_messages.0.message.content",
    "traceloop.entity.input",
    "langfuse.observation.output",
)
SECRETS = (
    "http.request.header.authorization",
    "http.response.header.set_cookie",
    "gen_ai.request.api_key",
    "x-api-key",
    "aws.secret_access_key",
    "db.password",
    "client.auth_token",
)


@pytest.mark.parametrize("scope", [STRANDS, "openinference.instrumentation"])
def test_text_is_taken_out_and_the_rest_stays(
    provider: TracerProvider, memory: InMemorySpanExporter, scope: str
) -> None:
    given = KEPT | dict.fromkeys(CONTENT, SECRET) | dict.fromkeys(SECRETS, SECRET)
    assert attributes(cleaned(ended(provider, memory, scope, **given), OFF)) == KEPT


def test_with_record_text_only_keys_and_headers_go(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    given = KEPT | dict.fromkeys(CONTENT, SECRET) | dict.fromkeys(SECRETS, SECRET)
    assert attributes(cleaned(ended(provider, memory, STRANDS, **given), ON)) == KEPT | dict.fromkeys(CONTENT, SECRET)


def test_texts_pass_the_redaction_hooks(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    redact = Privacy(record_text=True, redact=(lambda text: text.replace("4111", "****"),))
    span = ended(
        provider,
        memory,
        STRANDS,
        **{"gen_ai.input.messages": f'[{{"content": "{SECRET}"}}]', "message": [SECRET], "prompt": 3},
    )
    assert attributes(cleaned(span, redact)) == {
        "gen_ai.input.messages": '[{"content": "my card is ****"}]',
        "message": ("my card is ****",),
        "prompt": 3,
    }


def test_what_is_nested_is_looked_into() -> None:
    span = ReadableSpan("work", attributes={"app": {"prompt": SECRET, "api_key": SECRET, "step": 1}})
    assert attributes(cleaned(span, OFF)) == {"app": {"step": 1}}
    redact = Privacy(record_text=True, redact=(str.upper,))
    assert attributes(cleaned(span, redact)) == {"app": {"prompt": SECRET.upper(), "step": 1}}
    whole = ReadableSpan("work", attributes={"prompt": {"text": SECRET, "parts": [SECRET, 1]}})
    assert attributes(cleaned(whole, redact)) == {"prompt": {"text": SECRET.upper(), "parts": (SECRET.upper(), 1)}}


@pytest.mark.parametrize("name", ["url.full", "http.url", "http.target"])
@pytest.mark.parametrize("privacy", [OFF, ON])
def test_an_address_loses_what_may_be_a_key(
    provider: TracerProvider, memory: InMemorySpanExporter, name: str, privacy: Privacy
) -> None:
    span = ended(provider, memory, "httpx", **{name: "https://api.example/v1?key=abc"})
    assert attributes(cleaned(span, privacy)) == {name: "https://api.example/v1"}


@pytest.mark.parametrize(("scope", "kept"), [(STRANDS, []), ("mine", ["checkpoint"])])
def test_events_that_hold_text_go(
    provider: TracerProvider, memory: InMemorySpanExporter, scope: str, kept: list[str]
) -> None:
    with provider.get_tracer(scope).start_as_current_span("chat") as span:
        span.add_event("gen_ai.user.message", {"content": SECRET})
        span.add_event("checkpoint", {"step": 1})
    (ended_span,) = memory.get_finished_spans()
    assert [event.name for event in cleaned(ended_span, OFF).events] == kept
    assert [event.name for event in cleaned(ended_span, ON).events] == ["gen_ai.user.message", "checkpoint"]


@pytest.mark.parametrize("scope", [STRANDS, "mine"])
def test_an_error_keeps_its_type_and_not_what_it_quotes(
    provider: TracerProvider, memory: InMemorySpanExporter, scope: str
) -> None:
    with (
        pytest.raises(ValueError, match="card"),
        provider.get_tracer(scope).start_as_current_span("execute_tool pay"),
    ):
        raise ValueError(SECRET)
    (span,) = memory.get_finished_spans()
    clean = cleaned(span, OFF)
    assert SECRET in span.to_json()
    assert SECRET not in clean.to_json()
    assert attributes(clean)["error.type"] == "ValueError"
    assert (clean.status.status_code, clean.status.description) == (StatusCode.ERROR, None)
    assert [dict(event.attributes or {}).keys() for event in clean.events] == [{"exception.type", "exception.escaped"}]
    assert SECRET in cleaned(span, ON).to_json()


def test_an_error_without_an_exception_keeps_its_status(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    span = provider.get_tracer(STRANDS).start_span("execute_tool pay")
    span.set_status(StatusCode.ERROR, SECRET)
    span.end()
    clean = cleaned(memory.get_finished_spans()[0], OFF)
    assert (clean.status.status_code, clean.status.description) == (StatusCode.ERROR, None)
    assert "error.type" not in attributes(clean)


USAGE = {
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.usage.prompt_tokens": 5,
    "gen_ai.usage.cache_read_input_tokens": 0,
    "llm.token_count.prompt": 5,
    "llm.cost.total": 1,
}


@pytest.mark.parametrize(
    ("scope", "given", "counted"),
    [
        (STRANDS, {"gen_ai.operation.name": "invoke_agent"}, False),
        (STRANDS, {"gen_ai.operation.name": "chat", "turnout.call.span_id": "00f067aa0ba902b7"}, False),
        (STRANDS, {"gen_ai.operation.name": "chat"}, True),
        ("openai", {"gen_ai.operation.name": "chat"}, True),
        ("openai", {"gen_ai.operation.name": "invoke_agent"}, True),
    ],
)
@pytest.mark.parametrize("privacy", [OFF, ON])
def test_tokens_that_are_counted_elsewhere_are_taken_out(
    provider: TracerProvider,
    memory: InMemorySpanExporter,
    scope: str,
    given: dict[str, str],
    counted: bool,
    privacy: Privacy,
) -> None:
    span = ended(provider, memory, scope, **given, **USAGE)
    assert attributes(cleaned(span, privacy)) == (given | USAGE if counted else given)


def test_everything_else_of_a_span_is_as_it_was(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    span = ended(provider, memory, STRANDS, **KEPT)
    for copy in (cleaned(span, OFF), without_usage(span)):
        assert copy.to_json() == span.to_json()
        assert copy.instrumentation_scope == span.instrumentation_scope
        assert copy.resource is span.resource


def test_attributes_may_be_added(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    span = ended(provider, memory, STRANDS)
    assert attributes(cleaned(span, OFF, more={"session.id": "s-1"})) == {"session.id": "s-1"}


def test_spans_without_usage(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    span = ended(provider, memory, "turnout", **USAGE, **{"turnout.cost.usd": 0.1})
    assert attributes(without_usage(span)) == {"turnout.cost.usd": 0.1}


def test_strands_is_known_by_its_scope(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    assert is_strands(ended(provider, memory, STRANDS))
    assert not is_strands(ended(provider, memory, "mine"))
    assert not is_strands(ReadableSpan("chat"))
