from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from turnout.testing.bedrock import BedrockDouble
from turnout.testing.bedrock.errors import BedrockError
from turnout.testing.bedrock.shapes import (
    ShapeError,
    check_answer,
    check_event,
    check_request,
    error_statuses,
    stream_errors,
)

MODEL = "global.anthropic.claude-sonnet-4-6"
USER: dict[str, Any] = {"role": "user", "content": [{"text": "Hello"}]}


def test_the_errors_are_those_of_the_service() -> None:
    assert error_statuses() == {
        "AccessDeniedException": 403,
        "ThrottlingException": 429,
        "ResourceNotFoundException": 404,
        "ModelTimeoutException": 408,
        "InternalServerException": 500,
        "ServiceUnavailableException": 503,
        "ValidationException": 400,
        "ModelNotReadyException": 429,
        "ModelErrorException": 424,
        "ModelStreamErrorException": 424,
        "ServiceQuotaExceededException": 400,
    }
    assert set(stream_errors().values()) == {
        "internalServerException",
        "modelStreamErrorException",
        "validationException",
        "throttlingException",
        "serviceUnavailableException",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": [{"role": "user"}]}, 'Missing required parameter in messages\\[0\\]: "content"'),
        ({"messages": "Hello"}, "Invalid type for parameter messages"),
        ({"messages": [USER], "colour": "red"}, 'Unknown parameter in input: "colour"'),
        ({"messages": [USER], "inferenceConfig": {"maxTokens": 0}}, "maxTokens, value: 0, valid min value: 1"),
        ({"messages": [USER], "inferenceConfig": {"temperature": 1.5}}, "Value '1.5' at 'inferenceConfig.temperature'"),
        ({"messages": [{**USER, "role": "robot"}]}, "'messages.0.role'.*enum value set: \\[user, assistant, system\\]"),
        (
            {"messages": [USER], "system": [{"text": "x"}, {"cachePoint": {"type": "default", "ttl": "2h"}}]},
            "Value '2h' at 'system.1.cachePoint.ttl'",
        ),
        (
            {"messages": [USER], "toolConfig": {"tools": [{"toolSpec": {"name": "a b", "inputSchema": {"json": {}}}}]}},
            "at 'toolConfig.tools.0.toolSpec.name' failed.*regular expression pattern",
        ),
        (
            {
                "messages": [USER],
                "toolConfig": {"tools": [{"toolSpec": {"name": "a" * 65, "inputSchema": {"json": {}}}}]},
            },
            "length less than or equal to 64",
        ),
        ({"messages": [{"role": "user", "content": [{"text": "a", "json": {}}]}]}, 'Unknown parameter.*"json"'),
        ({"messages": [USER], "requestMetadata": {f"k{n}": "v" for n in range(17)}}, "requestMetadata"),
        ({"messages": [USER], "additionalModelResponseFieldPaths": ["/a"] * 11}, "have at most 10 members"),
        ({"messages": [USER], "modelId": "other"}, "belongs into the path"),
    ],
)
def test_requests_that_do_not_fit(body: dict[str, Any], message: str) -> None:
    with pytest.raises(BedrockError, match=message) as caught:
        check_request("Converse", MODEL, body)
    assert caught.value.code == "ValidationException"
    assert "\n" not in caught.value.message


def test_messages_stay_short() -> None:
    with pytest.raises(BedrockError) as caught:
        check_request("Converse", MODEL, {"messages": "x" * 100_000})
    assert len(caught.value.message) < 2100


def test_a_wrong_shape_over_the_wire(double: BedrockDouble) -> None:
    connection = http.client.HTTPConnection(double.url.removeprefix("http://"))
    body = json.dumps({"messages": [{"role": "robot", "content": []}]})
    connection.request("POST", f"/model/{MODEL}/converse", body, {"Authorization": "any"})
    response = connection.getresponse()
    assert (response.status, response.getheader("x-amzn-errortype")) == (400, "ValidationException")
    assert json.loads(response.read())["message"].startswith(
        "1 validation error detected: Value 'robot' at 'messages.0.role'"
    )
    connection.close()


def test_answers_and_events_that_bedrock_could_not_give() -> None:
    with pytest.raises(ShapeError, match="stopReason"):
        check_answer("Converse", {"output": {}, "usage": {}, "metrics": {"latencyMs": 1}})
    with pytest.raises(ShapeError, match="enum value set"):
        check_event("messageStop", {"stopReason": "bored"})
    check_event("messageStop", {"stopReason": "end_turn"})
    check_answer("CountTokens", {"inputTokens": 3})
