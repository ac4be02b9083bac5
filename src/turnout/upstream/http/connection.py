"""One kept-alive HTTP/1.1 connection to a provider: bytes out, one answer at a time back.

Known limitations: no HTTP/2, no compression (the answer is asked for as it is).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from turnout.config.extras import require
from turnout.upstream.errors import StalledError, TruncatedStreamError
from turnout.upstream.http.errors import ReadError, RemoteProtocolError
from turnout.upstream.http.outbox import MOST_BYTES, Outbox

_HIGH_WATER = 256 * 1024
"""So many bytes wait to be taken before the provider is no longer read from."""

_MOST_HEADER_BYTES = 64 * 1024


class Connection(asyncio.Protocol):
    """A connection, and the answer that it is bringing.

    Attributes:
        status: The answer's status, once `has_head`.
        headers: The answer's headers, as they came.
        has_head: Whether status and headers have come.
        done: Whether the whole answer has come.
        keeps: Whether another request may follow the answer.
        closed: Whether the connection is gone.
    """

    __slots__ = (
        "_buffered",
        "_chunks",
        "_error",
        "_fire_at",
        "_framed",
        "_head_bytes",
        "_leaving",
        "_loop",
        "_on_closed",
        "_outbox",
        "_parser",
        "_paused",
        "_stall_s",
        "_surplus",
        "_take",
        "_timer",
        "_transport",
        "_until",
        "_waiter",
        "busy",
        "closed",
        "done",
        "has_head",
        "headers",
        "keeps",
        "status",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: Outbox, on_closed: Any) -> None:
        self._loop = loop
        self._outbox = outbox
        self._leaving = b""
        self._on_closed = on_closed
        self._parser: Any = None
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._fire_at = 0.0
        self._until = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], bool] | None = None
        self._stall_s = 0.0
        self.busy = False
        self.closed = False
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = self.done = self.keeps = False
        self._error: Exception | None = None
        self._chunks: list[bytes] = []
        self._buffered = self._head_bytes = 0
        self._paused = self._framed = self._surplus = False

    def begin(self, head: bytes, body: bytes) -> None:
        """Send a request; the answer to the one before has come whole."""
        self._reset()
        self.busy = True
        if len(body) >= MOST_BYTES:
            self._transport.write(head)
            self._transport.write(body)
        elif self._outbox.waits:
            self._leaving = head + body
            self._outbox.add(self._leave)
        else:
            self._transport.write(head + body)

    def _leave(self) -> None:
        """Write the request, at the end of the event loop's turn; nothing of it if the connection closed meanwhile."""
        leaving, self._leaving = self._leaving, b""
        if not self.closed and not self._transport.is_closing():
            self._transport.write(leaving)

    async def head(self, until: float) -> None:
        """Wait for status and headers, until that time of the event loop's clock.

        Raises:
            StalledError: They did not come in time.
            ReadError: The connection broke.
            RemoteProtocolError: What came is no HTTP.
        """
        while not self.has_head:
            if self._error is not None:
                raise self._error
            await self._wait(until)

    async def next(self, until: float) -> bytes | None:
        """What has come of the answer's body since the last time, waiting for it if nothing has; none at its end.

        Raises:
            StalledError: Nothing came in time.
            TruncatedStreamError: The connection closed before the end.
            ReadError: It broke.
            RemoteProtocolError: What came is no HTTP.
        """
        while True:
            if self._chunks:
                return self._taken()
            if self.done:
                return None
            if self._error is not None:
                raise self._error
            await self._wait(until)

    async def pour(self, take: Callable[[bytes], bool], stall_s: float) -> None:
        """Give each piece of the body to ``take`` as it comes; see `turnout.upstream.http.client.Answer.pour`."""
        if self._chunks and not take(self._taken()):
            return
        if self.done or self._error is not None:
            return
        self._take, self._stall_s = take, stall_s
        try:
            await self._wait(self._loop.time() + stall_s)
        finally:
            self._take = None

    def _taken(self) -> bytes:
        """What has come and was not taken yet, of which there is something."""
        chunks = self._chunks
        self._chunks, self._buffered = [], 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def abort(self) -> None:
        """Close at once: the provider sees that nobody waits for the answer."""
        if self._transport is not None and not self.closed:
            self._transport.abort()

    def _wait(self, until: float) -> asyncio.Future[None]:
        """What to await: done once something has come, or nothing did in time."""
        self._until = until
        # One timer a connection, which is looked at again when it fires: most answers come long before.
        if self._timer is None or until < self._fire_at:
            if self._timer is not None:
                self._timer.cancel()
            self._fire_at = until
            self._timer = self._loop.call_at(until, self._on_timer)
        self._waiter = self._loop.create_future()
        return self._waiter

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._until:
            self._fire_at = self._until
            self._timer = self._loop.call_at(self._until, self._on_timer)
        else:
            self._waiter.set_exception(StalledError("the provider sent nothing in time"))

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = transport
        self._parser = require("httptools", extra="gateway").HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if not self.busy:
            self._transport.abort()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except Exception as error:
            self._fail(RemoteProtocolError(f"the answer is no HTTP ({type(error).__name__})"))
            self._transport.abort()
        if self._take is None or self.done or self._error is not None:
            self._wake()
        else:
            self._until = self._loop.time() + self._stall_s

    def eof_received(self) -> bool:
        """The provider sends no more; an answer without a length ends with that."""
        if self.busy and self.has_head and not self._framed and self._error is None:
            self.done = True
            self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.closed = True
        self.keeps = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.busy and not self.done:
            if exc is None and self.has_head:
                self._fail(TruncatedStreamError("the connection closed before the answer's end"))
            else:
                self._fail(ReadError("the connection broke before the answer's end"))
        self._parser = None
        self._on_closed(self)
        self._wake()

    def _fail(self, error: Exception) -> None:
        if self._error is None and not self.done:
            self._error = error

    # httptools' callbacks

    def on_message_begin(self) -> None:
        """An answer begins: after a whole one it is one that nobody asked for, and nothing of it is taken."""
        if self.done:
            self._surplus, self.keeps = True, False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        if self._surplus:
            return
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _MOST_HEADER_BYTES:
            raise ValueError("too many headers")
        name = name.lower()
        self.headers.append((name, value))
        if name in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        """Status and headers are there."""
        if self._surplus:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self.headers, self._head_bytes, self._framed = [], 0, False
            return  # informational: the answer follows
        self.status = status
        self._framed = self._framed or status in (204, 304)
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body came."""
        if self._surplus:
            return
        if self._take is not None:
            if not self._take(body):
                self._take = None
            return
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > _HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is there as a whole."""
        if self.has_head and not self._surplus:
            self.done = True
            self.keeps = self._framed and self._parser.should_keep_alive()
