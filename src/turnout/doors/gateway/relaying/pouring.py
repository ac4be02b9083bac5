"""The middle of a stream, where nothing happens but events that are passed on: without a task that wakes for each.

A task would be woken, find an event, send it and sleep again, which takes longer than all else that is done with it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from turnout.doors.gateway.exchange import Send, Write, piece
from turnout.doors.gateway.relaying.streams import Part, Stream
from turnout.router.patience import begun
from turnout.upstream.ways import Answering


class Pouring:
    """Passes on what comes of one answer, as long as it is nothing but more of it.

    Args:
        stream: The answer, of which content has been passed on.
        send: ASGI's, of a server that lets it be called outside of a task.
        write: Sends a piece where that can be done at once.
    """

    __slots__ = ("_error", "_left", "_part", "_send", "_stream", "_write")

    def __init__(self, stream: Stream, send: Send, write: Write) -> None:
        self._stream = stream
        self._send = send
        self._write = write
        self._part: Part | None = None
        self._error: Exception | None = None
        self._left: Awaitable[Any] | None = None

    async def pour(self, answer: Answering, stall_s: float) -> Part | None:
        """Pass on what comes, until there is more to do than that, or the client is slow.

        Returns:
            What was read and is not passed on yet: it ends the stream, or is to be looked at. None if there is nothing.

        Raises:
            Exception: What reading the stream, or passing it on, raises.
        """
        await answer.pour(self._take, stall_s)
        left, self._left = self._left, None
        if left is not None:
            await left
        if self._error is not None:
            raise self._error
        part, self._part = self._part, None
        return part

    def _take(self, chunk: bytes) -> bool:
        stream = self._stream
        try:
            if not stream.goes_on(chunk):
                part = stream.feed(chunk)
                if part.last or part.error is not None or stream.broken is not None or stream.reader.complete:
                    self._part = part
                    return False
                chunk = part.data
            if chunk and not self._write(chunk):
                self._left = begun(self._send(piece(chunk)))
        except Exception as error:
            self._error = error
            return False
        return self._left is None
