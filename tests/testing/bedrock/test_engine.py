from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from turnout.testing.bedrock import BedrockDouble, ManualClock, Rule, RuleResponder

SONNET = "global.anthropic.claude-sonnet-4-6"
BARE = "anthropic.claude-sonnet-4-6"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
TOOL = {"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}  # 13 tokens, see test_tokens


def test_tokens_are_counted_as_they_are_billed(client: Any) -> None:
    conversation = {
        "messages": HELLO,  # 2
        "system": [{"text": "x" * 40}, {"cachePoint": {"type": "default"}}],  # 10
        "toolConfig": {"tools": [TOOL]},  # 13
    }
    assert client.count_tokens(modelId=BARE, input={"converse": conversation})["inputTokens"] == 25
    # rounded up block by block: 2.6 -> 3, 13, 16.9 -> 17
    counted = client.count_tokens(modelId="anthropic.claude-haiku-5-5", input={"converse": conversation})
    assert counted["inputTokens"] == 33
    assert client.converse(modelId=SONNET, **conversation)["usage"]["inputTokens"] == 25


@pytest.mark.parametrize(
    ("model", "counted", "message"),
    [
        (SONNET, {"converse": {"messages": HELLO}}, "doesn't support counting tokens"),
        (BARE, {"invokeModel": {"body": b"{}"}}, "anthropic_version: Field required"),
        (BARE, {"invokeModel": {"body": b"?"}}, "not the base64 of a JSON object"),
        (BARE, {"invokeModel": {"body": b"[]"}}, "not the base64 of a JSON object"),
        (BARE, {"converse": {"messages": []}}, "must start with a user message"),
        ("anthropic.none", {"converse": {"messages": HELLO}}, "model identifier is invalid"),
    ],
)
def test_what_cannot_be_counted(client: Any, model: str, counted: dict[str, Any], message: str) -> None:
    with pytest.raises(client.exceptions.ValidationException, match=message):
        client.count_tokens(modelId=model, input=counted)


def test_calls_are_kept_with_what_they_reported(client: Any, double: BedrockDouble, clock: ManualClock) -> None:
    reported = client.converse(modelId=SONNET, messages=HELLO)["usage"]
    clock.advance(7)
    list(client.converse_stream(modelId=SONNET, messages=HELLO)["stream"])
    client.count_tokens(modelId=BARE, input={"converse": {"messages": HELLO}})
    with pytest.raises(client.exceptions.ValidationException):
        client.converse(modelId=SONNET, messages=[])
    first, second, third, fourth = double.calls
    assert (first.operation, first.model, first.usage, first.stop_reason) == ("Converse", SONNET, reported, "end_turn")
    assert first.request["messages"] == HELLO
    assert (second.operation, second.at_s - first.at_s) == ("ConverseStream", 7)
    assert (third.operation, third.usage) == ("CountTokens", None)
    assert (fourth.error, fourth.usage, fourth.stop_reason) == ("ValidationException", None, None)


def test_only_the_last_calls_are_kept() -> None:
    with BedrockDouble(calls_kept=2) as double:
        client = double.client()
        for text in ("one", "two", "three"):
            client.converse(modelId=SONNET, messages=[{"role": "user", "content": [{"text": text}]}])
        client.close()
    assert [call.request["messages"][0]["content"][0]["text"] for call in double.calls] == ["two", "three"]


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_a_responder_that_raises(client: Any, double: BedrockDouble, operation: str) -> None:
    def respond(model_id: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        raise LookupError("no such shelf")

    double.responder = respond
    with pytest.raises(client.exceptions.InternalServerException, match="LookupError: no such shelf"):
        getattr(client, operation)(modelId=SONNET, messages=HELLO)


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
@pytest.mark.parametrize(
    "said",
    [
        [{"text": 5}],
        [{"toolUse": {"toolUseId": "not an id", "name": "f", "input": {}}}],
        [{"toolUse": {"toolUseId": "t1", "name": "two words", "input": {}}}],
        ["text"],
    ],
)
def test_an_answer_that_bedrock_could_not_give(client: Any, double: BedrockDouble, operation: str, said: Any) -> None:
    double.responder = lambda model_id, request: said
    with pytest.raises(client.exceptions.InternalServerException, match="responder"):
        getattr(client, operation)(modelId=SONNET, messages=HELLO)


def test_a_schema_that_no_rule_can_fill(client: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^zebra$"}}, "required": ["a"]}
    tools = {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": schema}}}], "toolChoice": {"any": {}}}
    with pytest.raises(client.exceptions.InternalServerException, match=r"UnbuildableSchemaError.*zebra"):
        client.converse(modelId=SONNET, messages=HELLO, toolConfig=tools)


def test_a_tool_loop(client: Any, double: BedrockDouble) -> None:
    double.responder = RuleResponder([Rule(r"in (?P<city>\w+)", "weather", {"city": "{city}"})])
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": schema}}}]}
    messages = [{"role": "user", "content": [{"text": "How is the weather in Bern?"}]}]
    first = client.converse(modelId=SONNET, messages=messages, toolConfig=tools)
    (block,) = first["output"]["message"]["content"]
    assert first["stopReason"] == "tool_use"
    assert (block["toolUse"]["name"], block["toolUse"]["input"]) == ("weather", {"city": "Bern"})
    found = {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"json": {"weather": "sunny"}}]}
    messages += [first["output"]["message"], {"role": "user", "content": [{"toolResult": found}]}]
    second = client.converse(modelId=SONNET, messages=messages, toolConfig=tools)
    assert second["stopReason"] == "end_turn"
    assert second["output"]["message"]["content"] == [{"text": "Here is what I found.\n\nweather: sunny"}]


def test_many_at_once(client: Any, double: BedrockDouble) -> None:
    system = [{"text": "x" * 4096}, {"cachePoint": {"type": "default"}}]
    double.responder = lambda model_id, request: [{"text": request["messages"][0]["content"][0]["text"] * 3}]
    client.converse(modelId=SONNET, messages=HELLO, system=system)
    together = threading.Barrier(8)

    def ask(number: int) -> tuple[str, int, int]:
        messages = [{"role": "user", "content": [{"text": f"{number:04}"}]}]
        together.wait(10)
        if number % 2:
            response = client.converse(modelId=SONNET, messages=messages, system=system)
            return (
                response["output"]["message"]["content"][0]["text"],
                response["usage"]["cacheReadInputTokens"],
                number,
            )
        events = list(client.converse_stream(modelId=SONNET, messages=messages, system=system)["stream"])
        text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
        return text, events[-1]["metadata"]["usage"]["cacheReadInputTokens"], number

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    assert answers == [(f"{number:04}" * 3, 1024, number) for number in range(40)]
    assert len(double.calls) == 41
