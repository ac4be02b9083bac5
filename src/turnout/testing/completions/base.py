"""What the two doubles share: a server on loopback, the calls that it keeps, and streams that break as scripted."""

from __future__ import annotations

import json
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from turnout.testing.completions.faults import Fault, FaultScript
from turnout.testing.completions.saying import Counter, Responder, Said, Tokens, count, respond
from turnout.testing.loopback import BodyError, LoopbackDouble, LoopbackHandler, LoopbackServer

_GARBAGE = bytes(range(200, 256)) * 4


@dataclass(kw_only=True)
class Call:
    """One call as it came in, and how it was answered.

    Attributes:
        method: The HTTP method.
        path: Path and query.
        headers: The headers, names in small letters.
        body: The body's bytes.
        request: The same as JSON.
        tokens: What was reported, as far as it was.
        status: The HTTP status of the answer; none where none was sent.
        events: How many events of a stream were sent.
        left: Set where the caller closed the connection before the answer's end.
        ended: Set when nothing more happens to it.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    request: Mapping[str, Any]
    tokens: Tokens | None = None
    status: int | None = None
    events: int = 0
    left: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    method: str = "POST"

    @property
    def model(self) -> str:
        """The model that was asked."""
        return str(self.request.get("model"))


class CompletionDouble(LoopbackDouble):
    """A simulated provider on loopback.

    Attributes:
        responder: What the models say.
        counter: What tokens they report.
        faults: What is to go wrong on the next calls.
        calls: The last calls, the newest last.
    """

    handler: ClassVar[type[CompletionHandler]]

    def __init__(
        self,
        responder: Responder = respond,
        *,
        counter: Counter = count,
        port: int = 0,
        calls_kept: int = 1000,
        body_limit: int = 50_000_000,
    ) -> None:
        """A double that has not been started.

        Args:
            responder: What the models say.
            counter: What tokens they report.
            port: The port on 127.0.0.1; 0 for any free one.
            calls_kept: How many of the last calls are kept.
            body_limit: The most bytes of a request's body.
        """
        super().__init__(port)
        self.responder = responder
        self.counter = counter
        self.faults = FaultScript()
        self.calls: deque[Call] = deque(maxlen=calls_kept)
        self._body_limit = body_limit

    def _listen(self, port: int) -> LoopbackServer:
        return CompletionServer(port, type(self).handler, self._body_limit, self)


class CompletionServer(LoopbackServer):
    """A server that knows its double."""

    def __init__(self, port: int, handler: type[LoopbackHandler], body_limit: int, double: CompletionDouble) -> None:
        self.double = double
        super().__init__(port, handler, body_limit)


class CompletionHandler(LoopbackHandler):
    """Reads a request, and answers it in the protocol of a subclass."""

    server: CompletionServer

    @abstractmethod
    def refused(self, call: Call) -> tuple[int, str] | None:
        """Status and message where the provider would refuse the call; else none."""

    @abstractmethod
    def error(self, status: int, message: str) -> dict[str, Any]:
        """The body of an error."""

    @abstractmethod
    def answer(self, call: Call, said: Said, tokens: Tokens) -> dict[str, Any]:
        """The body of an answer."""

    @abstractmethod
    def events(self, call: Call, said: Said, tokens: Tokens) -> Sequence[bytes]:
        """The events of a streamed answer."""

    @abstractmethod
    def error_event(self, call: Call, status: int, message: str) -> bytes:
        """An error within a stream."""

    def other(self, call: Call) -> dict[str, Any] | None:
        """The answer to a call for something else than a completion; none where it is for one."""
        return None

    def do_POST(self) -> None:
        """Answer one request."""
        try:
            raw = self.read_body(self.headers.get("content-length", ""))
        except BodyError as error:
            self.write_json(error.status, self.error(error.status, error.message))
            return
        try:
            request = json.loads(raw)
        except ValueError:
            self.write_json(400, self.error(400, "The body is no JSON."))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(path=self.path, headers=headers, body=raw, request=request)
        double = self.server.double
        double.calls.append(call)
        try:
            self._serve(call, double)
        except ConnectionError:
            call.left = True
            raise
        finally:
            call.ended.set()

    def _serve(self, call: Call, double: CompletionDouble) -> None:
        if (refused := self.refused(call)) is not None:
            self._fail(call, Fault(status=refused[0], message=refused[1]))
            return
        if (other := self.other(call)) is not None:
            self.write_json(200, other)
            return
        stream = bool(call.request.get("stream"))
        fault = double.faults.take(call.model, stream=stream)
        if fault is not None and fault.after_events is None:
            if not self._wait(call, fault.delay_s):
                return
            if fault.drop:
                self.drop()
                return
            if fault.status is not None:
                self._fail(call, fault)
                return
        said = double.responder(call.request)
        tokens = double.counter(call.request, said)
        call.status = 200
        call.tokens = tokens  # first: whoever has read the answer to its end looks at once
        if stream:
            self._stream(call, self.events(call, said, tokens), fault)
            return
        if fault is not None and fault.damage is not None:
            whole = json.dumps(self.answer(call, said, tokens)).encode()
            body = _GARBAGE if fault.damage == "garbage" else whole[: len(whole) // 2]
            self.write_head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
            self.wfile.write(body)
            self.wfile.flush()
            return
        self.write_json(200, self.answer(call, said, tokens), self.headers_of(200))

    def headers_of(self, status: int) -> dict[str, str]:
        """The headers that the provider gives answers of its own."""
        return {}

    def _fail(self, call: Call, fault: Fault) -> None:
        status = fault.status or 500
        call.status = status
        headers = self.headers_of(status)
        if fault.retry_after_s is not None:
            headers["Retry-After"] = f"{fault.retry_after_s:g}"
        self.write_json(status, self.error(status, fault.message), headers)

    def _stream(self, call: Call, events: Sequence[bytes], fault: Fault | None) -> None:
        framing = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        self.write_head(200, framing | self.headers_of(200))
        self.wfile.flush()
        breaks_at = len(events) if fault is None else min(fault.after_events or 0, len(events))
        for event in events[:breaks_at]:
            if not self._send(call, event):
                return
        if fault is not None and not self._break(call, fault, events[breaks_at:]):
            return
        self.wfile.write(b"0\r\n\r\n")

    def _break(self, call: Call, fault: Fault, rest: Sequence[bytes]) -> bool:
        """Do what the fault says; false if the connection is gone."""
        if not self._wait(call, fault.delay_s):
            return False
        if fault.drop:
            self.drop()
            return False
        if fault.status is not None:
            return self._send(call, self.error_event(call, fault.status, fault.message), counts=False)
        if fault.damage is not None:
            following = rest[0] if rest else b""
            bytes_ = _GARBAGE if fault.damage == "garbage" else following[: len(following) // 2]
            return not bytes_ or self._send(call, bytes_, counts=False)
        again_s = fault.delay_s if fault.slow else 0.0
        return all(self._send(call, event) and self._wait(call, again_s) for event in rest)

    def _send(self, call: Call, event: bytes, *, counts: bool = True) -> bool:
        if self.is_gone():
            call.left = True
            self.close_connection = True
            return False
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.flush()
        call.events += counts
        return True

    def _wait(self, call: Call, seconds: float) -> bool:
        """Wait; false if the caller left meanwhile."""
        if self.wait(seconds):
            return True
        call.left = True
        return False
