import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, EventStreamError, ReadTimeoutError
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from turnout.upstream.errors import error_name, is_retryable, is_unbilled


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
