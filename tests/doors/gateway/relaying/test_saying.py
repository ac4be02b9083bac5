"""What a provider answered, as spans have it where texts are recorded: the same as the client was told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Served, Upstreams, served, settings_text
from tests.trace.otel import fresh_tracing
from turnout.doors.gateway.relaying.saying import note_whole, noting
from turnout.messages.conversation import Conversation
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.sse import SseEvent, SseParser
from turnout.trace.spans import semconv
from turnout.trace.spans.content import Transcript
from turnout.trace.spans.context import activate
from turnout.trace.spans.recorder import SpanRecorder

ASKED: list[Any] = [{"role": "user", "content": "How is the weather?"}]
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}


class Recording:
    """A gateway whose spans hold texts, and its spans."""

    def __init__(self, gateway: Served, recorder: SpanRecorder, memory: InMemorySpanExporter) -> None:
        self.gateway, self.recorder, self._memory = gateway, recorder, memory

    def said(self) -> list[dict[str, Any]]:
        """The parts of the one answer."""
        assert self.recorder.flush()
        spans = self._memory.get_finished_spans()
        self._memory.clear()
        (text,) = [
            dict(span.attributes or {})[semconv.OUTPUT_MESSAGES] for span in spans if span.name.startswith("chat")
        ]
        assert isinstance(text, str)
        (message,) = json.loads(text)
        return list(message["parts"])


@pytest.fixture
def recording(doubles: Upstreams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    doubles.clear()
    memory = InMemorySpanExporter()
    candidates = settings_text(doubles, OPENAI[0], ANTHROPIC[0], BEDROCK[0])
    with (
        fresh_tracing(monkeypatch),
        SpanRecorder([SimpleSpanProcessor(memory)], record_text=True) as recorder,
    ):
        activate(recorder)
        with served(tmp_path, candidates) as gateway:
            yield Recording(gateway, recorder, memory)


@pytest.mark.parametrize("with_tool", [False, True])
@pytest.mark.parametrize("model", [OPENAI[0], ANTHROPIC[0], BEDROCK[0]])
def test_an_answer_is_noted_as_the_client_was_told(recording: Recording, model: str, with_tool: bool) -> None:
    tool = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
    tools: dict[str, Any] = {"tools": [tool], "tool_choice": "required"} if with_tool else {}
    with recording.gateway.openai() as client:
        whole = client.chat.completions.create(model=model, messages=ASKED, **tools).choices[0].message
        noted = recording.said()
        list(client.chat.completions.create(model=model, messages=ASKED, stream=True, **tools))
        streamed = recording.said()
    told = [{"type": "text", "content": whole.content}] if whole.content else []
    told += [
        {
            "type": "tool_call",
            "id": call.id,
            "name": call.function.name,
            "arguments": json.loads(call.function.arguments),
        }
        for call in whole.tool_calls or ()
        if call.type == "function"
    ]
    assert with_tool == any(part["type"] == "tool_call" for part in told)
    assert without_ids(noted) == without_ids(told)
    assert without_ids(streamed) == without_ids(told)


def without_ids(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ids of calls may be written anew for another protocol."""
    return [{name: value for name, value in part.items() if name != "id"} for part in parts]


def test_responses(recording: Recording) -> None:
    with recording.gateway.openai() as client:
        whole = client.responses.create(model=OPENAI[0], input="How is the weather?")
        assert recording.said() == [{"type": "text", "content": whole.output_text}]
        list(client.responses.create(model=OPENAI[0], input="How is the weather?", stream=True))
        assert recording.said() == [{"type": "text", "content": whole.output_text}]


def test_what_cannot_be_read_is_not_noted(caplog: pytest.LogCaptureFixture) -> None:
    transcript = Transcript(Conversation(messages=[]))
    with caplog.at_level(logging.WARNING):
        for protocol in (WireProtocol.OPENAI_CHAT, WireProtocol.OPENAI_RESPONSES, WireProtocol.ANTHROPIC):
            note_whole(transcript, protocol, b"[]")
        note = noting(transcript, WireProtocol.ANTHROPIC)
        for event in events(b"data: {\n\ndata: {}\n\n"):
            note(event)
    assert len(caplog.records) == 4
    assert "no" not in transcript.attributes("", ())


def events(data: bytes) -> list[SseEvent]:
    return list(SseParser().feed(data))


def test_calls_of_functions_in_a_response() -> None:
    transcript = Transcript(Conversation(messages=[]))
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'}
    response = {"output": [{"type": "reasoning"}, call, {**call, "arguments": "{"}, 3]}
    last = json.dumps({"type": "response.incomplete", "response": response}).encode()
    note = noting(transcript, WireProtocol.OPENAI_RESPONSES)
    for event in events(b'data: {"type":"response.created"}\n\ndata: ' + last + b"\n\n"):
        note(event)
    (message,) = json.loads(transcript.attributes("", ())[semconv.OUTPUT_MESSAGES])
    assert message["parts"] == [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}]
