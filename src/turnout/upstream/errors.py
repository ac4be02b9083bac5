"""What the error of a model call means: whose it is, whether to try again, and what it may have cost.

Errors are told by name and status, so that no SDK is imported. There are four kinds:

- ``caller``: the request itself is refused (400, 403, 404, ...). It goes to the caller as it is, and nowhere else.
- ``overflow``: the prompt is longer than the model's window. The caller's too, but a model with a larger one may serve.
- ``retryable``: throttling, time-outs, 5xx, a model that is not ready, broken connections and streams.
- ``fatal``: everything else, such as missing credentials or a fault in the program. It goes to the caller as it is.

Sources: the error lists of Bedrock's Converse and ConverseStream, botocore's exceptions, the exception classes of the
openai and anthropic SDKs and of Strands Agents, read 2026-11.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import msgspec

FailureKind = Literal["caller", "overflow", "retryable", "fatal"]
"""Whose error it is; see the module."""

_THROTTLED = {
    "ThrottlingException",
    "TooManyRequestsException",
    "ServiceQuotaExceededException",
    # Strands; openai, anthropic
    "ModelThrottledException",
    "RateLimitError",
    "OverloadedError",
}
"""The upstream says that it has had enough: a moment later it will say so again."""

_TIMED_OUT = {
    "ModelTimeoutException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ModelNotReadyException",
    # botocore, openai, anthropic, httpx
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "APITimeoutError",
    "ConnectTimeout",
    "ReadTimeout",
    # Python, and what is its own
    "TimeoutError",
    "StalledError",
}
"""It has taken its time already."""

_RETRYABLE = {
    *_THROTTLED,
    *_TIMED_OUT,
    "ServiceUnavailableException",
    "InternalServerException",
    "ModelErrorException",
    "ModelStreamErrorException",
    # botocore
    "EndpointConnectionError",
    "ConnectionClosedError",
    "HTTPClientError",
    "ProxyConnectionError",
    "SSLError",
    "IncompleteReadError",
    "ResponseParserError",
    "ResponseStreamingError",
    # botocore's event streams: bytes that are no event
    "ChecksumMismatch",
    "DuplicateHeader",
    "InvalidHeadersLength",
    "InvalidPayloadLength",
    "NoInitialResponseError",
    # openai, anthropic, httpx, urllib3
    "APIConnectionError",
    "InternalServerError",
    "ServiceUnavailableError",
    "ConnectError",
    "ReadError",
    "RemoteProtocolError",
    "ProtocolError",
    "IncompleteRead",
    # Python, where the bytes of an answer are none; and what is its own
    "UnicodeDecodeError",
    "JSONDecodeError",
    "ConnectionError",
    "TruncatedStreamError",
}

_CALLER = {
    "ValidationException",
    "AccessDeniedException",
    "ResourceNotFoundException",
    "UnknownOperationException",
    "RequestEntityTooLargeException",
    "ParamValidationError",
    # openai, anthropic
    "BadRequestError",
    "PermissionDeniedError",
    "NotFoundError",
    "RequestTooLargeError",
    "UnprocessableEntityError",
}

_OVERFLOW = {"ContextWindowOverflowException", "context_length_exceeded"}
_OVERFLOW_MESSAGES = (
    "Input is too long for requested model",
    "input length and `max_tokens` exceed context limit",
    "too many total text bytes",
    "prompt is too long",
    "This model's maximum context length is",
)
"""How providers say it that have no code for it; read in Strands' modules of Bedrock, Anthropic and OpenAI."""

_NOT_BILLED = {
    # openai, anthropic: the API answered with an error
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "InternalServerError",
    "NotFoundError",
    "OverloadedError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestTooLargeError",
    "ServiceUnavailableError",
    "UnprocessableEntityError",
    # botocore, urllib3, httpx and Python: the request was not sent, or reached nobody
    "ConnectError",
    "ConnectTimeout",
    "ConnectTimeoutError",
    "ConnectionRefusedError",
    "EndpointConnectionError",
    "NoCredentialsError",
    "NoRegionError",
    "ParamValidationError",
    "PartialCredentialsError",
    "PoolTimeout",
    "ProxyConnectionError",
    "gaierror",
}

_RETRYABLE_STATUS = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_CALLER_STATUS = {400, 403, 404, 405, 413, 415, 422}
_SLOW_STATUS = {408, 425, 429, 529}
_MOST_CAUSES = 5


BROKE_OFF = "broke_off"
"""Why nothing else was tried for an answer that broke off: what was passed on of it cannot be gone on from."""


class StalledError(TimeoutError):
    """A model that brought nothing for longer than the rules allow."""


class TruncatedStreamError(ConnectionError):
    """A streamed answer that ended without saying that it ends."""


class CallFailedError(RuntimeError):
    """A request that no model answered, or not to its end; the last model's own error is its ``__cause__``.

    The message holds no text of a provider or a prompt.

    Attributes:
        model: Catalog id of the model that was called last.
        error: The name of its error.
        why: Why nothing else was tried: ``exhausted`` (every attempt that the rules allow was made), ``deadline``,
            ``failover_unsafe`` (the conversation cannot move to another model) or ``broke_off`` (what was passed on of
            the answer cannot be gone on from).
        partial: Whether a part of the answer was passed on already. What the caller has of it is true as far as it
            goes, and nothing of it will be repeated.
        event_id: The event of the last call; empty where it has none.
        attempts: How many calls were made.
    """

    def __init__(self, *, model: str, error: str, why: str, partial: bool, event_id: str, attempts: int) -> None:
        self.model = model
        self.error = error
        self.why = why
        self.partial = partial
        self.event_id = event_id
        self.attempts = attempts
        what = "the answer broke off" if partial else "no model answered"
        super().__init__(f"{what} ({why}): {model}: {error}, after {attempts} calls; event {event_id or 'none'}")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What the error of a call means.

    Attributes:
        kind: Whose it is.
        name: Its short name (`error_name`).
        slow: Whether a moment's wait will hardly help: throttled, timed out, or told to come back later.
        retry_after_s: In how many seconds the provider wants to be asked again, where it said so.
    """

    kind: FailureKind
    name: str
    slow: bool = False
    retry_after_s: float | None = None

    @property
    def of_upstream(self) -> bool:
        """Whether it speaks about the upstream's health: throttling, time-outs, 5xx, connections; no caller's error."""
        return self.kind == "retryable"


def error_name(error: BaseException) -> str:
    """A short name for an error: the provider's code where it has one, else the class. Never its message."""
    if isinstance(error, CallFailedError):
        return error.error
    code = _code(error)
    return code[:1].upper() + code[1:] if code else type(error).__name__


def failure_of(error: BaseException) -> Failure:
    """What an error means."""
    kind = _kind(error)
    retry_after_s = None if kind != "retryable" else _retry_after_s(error)
    names = _names(error)
    slow = bool(names & (_THROTTLED | _TIMED_OUT)) or _status(error) in _SLOW_STATUS or retry_after_s is not None
    return Failure(kind=kind, name=error_name(error), slow=kind == "retryable" and slow, retry_after_s=retry_after_s)


def is_retryable(error: BaseException) -> bool:
    """Whether the call may be made again, or another model tried: never a caller's error."""
    return _kind(error) == "retryable"


def says_overflow(text: str) -> bool:
    """Whether a provider's words say that the prompt is longer than the model's window."""
    return any(known in text for known in (*_OVERFLOW, *_OVERFLOW_MESSAGES))


def is_unbilled(name: str) -> bool:
    """Whether a call that ended in this error before anything came is surely not billed, told by `error_name`.

    So it is where the provider answered with an error (AWS' codes all end in ``Exception``), and where the request
    reached nobody. After a time-out, a broken connection or an error that is not known, the provider may have worked.
    ``ModelStreamErrorException`` comes only in a stream that has begun.
    """
    return name in _NOT_BILLED or (name.endswith("Exception") and name != "ModelStreamErrorException")


def _kind(error: BaseException) -> FailureKind:
    names = _names(error)
    if names & _OVERFLOW or str(getattr(error, "code", "")) in _OVERFLOW:
        return "overflow"
    status = _status(error)
    if names & _CALLER or (not _code(error) and status in _CALLER_STATUS):
        return "overflow" if says_overflow(str(error)) else "caller"
    # A provider's code says more than the status that it comes with.
    if names & _RETRYABLE or status in _RETRYABLE_STATUS:
        return "retryable"
    return "caller" if status in _CALLER_STATUS - {403} else "fatal"


def _names(error: BaseException) -> set[str]:
    """The provider's code, or without one the names of the error's classes."""
    code = _code(error)
    return {code[:1].upper() + code[1:]} if code else {cls.__name__ for cls in type(error).__mro__}


def _code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    details = response.get("Error")
    return str(details.get("Code", "")) if isinstance(details, dict) else ""


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    if isinstance(response, dict):
        status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode", status)
    return status if isinstance(status, int) else None


def _retry_after_s(error: BaseException) -> float | None:
    """``Retry-After`` of the answer that an error or one of its causes stands for: seconds, milliseconds or a date."""
    for one in _with_causes(error):
        headers = _headers(one)
        try:
            if "retry-after-ms" in headers:
                return max(0.0, float(headers["retry-after-ms"]) / 1000)
            if "retry-after" in headers:
                return _seconds(headers["retry-after"])
        except (TypeError, ValueError):
            return None
    return None


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None


def _headers(error: BaseException) -> dict[str, str]:
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        found = (response.get("ResponseMetadata") or {}).get("HTTPHeaders")
    else:
        found = getattr(response, "headers", None)
    return {str(name).lower(): value for name, value in found.items()} if isinstance(found, Mapping) else {}


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if one is None:
            return
        yield one
        one = one.__cause__
