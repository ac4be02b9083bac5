"""What an answer says of itself: usage, why it ended, which model served it; from a body or from a stream's events.

One reader a protocol, with the same members. Readers look at numbers and names only; text is never kept.

Sources: the answer and event types of openai 3.54, anthropic 2.12 and botocore 1.44.5, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from turnout.core.usage import Usage
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import Frame
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.media import decoded
from turnout.messages.wire.sse import SseEvent

_Event = TypeVar("_Event", contravariant=True)
_Value = TypeVar("_Value")


class AnswerReader(Protocol, Generic[_Event]):
    """Reads one answer.

    Attributes:
        finish_reason: Why the answer ended, in the protocol's own word; none as long as it has not.
        has_content: Whether any part of the answer has come: text, thinking, a call of a tool.
        served_model: The model that the provider says has answered; none where it does not say.
        error: The name of the error that the stream carried instead of going on; never its message.
        complete: Whether the answer has come to its end, usage included where the protocol promises it.
        ids: What the provider keeps of it, by the ids by which a later request may go on from there.
    """

    finish_reason: str | None
    has_content: bool
    served_model: str | None
    error: str | None
    complete: bool
    ids: tuple[str, ...]

    @property
    def usage(self) -> Usage | None:
        """Tokens so far as they are reported; none where nothing is yet.

        Raises:
            UsageError: The report contradicts itself.
        """

    def feed(self, event: _Event) -> None:
        """Take the next event of the stream.

        Raises:
            MalformedStreamError: It is none of this protocol.
        """

    def more(self, data: bytes) -> bool:
        """Take the JSON of the next event if it brings more content and nothing else; whether it was taken."""

    def body(self, data: bytes) -> None:
        """Take the whole answer, where it was not streamed.

        Raises:
            MalformedStreamError: It is none of this protocol.
        """


class _Reader:
    """What all readers share."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.has_content = False
        self.served_model: str | None = None
        self.error: str | None = None
        self.complete = False
        self.ids: tuple[str, ...] = ()
        self._report: dict[str, Any] | None = None

    def more(self, data: bytes) -> bool:
        """Take the JSON of the next event if it brings more content and nothing else; whether it was taken."""
        try:
            return self.has_content and self._is_more(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def _is_more(self, data: bytes) -> bool:
        """See `more`; may raise what decoding raises."""
        return False


class _Error(msgspec.Struct, gc=False):
    type: Any = None
    code: Any = None


class _AnthropicMessage(msgspec.Struct, gc=False):
    model: str | None = None
    usage: dict[str, Any] | None = None
    stop_reason: str | None = None
    content: list[msgspec.Raw] | None = None
    type: str | None = None
    error: _Error | None = None


class _AnthropicDelta(msgspec.Struct, gc=False):
    type: str | None = None
    stop_reason: str | None = None
    text: str | None = None
    thinking: str | None = None


class _AnthropicBlock(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class _AnthropicEvent(msgspec.Struct, gc=False):
    type: str
    message: _AnthropicMessage | None = None
    delta: _AnthropicDelta | None = None
    content_block: _AnthropicBlock | None = None
    usage: dict[str, Any] | None = None
    error: _Error | None = None


class _AnthropicMore(msgspec.Struct, gc=False):
    """An event that brings more content and nothing else."""

    type: Literal["content_block_delta"]


_ANTHROPIC_EVENT = msgspec.json.Decoder(_AnthropicEvent)
_ANTHROPIC_MORE = msgspec.json.Decoder(_AnthropicMore)
_ANTHROPIC_MESSAGE = msgspec.json.Decoder(_AnthropicMessage)


class AnthropicReader(_Reader):
    """Reads answers of the Messages API.

    Counts of ``message_delta`` are totals, so they take the place of those of ``message_start``; what they leave out
    stays. Known limitation: ``message_delta`` does not split cache writes by TTL. Writes that only it reports count as
    those of ``message_start`` do if they are all of one TTL, else as 5 minute ones.
    """

    @property
    def usage(self) -> Usage | None:
        """Tokens so far; see `AnswerReader`."""
        return None if self._report is None else Usage.from_anthropic(_with_all_writes(self._report))

    def feed(self, event: SseEvent) -> None:
        """Take the next event."""
        if event.data:
            self.data(event.data)

    def data(self, data: bytes) -> None:
        """Take the JSON of the next event."""
        value = _decoded(_ANTHROPIC_EVENT, data, "an event of the Messages API")
        match value.type:
            case "content_block_delta":
                if not self.has_content and value.delta is not None:
                    delta = value.delta
                    self.has_content = delta.text != "" and delta.thinking != ""
            case "content_block_start":
                block = value.content_block
                if block is not None and (block.type not in ("text", "thinking") or block.text or block.thinking):
                    self.has_content = True
            case "message_start" if value.message is not None:
                self.served_model = value.message.model
                self._add(value.message.usage)
            case "message_delta":
                self._add(value.usage)
                if value.delta is not None and value.delta.stop_reason is not None:
                    self.finish_reason = value.delta.stop_reason
            case "message_stop":
                self.complete = True
            case "error":
                self.error = _error_name(value.error)

    def _is_more(self, data: bytes) -> bool:
        _ANTHROPIC_MORE.decode(data)
        return True

    def body(self, data: bytes) -> None:
        """Take the whole answer."""
        message = _decoded(_ANTHROPIC_MESSAGE, data, "an answer of the Messages API")
        self.error = _error_name(message.error) if message.error is not None else None
        self.served_model = message.model
        self.finish_reason = message.stop_reason
        self.has_content = bool(message.content)
        self.complete = message.stop_reason is not None
        self._add(message.usage)

    def _add(self, usage: dict[str, Any] | None) -> None:
        if usage is not None:
            counts = {name: value for name, value in usage.items() if value is not None}
            self._report = counts if self._report is None else {**self._report, **counts}


def _with_all_writes(report: dict[str, Any]) -> Mapping[str, Any]:
    """A report whose split of cache writes has those too that came to the total later."""
    split, total = report.get("cache_creation"), report.get("cache_creation_input_tokens")
    if not isinstance(split, dict) or type(total) is not int:
        return report
    write_5m, write_1h = (split.get(f"ephemeral_{ttl}_input_tokens") or 0 for ttl in ("5m", "1h"))
    if type(write_5m) is not int or type(write_1h) is not int or total <= write_5m + write_1h:
        return report
    later = total - write_5m - write_1h
    name = "ephemeral_1h_input_tokens" if write_1h and not write_5m else "ephemeral_5m_input_tokens"
    return {**report, "cache_creation": {**split, name: (split.get(name) or 0) + later}}


class InvokeReader(AnthropicReader):
    """Reads answers of Claude behind InvokeModel: events of the Messages API in frames of ``chunk``.

    Attributes:
        inner: The JSON of the newest event; empty where a frame held none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inner = b""

    def feed(self, event: SseEvent | Frame) -> None:
        """Take the next frame."""
        self.inner = b""
        if isinstance(event, SseEvent):
            super().feed(event)
        elif event.kind != "event":
            self.error = event.name
        elif event.name == "chunk":
            held = decoded(_decoded(_CHUNK, event.payload, "a chunk of InvokeModel").bytes)
            if held is None:
                raise MalformedStreamError("the bytes of a chunk are no base64")
            self.inner = held
            self.data(held)


class _Chunk(msgspec.Struct, gc=False):
    bytes: str


_CHUNK = msgspec.json.Decoder(_Chunk)


class _Choice(msgspec.Struct, gc=False):
    delta: dict[str, msgspec.Raw] | None = None
    message: dict[str, msgspec.Raw] | None = None
    finish_reason: str | None = None
    index: int = 0


class _Completion(msgspec.Struct, gc=False):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class _Going(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    index: int = 0


class _GoingOn(msgspec.Struct, gc=False):
    model: str | None = None
    choices: list[_Going] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class _OpenChoice(msgspec.Struct, gc=False):
    finish_reason: None = None


class _More(msgspec.Struct, gc=False):
    """A chunk that brings more content and nothing else."""

    choices: list[_OpenChoice] | None = None
    usage: None = None
    error: None = None


_COMPLETION = msgspec.json.Decoder(_Completion)
_MORE = msgspec.json.Decoder(_More)
_GOING_ON = msgspec.json.Decoder(_GoingOn)
_NOTHING = (b"null", b'""', b"[]", b"{}")


class OpenAIReader(_Reader):
    """Reads answers of Chat Completions.

    Usage stands in the last chunk, where it was asked for; servers that report it in every chunk give totals, so the
    last report counts. An answer of several choices ends with its first one's reason.

    Attributes:
        only_usage: Whether the newest chunk holds usage and no choice.
    """

    only_usage = False

    @property
    def usage(self) -> Usage | None:
        """Tokens so far; see `AnswerReader`."""
        return None if self._report is None else Usage.from_openai(self._report)

    def feed(self, event: SseEvent) -> None:
        """Take the next event."""
        data = event.data
        self.only_usage = False
        if data == b"[DONE]":
            self.complete = True
        elif data and self.has_content:
            # What a choice brings is not looked at any more, so it is read over.
            self._report_of(_decoded(_GOING_ON, data, "a chunk of Chat Completions"))
        elif data:
            self._take(_decoded(_COMPLETION, data, "a chunk of Chat Completions"))

    def _is_more(self, data: bytes) -> bool:
        _MORE.decode(data)
        return True

    def body(self, data: bytes) -> None:
        """Take the whole answer."""
        self._take(_decoded(_COMPLETION, data, "an answer of Chat Completions"))
        self.complete = self.finish_reason is not None

    def _take(self, value: _Completion) -> None:
        self._report_of(value)
        for choice in value.choices or ():
            if not self.has_content:
                held = choice.delta or choice.message or {}
                self.has_content = any(
                    name != "role" and bytes(raw).strip() not in _NOTHING for name, raw in held.items()
                )

    def _report_of(self, value: _Completion | _GoingOn) -> None:
        if value.model:
            self.served_model = value.model
        if value.usage is not None:
            self._report = value.usage
            self.only_usage = value.choices == []
        if value.error is not None:
            error = value.error if isinstance(value.error, dict) else {}
            self.error = _error_name(_Error(type=error.get("type"), code=error.get("code")))
        for choice in value.choices or ():
            if choice.finish_reason is not None and choice.index == 0:
                self.finish_reason = choice.finish_reason


class _Identified(msgspec.Struct, gc=False):
    id: Any = None
    type: Any = None


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: dict[str, Any] | None = None
    output: list[_Identified] | None = None
    conversation: _Identified | None = None
    incomplete_details: _Incomplete | None = None
    error: _Error | None = None


class _ResponseEvent(msgspec.Struct, gc=False):
    type: str
    response: _Response | None = None
    item: _Identified | None = None
    delta: Any = None
    code: Any = None
    error: _Error | None = None
    sequence_number: int | None = None


_RESPONSE = msgspec.json.Decoder(_Response)
_RESPONSE_EVENT = msgspec.json.Decoder(_ResponseEvent)
_FOR_THE_CLIENT = (
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "shell_call",
    "apply_patch_call",
)
"""Calls that the client is to make; others the provider has made itself."""


class ResponsesReader(_Reader):
    """Reads answers of the Responses API.

    An answer that calls tools of the client ends with ``function_call``; else with its status, ``completed``, or why it
    is incomplete. Ids are those of the response, of its conversation and of its items.

    Attributes:
        sequence: The number of the newest event; -1 before the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sequence = -1

    @property
    def usage(self) -> Usage | None:
        """Tokens so far; see `AnswerReader`."""
        return None if self._report is None else Usage.from_openai(self._report)

    def feed(self, event: SseEvent) -> None:
        """Take the next event."""
        if not event.data or event.data == b"[DONE]":
            return
        value = _decoded(_RESPONSE_EVENT, event.data, "an event of the Responses API")
        if value.sequence_number is not None:
            self.sequence = value.sequence_number
        kind = value.type
        if kind == "error":
            # Documented flat; sent with an object of errors.
            self.error = _error_name(value.error or _Error(code=value.code))
        elif value.response is not None:
            self._take(value.response)
            self.complete = self.complete or kind in ("response.completed", "response.incomplete")
        elif not self.has_content:
            self.has_content = _is_content(value)

    def _is_more(self, data: bytes) -> bool:
        value = _RESPONSE_EVENT.decode(data)
        if not value.type.endswith(".delta") or value.response is not None:
            return False
        if value.sequence_number is not None:
            self.sequence = value.sequence_number
        return True

    def body(self, data: bytes) -> None:
        """Take the whole answer; one that is made in the background has not come to its end."""
        value = _decoded(_RESPONSE, data, "an answer of the Responses API")
        self._take(value)
        self.has_content = bool(value.output)
        self.complete = self.finish_reason is not None

    def _take(self, value: _Response) -> None:
        if value.model:
            self.served_model = value.model
        if value.usage is not None:
            self._report = value.usage
        if value.status == "failed":
            self.error = _error_name(_Error(code=value.error.code) if value.error is not None else None)
        elif value.status == "incomplete":
            self.finish_reason = (value.incomplete_details and value.incomplete_details.reason) or "incomplete"
        elif value.status == "completed":
            calls = any(item.type in _FOR_THE_CLIENT for item in value.output or ())
            self.finish_reason = "function_call" if calls else "completed"
        named = (value.id, value.conversation and value.conversation.id, *(item.id for item in value.output or ()))
        self.ids = tuple(one for one in named if isinstance(one, str) and one)


def _is_content(event: _ResponseEvent) -> bool:
    """Whether an event brings a part of an answer, and does not only announce one."""
    if event.type == "response.output_item.added":
        return event.item is not None and event.item.type not in ("message", "reasoning")
    if event.type.endswith((".delta", ".partial_image")):
        return bool(event.delta != "")
    return event.type == "response.output_item.done"


class _ConverseUsage(msgspec.Struct, gc=False):
    usage: dict[str, Any] | None = None
    trace: dict[str, Any] | None = None
    stopReason: str | None = None
    output: dict[str, Any] | None = None


class _ConverseStart(msgspec.Struct, gc=False):
    start: dict[str, msgspec.Raw] | None = None


class _ConverseDelta(msgspec.Struct, gc=False):
    delta: dict[str, msgspec.Raw]


_CONVERSE = msgspec.json.Decoder(_ConverseUsage)
_CONVERSE_START = msgspec.json.Decoder(_ConverseStart)
_CONVERSE_DELTA = msgspec.json.Decoder(_ConverseDelta)
_EVENTS_OF_CONVERSE = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)


class ConverseReader(_Reader):
    """Reads answers of Converse and ConverseStream; which model served is known only of a prompt router."""

    @property
    def usage(self) -> Usage | None:
        """Tokens so far; see `AnswerReader`."""
        return None if self._report is None else Usage.from_bedrock(self._report)

    def feed(self, event: Frame) -> None:
        """Take the next frame."""
        if event.kind != "event":
            if event.kind not in ("exception", "error"):
                raise MalformedStreamError("a frame is neither event nor exception")
            self.error = event.name
            return
        match event.name:
            case "contentBlockDelta":
                held = _decoded(_CONVERSE_DELTA, event.payload, "a delta of ConverseStream").delta
                if not self.has_content:
                    self.has_content = any(bytes(raw).strip() not in _NOTHING for raw in held.values())
            case "contentBlockStart":
                value = _decoded(_CONVERSE_START, event.payload, "a block's start of ConverseStream")
                self.has_content = self.has_content or bool(value.start)
            case "messageStop" | "metadata":
                self._take(_decoded(_CONVERSE, event.payload, "an event of ConverseStream"))
                self.complete = self._report is not None and self.finish_reason is not None

    def body(self, data: bytes) -> None:
        """Take the whole answer."""
        value = _decoded(_CONVERSE, data, "an answer of Converse")
        self._take(value)
        message = (value.output or {}).get("message")
        self.has_content = isinstance(message, dict) and bool(message.get("content"))
        self.complete = self.finish_reason is not None

    def _take(self, value: _ConverseUsage) -> None:
        if value.usage is not None:
            self._report = value.usage
        if value.stopReason is not None:
            self.finish_reason = value.stopReason
        router = (value.trace or {}).get("promptRouter")
        if isinstance(router, dict) and isinstance(router.get("invokedModelId"), str):
            self.served_model = router["invokedModelId"]


AnyReader = AnthropicReader | InvokeReader | OpenAIReader | ResponsesReader | ConverseReader
"""The reader of any protocol."""


def reader_of(protocol: WireProtocol) -> AnyReader:
    """A reader of one answer in that protocol."""
    return _READERS[protocol]()


_READERS: Mapping[WireProtocol, type[AnyReader]] = {
    WireProtocol.OPENAI_CHAT: OpenAIReader,
    WireProtocol.OPENAI_RESPONSES: ResponsesReader,
    WireProtocol.ANTHROPIC: AnthropicReader,
    WireProtocol.CONVERSE: ConverseReader,
    WireProtocol.INVOKE: InvokeReader,
}


def _decoded(decoder: msgspec.json.Decoder[_Value], data: bytes, what: str) -> _Value:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedStreamError(f"a piece of {len(data)} bytes is not {what}") from None


_TELLING = ("context_length_exceeded", "invalid_prompt", "rate_limit_exceeded")
"""OpenAI's codes that say more than the type beside them, such as ``invalid_request_error`` or ``tokens``."""


def _error_name(error: _Error | None) -> str:
    if error is not None and error.code in _TELLING:
        return str(error.code)
    for name in (error.type, error.code) if error is not None else ():
        if isinstance(name, str) and name:
            return name
    return "error"
