"""What a provider answers, noted for those who turned the recording of texts on; it changes nothing of the relay.

Answers are read as for a translation, into the events of Converse that a `Transcript` takes.

Known limitations: of OpenAI's Responses only texts and calls of functions are noted, and of its streams what the last
event holds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from turnout.messages.translation.answers import part_reader, read_whole
from turnout.messages.translation.parts import Block, BlockDelta, BlockKind, BlockStart, Part
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import Frame
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.sse import SseEvent
from turnout.trace.spans.content import Transcript

logger = logging.getLogger(__name__)

_OBJECT = msgspec.json.Decoder(dict[str, Any])


def note_whole(transcript: Transcript, protocol: WireProtocol, data: bytes) -> None:
    """Note a whole answer; one that cannot be read is not noted."""
    try:
        if protocol is WireProtocol.OPENAI_RESPONSES:
            blocks = list(_of_response(_OBJECT.decode(data)))
        else:
            blocks, _ = read_whole(protocol, data)
    except (MalformedStreamError, msgspec.DecodeError) as error:
        _not_noted(error)
        return
    _note(transcript, blocks)


def noting(transcript: Transcript, protocol: WireProtocol) -> Callable[[SseEvent | Frame], None]:
    """What takes the events of a streamed answer, one by one, and notes what they say.

    Once an event cannot be read nothing more is noted.
    """
    if protocol is WireProtocol.OPENAI_RESPONSES:
        return lambda event: _note_last(transcript, event)
    return _Noting(transcript, protocol).note


class _Noting:
    """Notes the parts of one stream."""

    def __init__(self, transcript: Transcript, protocol: WireProtocol) -> None:
        self._transcript = transcript
        self._read = part_reader(protocol)
        self._kind: BlockKind = "text"
        self._failed = False

    def note(self, event: SseEvent | Frame) -> None:
        if self._failed:
            return
        try:
            for part in self._read(event):
                self._take(part)
        except MalformedStreamError as error:
            self._failed = True
            _not_noted(error)

    def _take(self, part: Part) -> None:
        match part:
            case BlockStart():
                self._kind = part.kind
                self._transcript.add(_start(part.kind, part.tool_id, part.name))
            case BlockDelta(signature=False) if self._kind != "redacted":
                self._transcript.add(_delta(self._kind, part.text))


def _not_noted(error: Exception) -> None:
    logger.warning("error=<%s> | an answer is relayed, but could not be noted", type(error).__name__)


def _start(kind: BlockKind, tool_id: str, name: str) -> dict[str, Any]:
    """A block's beginning as an event of a Converse stream."""
    return {"contentBlockStart": {"start": {"toolUse": {"toolUseId": tool_id, "name": name}} if kind == "tool" else {}}}


def _delta(kind: BlockKind, text: str) -> dict[str, Any]:
    """A piece of a block as an event of a Converse stream."""
    held: dict[str, Any] = {"text": text}
    if kind == "tool":
        held = {"toolUse": {"input": text}}
    elif kind == "thinking":
        held = {"reasoningContent": {"text": text}}
    return {"contentBlockDelta": {"delta": held}}


def _note(transcript: Transcript, blocks: Iterable[Block]) -> None:
    for block in blocks:
        if block.kind == "redacted":
            continue
        text = block.text if block.kind != "tool" else msgspec.json.encode(block.arguments or {}).decode()
        transcript.add(_start(block.kind, block.tool_id, block.name))
        transcript.add(_delta(block.kind, text))


def _note_last(transcript: Transcript, event: SseEvent | Frame) -> None:
    """Note what the event that ends a stream of Responses holds, which is all of the answer."""
    data = event.data if isinstance(event, SseEvent) else b""
    if b'"response.completed"' not in data and b'"response.incomplete"' not in data:
        return
    with suppress(msgspec.DecodeError):
        value = _OBJECT.decode(data)
        if value.get("type") in ("response.completed", "response.incomplete"):
            _note(transcript, _of_response(value.get("response")))


def _of_response(response: Any) -> Iterator[Block]:
    """The blocks of a response of OpenAI; items of other kinds, such as reasoning, say nothing that is kept."""
    items = response.get("output") if isinstance(response, dict) else None
    for item in items if isinstance(items, list) else ():
        match item:
            case {"type": "message", "content": [*parts]}:
                texts = (part.get("text") for part in parts if isinstance(part, dict))
                yield Block(kind="text", text="".join(text for text in texts if isinstance(text, str)))
            case {"type": "function_call", "name": str(name), "arguments": str(arguments)}:
                with suppress(msgspec.DecodeError):
                    given = _OBJECT.decode(arguments.encode())
                    yield Block(kind="tool", tool_id=str(item.get("call_id", "")), name=name, arguments=given)
