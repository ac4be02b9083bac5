"""Server-sent events: bytes in, events out, however the bytes are cut.

An event keeps its own bytes, so that a relay can pass on every one as it came, or leave one out: the events' bytes and
what is pending are the stream, in its order. Lines end as the standard allows: with CR LF, LF or CR.

Source: WHATWG HTML, "Server-sent events", section 9.2.6. A difference: a block without data is an event here too, one
without data, so that comments are passed on.
"""

from __future__ import annotations

import re

import msgspec

from turnout.messages.wire.malformed import MalformedStreamError

CONTENT_TYPE = "text/event-stream"
MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The most bytes of one event unless another limit is given."""

_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_PLAIN = re.compile(rb"(?:event: ([!-~]+)\n)?data: ([^\r\n]*)\n\n")
_MARK = b"\xef\xbb\xbf"


class SseEvent(msgspec.Struct, frozen=True, gc=False):
    """One event.

    Attributes:
        raw: Its bytes, with the blank line that ends it.
        data: Its data lines, joined by line ends; empty where it has none.
        event: Its type; empty where it states none.
    """

    raw: bytes
    data: bytes
    event: str = ""


class SseParser:
    """Cuts a stream into events.

    Args:
        max_event_bytes: The most bytes of one event: what one stream can make this process keep.

    Attributes:
        offset: How many bytes of the stream came before what is kept.
    """

    __slots__ = ("_buffer", "_limit", "_searched", "offset")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._buffer = bytearray()
        self._searched = 0
        self.offset = 0

    @property
    def pending(self) -> bytes:
        """The bytes that came after the last whole event."""
        return bytes(self._buffer)

    def only(self, chunk: bytes) -> bytes | None:
        """The data of the next bytes if they are one event and no more, as nearly every chunk of a stream is.

        Nothing is taken: they are to be fed, or passed over by raising `offset`.
        """
        return None if self._buffer or (plain := _PLAIN.fullmatch(chunk)) is None else plain[2]

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take the next bytes.

        Returns:
            The events that they complete.

        Raises:
            MalformedStreamError: An event is longer than the limit, or the type of one is not UTF-8.
        """
        kept = self._buffer
        if self.only(chunk) is not None:
            return [self._event(chunk)]
        if not kept and b"\r" not in chunk:
            # Or several whole ones.
            *blocks, rest = chunk.split(b"\n\n")
            return self._keep(rest, [self._event(block + b"\n\n") for block in blocks])
        buffer: bytes | bytearray = chunk
        if kept:
            kept += chunk
            buffer = kept
        events: list[SseEvent] = []
        start, searched = 0, self._searched
        while found := _END.search(buffer, searched):
            end = found.end()
            if end == len(buffer) and buffer[-1] == _CR:
                break  # a line feed that belongs to it may follow
            events.append(self._event(bytes(buffer[start:end])))
            start = searched = end
        if not kept:
            return self._keep(chunk[start:], events)
        found = None  # it holds the buffer
        del kept[:start]
        return self._keep(b"", events)

    def _keep(self, rest: bytes, events: list[SseEvent]) -> list[SseEvent]:
        """Remember what no event has ended yet."""
        kept = self._buffer
        kept += rest
        # The blank line may have begun: CR LF CR.
        self._searched = max(0, len(kept) - 3)
        if len(kept) > self._limit:
            raise MalformedStreamError(f"an event is longer than {self._limit} bytes", offset=self.offset)
        return events

    def close(self) -> list[SseEvent]:
        """The stream has ended.

        Returns:
            The event that only a carriage return at the end of the stream completes, if there is one.

        Raises:
            MalformedStreamError: The stream ends within an event.
        """
        left = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        if not left.strip(b"\r\n"):
            return []
        if left[-1] == _CR and _END.search(left, max(0, len(left) - 3)):
            return [self._event(left)]
        raise MalformedStreamError("the stream ends within an event", offset=self.offset)

    def _event(self, raw: bytes) -> SseEvent:
        offset, self.offset = self.offset, self.offset + len(raw)
        if plain := _PLAIN.fullmatch(raw):
            name, content = plain.groups(b"")
            return SseEvent(raw, content, name.decode())
        block = raw[len(_MARK) :] if offset == 0 and raw.startswith(_MARK) else raw
        data: list[bytes] = []
        name = b""
        for line in block.splitlines():
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value[1:] if value[:1] == b" " else value)
            elif field == b"event":
                name = value[1:] if value[:1] == b" " else value
        try:
            return SseEvent(raw, data[0] if len(data) == 1 else b"\n".join(data), name.decode() if name else "")
        except UnicodeDecodeError:
            raise MalformedStreamError("the type of an event is not UTF-8", offset=offset) from None


_CR = 13


def encode_event(data: bytes, event: str = "") -> bytes:
    """An event as bytes.

    Args:
        data: Its data; each line of it becomes a line.
        event: Its type, without line ends; none is stated if empty.
    """
    head = f"event: {event}\n".encode() if event else b""
    if b"\n" not in data and b"\r" not in data:
        return b"%bdata: %b\n\n" % (head, data)
    return head + b"".join(b"data: %b\n" % line for line in re.split(rb"\r\n|\n|\r", data)) + b"\n"
