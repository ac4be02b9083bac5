"""boto3 against the gateway: every kind of call, over real sockets."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError, ReadTimeoutError

from tests.doors.gateway.support import BEDROCK, PIXEL, Served, Upstreams
from turnout.testing.bedrock import stall, throttling, validation
from turnout.testing.bedrock.faults import Fault

TOOLS: Any = {
    "tools": [
        {
            "toolSpec": {
                "name": "weather",
                "description": "Looks up the weather.",
                "inputSchema": {"json": {"type": "object", "properties": {"place": {"type": "string"}}}},
            }
        }
    ]
}
ASKED: list[Any] = [{"role": "user", "content": [{"text": "How is the weather?"}]}]


def headers_of(answer: Any) -> dict[str, str]:
    headers: dict[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
    return headers


def test_plain(gateway: Served, doubles: Upstreams) -> None:
    with gateway.bedrock() as client:
        answer = client.converse(modelId="turnout", messages=ASKED, system=[{"text": "Be brief."}])
    assert answer["output"]["message"]["content"][0]["text"]
    headers = headers_of(answer)
    assert headers["x-turnout-model"] == BEDROCK[1]
    (call,) = gateway.events.calls
    assert headers["x-turnout-cost-usd"] == str(call.cost.usd)
    assert (call.status, call.finish_reason) == ("ok", "end_turn")


def test_stream(gateway: Served) -> None:
    with gateway.bedrock() as client:
        answer = client.converse_stream(modelId="turnout/quality", messages=ASKED)
        events = [next(iter(event)) for event in answer["stream"]]
    assert events[0] == "messageStart"
    assert events[-1] == "metadata"
    assert headers_of(answer)["x-turnout-model"] == BEDROCK[1]
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.usage_source, call.streamed, call.status) == ("reported", True, "ok")


def test_tools_and_their_results(gateway: Served) -> None:
    with gateway.bedrock() as client:
        first = client.converse(modelId="turnout", messages=ASKED, toolConfig=TOOLS)
        said = first["output"]["message"]
        used = [block["toolUse"] for block in said["content"] if "toolUse" in block]
        if used:
            results = [{"toolResult": {"toolUseId": one["toolUseId"], "content": [{"text": "fine"}]}} for one in used]
            history = [*ASKED, said, {"role": "user", "content": results}]
            second = client.converse(modelId="turnout", messages=history, toolConfig=TOOLS)
            assert headers_of(second)["x-turnout-reason"] == "hard_stay"
    assert gateway.events.decisions[0].given.request.needs.tools


def test_tools_streamed(gateway: Served) -> None:
    with gateway.bedrock() as client:
        answer = client.converse_stream(modelId="turnout", messages=ASKED, toolConfig=TOOLS)
        events = list(answer["stream"])
    assert "metadata" in events[-1]
    assert gateway.events.decisions[0].given.request.needs.tools


def test_image(gateway: Served) -> None:
    image = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PIXEL)}}}
    with gateway.bedrock() as client:
        answer = client.converse(
            modelId="turnout", messages=[{"role": "user", "content": [image, {"text": "What is this?"}]}]
        )
    assert answer["output"]["message"]["content"]
    assert gateway.events.decisions[0].given.request.needs.vision


def test_an_error_of_the_caller_comes_as_it_is(gateway: Served, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(validation("no good"))
    with gateway.bedrock() as client, pytest.raises(ClientError) as caught:
        client.converse(modelId="turnout", messages=ASKED)
    assert caught.value.response["Error"] == {"Code": "ValidationException", "Message": "no good"}
    assert len(doubles.bedrock.calls) == 1


def test_throttling_fails_over(gateway: Served, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(throttling(model=BEDROCK[1].removeprefix("bedrock/")))
    with gateway.bedrock() as client:
        answer = client.converse(modelId="turnout", messages=ASKED)
    assert headers_of(answer)["x-turnout-model"] == BEDROCK[0]
    assert [call.error for call in gateway.events.calls] == ["ThrottlingException", ""]


def test_an_exception_in_mid_stream_comes_as_it_is(gateway: Served, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(Fault(error="ThrottlingException", after_events=3, delay_s=0.1, message="slow down"))
    with gateway.bedrock() as client:
        answer = client.converse_stream(modelId="turnout", messages=ASKED)
        with pytest.raises(EventStreamError) as caught:
            list(answer["stream"])
    assert caught.value.response["Error"]["Code"] == "throttlingException"
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].error == "ThrottlingException"


def test_cancel(gateway: Served, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(stall(30))
    with gateway.bedrock(read_timeout=0.2) as client, pytest.raises(ReadTimeoutError):
        client.converse(modelId="turnout", messages=ASKED)
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert call.status == "cancelled"


def test_names_of_models(gateway: Served) -> None:
    with gateway.bedrock() as client:
        for name in (
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            BEDROCK[0],
        ):
            answer = client.converse(modelId=name, messages=ASKED)
            assert headers_of(answer)["x-turnout-reason"] == "pinned"
            assert headers_of(answer)["x-turnout-model"] == BEDROCK[0]


def test_an_unknown_model_is_a_404_with_the_nearest_name(gateway: Served) -> None:
    with gateway.bedrock() as client, pytest.raises(ClientError) as caught:
        client.converse(modelId="global.anthropic.claude-sonet-4-6", messages=ASKED)
    error = caught.value.response["Error"]
    assert error["Code"] == "ResourceNotFoundException"
    assert "'global.anthropic.claude-sonnet-4-6'" in error["Message"]
