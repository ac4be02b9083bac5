from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.testing.bedrock import MODELS, BedrockDouble, SimulatedModel, block_tokens
from turnout.testing.bedrock.answer import events, finish

PLAIN = SimulatedModel(id="plain")
HAIKU_55 = next(model for model in MODELS if "haiku-5-5" in model.id)
CALL = {"toolUse": {"toolUseId": "t1", "name": "lookup", "input": {"city": "Bern"}}}  # 6 tokens
SONNET = "global.anthropic.claude-sonnet-4-6"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


def limited(max_tokens: int | None = None, stop: list[str] | None = None) -> dict[str, Any]:
    inference = {"maxTokens": max_tokens, "stopSequences": stop}
    return {"inferenceConfig": {key: value for key, value in inference.items() if value is not None}}


@pytest.mark.parametrize(
    ("request_body", "said", "content", "stop_reason", "tokens"),
    [
        ({}, [{"text": "x" * 40}], [{"text": "x" * 40}], "end_turn", 10),
        (limited(10), [{"text": "x" * 40}], [{"text": "x" * 40}], "end_turn", 10),
        (limited(9), [{"text": "x" * 40}], [{"text": "x" * 36}], "max_tokens", 9),
        ({}, [{"text": "Wait."}, CALL], [{"text": "Wait."}, CALL], "tool_use", 8),
        (limited(7), [{"text": "Wait."}, CALL], [{"text": "Wait."}], "max_tokens", 2),
        (limited(3), [CALL], [], "max_tokens", 0),
        (limited(stop=["END", "!"]), [{"text": "One! two END"}, CALL], [{"text": "One"}], "stop_sequence", 1),
        (limited(stop=["One"]), [{"text": "One!"}], [], "stop_sequence", 0),
        (limited(2, stop=["END"]), [{"text": "x" * 12 + "END"}], [{"text": "x" * 8}], "max_tokens", 2),
        ({}, [], [], "end_turn", 0),
    ],
)
def test_limits(
    request_body: dict[str, Any], said: list[Any], content: list[Any], stop_reason: str, tokens: int
) -> None:
    answer = finish(PLAIN, request_body, said)
    assert (list(answer.content), answer.stop_reason, answer.output_tokens) == (content, stop_reason, tokens)


def test_thinking_leaves_less_room_for_text() -> None:
    answer = finish(HAIKU_55, limited(141), [{"text": "x" * 44}])
    # 141 - 128 = 13 tokens, so 10 of the counter's own, so 40 characters
    assert answer.content[1] == {"text": "x" * 40}
    assert (answer.stop_reason, answer.output_tokens) == ("max_tokens", 141)


@given(
    st.lists(st.one_of(st.text(min_size=1, max_size=80).map(lambda text: {"text": text}), st.just(CALL)), max_size=4),
    st.integers(1, 60),
)
def test_an_answer_never_exceeds_its_limit_and_is_a_beginning(said: list[dict[str, Any]], limit: int) -> None:
    answer = finish(PLAIN, limited(limit), said)
    assert answer.output_tokens == sum(block_tokens(block) for block in answer.content) <= limit
    assert (answer.stop_reason == "max_tokens") == (sum(block_tokens(block) for block in said) > limit)
    whole = "".join(block.get("text", "") for block in said)
    assert whole.startswith("".join(block.get("text", "") for block in answer.content))


@given(
    st.lists(st.one_of(st.text(min_size=1, max_size=80).map(lambda text: {"text": text}), st.just(CALL)), max_size=4)
)
def test_the_deltas_of_a_stream_add_up_to_the_answer(said: list[dict[str, Any]]) -> None:
    answer = finish(PLAIN, {}, said)
    text, tool_input = "", ""
    for name, payload in events(answer, {}):
        if name == "contentBlockDelta":
            text += payload["delta"].get("text", "")
            tool_input += payload["delta"].get("toolUse", {}).get("input", "")
    assert text == "".join(block.get("text", "") for block in said)
    assert tool_input == '{"city": "Bern"}' * sum("toolUse" in block for block in said)


def test_both_ways_say_the_same(client: Any, double: BedrockDouble) -> None:
    said: list[dict[str, Any]] = [{"text": "I look it up for you now."}, CALL]
    double.responder = lambda model_id, request: said
    request = {"modelId": SONNET, "messages": HELLO, "toolConfig": {"tools": [_lookup()]}}
    whole = client.converse(**request)
    streamed = list(client.converse_stream(**request)["stream"])
    assert [next(iter(event)) for event in streamed] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockStop",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert streamed[4]["contentBlockStart"] == {
        "start": {"toolUse": {"toolUseId": "t1", "name": "lookup"}},
        "contentBlockIndex": 1,
    }
    assert whole["stopReason"] == streamed[-2]["messageStop"]["stopReason"] == "tool_use"
    assert whole["usage"] == streamed[-1]["metadata"]["usage"]
    assert whole["output"]["message"] == {"role": "assistant", "content": said}


def _lookup() -> dict[str, Any]:
    return {"toolSpec": {"name": "lookup", "inputSchema": {"json": {"type": "object"}}}}


def test_text_that_is_cut_over_the_wire(client: Any, double: BedrockDouble) -> None:
    double.responder = lambda model_id, request: [{"text": "x" * 400}]
    response = client.converse(modelId=SONNET, messages=HELLO, inferenceConfig={"maxTokens": 7})
    assert response["output"]["message"]["content"] == [{"text": "x" * 28}]
    assert (response["stopReason"], response["usage"]["outputTokens"]) == ("max_tokens", 7)
