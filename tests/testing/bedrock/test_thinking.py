from __future__ import annotations

from typing import Any

import pytest

from turnout.testing.bedrock import BedrockDouble
from turnout.testing.bedrock.thinking import SUMMARY, SignedThinking, read_signature, sign

HAIKU = "global.anthropic.claude-haiku-5-5"
SONNET = "global.anthropic.claude-sonnet-5-5"
OPUS = "global.anthropic.claude-opus-5-5"
OLDER = "global.anthropic.claude-sonnet-4-6"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


def _kinds(response: dict[str, Any]) -> list[str]:
    return [next(iter(block)) for block in response["output"]["message"]["content"]]


def test_signatures_are_read_by_who_made_them_only() -> None:
    thought = SignedThinking("anthropic.claude-haiku-5-5", 128)
    signature = sign(thought)
    assert read_signature(signature) == thought
    assert read_signature(signature[:-4] + "AAAA") is None
    assert read_signature("not base64!") is None
    assert read_signature("") is None


def test_thinking_comes_first_with_a_signature_and_counts_as_output(client: Any, double: BedrockDouble) -> None:
    double.responder = lambda model_id, request: [{"text": "x" * 40}]
    response = client.converse(modelId=HAIKU, messages=HELLO)
    thought, text = response["output"]["message"]["content"]
    reasoning = thought["reasoningContent"]["reasoningText"]
    assert reasoning["text"] == ""
    assert read_signature(reasoning["signature"]) == SignedThinking("anthropic.claude-haiku-5-5", 128)
    assert text == {"text": "x" * 40}
    # 128 of thinking, 13 of text (10 * 1.3)
    assert response["usage"]["outputTokens"] == 141
    assert response["stopReason"] == "end_turn"


def test_a_small_limit_ends_in_the_middle_of_thinking(client: Any) -> None:
    response = client.converse(modelId=HAIKU, messages=HELLO, inferenceConfig={"maxTokens": 50})
    assert _kinds(response) == ["reasoningContent"]
    assert response["stopReason"] == "max_tokens"
    assert response["usage"]["outputTokens"] == 50


def test_a_summary_on_request(client: Any) -> None:
    fields = {"thinking": {"type": "adaptive", "display": "summarized"}}
    response = client.converse(modelId=HAIKU, messages=HELLO, additionalModelRequestFields=fields)
    assert response["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]["text"] == SUMMARY


@pytest.mark.parametrize(("model", "kind"), [(HAIKU, "disabled"), (SONNET, "between_tools")])
def test_thinking_can_be_turned_off_where_the_model_lets_it(client: Any, model: str, kind: str) -> None:
    fields = {"thinking": {"type": kind}}
    assert _kinds(client.converse(modelId=model, messages=HELLO, additionalModelRequestFields=fields)) == ["text"]


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (HAIKU, "enabled", '"thinking.type.enabled" is not supported'),
        (HAIKU, "between_tools", '"thinking.type.between_tools" is not supported.*thinking.type.disabled'),
        (SONNET, "disabled", "thinking.type.between_tools"),
        (OPUS, "disabled", '"thinking.type.disabled" is not supported.*thinking.type.adaptive'),
        (OLDER, "between_tools", '"thinking.type.between_tools" is not supported'),
    ],
)
def test_settings_that_a_model_does_not_know(client: Any, model: str, kind: str, message: str) -> None:
    fields = {"thinking": {"type": kind, "budget_tokens": 2000}}
    with pytest.raises(client.exceptions.ValidationException, match=message):
        client.converse(modelId=model, messages=HELLO, additionalModelRequestFields=fields)


def test_older_models_think_when_asked_and_show_it(client: Any) -> None:
    fields = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    response = client.converse(modelId=OLDER, messages=HELLO, additionalModelRequestFields=fields)
    assert _kinds(response) == ["reasoningContent", "text"]
    assert response["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]["text"] == SUMMARY
    assert _kinds(client.converse(modelId=OLDER, messages=HELLO)) == ["text"]


@pytest.mark.parametrize(
    ("fields", "inference", "message"),
    [
        ({"budget_tokens": 1000}, {}, "greater than or equal to 1024"),
        ({}, {}, "greater than or equal to 1024"),
        ({"budget_tokens": 2000}, {"maxTokens": 2000}, "`max_tokens` must be greater"),
        ({"budget_tokens": 2000}, {"temperature": 0.5}, "may only be set to 1 when thinking"),
    ],
)
def test_budgets_of_older_models(
    client: Any, fields: dict[str, int], inference: dict[str, float], message: str
) -> None:
    with pytest.raises(client.exceptions.ValidationException, match=message):
        client.converse(
            modelId=OLDER,
            messages=HELLO,
            inferenceConfig=inference,
            additionalModelRequestFields={"thinking": {"type": "enabled", **fields}},
        )


def test_thinking_sent_back_counts_for_its_model_and_is_left_out_for_others(client: Any, double: BedrockDouble) -> None:
    double.responder = lambda model_id, request: [{"text": "x" * 40}]
    first = client.converse(modelId=HAIKU, messages=HELLO)["output"]["message"]
    followed = [*HELLO, first, {"role": "user", "content": [{"text": "More?"}]}]
    # Hello 2 -> 3, thinking 128, text 10 -> 13, More? 2 -> 3
    assert client.converse(modelId=HAIKU, messages=followed)["usage"]["inputTokens"] == 147
    assert client.converse(modelId=SONNET, messages=followed)["usage"]["inputTokens"] == 19
    assert client.converse(modelId=OLDER, messages=followed)["usage"]["inputTokens"] == 14


@pytest.mark.parametrize("signature", ["c29tZXRoaW5n", ""])
def test_a_signature_that_nobody_made_is_refused(client: Any, signature: str) -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": signature}}}
    messages = [*HELLO, {"role": "assistant", "content": [thought, {"text": "Hi"}]}, *HELLO]
    with pytest.raises(client.exceptions.ValidationException, match=r"messages\.1\.content\.0: Invalid `signature`"):
        client.converse(modelId=HAIKU, messages=messages)


def test_thinking_has_no_place_in_a_user_message(client: Any) -> None:
    block = {"reasoningContent": {"reasoningText": {"text": "", "signature": sign(SignedThinking("any", 1))}}}
    with pytest.raises(client.exceptions.ValidationException, match="User messages cannot contain reasoning content"):
        client.converse(modelId=HAIKU, messages=[{"role": "user", "content": [block]}])


def test_redacted_thinking_is_refused(client: Any) -> None:
    thought = {"reasoningContent": {"redactedContent": b"secret"}}
    messages = [*HELLO, {"role": "assistant", "content": [thought]}, *HELLO]
    with pytest.raises(client.exceptions.ValidationException, match="Invalid `signature`"):
        client.converse(modelId=HAIKU, messages=messages)


def test_a_forced_tool_leaves_no_thinking(client: Any) -> None:
    tools = {
        "tools": [{"toolSpec": {"name": "pick", "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"any": {}},
    }
    response = client.converse(modelId=HAIKU, messages=HELLO, toolConfig=tools)
    assert _kinds(response) == ["toolUse"]
    fields = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    with pytest.raises(client.exceptions.ValidationException, match="Thinking may not be enabled"):
        client.converse(modelId=OLDER, messages=HELLO, toolConfig=tools, additionalModelRequestFields=fields)


def test_in_a_stream_an_omitted_thought_is_its_signature_alone(client: Any) -> None:
    stream = client.converse_stream(modelId=HAIKU, messages=HELLO)["stream"]
    deltas = [event["contentBlockDelta"]["delta"] for event in stream if "contentBlockDelta" in event]
    assert list(deltas[0]["reasoningContent"]) == ["signature"]
    assert "text" in deltas[1]


def test_in_a_stream_a_summary_stands_before_the_signature(client: Any) -> None:
    fields = {"thinking": {"type": "adaptive", "display": "summarized"}}
    stream = client.converse_stream(modelId=HAIKU, messages=HELLO, additionalModelRequestFields=fields)["stream"]
    deltas = [event["contentBlockDelta"]["delta"] for event in stream if "contentBlockDelta" in event]
    assert [list(delta["reasoningContent"]) for delta in deltas[:2]] == [["text"], ["signature"]]
