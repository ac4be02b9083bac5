"""OpenAI's own client, Responses."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai.types.responses import Response

from tests.doors.gateway.matrix.clients.common import Driver
from tests.doors.gateway.matrix.clients.openai_chat import ERRORS
from tests.doors.gateway.matrix.said import MAX_TOKENS, PICTURE, QUESTION, RESULT, SCHEMA, SYSTEM, TOOLS, Count, Heard
from tests.doors.gateway.support import PIXEL, Served

ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
OFFERED: list[Any] = [
    {"type": "function", "name": name, "description": f"Looks up {name}.", "parameters": SCHEMA, "strict": False}
    for name in TOOLS
]
SHOWN: list[Any] = [
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": PICTURE},
            {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PIXEL}"},
        ],
    }
]


class FailedResponseError(Exception):
    """A stream has brought ``response.failed``: the client hands it over as an event, and raises nothing."""


class OpenAIResponses(Driver):
    """``client.responses``; nothing is stored."""

    errors = ERRORS
    broken = FailedResponseError

    def __init__(self, gateway: Served) -> None:
        self._client = gateway.openai()

    def close(self) -> None:
        self._client.close()

    def status_of(self, error: Exception) -> int | None:
        return error.status_code if isinstance(error, openai.APIStatusError) else None

    def plain(self, model: str) -> Heard:
        return self._ask(model, ASKED)[0]

    def stream(self, model: str) -> Heard:
        return self._read(model, ASKED)[0]

    def tools(self, model: str) -> tuple[Heard, Heard]:
        first, answer = self._ask(model, ASKED, tools=OFFERED)
        return first, self._ask(model, _with_results(answer), tools=OFFERED)[0]

    def tools_streamed(self, model: str) -> tuple[Heard, Heard]:
        first, answer = self._read(model, ASKED, tools=OFFERED)
        return first, self._read(model, _with_results(answer), tools=OFFERED)[0]

    def image(self, model: str) -> Heard:
        return self._ask(model, SHOWN)[0]

    def cancel(self, model: str) -> None:
        with self._client.responses.create(
            model=model, input=ASKED, max_output_tokens=MAX_TOKENS, store=False, stream=True
        ) as got:
            next(event for event in got if event.type == "response.output_text.delta")

    def _ask(self, model: str, asked: list[Any], **options: Any) -> tuple[Heard, Response]:
        raw = self._client.responses.with_raw_response.create(
            model=model, input=asked, instructions=SYSTEM, max_output_tokens=MAX_TOKENS, store=False, **options
        )
        answer = raw.parse()
        assert isinstance(answer, Response)
        return _heard(answer, raw.headers, None), answer

    def _read(self, model: str, asked: list[Any], **options: Any) -> tuple[Heard, Response]:
        texts, final = list[str](), None
        with self._client.responses.create(
            model=model,
            input=asked,
            instructions=SYSTEM,
            max_output_tokens=MAX_TOKENS,
            store=False,
            stream=True,
            **options,
        ) as got:
            headers = got.response.headers
            for event in got:
                if event.type == "response.output_text.delta":
                    texts.append(event.delta)
                elif event.type == "response.completed":
                    final = event.response
                elif event.type == "response.failed":
                    assert event.response.error is not None
                    raise FailedResponseError(event.response.error.message)
        assert final is not None
        assert "".join(texts) == final.output_text
        return _heard(final, headers, len(texts)), final


def _heard(answer: Response, headers: Any, pieces: int | None) -> Heard:
    assert answer.status == "completed"
    assert answer.usage is not None
    usage = answer.usage
    return Heard(
        text=answer.output_text,
        tools=[(item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"],
        usage=Count(
            prompt=usage.input_tokens, read=usage.input_tokens_details.cached_tokens, output=usage.output_tokens
        ),
        model=str(answer.model),
        headers=headers,
        pieces=pieces,
    )


def _with_results(answer: Response) -> list[Any]:
    called = [item.model_dump(exclude_none=True) for item in answer.output]
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": RESULT}
        for item in answer.output
        if item.type == "function_call"
    ]
    return [*ASKED, *called, *results]
