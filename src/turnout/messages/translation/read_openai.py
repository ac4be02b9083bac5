"""Answers of Chat Completions as parts.

There a stream has no blocks: text and tool calls lie side by side, and servers may send pieces of several calls in
turn. Blocks elsewhere follow each other, so a call that begins while the arguments of the one before are not yet whole
waits for it. Reasoning is left out: nobody has signed it, so no provider would take it back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.messages.translation import reasons
from turnout.messages.translation.parts import Alive, Block, Finish, Part
from turnout.messages.translation.sequence import Sequence
from turnout.messages.wire.malformed import MalformedStreamError

_TEXT = -1
_MOST_HELD = 8 * 1024 * 1024
"""The most characters of arguments that one stream can make this process keep."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None


class _Lane:
    """What has come of a text or a call: what waits for its turn, and whether that is all."""

    __slots__ = ("arguments", "begun", "name", "tool_id", "waiting")

    def __init__(self) -> None:
        self.begun = False
        self.tool_id = ""
        self.name = ""
        self.waiting = ""
        self.arguments: list[str] = []


_COMPLETION = msgspec.json.Decoder(_Completion)


class OpenAIParts:
    """Reads the chunks of a stream."""

    def __init__(self) -> None:
        self._blocks = Sequence()
        self._lanes: dict[int, _Lane] = {}
        self._order: list[int] = []
        self._waiting = 0
        self._held = 0
        self._texts = 0
        self._refused = False
        self._finished = False

    def feed(self, data: bytes) -> list[Part]:
        """Take the JSON of the next chunk.

        Raises:
            MalformedStreamError: It is none of this protocol, a call's arguments are no JSON object, or too much of one
                call came within another.
        """
        if not data:
            return [Alive()]
        if data == b"[DONE]" or self._finished:
            return []
        value = _decoded(data)
        parts: list[Part] = []
        for choice in value.choices or ():
            if choice.index != 0:
                continue
            delta = choice.delta
            if delta is not None:
                parts += self._delta(delta)
            if choice.finish_reason is not None:
                self._finished = True
                parts += self._finish(choice.finish_reason)
        return parts

    def _delta(self, delta: _Delta) -> list[Part]:
        parts: list[Part] = []
        if delta.reasoning_content or delta.reasoning:
            parts.append(Alive())
        for text in (delta.content, delta.refusal):
            if text:
                self._refused = self._refused or text is delta.refusal
                parts += self._said(text)
        for call in delta.tool_calls or ():
            parts += self._called(call)
        return parts

    def _said(self, text: str) -> list[Part]:
        key = self._order[-1] if self._order else 0
        if key >= 0 or not self._order:
            self._texts += 1
            key = -self._texts
            self._add(key)
        return self._take(key, text)

    def _called(self, call: _ToolCall) -> list[Part]:
        index = call.index
        if index < 0:
            raise MalformedStreamError("a tool call's number is negative")
        lane = self._lanes.get(index)
        if lane is None:
            lane = self._add(index)
            lane.tool_id = call.id or ""
        function = call.function
        if function is None:
            return []
        if function.name and not lane.begun and not lane.name:
            lane.name = function.name
        return self._take(index, function.arguments or "")

    def _add(self, key: int) -> _Lane:
        lane = self._lanes[key] = _Lane()
        self._order.append(key)
        return lane

    def _take(self, key: int, text: str) -> list[Part]:
        lane = self._lanes[key]
        if key not in self._order:
            if text.strip():
                raise MalformedStreamError("a piece came of a tool call that had ended")
            return []
        if key >= 0:
            lane.arguments.append(text)
            self._held += len(text)
        lane.waiting += text
        self._waiting += len(text)
        if max(self._waiting, self._held) > _MOST_HELD:
            raise MalformedStreamError("the arguments of a tool call are too long")
        return self._advance()

    def _advance(self, *, last: bool = False) -> list[Part]:
        """Pass on what is not behind a call whose arguments are not whole yet."""
        parts: list[Part] = []
        while self._order:
            key = self._order[0]
            lane = self._lanes[key]
            if key >= 0 and not lane.name and not last:
                break
            if not lane.begun:
                lane.begun = True
                kind: Any = "tool" if key >= 0 else "text"
                parts += self._blocks.start(key, kind, lane.tool_id, lane.name)
            if lane.waiting:
                parts += self._blocks.delta(key, lane.waiting)
                self._waiting -= len(lane.waiting)
                lane.waiting = ""
            if not last and (len(self._order) == 1 or (key >= 0 and not _is_object(lane.arguments))):
                break
            parts += self._blocks.stop(key)
            del self._order[0]
            self._held -= sum(map(len, lane.arguments))
            lane.arguments.clear()
        return parts

    def _finish(self, reason: str) -> list[Part]:
        if reason != "length":
            for key in self._order:
                arguments = self._lanes[key].arguments
                if key >= 0 and any(arguments) and not _is_object(arguments):
                    raise MalformedStreamError("the arguments of a tool call are no JSON object")
        return [*self._advance(last=True), self._reason(reason)]

    def _reason(self, reason: str) -> Finish:
        called = any(key >= 0 for key in self._lanes)
        return Finish(_reason(reason, refused=self._refused, called=called))


def whole(data: bytes) -> tuple[list[Block], Finish]:
    """A whole answer; a call that the limit on output cut off is left out.

    Raises:
        MalformedStreamError: It is none of this protocol, or a call's arguments are no JSON object.
    """
    value = _decoded(data)
    choice = next((one for one in value.choices or () if one.index == 0 and one.message is not None), None)
    if choice is None or choice.message is None:
        raise MalformedStreamError(f"{len(data)} bytes are no answer of Chat Completions")
    message, reason = choice.message, choice.finish_reason or ""
    blocks = [Block(kind="text", text=text) for text in (message.content, message.refusal) if text]
    for call in message.tool_calls or ():
        function = call.function or _Function()
        arguments = _object(function.arguments or "{}")
        if arguments is None:
            if reason == "length":
                continue
            raise MalformedStreamError("the arguments of a tool call are no JSON object")
        blocks.append(Block(kind="tool", tool_id=call.id or "", name=function.name or "", arguments=arguments))
    called = any(block.kind == "tool" for block in blocks)
    return blocks, Finish(_reason(reason, refused=bool(message.refusal), called=called))


def _reason(reason: str, *, refused: bool, called: bool) -> str:
    if refused:
        return "content_filtered"
    # A forced call ends with "stop", and some servers say so after any call.
    return "tool_use" if called and reason == "stop" else reasons.from_openai(reason)


def _decoded(data: bytes) -> _Completion:
    try:
        return _COMPLETION.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedStreamError(f"a piece of {len(data)} bytes is none of Chat Completions") from None


_OBJECT = msgspec.json.Decoder(dict[str, Any])


def _object(text: str) -> dict[str, Any] | None:
    try:
        return _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_object(pieces: list[str]) -> bool:
    """Whether pieces of JSON are an object by now; nearly always the last one tells that they are not."""
    last = next((piece for piece in reversed(pieces) if piece.strip()), "")
    return last.rstrip().endswith("}") and _object("".join(pieces)) is not None
