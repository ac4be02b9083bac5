"""The double's HTTP: HTTP/1.1 with keep-alive on loopback, one thread a connection."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from turnout.testing.langfuse.api import Request
from turnout.testing.langfuse.errors import ApiError, ConnectionDropError

logger = logging.getLogger(__name__)

SIMULATED_HEADER = "x-turnout-simulated"
Serve = Callable[[Request, str], tuple[int, Any]]
"""Answers a request, given its ``authorization`` header too."""

_KEYS = ("authorization", "x-langfuse-public-key")
_JOIN_SECONDS = 5.0
_DRAIN_BYTES = 64 * 1024


class LoopbackServer(ThreadingHTTPServer):
    """A server that closes its connections and ends their threads when it is closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, serve: Serve, body_limit: int) -> None:
        self.serve_request = serve
        self.body_limit = body_limit
        self.closing = threading.Event()
        self._connections: dict[socket.socket, threading.Thread | None] = {}
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

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


class Handler(BaseHTTPRequestHandler):
    """Reads a request, lets the double answer it, writes the answer."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 300  # seconds without a byte from the client

    def _handle(self) -> None:
        try:
            status, body = self.server.serve_request(self._request(), self.headers.get("authorization", ""))
        except ApiError as error:
            retry = {} if error.retry_after_s is None else {"Retry-After": f"{error.retry_after_s:g}"}
            self._write(error.status, {"message": error.message, "error": "ApiError"}, retry)
        except ConnectionDropError:
            self.close_connection = True
            _shut(self.connection)
        else:
            self._write(status, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle

    def _request(self) -> Request:
        length = self.headers.get("content-length", "0")
        if not length.isdecimal():
            self.close_connection = True
            raise ApiError(411, "the request needs a Content-Length")
        if int(length) > self.server.body_limit:
            self._drain(int(length))
            raise ApiError(413, f"the request is larger than {self.server.body_limit} bytes")
        raw = self.rfile.read(int(length))
        if len(raw) < int(length):
            raise ConnectionAbortedError("the client went away before the end of its request")
        address = urlsplit(self.path)
        return Request(
            method=self.command,
            path=address.path,
            query=parse_qs(address.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items() if name.lower() not in _KEYS},
            raw=raw,
        )

    def _drain(self, length: int) -> None:
        # A client that still sends would see a reset instead of the error; up to a bound it is let finish.
        self.close_connection = True
        left = min(length, 4 * self.server.body_limit)
        while left > 0 and (part := self.rfile.read(min(left, _DRAIN_BYTES))):
            left -= len(part)

    def _write(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header(SIMULATED_HEADER, "true")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def version_string(self) -> str:
        """The ``Server`` header."""
        return "turnout-simulated-langfuse"

    def log_message(self, format: str, *args: Any) -> None:
        """Only for those who ask: the standard library would write to stderr. Headers are never logged."""
        logger.debug("client=<%s> | %s", self.client_address[0], format % args)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("the connection was already closed")
