"""A problem as each protocol words it: status, headers and body of an answer, or the last event of a stream.

Sources: the error types of openai 3.54 and anthropic 2.12 and what their clients make of them; the exceptions of
``bedrock-runtime`` in botocore 1.44.5; read 2026-11. Tests have the real clients read every one.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from turnout.messages.wire import eventstream, sse
from turnout.messages.wire.asked import WireProtocol


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, whatever the protocol.

    Attributes:
        status: The HTTP status that says it best, 400 to 599.
        code: A short name with underscores, such as ``no_candidate``.
        message: A sentence for the caller: no prompt, no key.
        retry_after_s: In how many seconds to ask again; none: not known.
        path: The member of the request that is at fault; empty: none.
    """

    status: int
    code: str
    message: str
    retry_after_s: float | None = None
    path: str = ""


class ErrorAnswer(msgspec.Struct, frozen=True):
    """An error as an answer.

    Attributes:
        status: The HTTP status, as this protocol has it.
        headers: Names in small letters, and values.
        body: The JSON.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_BEDROCK = {
    400: (400, "ValidationException"),
    401: (403, "AccessDeniedException"),
    402: (429, "ThrottlingException"),
    403: (403, "AccessDeniedException"),
    404: (404, "ResourceNotFoundException"),
    408: (408, "ModelTimeoutException"),
    424: (424, "ModelErrorException"),
    429: (429, "ThrottlingException"),
    500: (500, "InternalServerException"),
    504: (408, "ModelTimeoutException"),
}
"""Bedrock has few: what is the caller's fault else is a 400, what is not is a 503."""

_IN_STREAMS = {
    "ValidationException",
    "ThrottlingException",
    "ModelStreamErrorException",
    "InternalServerException",
    "ServiceUnavailableException",
}


def error_answer(protocol: WireProtocol, problem: Problem, *, request_id: str | None = None) -> ErrorAnswer:
    """An error in the door's own shape.

    Args:
        protocol: How the client asks.
        problem: What went wrong.
        request_id: The request's id, which Anthropic's errors repeat in their body.
    """
    headers = [(b"content-type", b"application/json")]
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", str(max(0, math.ceil(problem.retry_after_s))).encode()))
    if protocol in (WireProtocol.CONVERSE, WireProtocol.INVOKE):
        status, name = _bedrock(problem.status)
        headers.append((b"x-amzn-errortype", name.encode()))
        return ErrorAnswer(status, tuple(headers), msgspec.json.encode({"message": problem.message}))
    body = _anthropic(problem, request_id) if protocol is WireProtocol.ANTHROPIC else _openai(problem)
    return ErrorAnswer(problem.status, tuple(headers), msgspec.json.encode(body))


def error_event(protocol: WireProtocol, problem: Problem, *, request_id: str | None = None, sequence: int = 0) -> bytes:
    """An error within a stream that has begun: the bytes of its last event.

    The clients of all protocols raise on it; what came before it stays theirs.

    Args:
        protocol: How the client asks.
        problem: What went wrong.
        request_id: As of `error_answer`.
        sequence: The event's number, which events of the Responses API have.
    """
    if protocol is WireProtocol.OPENAI_CHAT:
        return sse.encode_event(msgspec.json.encode(_openai(problem)))
    if protocol is WireProtocol.OPENAI_RESPONSES:
        # Flat as documented, and with the object that the service sends too and its client raises on.
        nested = _openai(problem)
        flat = {name: nested["error"][name] for name in ("code", "message", "param")}
        event = {"type": "error", "sequence_number": sequence, **flat, **nested}
        return sse.encode_event(msgspec.json.encode(event), "error")
    if protocol is WireProtocol.ANTHROPIC:
        return sse.encode_event(msgspec.json.encode(_anthropic(problem, request_id)), "error")
    _, name = _bedrock(problem.status)
    if name not in _IN_STREAMS:
        name = "ModelStreamErrorException" if problem.status >= 408 else "ValidationException"
    body = msgspec.json.encode({"message": problem.message})
    return eventstream.encode_exception(name[:1].lower() + name[1:], body)


def _bedrock(status: int) -> tuple[int, str]:
    if status in _BEDROCK:
        return _BEDROCK[status]
    return (400, "ValidationException") if status < 500 else (503, "ServiceUnavailableException")


def _openai(problem: Problem) -> dict[str, Any]:
    other = "invalid_request_error" if problem.status < 500 else "server_error"
    kind = _OPENAI_TYPES.get(problem.status, other)
    error = {"message": problem.message, "type": kind, "param": problem.path or None, "code": problem.code}
    return {"error": error}


def _anthropic(problem: Problem, request_id: str | None) -> dict[str, Any]:
    other = "invalid_request_error" if problem.status < 500 else "api_error"
    error: dict[str, Any] = {
        "type": _ANTHROPIC_TYPES.get(problem.status, other),
        "message": problem.message,
        "details": {"error_code": problem.code},
    }
    body: dict[str, Any] = {"type": "error", "error": error}
    if request_id is not None:
        body["request_id"] = request_id
    return body
