"""What goes wrong between us and a provider, named so that `turnout.upstream.errors` can tell what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.upstream.errors import says_overflow


class ConnectError(ConnectionError):
    """The provider could not be reached: no address, no connection, or no TLS. Nothing was sent."""


class ConnectTimeout(ConnectError):
    """No connection within the time for it."""


class PoolTimeout(ConnectError):
    """As many requests as the provider may get at once did not end in time. Nothing was sent."""


class ReadError(ConnectionError):
    """The connection broke before the answer's end."""


class RemoteProtocolError(ConnectionError):
    """What came is no answer of the protocol."""


class AnswerError(Exception):
    """The provider answered with an error.

    Its message holds no text of the provider.

    Attributes:
        status: The HTTP status.
        headers: The answer's headers, names in small letters.
        body: The answer's body, as it came.
        response: The same as `turnout.upstream.errors` reads it.
        code: ``context_length_exceeded`` where the prompt was too long, else the name.
    """

    def __init__(self, status: int, name: str, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"the provider answered {status} ({name})")
        self.status = status
        self.headers = headers
        self.body = body
        self.response: dict[str, Any] = {
            "Error": {"Code": name},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": dict(headers)},
        }
        too_long = status in (400, 413, 422) and says_overflow(body.decode("utf-8", "replace"))
        self.code = "context_length_exceeded" if too_long else name


class EventError(Exception):
    """A stream carried an error instead of going on.

    Attributes:
        raw: The bytes of the event that said so.
        response: As of `AnswerError`.
        code: The error's name.
    """

    def __init__(self, name: str, raw: bytes) -> None:
        super().__init__(f"the stream carried an error ({name})")
        self.raw = raw
        self.code = name
        self.response: dict[str, Any] = {"Error": {"Code": name}}


_NAMES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    413: "RequestTooLargeError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    503: "ServiceUnavailableError",
    529: "OverloadedError",
}
"""As the openai and anthropic SDKs name them."""

_TYPES = {
    "api_error": "InternalServerError",
    "authentication_error": "AuthenticationError",
    "invalid_prompt": "BadRequestError",
    "insufficient_quota": "RateLimitError",
    "invalid_request_error": "BadRequestError",
    "not_found_error": "NotFoundError",
    "overloaded_error": "OverloadedError",
    "permission_error": "PermissionDeniedError",
    "rate_limit_error": "RateLimitError",
    "rate_limit_exceeded": "RateLimitError",
    "request_too_large": "RequestTooLargeError",
    "server_error": "InternalServerError",
    "timeout_error": "APITimeoutError",
}
"""The types of errors within streams of the Messages API, Chat Completions and Responses."""


def name_of_answer(status: int, headers: Mapping[str, str]) -> str:
    """A short name of an error answer: AWS' code, else what the SDKs call its status."""
    code = headers.get("x-amzn-errortype", "").partition(":")[0]
    if code:
        return code
    return _NAMES.get(status) or ("InternalServerError" if status >= 500 else f"Status{status}")


def name_of_event(kind: str) -> str:
    """The name of an error within a stream, by its type or AWS' exception."""
    return _TYPES.get(kind, "InternalServerError" if kind == "error" else kind)
