from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import openai
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, EventStreamError, ReadTimeoutError
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from turnout.upstream.errors import (
    CallFailedError,
    StalledError,
    TruncatedStreamError,
    error_name,
    failure_of,
    is_retryable,
    is_unbilled,
)


def client_error(code: str, kind: type[ClientError] = ClientError) -> ClientError:
    return kind({"Error": {"Code": code, "Message": "secret detail"}}, "ConverseStream")


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException"),
        client_error("ServiceUnavailableException"),
        client_error("ModelTimeoutException"),
        client_error("ModelNotReadyException"),
        client_error("internalServerException", EventStreamError),
        EndpointConnectionError(endpoint_url="http://127.0.0.1"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1"),
        ModelThrottledException("slow down"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_another_model_may_be_tried(error: Exception) -> None:
    assert is_retryable(error)


@pytest.mark.parametrize(
    "error",
    [
        client_error("ValidationException"),
        client_error("AccessDeniedException"),
        client_error("ResourceNotFoundException"),
        ContextWindowOverflowException("too long"),
        ValueError("bad"),
    ],
)
def test_the_callers_errors_are_never_tried_elsewhere(error: Exception) -> None:
    assert not is_retryable(error)


def test_the_name_is_the_providers_code_and_never_its_message() -> None:
    assert error_name(client_error("throttlingException")) == "ThrottlingException"
    assert error_name(ModelThrottledException("secret detail")) == "ModelThrottledException"


class _StatusError(Exception):
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def test_errors_without_a_code_are_told_by_their_status() -> None:
    assert is_retryable(_StatusError(503))
    assert not is_retryable(_StatusError(400))


@pytest.mark.parametrize(
    ("error", "unbilled"),
    [
        (client_error("ThrottlingException"), True),
        (client_error("ExpiredTokenException"), True),
        (ModelThrottledException("slow down"), True),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1"), True),
        (ConnectionRefusedError(), True),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1"), False),
        (client_error("modelStreamErrorException", EventStreamError), False),
        (ConnectionResetError(), False),
        (TimeoutError(), False),
        (RuntimeError("anything"), False),
    ],
)
def test_only_a_refusal_and_a_request_that_reached_nobody_are_surely_free(error: Exception, unbilled: bool) -> None:
    assert is_unbilled(error_name(error)) is unbilled


def answered(code: str, status: int, message: str = "", headers: dict[str, str] | None = None) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return ClientError(response, "Converse")


def of_openai(kind: type[openai.APIStatusError], status: int, **headers: str) -> openai.APIStatusError:
    request = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return kind("no", response=httpx2.Response(status, request=request, headers=named), body=None)


class APIResponseError(Exception):
    """Of an SDK that is not known, with a status."""

    def __init__(self, status_code: int, code: Any = None) -> None:
        super().__init__("secret detail")
        self.status_code, self.code = status_code, code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answered("ValidationException", 400), "caller"),
        (answered("AccessDeniedException", 403), "caller"),
        (answered("ResourceNotFoundException", 404), "caller"),
        (answered("SomethingNewException", 400), "caller"),
        (answered("ExpiredTokenException", 403), "fatal"),
        (answered("UnrecognizedClientException", 401), "fatal"),
        (answered("ServiceQuotaExceededException", 400), "retryable"),
        (answered("ModelNotReadyException", 429), "retryable"),
        (answered("ModelErrorException", 424), "retryable"),
        (answered("SomethingNewException", 500), "retryable"),
        (answered("ValidationException", 400, "Input is too long for requested model."), "overflow"),
        (ContextWindowOverflowException("too long"), "overflow"),
        (APIResponseError(400, "context_length_exceeded"), "overflow"),
        (APIResponseError(400, ["not", "hashable"]), "caller"),
        (of_openai(openai.BadRequestError, 400), "caller"),
        (of_openai(openai.PermissionDeniedError, 403), "caller"),
        (of_openai(openai.NotFoundError, 404), "caller"),
        (of_openai(openai.AuthenticationError, 401), "fatal"),
        (of_openai(openai.RateLimitError, 429), "retryable"),
        (of_openai(openai.InternalServerError, 503), "retryable"),
        (openai.APITimeoutError(request=httpx2.Request("POST", "http://127.0.0.1")), "retryable"),
        (APIResponseError(529), "retryable"),
        (APIResponseError(402), "fatal"),
        (StalledError(), "retryable"),
        (TruncatedStreamError(), "retryable"),
        (KeyError("output"), "fatal"),
        (RuntimeError("a fault in the program"), "fatal"),
    ],
)
def test_whose_an_error_is(error: Exception, kind: str) -> None:
    failure = failure_of(error)
    assert failure.kind == kind
    assert failure.of_upstream is (kind == "retryable")
    assert "secret" not in failure.name


@pytest.mark.parametrize(
    ("error", "slow"),
    [
        (answered("ThrottlingException", 429), True),
        (ModelThrottledException("slow down"), True),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1"), True),
        (StalledError(), True),
        (APIResponseError(429), True),
        (answered("ServiceUnavailableException", 503, headers={"retry-after": "1"}), True),
        (answered("ServiceUnavailableException", 503), False),
        (ConnectionResetError(), False),
        (TruncatedStreamError(), False),
        (answered("ValidationException", 400), False),
    ],
)
def test_whether_a_moments_wait_helps(error: Exception, slow: bool) -> None:
    assert failure_of(error).slow is slow


def test_retry_after_is_read_where_it_stands() -> None:
    assert failure_of(answered("ThrottlingException", 429, headers={"Retry-After": "2.5"})).retry_after_s == 2.5
    assert failure_of(of_openai(openai.RateLimitError, 429, retry_after="7")).retry_after_s == 7.0
    assert failure_of(of_openai(openai.RateLimitError, 429, retry_after_ms="250")).retry_after_s == 0.25
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    seconds = failure_of(of_openai(openai.RateLimitError, 429, retry_after=soon)).retry_after_s
    assert seconds is not None
    assert 50 < seconds <= 60
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=60), usegmt=True)
    assert failure_of(of_openai(openai.RateLimitError, 429, retry_after=past)).retry_after_s == 0.0


def test_retry_after_is_found_behind_the_error_of_a_framework() -> None:
    wrapped = ModelThrottledException("secret detail")
    wrapped.__cause__ = answered("ThrottlingException", 429, headers={"retry-after": "4"})
    assert failure_of(wrapped).retry_after_s == 4.0


@pytest.mark.parametrize("value", ["soon", "nan", "inf", ""])
def test_a_retry_after_that_cannot_be_read_is_none(value: str) -> None:
    assert failure_of(answered("ThrottlingException", 429, headers={"retry-after": value})).retry_after_s is None


def test_what_failed_for_good_says_what_and_where_and_nothing_of_the_provider() -> None:
    error = CallFailedError(
        model="p/m", error="ThrottlingException", why="exhausted", partial=True, event_id="e1", attempts=3
    )
    assert str(error) == "the answer broke off (exhausted): p/m: ThrottlingException, after 3 calls; event e1"
    assert error_name(error) == "ThrottlingException"
    assert not is_retryable(error)
