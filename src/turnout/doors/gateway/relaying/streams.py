"""Streams of an upstream as they are relayed: whole events, unchanged, each read for usage and for the stream's end.

Where the client speaks another protocol each event is translated on its way (`crossing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from turnout.doors.gateway.relaying.crossing import Crossing
from turnout.messages.wire import eventstream, sse
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.usage import reader_of
from turnout.upstream.http.errors import EventError, RemoteProtocolError, name_of_event

FRAMED = (WireProtocol.CONVERSE, WireProtocol.INVOKE)
"""The protocols that stream in AWS' frames, which have no place for comments."""

_KEPT_BYTES = 8 * 1024 * 1024
_ANY = msgspec.json.Decoder(Any)


class Part(NamedTuple):
    """What a piece of a stream brings.

    Attributes:
        data: The bytes to pass on.
        last: The bytes of the events from the one that ends the stream on; they follow what is said of the cost.
        error: The error that the stream carried; its event is not in ``data``.
    """

    data: bytes
    last: bytes
    error: EventError | None


class Stream:
    """One streamed answer.

    Args:
        protocol: What the upstream speaks.
        drops_usage: Whether the chunk with the usage was asked for by Turnout alone, and is taken out; of Chat
            Completions alone.
        crossing: Translates, where the client speaks another protocol.
        note: Is told of each event, where the answer is noted (`saying.noting`).

    Attributes:
        reader: Knows usage, finish reason, and whether content has come.
        broken: What was wrong with bytes that followed whole events; nothing can be read after it.
    """

    def __init__(
        self,
        protocol: WireProtocol,
        *,
        drops_usage: bool = False,
        crossing: Crossing | None = None,
        note: Callable[[Any], None] | None = None,
    ) -> None:
        self.reader: Any = reader_of(protocol)
        self._frames = protocol in FRAMED
        self._inner = protocol is WireProtocol.INVOKE
        self._parser: Any = eventstream.EventStreamParser() if self._frames else sse.SseParser()
        self._drops_usage = drops_usage
        self.broken: RemoteProtocolError | None = None
        self._crossing = crossing
        self._note = note
        self._plain = not self._frames and crossing is None and note is None
        self._payloads: list[bytes] = []
        self._kept = 0

    def feed(self, chunk: bytes) -> Part:
        """Take the next bytes.

        Raises:
            RemoteProtocolError: They are no events of the protocol.
            TruncatedStreamError: The stream says that it ends, but its answer has not come to its own.
        """
        try:
            events = self._parser.feed(chunk)
        except MalformedStreamError as error:
            self.broken = RemoteProtocolError(str(error))
            raise self.broken from error
        return self._read(events)

    def goes_on(self, chunk: bytes) -> bool:
        """Take the next bytes if they are one event that brings more of the answer, and pass as they are.

        Nearly every chunk of nearly every stream is such a one.

        Returns:
            Whether they were taken; else they are to be fed.
        """
        reader = self.reader
        if not self._plain or reader.complete:
            return False
        data = self._parser.only(chunk)
        if data is None or not reader.more(data):
            return False
        self._parser.offset += len(chunk)
        self._keep(data)
        return True

    def _read(self, events: Sequence[Any]) -> Part:
        reader, crossing = self.reader, self._crossing
        passed: list[bytes] = []
        last: list[bytes] = []
        try:
            for event in events:
                was_complete = reader.complete
                reader.feed(event)
                payload = event.payload if self._frames else event.data
                if self._inner:
                    payload = reader.inner
                if reader.error is not None:
                    raw = event.raw if crossing is None else payload
                    return Part(b"".join(passed), b"", EventError(name_of_event(reader.error), raw))
                if self._note is not None:
                    self._note(event)
                self._keep(payload)
                if crossing is not None:
                    passed.append(crossing.feed(event))
                    if reader.complete:
                        last.append(crossing.end(reader))
                    continue
                if self._drops_usage and reader.only_usage:
                    continue
                (last if reader.complete and (last or not was_complete) else passed).append(event.raw)
        except MalformedStreamError as error:
            self.broken = RemoteProtocolError(str(error))
            if not (passed or last):
                raise self.broken from error
            # What came whole before it, in the same bytes, is passed on first.
        return Part(passed[0] if len(passed) == 1 else b"".join(passed), b"".join(last), None)

    def _keep(self, payload: bytes) -> None:
        """Keep what an event brought, for `characters`."""
        if payload and self._kept < _KEPT_BYTES:
            self._payloads.append(payload)
            self._kept += len(payload)

    def rest(self) -> bytes:
        """What the client still lacks of an answer that is at its end although its stream did not say so.

        Raises:
            TruncatedStreamError: The answer is not at its end.
        """
        return b"" if self._crossing is None else self._crossing.end(self.reader)

    @property
    def ended(self) -> bool:
        """Whether the answer is at its end; usage may still be missing."""
        return self.reader.complete or self.reader.finish_reason is not None

    def characters(self) -> int:
        """How many characters of text, thinking and tools' input have come; for calls whose usage was not reported."""
        return sum(_characters(payload) for payload in self._payloads)


def comment(value: Any) -> bytes:
    """A comment in a stream of server-sent events; clients pass over it."""
    return b": turnout %b\n\n" % msgspec.json.encode(value)


def _decoded(payload: bytes) -> Any:
    """The JSON of an event that a reader took; none where what the reader did not look at cannot be read."""
    try:
        return _ANY.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _characters(payload: bytes) -> int:
    value = _decoded(payload)
    if not isinstance(value, dict):
        return 0
    deltas = [
        value.get("delta"),
        *(choice.get("delta") for choice in value.get("choices") or () if isinstance(choice, dict)),
    ]
    return sum(len(one) if isinstance(one, str) else _texts(one) for one in deltas if isinstance(one, dict | str))


_SAID = ("text", "thinking", "partial_json", "content", "reasoning", "reasoning_content", "arguments", "input")


def _texts(value: Any) -> int:
    """The length of the texts that stand where protocols have what a model says."""
    if isinstance(value, list):
        return sum(_texts(item) for item in value)
    if not isinstance(value, dict):
        return 0
    own = sum(len(text) for name in _SAID if isinstance(text := value.get(name), str))
    return own + sum(_texts(inner) for inner in value.values() if isinstance(inner, dict | list))
