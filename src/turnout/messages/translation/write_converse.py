"""Parts as answers of Converse and ConverseStream."""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.core.usage import NO_USAGE, Usage
from turnout.messages.translation.parts import About, Alive, Block, BlockDelta, BlockStart, BlockStop, Finish, Part
from turnout.messages.translation.tool_ids import tool_id
from turnout.messages.wire import eventstream


class ConverseWriter:
    """Writes a stream; its frames have no place for a sign of life."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._begun = False
        self._finished = False
        self._kind = "text"

    def write(self, part: Part) -> bytes:
        """The bytes of a part."""
        match part:
            case BlockStart():
                self._kind = part.kind
                if part.kind != "tool":
                    return self._start()
                given = tool_id(part.tool_id, self._about.id, part.index)
                start = {"toolUse": {"toolUseId": given, "name": part.name}}
                return self._start() + _event("contentBlockStart", {"contentBlockIndex": part.index, "start": start})
            case BlockDelta():
                delta = self._delta(part)
                return _event("contentBlockDelta", {"contentBlockIndex": part.index, "delta": delta})
            case BlockStop():
                return _event("contentBlockStop", {"contentBlockIndex": part.index})
            case Finish():
                self._finished = True
                return self._start() + _event("messageStop", {"stopReason": part.reason})
            case Alive():
                return b""

    def end(self, usage: Usage | None, latency_ms: int) -> bytes:
        """The bytes of the stream's end; nothing where the answer has not come to its own."""
        if not self._finished:
            return b""
        metrics = {"latencyMs": latency_ms}
        return _event("metadata", {"usage": _usage(usage or NO_USAGE), "metrics": metrics})

    def _start(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event("messageStart", {"role": "assistant"})

    def _delta(self, part: BlockDelta) -> dict[str, Any]:
        match self._kind:
            case "tool":
                return {"toolUse": {"input": part.text}}
            case "thinking":
                return {"reasoningContent": {"signature" if part.signature else "text": part.text}}
            case "redacted":
                return {"reasoningContent": {"redactedContent": part.text}}
        return {"text": part.text}


def whole(blocks: list[Block], finish: Finish, usage: Usage | None, about: About, latency_ms: int) -> bytes:
    """A whole answer."""
    content = [_block(block, about, index) for index, block in enumerate(blocks)]
    return msgspec.json.encode(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": finish.reason,
            "usage": _usage(usage or NO_USAGE),
            "metrics": {"latencyMs": latency_ms},
        }
    )


def _event(name: str, value: dict[str, Any]) -> bytes:
    return eventstream.encode_event(name, msgspec.json.encode(value))


def _block(block: Block, about: About, index: int) -> dict[str, Any]:
    match block.kind:
        case "text":
            return {"text": block.text}
        case "thinking":
            held = {"text": block.text} | ({"signature": block.signature} if block.signature else {})
            return {"reasoningContent": {"reasoningText": held}}
        case "redacted":
            return {"reasoningContent": {"redactedContent": block.text}}
    given = tool_id(block.tool_id, about.id, index)
    return {"toolUse": {"toolUseId": given, "name": block.name, "input": block.arguments or {}}}


def _usage(usage: Usage) -> dict[str, Any]:
    written: dict[str, Any] = {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }
    details = [
        {"ttl": ttl, "inputTokens": count}
        for ttl, count in (("5m", usage.cache_write_5m_tokens), ("1h", usage.cache_write_1h_tokens))
        if count
    ]
    if details:
        written["cacheDetails"] = details
    return written
