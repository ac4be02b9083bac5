"""What answers and events that are errors mean to `turnout.upstream.errors`."""

from __future__ import annotations

import pytest

from turnout.upstream.errors import failure_of, is_unbilled
from turnout.upstream.http.errors import AnswerError, EventError, name_of_answer, name_of_event


@pytest.mark.parametrize(
    ("status", "headers", "kind", "name"),
    [
        (400, {}, "caller", "BadRequestError"),
        (401, {}, "fatal", "AuthenticationError"),
        (403, {}, "caller", "PermissionDeniedError"),
        (404, {}, "caller", "NotFoundError"),
        (413, {}, "caller", "RequestTooLargeError"),
        (429, {}, "retryable", "RateLimitError"),
        (500, {}, "retryable", "InternalServerError"),
        (503, {}, "retryable", "ServiceUnavailableError"),
        (529, {}, "retryable", "OverloadedError"),
        (302, {}, "fatal", "Status302"),
        (400, {"x-amzn-errortype": "ValidationException:http://x"}, "caller", "ValidationException"),
        (429, {"x-amzn-errortype": "ThrottlingException"}, "retryable", "ThrottlingException"),
        (403, {"x-amzn-errortype": "AccessDeniedException"}, "caller", "AccessDeniedException"),
        (403, {"x-amzn-errortype": "ExpiredTokenException"}, "fatal", "ExpiredTokenException"),
        (424, {"x-amzn-errortype": "ModelErrorException"}, "retryable", "ModelErrorException"),
    ],
)
def test_of_answers(status: int, headers: dict[str, str], kind: str, name: str) -> None:
    error = AnswerError(status, name_of_answer(status, headers), headers, b'{"message":"a prompt"}')
    failure = failure_of(error)
    assert (failure.kind, failure.name) == (kind, name)
    assert "prompt" not in str(error)
    if kind != "fatal":
        assert is_unbilled(failure.name)


def test_retry_after() -> None:
    error = AnswerError(429, "RateLimitError", {"retry-after": "7"}, b"")
    assert failure_of(error).retry_after_s == 7


@pytest.mark.parametrize(
    "text",
    ["prompt is too long: 9 > 8", "Input is too long for requested model", '{"code":"context_length_exceeded"}'],
)
def test_a_prompt_that_is_too_long(text: str) -> None:
    assert failure_of(AnswerError(400, "BadRequestError", {}, text.encode())).kind == "overflow"


@pytest.mark.parametrize(
    ("kind", "meaning", "name"),
    [
        ("overloaded_error", "retryable", "OverloadedError"),
        ("api_error", "retryable", "InternalServerError"),
        ("invalid_request_error", "caller", "BadRequestError"),
        ("throttlingException", "retryable", "ThrottlingException"),
        ("validationException", "caller", "ValidationException"),
        ("modelStreamErrorException", "retryable", "ModelStreamErrorException"),
        ("error", "retryable", "InternalServerError"),
    ],
)
def test_of_events(kind: str, meaning: str, name: str) -> None:
    failure = failure_of(EventError(name_of_event(kind), b""))
    assert (failure.kind, failure.name) == (meaning, name)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("context_length_exceeded", "overflow"),
        ("invalid_prompt", "caller"),
        ("rate_limit_exceeded", "retryable"),
        ("server_error", "retryable"),
    ],
)
def test_what_an_error_within_a_stream_of_responses_means(code: str, kind: str) -> None:
    assert failure_of(EventError(name_of_event(code), b"")).kind == kind
