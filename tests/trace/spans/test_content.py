from __future__ import annotations

import json
import logging
from typing import Any

import msgspec
import pytest

from turnout.messages.conversation import Conversation
from turnout.trace.spans.content import FAILED, Transcript, redacted, redacted_json

SYSTEM = {"text": "You answer for a shop."}


def loud(text: str) -> str:
    return text.replace("Ada", "ADA")


def fails(text: str) -> str:
    raise RuntimeError(text)


def stream(*blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of a stream of blocks, each given by its start and its deltas."""
    events: list[dict[str, Any]] = [{"messageStart": {"role": "assistant"}}]
    for start, *deltas in blocks:
        events.append({"contentBlockStart": {"start": start}})
        events += [{"contentBlockDelta": {"delta": delta}} for delta in deltas]
        events.append({"contentBlockStop": {}})
    return [*events, {"messageStop": {"stopReason": "end_turn"}}]


def transcript(conversation: Conversation, *blocks: list[dict[str, Any]]) -> Transcript:
    made = Transcript(conversation)
    for event in stream(*blocks):
        made.add(event)
    return made


def test_a_prompt_is_written_as_messages_with_parts() -> None:
    conversation = Conversation(
        system=[SYSTEM, {"cachePoint": {"type": "default"}}],
        messages=[
            {"role": "user", "content": [{"text": "Price?"}, {"image": {"format": "png", "source": {"bytes": b"12"}}}]},
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm."}}},
                    {"toolUse": {"toolUseId": "1", "name": "get_price", "input": {"product": "tea"}}},
                ],
            },
            {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"json": {"usd": 10}}]}}]},
        ],
    )
    attributes = transcript(conversation).attributes("", [])
    assert json.loads(attributes["gen_ai.system_instructions"]) == [
        {"type": "text", "content": "You answer for a shop."}
    ]
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Price?"}, {"type": "blob", "modality": "image"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm."},
                {"type": "tool_call", "id": "1", "name": "get_price", "arguments": {"product": "tea"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"type": "tool_call_response", "id": "1", "response": [{"type": "json", "content": {"usd": 10}}]}
            ],
        },
    ]
    assert json.loads(attributes["gen_ai.output.messages"]) == [{"role": "assistant", "parts": []}]


def test_an_answer_is_put_together_from_its_stream() -> None:
    made = transcript(
        Conversation(messages=[]),
        [{}, {"reasoningContent": {"text": "Let me "}}, {"reasoningContent": {"text": "see."}}],
        [{}, {"text": "It costs "}, {"text": "10 dollars."}],
        [
            {"toolUse": {"toolUseId": "2", "name": "get_price"}},
            {"toolUse": {"input": '{"product": '}},
            {"toolUse": {"input": '"tea"}'}},
        ],
        [{"toolUse": {"toolUseId": "3", "name": "stop"}}, {"toolUse": {"input": "no JSON"}}],
    )
    (message,) = json.loads(made.attributes("tool_use", [])["gen_ai.output.messages"])
    assert message == {
        "role": "assistant",
        "finish_reason": "tool_use",
        "parts": [
            {"type": "reasoning", "content": "Let me see."},
            {"type": "text", "content": "It costs 10 dollars."},
            {"type": "tool_call", "id": "2", "name": "get_price", "arguments": {"product": "tea"}},
            {"type": "tool_call", "id": "3", "name": "stop", "arguments": "no JSON"},
        ],
    }


def test_redaction_reaches_every_text() -> None:
    result = {"toolUseId": "1", "content": [{"text": "Ada's order"}, {"json": {"names": ["Ada", 3]}}]}
    conversation = Conversation(
        system=[{"text": "You serve Ada."}],
        messages=[{"role": "user", "content": [{"text": "I am Ada"}, {"toolResult": result}]}],
    )
    made = transcript(
        conversation,
        [{}, {"text": "Hello Ada"}],
        [{"toolUse": {"toolUseId": "2", "name": "find"}}, {"toolUse": {"input": '{"who": "Ada"}'}}],
    )
    text = "".join(made.attributes("", [loud]).values())
    assert (text.count("ADA"), text.count("Ada")) == (6, 0)


def test_hooks_apply_in_order() -> None:
    assert redacted("Ada", [loud, str.lower]) == "ada"


def test_a_hook_that_fails_lets_nothing_through(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert redacted("secret", [fails, loud]) == FAILED
    assert "hook=<fails>, error=<RuntimeError>" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('[{"content": "Ada", "n": 1}]', '[{"content": "ADA", "n": 1}]'),
        ("Ada, no JSON", "ADA, no JSON"),
        ('"Ada"', '"ADA"'),
        ("12", "12"),
    ],
)
def test_json_is_redacted_text_by_text(text: str, kept: str) -> None:
    assert redacted_json(text, [loud]) == kept
    assert redacted_json(text, []) == text


def test_later_changes_of_the_history_are_not_seen() -> None:
    messages: list[Any] = [{"role": "user", "content": [{"text": "one"}]}]
    made = Transcript(Conversation(messages=messages))
    messages.append({"role": "assistant", "content": [{"text": "two"}]})
    assert "two" not in made.attributes("", [])["gen_ai.input.messages"]


def test_tools_are_written_in_the_form_of_the_conventions() -> None:
    schema = {"type": "object", "properties": {"of": {"type": "string", "description": "Ada's thing"}}}
    raw: dict[str, Any] = {"toolSpec": {"name": "bare", "inputSchema": {"json": msgspec.Raw(b'{"type":"object"}')}}}
    tools: list[dict[str, Any]] = [
        {"toolSpec": {"name": "price", "description": "A price.", "inputSchema": {"json": schema}}},
        raw,
        {"cachePoint": {"type": "default"}},
    ]
    made = transcript(Conversation(messages=[], tools=tools))
    written = made.attributes("", [lambda text: text.replace("Ada", "[name]")])["gen_ai.tool.definitions"]
    assert json.loads(written) == [
        {
            "type": "function",
            "name": "price",
            "parameters": {
                "type": "object",
                "properties": {"of": {"type": "string", "description": "[name]'s thing"}},
            },
            "description": "A price.",
        },
        {"type": "function", "name": "bare", "parameters": {"type": "object"}},
        {"cachePoint": {"type": "default"}},
    ]
    assert "gen_ai.tool.definitions" not in transcript(Conversation(messages=[])).attributes("", [])
