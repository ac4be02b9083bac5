"""OpenAI's own client, Chat Completions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.doors.gateway.matrix.clients.common import Driver
from tests.doors.gateway.matrix.said import MAX_TOKENS, PICTURE, QUESTION, RESULT, SCHEMA, SYSTEM, TOOLS, Count, Heard
from tests.doors.gateway.support import PIXEL, Served

ASKED: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
OFFERED: list[Any] = [
    {"type": "function", "function": {"name": name, "description": f"Looks up {name}.", "parameters": SCHEMA}}
    for name in TOOLS
]
SHOWN: list[Any] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": PICTURE},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ],
    }
]
ERRORS: Mapping[int, type[Exception]] = {
    400: openai.BadRequestError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
}


class OpenAIChat(Driver):
    """``client.chat.completions``."""

    errors = ERRORS
    broken = openai.APIError

    def __init__(self, gateway: Served) -> None:
        self._client = gateway.openai()

    def close(self) -> None:
        self._client.close()

    def status_of(self, error: Exception) -> int | None:
        return error.status_code if isinstance(error, openai.APIStatusError) else None

    def plain(self, model: str) -> Heard:
        return self._ask(model, ASKED)[0]

    def stream(self, model: str) -> Heard:
        return self._read(model, ASKED, stream_options={"include_usage": True})[0]

    def tools(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._ask(model, ASKED, tools=OFFERED)
        return first, self._ask(model, _with_results(said), tools=OFFERED)[0]

    def tools_streamed(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._read(model, ASKED, tools=OFFERED)
        return first, self._read(model, _with_results(said), tools=OFFERED)[0]

    def image(self, model: str) -> Heard:
        return self._ask(model, SHOWN)[0]

    def cancel(self, model: str) -> None:
        with self._client.chat.completions.create(
            model=model, messages=ASKED, max_completion_tokens=MAX_TOKENS, stream=True
        ) as got:
            next(chunk for chunk in got if chunk.choices[0].delta.content)

    def _ask(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, dict[str, Any]]:
        raw = self._client.chat.completions.with_raw_response.create(
            model=model, messages=messages, max_completion_tokens=MAX_TOKENS, **options
        )
        answer = raw.parse()
        assert isinstance(answer, ChatCompletion)
        (choice,) = answer.choices
        calls = [call for call in choice.message.tool_calls or [] if call.type == "function"]
        cut = choice.finish_reason == "length"
        assert cut or choice.finish_reason == ("tool_calls" if calls else "stop")
        heard = Heard(
            text=choice.message.content or "",
            tools=[(call.function.name, json.loads(call.function.arguments)) for call in calls],
            usage=_usage(answer.usage),
            model=answer.model,
            headers=raw.headers,
            cut=cut,
        )
        return heard, choice.message.model_dump(exclude_none=True)

    def _read(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, dict[str, Any]]:
        texts, calls, usage, reason, named = list[str](), dict[int, dict[str, Any]](), None, None, None
        with self._client.chat.completions.create(
            model=model, messages=messages, max_completion_tokens=MAX_TOKENS, stream=True, **options
        ) as got:
            headers = got.response.headers
            for chunk in got:
                assert isinstance(chunk, ChatCompletionChunk)
                named = chunk.model
                if chunk.usage is not None:
                    assert usage is None
                    assert "stream_options" in options, "a usage that nobody asked for"
                    usage = _usage(chunk.usage)
                for choice in chunk.choices:
                    reason = choice.finish_reason or reason
                    if choice.delta.content:
                        texts.append(choice.delta.content)
                    for part in choice.delta.tool_calls or []:
                        assert part.function is not None
                        call = calls.setdefault(part.index, {"id": part.id, "name": part.function.name, "input": ""})
                        call["input"] += part.function.arguments or ""
        cut = reason == "length"
        assert cut or reason == ("tool_calls" if calls else "stop")
        heard = Heard(
            text="".join(texts),
            tools=[(call["name"], json.loads(call["input"])) for call in calls.values()],
            usage=usage,
            model=named,
            headers=headers,
            pieces=len(texts),
            cut=cut,
        )
        functions = [
            {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["input"]}}
            for call in calls.values()
        ]
        said: dict[str, Any] = {"role": "assistant", "content": heard.text or None, "tool_calls": functions}
        return heard, said


def _with_results(said: dict[str, Any]) -> list[Any]:
    results = [{"role": "tool", "tool_call_id": call["id"], "content": RESULT} for call in said["tool_calls"]]
    return [*ASKED, said, *results]


def _usage(usage: Any) -> Count:
    return Count(
        prompt=usage.prompt_tokens, read=usage.prompt_tokens_details.cached_tokens, output=usage.completion_tokens
    )
