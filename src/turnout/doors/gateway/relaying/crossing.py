"""One attempt at a candidate whose provider speaks another protocol than the client.

What goes there and back is written by `turnout.messages.translation`; here is what stands around the bodies: headers,
what an answer says of itself, and errors, in the client's protocol.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from turnout.core.catalog import Model
from turnout.core.usage import Usage, UsageError
from turnout.messages.portability import protocol_of
from turnout.messages.translation.answers import StreamTranslator, answer
from turnout.messages.translation.parts import About
from turnout.messages.translation.requests import sent
from turnout.messages.wire import eventstream, sse
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.errors import Problem
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.splice import Body
from turnout.router import Routed
from turnout.upstream.errors import Failure, TruncatedStreamError
from turnout.upstream.http.errors import AnswerError, EventError, RemoteProtocolError
from turnout.upstream.http.headers import IDENTITY

Headers = list[tuple[bytes, bytes]]

_JSON = b"application/json"
_STREAMS = {
    WireProtocol.OPENAI_CHAT: sse.CONTENT_TYPE.encode(),
    WireProtocol.ANTHROPIC: sse.CONTENT_TYPE.encode(),
    WireProtocol.CONVERSE: eventstream.CONTENT_TYPE.encode(),
    WireProtocol.INVOKE: eventstream.CONTENT_TYPE.encode(),
}
_REQUEST_IDS = {
    WireProtocol.OPENAI_CHAT: b"x-request-id",
    WireProtocol.ANTHROPIC: b"request-id",
    WireProtocol.CONVERSE: b"x-amzn-requestid",
    WireProtocol.INVOKE: b"x-amzn-requestid",
}
_GO_ON = frozenset({b"traceparent", b"tracestate", b"baggage"})
"""Headers that mean the same to every provider."""

_VERSION = (b"anthropic-version", b"2023-06-01")
_STATUSES = {
    "AccessDeniedException": 403,
    "APITimeoutError": 504,
    "InternalServerError": 500,
    "InternalServerException": 500,
    "ModelErrorException": 502,
    "ModelNotReadyException": 503,
    "ModelStreamErrorException": 502,
    "ModelTimeoutException": 504,
    "OverloadedError": 529,
    "RateLimitError": 429,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 429,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "TooManyRequestsException": 429,
    "ValidationException": 400,
}
"""What a provider's word means as a status, where it may come without one of its own or with an odd one."""

_CODES = {400: "invalid_request", 403: "permission_denied", 404: "not_found", 413: "request_too_large"}
_OVERFLOW = {
    WireProtocol.OPENAI_CHAT: "This model's maximum context length is {window} tokens",
    WireProtocol.ANTHROPIC: "prompt is too long",
    WireProtocol.CONVERSE: "Input is too long for requested model.",
    WireProtocol.INVOKE: "Input is too long for requested model.",
}
"""The words by which each protocol's clients know that a prompt was too long."""

_MOST_MESSAGE = 2_000
_ANY = msgspec.json.Decoder(Any)


class Crossing:
    """A request at a provider that speaks another protocol.

    Args:
        asked: The request, in the client's.
        protocol: The provider's.
        routed: The decision that it serves.
        source: The model that wrote the newest answer of the conversation; none where that is not known.
        called: What the provider calls the model, where it has a name of its own for it.

    Attributes:
        body: The body for the provider.

    Raises:
        ValueError: It cannot be written in that protocol; an eligible candidate's can.
    """

    def __init__(
        self, asked: Asked, protocol: WireProtocol, routed: Routed, source: Model | None, *, called: str = ""
    ) -> None:
        self._door = asked.protocol
        self._protocol = protocol
        self._stream = asked.stream
        self._model = routed.model
        encoded = sent(asked, protocol, source, routed.model, routed.decision.edits)
        if encoded.body is None:
            raise ValueError(f"{routed.model.id} is not eligible: {', '.join(encoded.refusals)}")
        self.body = encoded.body
        if called and called != routed.model.model_id and "model" in (written := Body(encoded.body)):
            self.body = written.edited(replace={"model": msgspec.json.encode(called)})
        self._began_s = time.monotonic()
        self._about = About(
            id=routed.event_id,
            model=routed.model.model_id,
            created_s=int(time.time()),
            wants_usage=asked.wants_usage,
            keeps_thinking=protocol_of(routed.model).claude,
        )
        self._translator = StreamTranslator(protocol, self._door, self._about)

    def request_headers(self, given: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The headers for the provider: of the client's those that mean the same everywhere."""
        kept = [field for field in given if field[0] in _GO_ON]
        if self._protocol is WireProtocol.ANTHROPIC:
            kept.append(_VERSION)
        accepted = _STREAMS[self._protocol] if self._stream else _JSON
        return [*kept, (b"content-type", _JSON), (b"accept", accepted), IDENTITY]

    def answer_headers(self, given: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The headers of an answer that began well: its type, and the provider's own id for the request."""
        return [(b"content-type", _STREAMS[self._door] if self._stream else _JSON), *self._request_id(given)]

    def error_headers(self, given: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The headers of an error beside those of its own shape."""
        return self._request_id(given)

    def answer(self, data: bytes, reader: Any) -> bytes:
        """A whole answer, as the client has it.

        Raises:
            RemoteProtocolError: It is none of the provider's protocol.
        """
        try:
            return answer(
                self._protocol,
                self._door,
                data,
                usage=_usage_of(reader),
                about=self._about,
                latency_ms=self._latency_ms(),
            )
        except MalformedStreamError as error:
            raise RemoteProtocolError(str(error)) from error

    def feed(self, event: Any) -> bytes:
        """The client's bytes of an event of the stream.

        Raises:
            MalformedStreamError: It is none of the provider's protocol.
        """
        return self._translator.feed(event)

    def end(self, reader: Any) -> bytes:
        """The client's bytes of the stream's end, once.

        Raises:
            TruncatedStreamError: The answer has not come to its own.
        """
        if not self._translator.finished:
            raise TruncatedStreamError("the stream ended before its answer did")
        return self._translator.end(_usage_of(reader), self._latency_ms())

    def problem(self, error: AnswerError | EventError, failure: Failure) -> Problem:
        """What the client is told of a provider's error."""
        known = error.status if isinstance(error, AnswerError) else 502
        status = _STATUSES.get(failure.name, known)
        if status == 529 and self._door is not WireProtocol.ANTHROPIC:
            status = 503
        said = _message_of(error.body if isinstance(error, AnswerError) else error.raw)
        if failure.kind == "overflow":
            words = _OVERFLOW[self._door].format(window=self._model.context_window)
            message = words if not said or said == words else f"{words}: {said}"
            return Problem(status=400, code="context_length_exceeded", message=message)
        code = "rate_limit_exceeded" if status == 429 else _CODES.get(status, "upstream_failed")
        message = said or f"{self._model.id}: {failure.name}"
        return Problem(status=status, code=code, message=message, retry_after_s=failure.retry_after_s)

    def _request_id(self, given: Iterable[tuple[bytes, bytes]]) -> Headers:
        theirs = set(_REQUEST_IDS.values())
        found = next((value for name, value in given if name in theirs), self._about.id.encode())
        return [(_REQUEST_IDS[self._door], found)]

    def _latency_ms(self) -> int:
        return round((time.monotonic() - self._began_s) * 1000)


def _usage_of(reader: Any) -> Usage | None:
    """What was reported; a report that contradicts itself is none, which the call's record tells of."""
    try:
        usage: Usage | None = reader.usage
    except UsageError:
        return None
    return usage


def _message_of(data: bytes) -> str:
    """A provider's own words."""
    try:
        value = _ANY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    inner = value.get("error")
    held = inner if isinstance(inner, dict) else value
    for name in ("message", "Message", "detail"):
        if isinstance(said := held.get(name), str):
            return said[:_MOST_MESSAGE]
    return inner[:_MOST_MESSAGE] if isinstance(inner, str) else ""
