"""Parts as answers of Chat Completions.

Thinking has no place there that every provider takes back; while a model thinks, a stream has comments, so that nobody
takes it for dead.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.core.usage import NO_USAGE, Usage
from turnout.messages.translation import reasons
from turnout.messages.translation.parts import About, Alive, Block, BlockDelta, BlockStart, BlockStop, Finish, Part
from turnout.messages.translation.tool_ids import tool_id
from turnout.messages.wire import sse

_ALIVE = b": keep-alive\n\n"
_DONE = b"data: [DONE]\n\n"


class OpenAIWriter:
    """Writes a stream."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._envelope = {**_about(about, "chat.completion.chunk")}
        self._begun = False
        self._finished = False
        self._tools = -1
        self._in_tool = False
        self._has_arguments = False

    def write(self, part: Part) -> bytes:
        """The bytes of a part."""
        match part:
            case BlockStart() if part.kind == "tool":
                self._tools += 1
                self._in_tool, self._has_arguments = True, False
                call = {
                    "index": self._tools,
                    "id": tool_id(part.tool_id, self._about.id, part.index),
                    "type": "function",
                    "function": {"name": part.name, "arguments": ""},
                }
                return self._start() + self._chunk({"tool_calls": [call]})
            case BlockStart():
                self._in_tool = False
                return self._start()
            case BlockDelta():
                if not self._in_tool:
                    return self._chunk({"content": part.text})
                self._has_arguments = True
                return self._arguments(part.text)
            case BlockStop():
                # A call without arguments: clients decode them all the same.
                return self._arguments("{}") if self._in_tool and not self._has_arguments else b""
            case Finish():
                self._finished = True
                return self._start() + self._chunk({}, reasons.to_openai(part.reason))
            case Alive():
                return _ALIVE

    def end(self, usage: Usage | None, latency_ms: int) -> bytes:
        """The bytes of the stream's end; nothing where the answer has not come to its own."""
        if not self._finished:
            return b""
        if not self._about.wants_usage:
            return _DONE
        last = {**self._envelope, "choices": [], "usage": _usage(usage or NO_USAGE)}
        return sse.encode_event(msgspec.json.encode(last)) + _DONE

    def _start(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return self._chunk({"role": "assistant", "content": ""})

    def _arguments(self, text: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._tools, "function": {"arguments": text}}]})

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk: dict[str, Any] = {**self._envelope, "choices": [choice]}
        if self._about.wants_usage:
            chunk["usage"] = None
        return sse.encode_event(msgspec.json.encode(chunk))


def whole(blocks: list[Block], finish: Finish, usage: Usage | None, about: About, latency_ms: int) -> bytes:
    """A whole answer."""
    texts = [block.text for block in blocks if block.kind == "text"]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None, "refusal": None}
    calls = [
        {
            "id": tool_id(block.tool_id, about.id, index),
            "type": "function",
            "function": {"name": block.name, "arguments": msgspec.json.encode(block.arguments or {}).decode()},
        }
        for index, block in enumerate(blocks)
        if block.kind == "tool"
    ]
    if calls:
        message["tool_calls"] = calls
    reason = reasons.to_openai(finish.reason)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    answer = {**_about(about, "chat.completion"), "choices": [choice], "usage": _usage(usage or NO_USAGE)}
    return msgspec.json.encode(answer)


def _about(about: About, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{about.id}", "object": kind, "created": about.created_s, "model": about.model}


def _usage(usage: Usage) -> dict[str, Any]:
    details = {"cached_tokens": usage.cache_read_tokens}
    if usage.cache_write_tokens:
        details["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
