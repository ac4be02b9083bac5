"""Anthropic's own clients: of its own API, and of Claude on Bedrock by InvokeModel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anthropic
from anthropic.types import Message

from tests.doors.gateway.matrix.clients.common import Driver
from tests.doors.gateway.matrix.said import MAX_TOKENS, PICTURE, QUESTION, RESULT, SCHEMA, SYSTEM, TOOLS, Count, Heard
from tests.doors.gateway.support import PIXEL, Served

ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
OFFERED: list[Any] = [{"name": name, "description": f"Looks up {name}.", "input_schema": SCHEMA} for name in TOOLS]
SHOWN: list[Any] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": PICTURE},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        ],
    }
]
ERRORS: Mapping[int, type[Exception]] = {
    400: anthropic.BadRequestError,
    404: anthropic.NotFoundError,
    429: anthropic.RateLimitError,
}


class AnthropicMessages(Driver):
    """``client.messages``."""

    errors = ERRORS
    broken = anthropic.APIError

    def __init__(self, gateway: Served) -> None:
        self._client: anthropic.Anthropic | anthropic.AnthropicBedrock = self._new(gateway)

    def _new(self, gateway: Served) -> anthropic.Anthropic | anthropic.AnthropicBedrock:
        return gateway.anthropic()

    def close(self) -> None:
        self._client.close()

    def status_of(self, error: Exception) -> int | None:
        return error.status_code if isinstance(error, anthropic.APIStatusError) else None

    def plain(self, model: str) -> Heard:
        return self._ask(model, ASKED)[0]

    def stream(self, model: str) -> Heard:
        return self._read(model, ASKED)[0]

    def tools(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._ask(model, ASKED, tools=OFFERED)
        return first, self._ask(model, _with_results(said), tools=OFFERED)[0]

    def tools_streamed(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._read(model, ASKED, tools=OFFERED)
        return first, self._read(model, _with_results(said), tools=OFFERED)[0]

    def image(self, model: str) -> Heard:
        return self._ask(model, SHOWN)[0]

    def cancel(self, model: str) -> None:
        with self._client.messages.stream(model=model, max_tokens=MAX_TOKENS, messages=ASKED) as got:
            next(event for event in got if event.type == "text")

    def _ask(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, Message]:
        raw = self._client.messages.with_raw_response.create(
            model=model, max_tokens=MAX_TOKENS, system=SYSTEM, messages=messages, **options
        )
        answer = raw.parse()
        assert isinstance(answer, Message)
        return _heard(answer, raw.headers, None), answer

    def _read(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, Message]:
        pieces = 0
        with self._client.messages.stream(
            model=model, max_tokens=MAX_TOKENS, system=SYSTEM, messages=messages, **options
        ) as got:
            headers = got.response.headers
            for event in got:
                pieces += event.type == "text"
            answer = got.get_final_message()
        return _heard(answer, headers, pieces), answer


class AnthropicOnBedrock(AnthropicMessages):
    """``AnthropicBedrock().messages``: Claude's bodies by InvokeModel."""

    def _new(self, gateway: Served) -> anthropic.AnthropicBedrock:
        return anthropic.AnthropicBedrock(
            base_url=gateway.url,
            aws_access_key="client-id",
            aws_secret_key="client-secret",
            aws_region="eu-west-1",
            max_retries=0,
        )


def _heard(answer: Message, headers: Any, pieces: int | None) -> Heard:
    used = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
    cut = answer.stop_reason == "max_tokens"
    assert cut or answer.stop_reason == ("tool_use" if used else "end_turn")
    usage = answer.usage
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Heard(
        text="".join(block.text for block in answer.content if block.type == "text"),
        tools=used,
        usage=Count(prompt=usage.input_tokens + read + written, read=read, output=usage.output_tokens),
        model=answer.model,
        headers=headers,
        pieces=pieces,
        cut=cut,
    )


def _with_results(said: Message) -> list[Any]:
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": RESULT}
        for block in said.content
        if block.type == "tool_use"
    ]
    return [*ASKED, {"role": "assistant", "content": said.content}, {"role": "user", "content": results}]
