"""The double's HTTP: HTTP/1.1 with keep-alive on loopback, one thread a connection.

Bedrock's paths (``POST /model/{modelId}/converse``, ``.../converse-stream``, ``.../count-tokens``), its errors
(``x-amzn-errortype`` and a JSON body with ``message``) and its event streams, sent event by event as chunks.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from turnout.testing.bedrock import eventstream
from turnout.testing.bedrock.engine import ConnectionDropError, Engine, Exchange
from turnout.testing.bedrock.errors import BedrockError, invalid
from turnout.testing.bedrock.shapes import error_statuses, stream_errors

logger = logging.getLogger(__name__)

SIMULATED_HEADER = "x-turnout-simulated"
_ROUTE = re.compile(r"/model/(?P<model>.+)/(?P<operation>converse|converse-stream|count-tokens)")
_OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream", "count-tokens": "CountTokens"}
_JOIN_SECONDS = 5.0
_DRAIN_BYTES = 64 * 1024


class LoopbackServer(ThreadingHTTPServer):
    """A server that closes its connections and ends their threads when it is closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, engine: Engine, body_limit: int) -> None:
        self.engine = engine
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
    """Reads a request, lets the engine answer it, writes the answer."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # an unreadable request is answered with headers too
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, so that headers and body leave in one piece; flushed after every event of a stream
    timeout = 300  # seconds without a byte from the client

    def do_POST(self) -> None:
        """Answer one request."""
        try:
            request = self._body()
            operation, model_id = self._route()
            if not self.headers.get("authorization"):
                raise BedrockError("AccessDeniedException", "Missing Authentication Token")
            reply = self.server.engine.serve(operation, model_id, request, self.server.closing.wait)
        except BedrockError as error:
            self._write_error(error)
        except ConnectionDropError:
            self._drop()
        else:
            if isinstance(reply, dict):
                self._write(200, reply)
            elif operation == "Converse":
                reply.first_byte()
                self._write(200, reply.body())
            else:
                self._write_stream(reply)

    def _refuse_method(self) -> None:
        self._drain(self.headers.get("content-length", ""))
        message = f"{self.command} is not supported; use POST /model/{{modelId}}/converse"
        self._write_error(BedrockError("UnknownOperationException", message, status=405), {"Allow": "POST"})

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method

    def _route(self) -> tuple[str, str]:
        match = _ROUTE.fullmatch(self.path.partition("?")[0])
        if match is None:
            known = ", ".join(f"/model/{{modelId}}/{name}" for name in _OPERATIONS)
            raise BedrockError(
                "UnknownOperationException", f"There is nothing at this path; there is {known}.", status=404
            )
        return _OPERATIONS[match["operation"]], unquote(match["model"])

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            self.close_connection = True
            raise BedrockError("ValidationException", "The request needs a Content-Length.", status=411)
        if int(length) > self.server.body_limit:
            self._drain(length)
            message = f"The request is larger than {self.server.body_limit} bytes."
            raise BedrockError("RequestEntityTooLargeException", message, status=413)
        raw = self.rfile.read(int(length))
        if len(raw) < int(length):
            raise ConnectionAbortedError("the client went away before the end of its request")
        try:
            body = json.loads(raw or b"{}")
        except (ValueError, RecursionError) as error:
            raise invalid(f"The request body is not valid JSON: {error}") from None
        if not isinstance(body, dict):
            raise invalid(f"The request body is a JSON {type(body).__name__}, not an object.")
        return body

    def _drain(self, length: str) -> None:
        # A client that still sends would see a reset instead of the error; up to a bound it is let finish.
        self.close_connection = True
        left = min(int(length), 4 * self.server.body_limit) if length.isdecimal() else 0
        while left > 0 and (part := self.rfile.read(min(left, _DRAIN_BYTES))):
            left -= len(part)

    def _write(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        payload = json.dumps(body).encode()
        self._start(status, {"Content-Type": "application/json", "Content-Length": str(len(payload))} | (headers or {}))
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def _write_error(self, error: BedrockError, headers: dict[str, str] | None = None) -> None:
        status = error.status or error_statuses()[error.code]
        self._write(status, {"message": error.message}, {"x-amzn-errortype": error.code} | (headers or {}))

    def _write_stream(self, exchange: Exchange) -> None:
        chunked = self.request_version != "HTTP/1.0"
        self.close_connection |= not chunked
        framing = {"Transfer-Encoding": "chunked"} if chunked else {}
        self._start(200, {"Content-Type": eventstream.CONTENT_TYPE} | framing)

        def send(frame: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame) if chunked else frame)
            self.wfile.flush()

        exchange.first_byte()
        self.wfile.flush()
        if self._stream(exchange, send) and chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _stream(self, exchange: Exchange, send: Callable[[bytes], None]) -> bool:
        """Send the events; false if the connection was dropped."""
        fault = exchange.fault
        frames = [eventstream.event(name, json.dumps(payload).encode()) for name, payload in exchange.events()]
        breaks_at = len(frames) if fault is None else min(fault.after_events or 0, len(frames))
        for frame in frames[:breaks_at]:
            send(frame)
        if fault is None:
            return True
        self.server.closing.wait(fault.delay_s)
        if fault.drop:
            self._drop()
            return False
        if fault.error is not None:
            payload = json.dumps({"message": fault.message}).encode()
            send(eventstream.exception(stream_errors()[fault.error], payload))
            return True
        for frame in frames[breaks_at:]:
            send(frame)
        return True

    def _drop(self) -> None:
        self.close_connection = True
        _shut(self.connection)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header(SIMULATED_HEADER, "true")
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses by itself (bad request lines, unknown methods), in Bedrock's shape."""
        self.close_connection = True
        if code == 501:  # an unknown method, whose headers were read
            self._drain(self.headers.get("content-length", ""))
        error = "UnknownOperationException" if code == 501 else "ValidationException"
        self._write_error(BedrockError(error, message or "The request could not be read.", status=code))

    def version_string(self) -> str:
        """The ``Server`` header."""
        return "turnout-simulated-bedrock"

    def log_message(self, format: str, *args: Any) -> None:
        """Only for those who ask: the standard library would write to stderr. Headers are never logged."""
        logger.debug("client=<%s> | %s", self.client_address[0], format % args)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("the connection was already closed")
