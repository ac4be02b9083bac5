"""Parts as answers of the Messages API.

Known limitation: ``message_start`` of a stream reports a usage of 0, as other protocols report theirs at the end;
``message_delta`` then has all of it, which clients take over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from turnout.core.usage import NO_USAGE, Usage
from turnout.messages.translation import reasons
from turnout.messages.translation.parts import About, Alive, Block, BlockDelta, BlockStart, BlockStop, Finish, Part
from turnout.messages.translation.tool_ids import tool_id
from turnout.messages.wire import sse

_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool": ("input_json_delta", "partial_json"),
}


def _sse(name: str, value: dict[str, Any]) -> bytes:
    return sse.encode_event(msgspec.json.encode({"type": name, **value}), name)


class AnthropicWriter:
    """Writes a stream.

    Args:
        about: What the answer says of itself.
        frame: Makes bytes of an event's type and members; default: a server-sent event.
    """

    def __init__(self, about: About, frame: Callable[[str, dict[str, Any]], bytes] = _sse) -> None:
        self._about = about
        self._frame = frame
        self._begun = False
        self._finish: Finish | None = None
        self._kind = "text"
        self._redacted: list[str] = []

    def write(self, part: Part) -> bytes:
        """The bytes of a part; the reason of the end waits for the usage that goes with it."""
        match part:
            case BlockStart():
                self._kind = part.kind
                self._redacted.clear()
                if part.kind == "redacted":
                    return self._start()
                return self._start() + self._frame(
                    "content_block_start", {"index": part.index, "content_block": self._empty(part)}
                )
            case BlockDelta():
                return self._delta(part)
            case BlockStop():
                return self._stop(part.index)
            case Finish():
                self._finish = part
                return b""
            case Alive():
                return self._frame("ping", {}) if self._begun else b""

    def end(self, usage: Usage | None, latency_ms: int) -> bytes:
        """The bytes of the stream's end; nothing where the answer has not come to its own."""
        finish = self._finish
        if finish is None:
            return b""
        delta = {"stop_reason": reasons.to_anthropic(finish.reason), "stop_sequence": finish.stop_sequence}
        used = _usage(usage or NO_USAGE)
        del used["cache_creation"]
        return (
            self._start()
            + self._frame("message_delta", {"delta": delta, "usage": used})
            + self._frame("message_stop", {})
        )

    def _start(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = {**_message(self._about), "content": [], "stop_reason": None, "stop_sequence": None}
        message["usage"] = _usage(NO_USAGE)
        return self._frame("message_start", {"message": message}) + self._frame("ping", {})

    def _empty(self, part: BlockStart) -> dict[str, Any]:
        if part.kind != "tool":
            return _EMPTY[part.kind]
        given = tool_id(part.tool_id, self._about.id, part.index)
        return {"type": "tool_use", "id": given, "name": part.name, "input": {}}

    def _delta(self, part: BlockDelta) -> bytes:
        if self._kind == "redacted":
            self._redacted.append(part.text)
            return b""
        kind, member = ("signature_delta", "signature") if part.signature else _DELTAS[self._kind]
        return self._frame("content_block_delta", {"index": part.index, "delta": {"type": kind, member: part.text}})

    def _stop(self, index: int) -> bytes:
        before = b""
        if self._kind == "redacted":
            # It has no deltas here: it begins when all of it is there.
            block = {"type": "redacted_thinking", "data": "".join(self._redacted)}
            before = self._frame("content_block_start", {"index": index, "content_block": block})
        return before + self._frame("content_block_stop", {"index": index})


def whole(blocks: list[Block], finish: Finish, usage: Usage | None, about: About, latency_ms: int) -> bytes:
    """A whole answer."""
    return msgspec.json.encode(
        {
            **_message(about),
            "content": [_block(block, about, index) for index, block in enumerate(blocks)],
            "stop_reason": reasons.to_anthropic(finish.reason),
            "stop_sequence": finish.stop_sequence,
            "usage": _usage(usage or NO_USAGE),
        }
    )


def _message(about: About) -> dict[str, Any]:
    return {"id": f"msg_{about.id}", "type": "message", "role": "assistant", "model": about.model}


def _block(block: Block, about: About, index: int) -> dict[str, Any]:
    match block.kind:
        case "text":
            return {"type": "text", "text": block.text}
        case "thinking":
            return {"type": "thinking", "thinking": block.text, "signature": block.signature}
        case "redacted":
            return {"type": "redacted_thinking", "data": block.text}
    given = tool_id(block.tool_id, about.id, index)
    return {"type": "tool_use", "id": given, "name": block.name, "input": block.arguments or {}}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
    }
