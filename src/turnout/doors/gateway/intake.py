"""One connection of a client, with the bounds that uvicorn's own protocol leaves open.

httptools refuses what makes HTTP ambiguous: a length beside chunks, two lengths, line folds, bare line feeds, blanks
before a colon. What it lets through without an end is bounded here:

- the head of a request: its bytes (431) and how long it may take to come (408);
- what a chunked body holds beside its data: chunk extensions and trailers, which are never taken for headers;
- requests that go on although they were answered, clients that do not take their answer, and connections that say
  nothing;
- an ``Upgrade`` that is not served is passed over, as RFC 9110 (section 7.8) allows: the request is served with its
  body, which Java's client sends so.

A client that leaves is seen by every request that it has under way on the connection, pipelined ones too.

Known limitation: no bound on how many connections there are, but that of the system.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from turnout.config.extras import require

MOST_HEAD_BYTES = 64 * 1024
"""The most bytes of a request's line and headers together."""

TICK_S = 20.0
"""How often a connection is looked at: what must not last is ended after one to two times as long."""

_IDLE, _HEAD, _BODY = range(3)


class _Dropped(list[tuple[bytes, bytes]]):
    """Where trailers go: nowhere."""

    def append(self, field: tuple[bytes, bytes], /) -> None:
        pass


def intake_of(*, most_head_bytes: int = MOST_HEAD_BYTES, tick_s: float = TICK_S) -> type[asyncio.Protocol]:
    """The class of a server's connections, for uvicorn.

    Args:
        most_head_bytes: The most bytes of a request's line and headers.
        tick_s: How often a connection is looked at.

    Raises:
        MissingExtraError: The extra ``gateway`` is not installed.
    """
    for module in ("uvicorn", "httptools"):
        require(module, extra="gateway")
    import httptools
    from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

    class Intake(HttpToolsProtocol):
        """One connection."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._stage = _HEAD
            self._fresh = False
            """Whether the head began in the bytes at hand, whose part of it is then not known."""
            self._counted = 0
            self._chunk, self._data = 0, b""
            self._moved = self._aged = self._replaying = False
            self._stuck = -1
            self._status = 400
            self._serving: Any = None
            self._ticking: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self._ticking = self.loop.call_later(tick_s, self._tick)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._ticking is not None:
                self._ticking.cancel()
                self._ticking = None
            serving = self._serving
            if serving is not None and serving is not self.cycle and not serving.response_complete:
                serving.disconnected = True  # uvicorn tells the newest request alone
                serving.message_event.set()
            self.pipeline.clear()
            super().connection_lost(exc)
            self._unset_keepalive_if_required()

        def data_received(self, data: bytes) -> None:
            self._chunk, self._data = len(data), data
            super().data_received(data)
            self._data = b""
            if self._stage == _IDLE or self.transport.is_closing():
                return
            if self._fresh or self._moved:
                self._counted, self._fresh, self._moved = 0, False, False
                return
            self._counted += len(data)
            if self._counted > most_head_bytes:
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

        def _tick(self) -> None:
            self._ticking = self.loop.call_later(tick_s, self._tick)
            if self.flow.write_paused:
                waiting = self.transport.get_write_buffer_size()
                if waiting == self._stuck:
                    self.transport.abort()
                    return
                self._stuck = waiting
            else:
                self._stuck = -1
            answered = self._serving is None or self._serving.response_complete
            ends = self._stage == _HEAD or (answered and (self._stage == _BODY or self.timeout_keep_alive_task is None))
            if not ends or self.flow.read_paused:
                self._aged = False
            elif not self._aged:
                self._aged = True
            elif self._stage == _HEAD and answered and self.scope is not None:
                self._status = 408
                self.send_400_response("The head of the request did not come in time.")
            else:
                self.transport.close()

        # httptools' callbacks

        def on_message_begin(self) -> None:
            if self._replaying:
                return
            super().on_message_begin()
            self._stage, self._fresh, self._aged, self._counted = _HEAD, True, False, 0

        def on_url(self, url: bytes) -> None:
            if not self._replaying:
                super().on_url(url)

        def on_headers_complete(self) -> None:
            if self._replaying:
                return
            if self._counted + self._chunk > most_head_bytes:
                size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers])
                if size > most_head_bytes:
                    self._status = 431
                    raise ValueError("the head of the request is too long")
            super().on_headers_complete()
            self._stage, self._fresh, self._aged, self._counted = _BODY, True, False, 0
            self.headers = _Dropped()

        def on_body(self, body: bytes) -> None:
            self._moved = True
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._stage, self._counted, self._aged = _IDLE, 0, False
            if not self._replaying:
                super().on_message_complete()

    return Intake
