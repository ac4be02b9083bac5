from __future__ import annotations

from typing import Any

import pytest

from turnout.testing.bedrock import SimulatedModel
from turnout.testing.bedrock.errors import BedrockError
from turnout.testing.bedrock.prompt import lay_out
from turnout.testing.bedrock.rules import check_conversation, check_parameters, check_prompt
from turnout.testing.bedrock.thinking import SignedThinking, sign

SONNET_46 = "global.anthropic.claude-sonnet-4-6"
HAIKU_55 = "global.anthropic.claude-haiku-5-5"
SONNET_55 = "global.anthropic.claude-sonnet-5-5"
PLAIN = SimulatedModel(id="plain")
TOOLS = {"tools": [{"toolSpec": {"name": "lookup", "inputSchema": {"json": {"type": "object"}}}}]}
Message = dict[str, Any]


def user(*blocks: Any) -> Message:
    return {"role": "user", "content": [{"text": block} if isinstance(block, str) else block for block in blocks]}


def assistant(*blocks: Any) -> Message:
    return {**user(*blocks), "role": "assistant"}


def call(tool_use_id: str) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": tool_use_id, "name": "lookup", "input": {}}}


def result(tool_use_id: str) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": tool_use_id, "content": [{"text": "found"}]}}


def point(ttl: str = "5m") -> dict[str, Any]:
    return {"cachePoint": {"type": "default", "ttl": ttl}}


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        ({"messages": []}, "must start with a user message"),
        ({}, "must start with a user message"),
        ({"messages": [assistant("Hi")]}, "must start with a user message"),
        ({"messages": [user("a"), user("b")]}, "must alternate between user and assistant roles"),
        ({"messages": [user("a"), {**user("b"), "role": "system"}]}, r"messages\.1\.role: system messages"),
        ({"messages": [user("a"), assistant("b")]}, "does not support assistant message prefill"),
        ({"messages": [user()]}, r"Message object at messages\.0 is empty"),
        ({"messages": [user("a"), assistant(" \n"), user("b")]}, r"messages\.1\.content\.0 is blank"),
        ({"messages": [user({})]}, r"at messages\.0\.content\.0 must set exactly one key; it sets 0"),
        ({"messages": [user("a")], "system": [{"text": "a", **point()}]}, r"at system\.0 must set exactly one key"),
        (
            {
                "messages": [
                    user("a"),
                    assistant(call("t1")),
                    user({"toolResult": {"toolUseId": "t1", "content": [{}]}}),
                ]
            },
            r"messages\.2\.content\.0\.toolResult\.content\.0 must set exactly one",
        ),
        ({"messages": [user("a")], "guardrailConfig": {}}, "simulated Bedrock without guardrailConfig"),
        ({"messages": [user("a"), assistant(call("t1")), user(result("t1"))]}, "toolConfig field must be defined"),
        (
            {"messages": [user("a"), assistant(call("t1"), call("t2")), user(result("t1"))], "toolConfig": TOOLS},
            r"Expected toolResult blocks at messages\.2\.content for the following Ids: t2",
        ),
        (
            {"messages": [user("a"), assistant(call("t1")), user(result("t9"))], "toolConfig": TOOLS},
            r"Expected toolResult blocks at messages\.2\.content for the following Ids: t1",
        ),
        (
            {"messages": [user("a"), assistant(call("t1")), user("and?")], "toolConfig": TOOLS},
            r"Expected toolResult blocks at messages\.2\.content for the following Ids: t1",
        ),
        (
            {"messages": [user("a"), assistant("b"), user(result("t1"))], "toolConfig": TOOLS},
            r"toolResult blocks at messages\.2\.content exceeds the number of toolUse blocks",
        ),
        ({"messages": [user(call("t1"))], "toolConfig": TOOLS}, "toolUse blocks at .* of role assistant"),
        (
            {"messages": [user("a"), assistant(result("t1")), user("b")], "toolConfig": TOOLS},
            "toolResult blocks at .* of role user",
        ),
        (
            {"messages": [user("a"), assistant(call("t1"), call("t1")), user(result("t1"))], "toolConfig": TOOLS},
            r"toolUse blocks at messages\.1\.content contain duplicate Ids",
        ),
        ({"messages": [user("a")], "toolConfig": {"tools": TOOLS["tools"] * 2}}, "lookup is defined more than once"),
        (
            {"messages": [user("a")], "toolConfig": {**TOOLS, "toolChoice": {"tool": {"name": "search"}}}},
            "search, which is not among the tools",
        ),
        (
            {
                "messages": [
                    user("a"),
                    assistant(
                        {
                            "reasoningContent": {
                                "reasoningText": {"text": "", "signature": sign(SignedThinking("p", 1))}
                            }
                        },
                        point(),
                    ),
                    user("b"),
                ]
            },
            "Cache point cannot be inserted after reasoning block",
        ),
    ],
)
def test_conversations_that_are_refused(request_body: dict[str, Any], message: str) -> None:
    with pytest.raises(BedrockError, match=message) as caught:
        check_conversation(PLAIN, request_body)
    assert caught.value.code == "ValidationException"


def test_a_conversation_with_tools_is_fine() -> None:
    messages = [user("a"), assistant("I look.", call("t1"), call("t2")), user(result("t2"), result("t1"), "thanks")]
    check_conversation(PLAIN, {"messages": messages, "toolConfig": TOOLS})


def test_a_tool_call_at_the_end_waits_for_its_result() -> None:
    prefilling = SimulatedModel(id="prefilling", prefill=True)
    check_conversation(prefilling, {"messages": [user("a"), assistant("b")]})
    with pytest.raises(BedrockError, match="cannot end with trailing whitespace"):
        check_conversation(prefilling, {"messages": [user("a"), assistant("b ")]})
    with pytest.raises(BedrockError, match=r"messages\.2\.content for the following Ids: t1"):
        check_conversation(prefilling, {"messages": [user("a"), assistant(call("t1"))], "toolConfig": TOOLS})


@pytest.mark.parametrize("choice", [{"any": {}}, {"tool": {"name": "lookup"}}])
def test_models_that_cannot_be_forced(client: Any, choice: dict[str, Any]) -> None:
    tools = {**TOOLS, "toolChoice": choice}
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.converse(modelId=SONNET_55, messages=[user("a")], toolConfig=tools)
    assert caught.value.response["Error"]["Message"] == (
        'The model returned the following errors: tool_choice: type "tool" and "any" are not supported for this model.'
    )
    assert client.converse(modelId=SONNET_46, messages=[user("a")], toolConfig=tools)["stopReason"] == "tool_use"


@pytest.mark.parametrize(
    ("inference", "fields", "message"),
    [
        ({"temperature": 0.0}, {}, "`temperature` is deprecated for this model"),
        ({"topP": 1.0}, {}, "`top_p` is deprecated for this model"),
        ({}, {"top_k": 5}, "`top_k` is deprecated for this model"),
        ({"temperature": 1.0, "topP": 0.99}, {}, "cannot both be specified"),
    ],
)
def test_sampling_parameters_that_newer_models_reject(
    client: Any, inference: dict[str, float], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(client.exceptions.ValidationException, match=message):
        client.converse(
            modelId=HAIKU_55, messages=[user("a")], inferenceConfig=inference, additionalModelRequestFields=fields
        )


@pytest.mark.parametrize("inference", [{"temperature": 1.0}, {"topP": 0.99}])
def test_their_defaults_are_accepted(client: Any, inference: dict[str, float]) -> None:
    response = client.converse(modelId=HAIKU_55, messages=[user("a")], inferenceConfig=inference)
    assert response["stopReason"] == "end_turn"


def test_older_models_take_one_sampling_parameter(client: Any) -> None:
    for inference in ({"temperature": 0.0}, {"topP": 0.5}):
        client.converse(modelId=SONNET_46, messages=[user("a")], inferenceConfig=inference)
    with pytest.raises(client.exceptions.ValidationException, match="cannot both be specified"):
        client.converse(modelId=SONNET_46, messages=[user("a")], inferenceConfig={"temperature": 0.0, "topP": 0.5})


def _json_format(schema: str) -> dict[str, Any]:
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema}}}}


@pytest.mark.parametrize(
    ("model", "request_body", "message"),
    [
        (PLAIN, {"inferenceConfig": {"maxTokens": 64_001}}, "exceeds the model limit of 64000"),
        (PLAIN, {"outputConfig": _json_format("{")}, "output_config.format.schema"),
        (PLAIN, {"outputConfig": _json_format("[1]")}, "output_config.format.schema"),
        (
            SimulatedModel(id="plain", structured_output=False),
            {"outputConfig": _json_format("{}")},
            "doesn't support the outputConfig field",
        ),
    ],
)
def test_parameters_that_are_refused(model: SimulatedModel, request_body: dict[str, Any], message: str) -> None:
    with pytest.raises(BedrockError, match=message):
        check_parameters(model, request_body)


def test_parameters_that_are_fine() -> None:
    check_parameters(PLAIN, {"inferenceConfig": {"maxTokens": 64_000}, "outputConfig": {"effort": "low"}})
    check_parameters(PLAIN, {"outputConfig": _json_format('{"type": "object"}')})


def test_a_prompt_that_is_too_long() -> None:
    small = SimulatedModel(id="small", context_window=10)
    check_prompt(small, lay_out(small, {"messages": [user("x" * 40)]}))
    with pytest.raises(BedrockError, match="Input is too long for requested model"):
        check_prompt(small, lay_out(small, {"messages": [user("x" * 41)]}))


def test_four_cache_points_and_no_more(client: Any) -> None:
    system = [block for _ in range(4) for block in ({"text": "a"}, point())]
    client.converse(modelId=SONNET_46, messages=[user("a")], system=system)
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.converse(modelId=SONNET_46, messages=[user("a", point())], system=system)
    assert caught.value.response["Error"]["Message"] == (
        "The model returned the following errors: A maximum of 4 blocks with cache_control may be provided. Found 5."
    )


@pytest.mark.parametrize(
    ("tools", "system", "last", "refused_at"),
    [
        ("5m", "1h", None, "system.1"),
        ("5m", None, "1h", "messages.0.content.1"),
        (None, "5m", "1h", "messages.0.content.1"),
        ("1h", "5m", "1h", "messages.0.content.1"),
        ("1h", "1h", "5m", None),
        ("1h", "5m", "5m", None),
        (None, None, "1h", None),
    ],
)
def test_longer_lives_come_first(
    client: Any, tools: str | None, system: str | None, last: str | None, refused_at: str | None
) -> None:
    def after(ttl: str | None) -> list[dict[str, Any]]:
        return [point(ttl)] if ttl else []

    request_body = {
        "modelId": SONNET_46,
        "toolConfig": {"tools": [*TOOLS["tools"], *after(tools)]},
        "system": [{"text": "a"}, *after(system)],
        "messages": [user("a", *after(last))],
    }
    if refused_at is None:
        client.converse(**request_body)
        return
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.converse(**request_body)
    assert (
        f"{refused_at}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m'"
        in caught.value.response["Error"]["Message"]
    )


def test_without_a_ttl_it_is_five_minutes(client: Any) -> None:
    system = [{"text": "a"}, {"cachePoint": {"type": "default"}}]
    with pytest.raises(client.exceptions.ValidationException, match="ttl='1h' cache_control block must not come after"):
        client.converse(modelId=SONNET_46, messages=[user("a", point("1h"))], system=system)
