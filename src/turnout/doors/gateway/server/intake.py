"""One connection of a client, with the bounds that uvicorn's own protocol leaves open.

httptools refuses what makes HTTP ambiguous: a length beside chunks, two lengths, line folds, bare line feeds, blanks
before a colon. What it lets through without an end is bounded here, by the gateway's settings:

- how many connections there are;
- the head of a request: its bytes (431) and how long it may take to come (408);
- what a chunked body holds beside its data: chunk extensions and trailers, which are never taken for headers;
- requests that go on although they were answered, clients that do not take their answer, and connections that say
  nothing or do not close;
- an ``Upgrade`` that is not served is passed over, as RFC 9110 (section 7.8) allows: the request is served with its
  body, which Java's client sends so.

A client that leaves is seen by every request that it has under way on the connection, pipelined ones too.

No timer is set for a request and no clock is read: the server looks at all connections once a second (`Intake.sweep`),
so what lasts too long is ended up to two seconds late.

Known limitation: a client that takes a little of its answer now and then keeps its connection, and what it asked for,
as long as it likes.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from turnout.config.settings import GatewaySettings
from turnout.doors.gateway.server.writing import HeadWithBody
from turnout.upstream.http.outbox import Outbox

logger = logging.getLogger(__name__)

_MOST_SURPLUS = 1024 * 1024
_FRAMING = 8
"""A body may take so many times its own bytes on the wire: chunks of one byte take six."""

_GOODBYE_S = 0.5
"""With TLS a client is to say goodbye when its connection closes, and need not."""

_IDLE, _HEAD, _BODY = range(3)

_Waits = tuple[Literal["reading", "closing", "sending"], int]
"""What a client is waited for, and how many bytes it has yet to read."""


class _Dropped(list[tuple[bytes, bytes]]):
    """Where trailers go: nowhere."""

    def append(self, field: tuple[bytes, bytes], /) -> None:
        pass


class Intake(HttpToolsProtocol):
    """One connection.

    Attributes:
        limits: How much is taken on by the connections of a server, whose class `intake_of` makes; may be replaced.
        outbox: Where the answers of all connections wait for the end of the event loop's turn.
        turned_away: How many connections were closed since the last sweep because there were too many.
    """

    limits: ClassVar[GatewaySettings]
    outbox: ClassVar[Outbox]
    turned_away: ClassVar[int] = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stage = _HEAD
        self._fresh = False
        """Whether the head began in the bytes at hand, whose part of it is then not known."""
        self._counted = self._wired = 0
        self._chunk, self._data = 0, b""
        self._moved = self._replaying = False
        self._status = 400
        self._serving: Any = None
        self._waits: _Waits | None = None
        self._since_s = 0.0

    @classmethod
    def sweep(cls, connections: Iterable[Any], now_s: float) -> None:
        """Close the connections whose clients are too slow.

        Args:
            connections: All of the server's.
            now_s: The time by its loop's clock.
        """
        if cls.turned_away:
            most = cls.limits.max_connections
            logger.warning("count=<%d>, most=<%d> | connections were turned away", cls.turned_away, most)
            cls.turned_away = 0
        for one in list(connections):
            one.look(now_s)

    def look(self, now_s: float) -> None:
        """Close the connection if its client has let it wait for too long."""
        waits = self._waited_for()
        if waits is None or waits != self._waits:
            self._waits, self._since_s = waits, now_s
            return
        limits, waited_s = self.limits, now_s - self._since_s
        match waits[0]:
            case "reading" if waited_s > limits.write_seconds:
                logger.info("what=<reading> | a slow client's connection was closed")
                self.transport.abort()
            case "closing" if waited_s > _GOODBYE_S:
                self.transport.abort()
            case "sending" if waited_s > limits.header_seconds:
                logger.info("what=<sending> | a slow client's connection was closed")
                if self._stage == _HEAD and self.scope is not None:
                    self._status = 408
                    self.send_400_response("The head of the request did not come in time.")
                else:
                    self.transport.close()

    def _waited_for(self) -> _Waits | None:
        closing = self.transport.is_closing()
        if closing or self.flow.write_paused:
            size = self.transport.get_write_buffer_size()
            return ("closing", 0) if closing and not size else ("reading", size)
        answered = self._serving is None or self._serving.response_complete
        # uvicorn lets go of a connection that rests, but for one on which blank lines came.
        rests = self._stage == _IDLE and self.timeout_keep_alive_task is not None
        return ("sending", 0) if answered and not rests and not self.flow.read_paused else None

    def connection_made(self, transport: Any) -> None:
        """A client has come; of too many the newest one is let go."""
        super().connection_made(transport)
        self.transport: Any = HeadWithBody(transport, self.outbox)
        if len(self.connections) > self.limits.max_connections:
            type(self).turned_away += 1
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        serving = self._serving
        if serving is not None and serving is not self.cycle and not serving.response_complete:
            serving.disconnected = True  # uvicorn tells the newest request alone
            serving.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._chunk, self._data = len(data), data
        self._wired += len(data)
        super().data_received(data)
        self._data = b""
        if self._stage == _IDLE or self.transport.is_closing():
            return
        if self._wired > _MOST_SURPLUS + _FRAMING * self.limits.max_body_bytes:
            self.transport.abort()
            return
        if self._fresh or self._moved:
            self._counted, self._fresh, self._moved = 0, False, False
            return
        self._counted += len(data)
        if self._counted > self.limits.max_header_bytes:
            self._status = 431 if self._stage == _HEAD else 400
            self.send_400_response("The request has too many bytes beside its body.")

    def _unsupported_upgrade_warning(self) -> None:
        """Serve the request as if it had not asked for another protocol: httptools has stopped at its head."""
        stopped = sys.exception()
        rest = self._data[stopped.args[0] :] if isinstance(stopped, httptools.HttpParserUpgrade) else b""
        self._stage, self._replaying = _BODY, True
        headers = self.scope["headers"]
        framing = [(name, value) for name, value in headers if name in (b"content-length", b"transfer-encoding")]
        self.parser = httptools.HttpRequestParser(self)
        # The head again, without what is not served: only its framing counts.
        fields = b"".join([b"%b: %b\r\n" % field for field in framing])
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % fields)
        self._replaying = False
        self.cycle.more_body = self._stage == _BODY
        if rest:
            self.data_received(rest)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too much; the connection closes."""
        if self.transport.is_closing():
            return
        serving = self._serving
        if serving is not None and serving.response_started and not serving.response_complete:
            self.transport.close()  # within an answer nothing else can be said
            return
        status, self._status = self._status, 400
        body = msg.encode("ascii")
        self.transport.write(
            b"%bcontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    # httptools' callbacks

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._replaying:
            return
        super().on_message_begin()
        self._stage, self._fresh, self._waits, self._counted = _HEAD, True, None, 0
        self._wired = self._chunk

    def on_url(self, url: bytes) -> None:
        """A piece of the path came."""
        if not self._replaying:
            super().on_url(url)

    def on_headers_complete(self) -> None:
        """A request's head is there."""
        if self._replaying:
            return
        most = self.limits.max_header_bytes
        if self._counted + self._chunk > most:
            size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers])
            if size > most:
                self._status = 431
                raise ValueError("the head of the request is too long")
        super().on_headers_complete()
        self._stage, self._fresh, self._waits, self._counted = _BODY, True, None, 0
        self.headers = _Dropped()

    def on_body(self, body: bytes) -> None:
        """A piece of the body came."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is at its end."""
        self._stage, self._counted, self._waits = _IDLE, 0, None
        if not self._replaying:
            super().on_message_complete()


def intake_of(limits: GatewaySettings, outbox: Outbox) -> type[Intake]:
    """The class of the connections of a server with these limits, whose answers wait there."""
    return type("Intake", (Intake,), {"limits": limits, "outbox": outbox})
