"""Claude on Bedrock by InvokeModel: Anthropic's client for Bedrock and boto3 against the gateway, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import AnthropicBedrock
from botocore.exceptions import ClientError, EventStreamError

from tests.doors.gateway.support import BEDROCK, OPENAI, PIXEL, Served, Upstreams, wait_for
from turnout.testing.bedrock import stall, throttling, validation
from turnout.testing.bedrock.faults import Fault

TOOLS: list[Any] = [
    {
        "name": "weather",
        "description": "Looks up the weather.",
        "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    }
]
ASKED: list[Any] = [{"role": "user", "content": "How is the weather?"}]
COMMON: dict[str, Any] = {"model": "turnout", "max_tokens": 200, "messages": ASKED}
FORCED: Any = {"type": "tool", "name": "weather"}
BODY: dict[str, Any] = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200, "messages": ASKED}


@pytest.fixture(params=["sigv4", "bearer"])
def client(request: pytest.FixtureRequest, gateway: Served) -> Iterator[AnthropicBedrock]:
    proof: dict[str, Any] = {"api_key": "client-key"}
    if request.param == "sigv4":
        proof = {"aws_access_key": "client-id", "aws_secret_key": "client-secret"}
    with AnthropicBedrock(base_url=gateway.url, aws_region="eu-west-1", max_retries=0, **proof) as found:
        yield found


def text_of(answer: Any) -> str:
    return "".join(block.text for block in answer.content if block.type == "text")


def test_plain(client: AnthropicBedrock, gateway: Served, doubles: Upstreams) -> None:
    raw = client.messages.with_raw_response.create(**COMMON, system="Be brief.")
    answer = raw.parse()
    assert text_of(answer)
    assert answer.model == "claude-sonnet-4-6"
    assert raw.headers["x-turnout-model"] == BEDROCK[1]
    (call,) = gateway.events.calls
    assert raw.headers["x-turnout-cost-usd"] == str(call.cost.usd)
    assert (call.status, call.finish_reason, call.usage_source) == ("ok", "end_turn", "reported")
    assert (call.usage.input_tokens, call.usage.output_tokens) == (
        answer.usage.input_tokens,
        answer.usage.output_tokens,
    )
    (seen,) = doubles.bedrock.calls
    assert (seen.operation, seen.model) == ("InvokeModel", BEDROCK[1].removeprefix("bedrock/"))


def test_stream(client: AnthropicBedrock, gateway: Served) -> None:
    with client.messages.stream(**COMMON) as got:
        events = [event.type for event in got]
        final = got.get_final_message()
    assert text_of(final)
    assert (events[0], events[-1]) == ("message_start", "message_stop")
    assert got.response.headers["x-turnout-model"] == BEDROCK[1]
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.status, call.usage_source, call.streamed) == ("ok", "reported", True)
    assert (call.usage.input_tokens, call.usage.output_tokens) == (final.usage.input_tokens, final.usage.output_tokens)
    assert call.first_content_ms is not None


def test_betas_and_headers_go_through(client: AnthropicBedrock, gateway: Served, doubles: Upstreams) -> None:
    messages: Any = client.beta.messages  # typed as if it were Anthropic's own
    messages.create(**COMMON, betas=["context-1m-2025-08-07"])
    (call,) = doubles.bedrock.calls
    assert call.request["anthropic_beta"] == ["context-1m-2025-08-07"]
    assert call.request["anthropic_version"]
    assert "model" not in call.request


def test_tools_and_their_results(client: AnthropicBedrock, gateway: Served) -> None:
    first = client.messages.create(**COMMON, tools=TOOLS, tool_choice=FORCED)
    (used,) = [block for block in first.content if block.type == "tool_use"]
    assert used.name == "weather"
    result = {"type": "tool_result", "tool_use_id": used.id, "content": "It rains."}
    history = [*ASKED, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.with_raw_response.create(**{**COMMON, "messages": history}, tools=TOOLS)
    assert "It rains." in text_of(second.parse())
    assert second.headers["x-turnout-reason"] == "hard_stay"
    one, two = gateway.events.decisions
    assert one.turn_id == two.turn_id


def test_tools_streamed(client: AnthropicBedrock, gateway: Served) -> None:
    with client.messages.stream(**COMMON, tools=TOOLS, tool_choice=FORCED) as got:
        final = got.get_final_message()
    assert [block.input for block in final.content if block.type == "tool_use"] == [{"place": "simulated"}]
    assert final.stop_reason == "tool_use"


def test_image(client: AnthropicBedrock, gateway: Served) -> None:
    content: Any = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "text", "text": "What is this?"},
    ]
    answer = client.messages.create(**{**COMMON, "messages": [{"role": "user", "content": content}]})
    assert answer.usage.input_tokens > 1_500
    assert gateway.events.decisions[0].given.request.needs.vision


def test_an_error_of_the_caller_comes_as_it_is(client: AnthropicBedrock, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(validation("no good"))
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**COMMON)
    assert "no good" in str(caught.value)
    assert len(doubles.bedrock.calls) == 1


def test_throttling_fails_over(client: AnthropicBedrock, gateway: Served, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(throttling(model=BEDROCK[1].removeprefix("bedrock/")))
    raw = client.messages.with_raw_response.create(**COMMON)
    assert raw.headers["x-turnout-model"] == BEDROCK[0]
    assert [call.error for call in gateway.events.calls] == ["ThrottlingException", ""]


def test_an_exception_in_mid_stream_comes_as_it_is(
    client: AnthropicBedrock, gateway: Served, doubles: Upstreams
) -> None:
    doubles.bedrock.faults.add(Fault(error="ThrottlingException", after_events=4, delay_s=0.1, message="slow down"))
    with pytest.raises(anthropic.APIStatusError, match="slow down"), client.messages.stream(**COMMON) as got:
        got.until_done()
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].error == "ThrottlingException"


def test_cancel(client: AnthropicBedrock, gateway: Served, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(stall(30))
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.6).messages.create(**COMMON)
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].status == "cancelled"
    wait_for(lambda: gateway.gateway.busy == 0)


@pytest.mark.parametrize(
    "name",
    [
        "turnout/economy",
        "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123",
    ],
)
def test_names_in_paths(gateway: Served, name: str) -> None:
    with gateway.bedrock() as boto:
        invoked = boto.invoke_model(modelId=name, body=json.dumps(BODY))
        conversed = boto.converse(modelId=name, messages=[{"role": "user", "content": [{"text": "hi"}]}])
    with AnthropicBedrock(base_url=gateway.url, aws_region="eu-west-1", api_key="k", max_retries=0) as client:
        raw = client.messages.with_raw_response.create(**{**COMMON, "model": name})
    wanted = BEDROCK[1] if name == "turnout/economy" else BEDROCK[0]
    for answer in (invoked, conversed):
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-turnout-model"] == wanted
    assert raw.headers["x-turnout-model"] == wanted


def test_boto3_reads_plain_and_streamed_answers(gateway: Served, doubles: Upstreams) -> None:
    with gateway.bedrock() as boto:
        answer = boto.invoke_model(modelId="turnout", body=json.dumps(BODY))
        said = json.loads(answer["body"].read())
        streamed = boto.invoke_model_with_response_stream(modelId="turnout", body=json.dumps(BODY))
        events = [json.loads(event["chunk"]["bytes"]) for event in streamed["body"]]
    assert (said["type"], said["stop_reason"]) == ("message", "end_turn")
    assert answer["contentType"] == streamed["contentType"] == "application/json"
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == said["usage"]["output_tokens"]
    assert [call.operation for call in doubles.bedrock.calls] == ["InvokeModel", "InvokeModelWithResponseStream"]


def test_boto3_reads_errors(gateway: Served, doubles: Upstreams) -> None:
    with gateway.bedrock() as boto:
        with pytest.raises(ClientError, match="only bodies for Claude are understood"):
            boto.invoke_model(modelId="turnout", body=b'{"prompt":"hi"}')
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            boto.invoke_model(modelId="global.anthropic.claude-sonet-4-6", body=json.dumps(BODY))
        with pytest.raises(ClientError, match="untranslatable:protocol"):
            boto.invoke_model(modelId=OPENAI[0], body=json.dumps(BODY))
        doubles.bedrock.faults.add(Fault(drop=True, after_events=5, delay_s=0.05))
        streamed = boto.invoke_model_with_response_stream(modelId="turnout", body=json.dumps(BODY))
        with pytest.raises(EventStreamError, match="Exception"):
            list(streamed["body"])
        streamed["body"].close()


def test_tokens_are_counted_by_the_provider(gateway: Served, doubles: Upstreams) -> None:
    messages = [{"role": "user", "content": [{"text": "How is the weather?"}]}]
    with gateway.bedrock() as boto:
        conversed = boto.count_tokens(modelId="turnout", input={"converse": {"messages": messages}})
        invoked = boto.count_tokens(
            modelId=BEDROCK[0].removeprefix("bedrock/"), input={"invokeModel": {"body": json.dumps(BODY)}}
        )
    assert conversed["inputTokens"] == invoked["inputTokens"] > 0
    assert conversed["ResponseMetadata"]["HTTPHeaders"]["x-turnout-model"] == BEDROCK[1]
    # CountTokens takes ids without an inference profile.
    assert [call.model for call in doubles.bedrock.calls] == [
        "anthropic.claude-sonnet-4-6",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
    ]
    assert gateway.events.events == []


def test_a_body_with_nothing_to_count_is_refused(gateway: Served) -> None:
    with gateway.http() as client:
        answer = client.post("/model/turnout/count-tokens", json={"input": {}})
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "ValidationException"
    assert "must have either converse or invokeModel" in answer.json()["message"]
