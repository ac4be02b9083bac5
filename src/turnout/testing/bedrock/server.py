"""The double's HTTP, as Bedrock speaks it.

Its paths (``POST /model/{modelId}/converse``, ``.../converse-stream``, ``.../invoke``,
``.../invoke-with-response-stream``, ``.../count-tokens``), its errors
(``x-amzn-errortype`` and a JSON body with ``message``) and its event streams, sent event by event as chunks.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from turnout.testing.bedrock import eventstream
from turnout.testing.bedrock.engine import Engine, Exchange
from turnout.testing.bedrock.errors import BedrockError, invalid
from turnout.testing.bedrock.shapes import error_statuses, stream_errors
from turnout.testing.loopback import BodyError, ConnectionDropError, LoopbackHandler, LoopbackServer

_OPERATIONS = {
    "converse": "Converse",
    "converse-stream": "ConverseStream",
    "count-tokens": "CountTokens",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
}
_ROUTE = re.compile(rf"/model/(?P<model>.+)/(?P<operation>{'|'.join(_OPERATIONS)})")
_GARBAGE = bytes(range(200, 256)) * 4
_BODY_ERRORS = {411: "ValidationException", 413: "RequestEntityTooLargeException"}


class BedrockServer(LoopbackServer):
    """A server whose requests an engine answers."""

    def __init__(self, port: int, engine: Engine, body_limit: int) -> None:
        self.engine = engine
        super().__init__(port, Handler, body_limit)


class Handler(LoopbackHandler):
    """Reads a request, lets the engine answer it, writes the answer; a stream is flushed after every event."""

    server: BedrockServer
    server_version = "turnout-simulated-bedrock"
    default_request_version = "HTTP/1.0"  # an unreadable request is answered with headers too

    def do_POST(self) -> None:
        """Answer one request."""
        try:
            raw = self._raw_body()
            request = _object_of(raw)
            operation, model_id = self._route()
            if not self.headers.get("authorization"):
                raise BedrockError("AccessDeniedException", "Missing Authentication Token")
            reply = self.server.engine.serve(operation, model_id, request, self._wait, raw)
        except BedrockError as error:
            self._write_error(error)
        except ConnectionDropError:
            self.drop()
        except ConnectionError:
            self.server.engine.caller_left()
            raise
        else:
            if isinstance(reply, dict):
                self.write_json(200, reply)
            elif operation in ("Converse", "InvokeModel"):
                reply.first_byte()
                self._write_answer(reply)
            else:
                try:
                    self._write_stream(reply)
                except ConnectionError:
                    self.server.engine.caller_left()
                    raise

    def _wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            ConnectionAbortedError: The caller left meanwhile.
        """
        if not self.wait(seconds):
            raise ConnectionAbortedError("the caller left before the end of its answer")

    def _refuse_method(self) -> None:
        self.drain(self.headers.get("content-length", ""))
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

    def _raw_body(self) -> bytes:
        try:
            return self.read_body(self.headers.get("content-length", ""))
        except BodyError as error:
            raise BedrockError(_BODY_ERRORS[error.status], error.message, status=error.status) from None

    def _write_error(self, error: BedrockError, headers: dict[str, str] | None = None) -> None:
        status = error.status or error_statuses()[error.code]
        self.write_json(status, {"message": error.message}, {"x-amzn-errortype": error.code} | (headers or {}))

    def _write_answer(self, exchange: Exchange) -> None:
        if exchange.fault is None:
            self.write_json(200, exchange.body(), _counts(exchange))
            return
        whole = json.dumps(exchange.body()).encode()
        body = _GARBAGE if exchange.fault.damage == "garbage" else whole[: len(whole) // 2]
        self.write_head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)
        self.wfile.flush()

    def _write_stream(self, exchange: Exchange) -> None:
        chunked = self.request_version != "HTTP/1.0"
        self.close_connection |= not chunked
        framing = {"Transfer-Encoding": "chunked"} if chunked else {}
        if exchange.model is not None:
            framing["X-Amzn-Bedrock-Content-Type"] = "application/json"
        self.write_head(200, {"Content-Type": eventstream.CONTENT_TYPE} | framing)

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
        if fault.after_events is not None:
            self._wait(fault.delay_s)
        if fault.damage is not None:
            following = b"".join(frames[breaks_at : breaks_at + 1])
            send(_GARBAGE if fault.damage == "garbage" or not following else following[: len(following) // 2])
            return True
        if fault.drop:
            self.drop()
            return False
        if fault.error is not None:
            payload = json.dumps({"message": fault.message}).encode()
            send(eventstream.exception(stream_errors()[fault.error], payload))
            return True
        for frame in frames[breaks_at:]:
            send(frame)
            if fault.slow and fault.after_events is not None:
                self._wait(fault.delay_s)
        return True

    def write_head(self, status: int, headers: Mapping[str, str]) -> None:
        """Write the head of an answer, with the id that Bedrock gives each request."""
        super().write_head(status, {"x-amzn-RequestId": str(uuid.uuid4()), **headers})

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses by itself (bad request lines, unknown methods), in Bedrock's shape."""
        self.close_connection = True
        if code == 501:  # an unknown method, whose headers were read
            self.drain(self.headers.get("content-length", ""))
        error = "UnknownOperationException" if code == 501 else "ValidationException"
        self._write_error(BedrockError(error, message or "The request could not be read.", status=code))


def _object_of(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise invalid(f"The request body is a JSON {type(body).__name__}, not an object.")
    return body


def _counts(exchange: Exchange) -> dict[str, str]:
    """The headers that InvokeModel reports usage in, beside the body."""
    if exchange.model is None:
        return {}
    return {
        "X-Amzn-Bedrock-Input-Token-Count": str(exchange.usage["inputTokens"]),
        "X-Amzn-Bedrock-Output-Token-Count": str(exchange.usage["outputTokens"]),
        "X-Amzn-Bedrock-Invocation-Latency": str(exchange.latency_ms),
    }
