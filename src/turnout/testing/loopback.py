"""What the doubles share: an HTTP/1.1 server on loopback with keep-alive, one thread a connection.

`LoopbackDouble` starts and stops one, `LoopbackServer` listens, and a `LoopbackHandler` of the double's own answers.
Every response carries ``x-turnout-simulated: true``; headers of requests are never logged.
"""

from __future__ import annotations

import json
import logging
import select
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

logger = logging.getLogger(__name__)

SIMULATED_HEADER = "x-turnout-simulated"
_HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_WAIT_POLL_SECONDS = 0.005
_JOIN_SECONDS = 5.0
_DRAIN_BYTES = 64 * 1024


class ConnectionDropError(Exception):
    """A scripted fault: the connection is to be closed without an answer."""


class BodyError(Exception):
    """A request's body that is not read.

    Attributes:
        status: The HTTP status: 411 without a length, 413 above the limit.
        message: What the caller reads.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class LoopbackServer(ThreadingHTTPServer):
    """A server that closes its connections and ends their threads when it is closed.

    Args:
        port: The port on 127.0.0.1; 0 for any free one.
        handler: Answers the requests of one connection.
        body_limit: The most bytes of a request's body.

    Attributes:
        closing: Set when it closes: what a handler waits with, so that no wait outlives the server.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[LoopbackHandler], body_limit: int) -> None:
        self.body_limit = body_limit
        self.closing = threading.Event()
        self._connections: dict[socket.socket, threading.Thread | None] = {}
        self._connections_lock = threading.Lock()
        super().__init__((_HOST, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the thread of one connection."""
        with self._connections_lock:
            self._connections[request] = None
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handle one connection; it is remembered while it lasts."""
        with self._connections_lock:
            self._connections[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._connections_lock:
                self._connections.pop(request, None)

    def server_close(self) -> None:
        """Close the port and all connections; a handler that is busy has five seconds to end."""
        self.closing.set()
        super().server_close()
        with self._connections_lock:
            connections = dict(self._connections)
        for connection in connections:
            _shut(connection)
        for thread in connections.values():
            if thread is not None:
                thread.join(_JOIN_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error; anything else is logged, without the request."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            logger.error("error=<%s> | a request could not be handled", type(error).__name__, exc_info=error)


class LoopbackHandler(BaseHTTPRequestHandler):
    """Reads requests of one connection and writes answers; what is answered is a double's own affair.

    A double sets ``server_version`` and the methods ``do_...``.
    """

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, so that headers and body leave in one piece
    timeout = 300  # seconds without a byte from the client

    def read_body(self, length: str) -> bytes:
        """The request's body.

        Args:
            length: Its ``Content-Length``, or what holds where there is none.

        Raises:
            BodyError: The length is no number or above the limit.
            ConnectionAbortedError: The client went away before its end.
        """
        if not length.isdecimal():
            self.close_connection = True
            raise BodyError(411, "The request needs a Content-Length.")
        if int(length) > self.server.body_limit:
            self.drain(length)
            raise BodyError(413, f"The request is larger than {self.server.body_limit} bytes.")
        raw = self.rfile.read(int(length))
        if len(raw) < int(length):
            raise ConnectionAbortedError("the client went away before the end of its request")
        return raw

    def drain(self, length: str) -> None:
        """Read a body away and close the connection after the answer.

        A client that still sends would see a reset instead of the answer; up to a bound it is let finish.
        """
        self.close_connection = True
        left = min(int(length), 4 * self.server.body_limit) if length.isdecimal() else 0
        while left > 0 and (part := self.rfile.read(min(left, _DRAIN_BYTES))):
            left -= len(part)

    def write_head(self, status: int, headers: Mapping[str, str]) -> None:
        """Write the head of an answer."""
        self.send_response(status)
        self.send_header(SIMULATED_HEADER, "true")
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def write_json(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Write a whole answer; to ``HEAD`` without its body."""
        payload = json.dumps(body).encode()
        framing = {"Content-Type": "application/json", "Content-Length": str(len(payload))}
        self.write_head(status, {**framing, **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def drop(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        _shut(self.connection)

    def wait(self, seconds: float) -> bool:
        """Wait; false, and the connection is done with, if the caller left meanwhile."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0 and not self.server.closing.wait(min(left, _WAIT_POLL_SECONDS)):
            if self.is_gone():
                self.close_connection = True
                return False
        return True

    def is_gone(self) -> bool:
        """Whether the caller has closed the connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def version_string(self) -> str:
        """The ``Server`` header."""
        return self.server_version

    def log_message(self, format: str, *args: Any) -> None:
        """Only for those who ask: the standard library would write to stderr. Headers are never logged."""
        logger.debug("client=<%s> | %s", self.client_address[0], format % args)


class LoopbackDouble(ABC):
    """A double that serves on loopback while it runs: in a ``with`` statement, or between `start` and `stop`.

    Args:
        port: The port on 127.0.0.1; 0 for any free one.

    Attributes:
        simulated: Always true: label what you show from it.
        service: The name of what it stands in for.
    """

    simulated = True
    service: ClassVar[str]

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: LoopbackServer | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def _listen(self, port: int) -> LoopbackServer:
        """A server of this double that listens on that port.

        Raises:
            OSError: The port is taken.
        """

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:43121``.

        Raises:
            RuntimeError: It has not been started.
        """
        if self._server is None:
            raise RuntimeError(f"the {self.service} double is not running: use it in a with statement, or call start()")
        return f"http://{_HOST}:{self._server.server_port}"

    def start(self) -> Self:
        """Listen.

        Raises:
            OSError: The port is taken.
            RuntimeError: It is running already.
        """
        if self._server is not None:
            raise RuntimeError(f"the {self.service} double is already running at {self.url}")
        self._server = self._listen(self._port)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": _POLL_SECONDS},
            name=f"{self.service.lower()}-double",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection. Nothing happens if it is not running."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("the connection was already closed")
