"""uvicorn's HTTP protocol with the limits that it lacks: how large and slow a head may be, and how slow a reader.

No timer is set for a request: each connection notes since when it waits for a head, or for its client to read, and
`sweep` looks at all connections once a second. So what is closed for being slow is closed up to a second late.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from turnout.config.settings import GatewaySettings
from turnout.doors.gateway.writing import HeadWithBody

logger = logging.getLogger(__name__)

_MOST_SURPLUS = 1024 * 1024
_GOODBYE_S = 0.5
_FRAMING = 8
"""A body may take so many times its own bytes on the wire: chunks of one byte take six."""


class HeadTooLargeError(ValueError):
    """A request's path and headers are longer than they may be."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a client.

    Attributes:
        guard: The limits; those of the class that `guarded` makes.
        waits_since: Since when, by the loop's clock, a head that has begun has not come to its end; none: none has.
        stuck_since: Since when the client does not read; none: it does.
        closing_since: Since when it is being closed because the server stops; none: it is not.
    """

    guard: Guard
    waits_since: float | None = None
    stuck_since: float | None = None
    closing_since: float | None = None
    _head_bytes = 0
    _wire_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """A client has come; of too many the newest one is let go."""
        super().connection_made(transport)
        self.transport: Any = HeadWithBody(transport, self.loop)
        self.waits_since = self.loop.time()
        if len(self.connections) > self.guard.limits.max_connections:
            self.guard.turned_away += 1
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._wire_bytes += len(data)
        super().data_received(data)
        limits = self.guard.limits
        if self.waits_since is not None and self._wire_bytes > limits.max_header_bytes:
            # The parser itself gathers a header until its end.
            self.send_400_response(_TOO_LARGE)
        elif self._wire_bytes > _MOST_SURPLUS + _FRAMING * limits.max_body_bytes:
            self.transport.abort()

    def on_url(self, url: bytes) -> None:
        """A piece of the path came."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came, or what stands behind a body as one."""
        self._grow(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes = self._wire_bytes = 0
        if self.waits_since is None:
            self.waits_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is there."""
        self.waits_since = None
        self._wire_bytes = 0
        super().on_headers_complete()

    def shutdown(self) -> None:
        """The server stops: an idle connection is closed, one with a request ends after it."""
        super().shutdown()
        if self.transport.is_closing():
            self.closing_since = self.loop.time()

    def pause_writing(self) -> None:
        """The client reads more slowly than its answer comes."""
        self.stuck_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self.stuck_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or a head that is too large; the connection closes."""
        if self.transport.is_closing():
            return
        if self._head_bytes <= self.guard.limits.max_header_bytes and msg != _TOO_LARGE:
            super().send_400_response(msg)
            return
        said = _TOO_LARGE.encode()
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(said)
        self.transport.write(STATUS_LINE[431] + head + said)
        self.transport.close()

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.guard.limits.max_header_bytes:
            raise HeadTooLargeError  # the parser makes an error of its own of it, which uvicorn answers


_TOO_LARGE = "The request's path and headers are too long."


class Guard:
    """The limits of all connections of a server.

    Args:
        limits: How much is taken on; may be replaced.

    Attributes:
        limits: See above.
        turned_away: How many connections were closed because there were too many.
    """

    def __init__(self, limits: GatewaySettings) -> None:
        self.limits = limits
        self.turned_away = 0

    def protocol(self) -> type[GuardedProtocol]:
        """The protocol of a server with these limits."""
        return type("GuardedProtocol", (GuardedProtocol,), {"guard": self})

    def sweep(self, connections: Iterable[Any], now_s: float) -> None:
        """Close the connections whose clients are too slow.

        Args:
            connections: All of them.
            now_s: The time by the loop's clock.
        """
        head_s, write_s = now_s - self.limits.header_seconds, now_s - self.limits.write_seconds
        for one in list(connections):
            slow_head = one.waits_since is not None and one.waits_since < head_s
            if one.closing_since is not None and one.closing_since < now_s - _GOODBYE_S:
                one.transport.abort()  # with TLS the client is to say goodbye, and need not
                continue
            slow_reader = one.stuck_since is not None and one.stuck_since < write_s
            if slow_head or slow_reader:
                logger.info("what=<%s> | a slow client's connection was closed", "head" if slow_head else "reading")
                one.transport.abort()
