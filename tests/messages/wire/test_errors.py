"""Problems as the real clients read them: the right class, status, code and time to wait, in answers and in streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError, EventStreamError
from openai.types.responses import ResponseErrorEvent

from tests.messages.wire import support
from turnout.messages.wire import sse
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.errors import Problem, error_answer, error_event
from turnout.messages.wire.eventstream import CONTENT_TYPE, encode_event

STATUSES = (400, 401, 402, 403, 404, 408, 413, 422, 424, 429, 500, 502, 503, 504, 529)


def problem(status: int, **members: Any) -> Problem:
    return Problem(status=status, code="no_candidate", message="Nobody can serve this.", **members)


def headers_of(answer: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in answer.headers}


@pytest.mark.parametrize(
    ("status", "kind", "error_type"),
    [
        (400, openai.BadRequestError, "invalid_request_error"),
        (401, openai.AuthenticationError, "authentication_error"),
        (402, openai.APIStatusError, "invalid_request_error"),
        (403, openai.PermissionDeniedError, "permission_error"),
        (404, openai.NotFoundError, "not_found_error"),
        (413, openai.APIStatusError, "invalid_request_error"),
        (422, openai.UnprocessableEntityError, "invalid_request_error"),
        (429, openai.RateLimitError, "rate_limit_error"),
        (500, openai.InternalServerError, "server_error"),
        (529, openai.InternalServerError, "server_error"),
    ],
)
def test_an_answer_to_the_openai_client(status: int, kind: type[openai.APIStatusError], error_type: str) -> None:
    answer = error_answer(WireProtocol.OPENAI_CHAT, problem(status, retry_after_s=1.2, path="messages.0"))
    with (
        support.recorder(answer.body, headers_of(answer), answer.status) as server,
        support.openai_client(server.url) as client,
        pytest.raises(kind) as caught,
    ):
        client.chat.completions.create(**support.OPENAI_REQUEST)
    error = caught.value
    assert (error.status_code, error.code, error.param, error.type) == (
        status,
        "no_candidate",
        "messages.0",
        error_type,
    )
    assert "Nobody can serve this." in error.message
    assert error.response.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("status", "kind", "error_type"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (402, anthropic.APIStatusError, "billing_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (504, anthropic.APIStatusError, "timeout_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
def test_an_answer_to_the_anthropic_client(status: int, kind: type[anthropic.APIStatusError], error_type: str) -> None:
    answer = error_answer(WireProtocol.ANTHROPIC, problem(status, retry_after_s=0), request_id="r1")
    with (
        support.recorder(answer.body, headers_of(answer), answer.status) as server,
        support.anthropic_client(server.url) as client,
        pytest.raises(kind) as caught,
    ):
        client.messages.create(**support.ANTHROPIC_REQUEST)
    error = caught.value
    assert (error.status_code, error.type, error.error_code) == (status, error_type, "no_candidate")
    assert error.api_message == "Nobody can serve this."
    assert error.response.headers["retry-after"] == "0"
    assert json.loads(answer.body)["request_id"] == "r1"


def test_an_answer_at_the_responses_door_is_that_of_the_other_openai_door() -> None:
    for status in STATUSES:
        assert error_answer(WireProtocol.OPENAI_RESPONSES, problem(status)) == error_answer(
            WireProtocol.OPENAI_CHAT, problem(status)
        )


def test_the_last_event_of_a_stream_of_responses() -> None:
    begun = {"type": "keepalive", "sequence_number": 4}
    event = error_event(WireProtocol.OPENAI_RESPONSES, problem(503, path="input"), sequence=5)
    with (
        support.recorder(
            sse.encode_event(json.dumps(begun).encode()) + event, {"content-type": sse.CONTENT_TYPE}
        ) as at,
        support.openai_client(at.url) as client,
        client.responses.create(model="m", input="hi", stream=True) as answer,
    ):
        next(answer)
        with pytest.raises(openai.APIError, match="Nobody can serve this") as caught:
            next(answer)
    assert (caught.value.code, caught.value.type, caught.value.param) == ("no_candidate", "server_error", "input")
    (parsed,) = sse.SseParser().feed(event)
    documented = ResponseErrorEvent.model_validate_json(parsed.data)
    assert (parsed.event, documented.type, documented.sequence_number) == ("error", "error", 5)
    assert (documented.code, documented.message) == ("no_candidate", "Nobody can serve this.")


@pytest.fixture(scope="module")
def bedrock() -> Iterator[tuple[support.Recorder, Any]]:
    """A server that answers as it is told, and a client of it."""
    with support.recorder(b"") as server, support.bedrock_client(server.url) as client:
        yield server, client


@pytest.mark.parametrize("status", STATUSES)
def test_an_answer_to_boto3_is_one_that_bedrock_gives(status: int, bedrock: tuple[support.Recorder, Any]) -> None:
    server, client = bedrock
    answer = error_answer(WireProtocol.CONVERSE, problem(status))
    server.answer, server.headers, server.status = answer.body, headers_of(answer), answer.status
    with pytest.raises(ClientError) as caught:
        client.converse(**support.CONVERSE_REQUEST)
    declared = {shape.name: shape for shape in client.meta.service_model.operation_model("Converse").error_shapes}
    response: Any = caught.value.response
    code = response["Error"]["Code"]
    assert isinstance(caught.value, getattr(client.exceptions, code))
    assert declared[code].metadata["error"]["httpStatusCode"] == answer.status
    assert response["ResponseMetadata"]["HTTPStatusCode"] == answer.status
    assert response["Error"]["Message"] == "Nobody can serve this."
    # Whose fault it is stays the same.
    assert (answer.status < 500) or status >= 500
    assert error_answer(WireProtocol.INVOKE, problem(status)) == answer


def test_no_time_to_wait_is_stated_where_none_is_known() -> None:
    for protocol in WireProtocol:
        assert "retry-after" not in headers_of(error_answer(protocol, problem(429)))


def test_the_last_event_of_a_stream_of_the_openai_client() -> None:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    stream = sse.encode_event(json.dumps(chunk).encode()) + error_event(WireProtocol.OPENAI_CHAT, problem(503))
    with (
        support.recorder(stream, {"content-type": sse.CONTENT_TYPE}) as server,
        support.openai_client(server.url) as client,
        client.chat.completions.create(**support.OPENAI_REQUEST, stream=True) as answer,
    ):
        assert next(answer).id == "c"
        with pytest.raises(openai.APIError, match="Nobody can serve this") as caught:
            next(answer)
    assert (caught.value.code, caught.value.type) == ("no_candidate", "server_error")


def test_the_last_event_of_a_stream_of_the_anthropic_client() -> None:
    stream = error_event(WireProtocol.ANTHROPIC, problem(529), request_id="r1")
    with (
        support.recorder(stream, {"content-type": sse.CONTENT_TYPE}) as server,
        support.anthropic_client(server.url) as client,
        client.messages.create(**support.ANTHROPIC_REQUEST, stream=True) as answer,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        next(answer)
    assert caught.value.type == "overloaded_error"


@pytest.mark.parametrize("status", STATUSES)
def test_the_last_event_of_a_stream_of_boto3(status: int, bedrock: tuple[support.Recorder, Any]) -> None:
    server, client = bedrock
    start = encode_event("messageStart", b'{"role":"assistant"}')
    server.answer = start + error_event(WireProtocol.CONVERSE, problem(status))
    server.headers, server.status = {"content-type": CONTENT_TYPE}, 200
    events = iter(client.converse_stream(**support.CONVERSE_REQUEST)["stream"])
    assert next(events) == {"messageStart": {"role": "assistant"}}
    with pytest.raises(EventStreamError) as caught:
        next(events)
    shape = client.meta.service_model.operation_model("ConverseStream").output_shape
    assert caught.value.response["Error"]["Code"] in shape.members["stream"].members
    assert caught.value.response["Error"]["Message"] == "Nobody can serve this."
    assert error_event(WireProtocol.INVOKE, problem(status)) == error_event(WireProtocol.CONVERSE, problem(status))
