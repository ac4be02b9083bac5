"""InvokeModel of the double, by Anthropic's client for Bedrock and by boto3: the same models, another body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import AnthropicBedrock
from anthropic.types import Message, RawMessageStreamEvent
from botocore.exceptions import EventStreamError
from pydantic import TypeAdapter

from turnout.testing.bedrock import BedrockDouble, Rule, RuleResponder
from turnout.testing.bedrock.claude_body import to_converse
from turnout.testing.bedrock.errors import BedrockError
from turnout.testing.bedrock.faults import Fault
from turnout.testing.bedrock.shapes import check_request

SONNET = "global.anthropic.claude-sonnet-4-6"
HAIKU5 = "global.anthropic.claude-haiku-5-5"
ASKED: list[Any] = [{"role": "user", "content": "Hello"}]
BODY: dict[str, Any] = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 500, "messages": ASKED}
TOOL = {"name": "weather", "description": "Looks it up.", "input_schema": {"type": "object"}}
PIXEL = "iVBORw0KGgo="
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


@pytest.fixture
def claude(double: BedrockDouble) -> Iterator[AnthropicBedrock]:
    with AnthropicBedrock(base_url=double.url, aws_region="us-east-1", api_key="k", max_retries=0) as client:
        yield client


def invoke(client: Any, body: dict[str, Any], model: str = SONNET) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.invoke_model(modelId=model, body=json.dumps(body))["body"].read())
    return found


def test_the_same_prompt_costs_the_same_either_way(client: Any, double: BedrockDouble) -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = {**BODY, "system": [{"type": "text", "text": "A rule. " * 2000, **mark}]}
    first, second = invoke(client, body), invoke(client, body)
    assert first["usage"]["cache_creation"] == {
        "ephemeral_5m_input_tokens": 0,
        "ephemeral_1h_input_tokens": first["usage"]["cache_creation_input_tokens"],
    }
    assert second["usage"]["cache_read_input_tokens"] == first["usage"]["cache_creation_input_tokens"] > 0
    system = [{"text": "A rule. " * 2000}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    said = [{"role": "user", "content": [{"text": "Hello"}]}]
    usage = client.converse(modelId=SONNET, system=system, messages=said, inferenceConfig={"maxTokens": 500})["usage"]
    assert usage["cacheReadInputTokens"] == second["usage"]["cache_read_input_tokens"]
    assert usage["inputTokens"] == second["usage"]["input_tokens"]
    assert usage["outputTokens"] == second["usage"]["output_tokens"]
    assert double.calls[0].usage is not None
    assert json.loads(double.calls[0].body) == body


def test_events_are_the_clients_own_and_make_the_same_message(client: Any, claude: AnthropicBedrock) -> None:
    whole = invoke(client, BODY)
    Message.model_validate(whole, strict=True)
    streamed = client.invoke_model_with_response_stream(modelId=SONNET, body=json.dumps(BODY))
    events = [json.loads(event["chunk"]["bytes"]) for event in streamed["body"]]
    for event in events:
        EVENT.validate_python(event, strict=True)
    assert events[-1]["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == whole["usage"]["input_tokens"]
    with claude.messages.stream(model=SONNET, max_tokens=500, messages=ASKED) as got:
        final = got.get_final_message()
    assert [block.model_dump(exclude_none=True) for block in final.content] == whole["content"]
    assert final.usage.output_tokens == whole["usage"]["output_tokens"]


def test_thinking_and_tools_go_round(claude: AnthropicBedrock, double: BedrockDouble) -> None:
    double.responder = RuleResponder([Rule("weather", "weather", {"place": "Berlin"})])
    asked: list[Any] = [{"role": "user", "content": "the weather?"}]
    common: dict[str, Any] = {"model": HAIKU5, "max_tokens": 2_000, "tools": [TOOL]}
    with claude.messages.stream(**common, messages=asked) as got:
        first = got.get_final_message()
    assert [block.type for block in first.content] == ["thinking", "tool_use"]
    assert first.stop_reason == "tool_use"
    used = first.content[1]
    assert used.type == "tool_use"
    assert used.input == {"place": "Berlin"}
    result = {"type": "tool_result", "tool_use_id": used.id, "content": [{"type": "text", "text": "Rain in Berlin."}]}
    history = [*asked, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = claude.messages.create(**common, messages=history)
    assert "Rain in Berlin." in str(second.content)
    assert second.usage.input_tokens > first.usage.input_tokens


def test_everything_of_a_body_has_its_place() -> None:
    body = {
        **BODY,
        "anthropic_beta": ["x"],
        "metadata": {"user_id": "u"},
        "system": "Be brief.",
        "temperature": 0.5,
        "top_k": 3,
        "stop_sequences": ["END"],
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}, {"type": "bash_20250124", "name": "bash"}],
        "tool_choice": {"type": "any"},
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PIXEL}},
                ],
            },
            {"role": "user", "content": "Look."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": PIXEL},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True}]},
        ],
    }
    request = to_converse(body)
    check_request("Converse", SONNET, request)
    assert [message["role"] for message in request["messages"]] == ["user", "assistant", "user"]
    assert request["inferenceConfig"] == {"maxTokens": 500, "temperature": 0.5, "stopSequences": ["END"]}
    assert request["additionalModelRequestFields"] == {
        "top_k": 3,
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "low"},
        "anthropic_beta": ["x"],
    }
    assert request["toolConfig"]["toolChoice"] == {"any": {}}
    assert [next(iter(tool)) for tool in request["toolConfig"]["tools"]] == ["toolSpec", "cachePoint", "toolSpec"]
    assert request["messages"][-1]["content"][0]["toolResult"]["status"] == "error"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"model": "m"}, "model: Extra inputs are not permitted"),
        ({"stream": True}, "stream: Extra inputs are not permitted"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"anthropic_version": None}, "anthropic_version: Field required"),
        ({"messages": "Hello"}, "messages: Input should be a valid list"),
        ({"messages": [{"role": "user"}]}, "does not have the API's shape: KeyError"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages.0.content.0: Input tag 'video'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}]},
            "only base64 is supported",
        ),
    ],
)
def test_what_is_refused(members: dict[str, Any], said: str) -> None:
    with pytest.raises(BedrockError) as caught:
        to_converse({**BODY, **members})
    assert caught.value.code == "ValidationException"
    assert said in caught.value.message


def test_errors_before_and_in_the_middle(client: Any, claude: AnthropicBedrock, double: BedrockDouble) -> None:
    double.faults.add(Fault(error="ThrottlingException"))
    with pytest.raises(anthropic.RateLimitError):
        claude.messages.create(model=SONNET, max_tokens=9, messages=ASKED)
    double.faults.add(Fault(error="ModelStreamErrorException", after_events=2))
    streamed = client.invoke_model_with_response_stream(modelId=SONNET, body=json.dumps(BODY))
    with pytest.raises(EventStreamError):
        list(streamed["body"])
    streamed["body"].close()
    assert [call.error for call in double.calls] == ["ThrottlingException", "ModelStreamErrorException"]
