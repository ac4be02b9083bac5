"""Converse blocks as messages of Chat Completions, and back: the same blocks, or an edit or refusal with a name."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from tests.messages.wire.support import block, made
from turnout.messages.conversation import Conversation
from turnout.messages.wire import openai_write
from turnout.messages.wire.fields import Notes
from turnout.messages.wire.openai_read import read
from turnout.messages.wire.splice import Body

DOCUMENTS = block(
    "document", made({"format": st.just("pdf"), "source": made({"bytes": support.data})}, {"name": support.texts})
)
AUDIO = block("audio", made({"format": st.sampled_from(["wav", "mp3"]), "source": made({"bytes": support.data})}))
RESULTS = block(
    "toolResult", made({"toolUseId": support.ids, "content": st.lists(support.text_blocks, min_size=1, max_size=3)})
)
SAID = support.text_blocks | support.images | support.url_images | DOCUMENTS | AUDIO
ANSWERS = (
    st.tuples(st.lists(support.text_blocks, max_size=2), st.lists(support.tool_uses, max_size=2))
    .map(lambda both: both[0] + both[1])
    .filter(bool)
)


def made_of(messages: list[Any], system: list[Any], tools: list[Any]) -> Conversation:
    """Results of tools stand alone in a message, and not after others: that is how they read back."""
    kept: list[Any] = []
    for message in messages:
        both_results = kept and "toolResult" in message["content"][0] and "toolResult" in kept[-1]["content"][0]
        if not both_results:
            kept.append(message)
    return Conversation(messages=kept, system=system, tools=tools)


def message(role: str, content: support.Strategy) -> support.Strategy:
    return made({"role": st.just(role), "content": content})


CONVERSATIONS = st.builds(
    made_of,
    st.lists(
        message("user", st.lists(SAID, min_size=1, max_size=3))
        | message("user", st.lists(RESULTS, min_size=1, max_size=2))
        | message("assistant", ANSWERS),
        min_size=1,
        max_size=4,
    ),
    st.lists(support.text_blocks, max_size=2),
    st.lists(support.specs, max_size=2),
)


def written(conversation: Conversation) -> tuple[dict[str, Any], Notes]:
    notes = Notes()
    body = {
        "messages": openai_write.messages(conversation.system, conversation.messages, notes),
        "tools": openai_write.tools(conversation.tools, notes),
    }
    return body, notes


@given(CONVERSATIONS)
def test_what_is_written_reads_back_the_same(conversation: Conversation) -> None:
    before = copy.deepcopy(conversation)
    body, notes = written(conversation)
    assert support.shown(conversation) == support.shown(before)
    assert notes.untranslatable == notes.edits == []
    again = read(Body(msgspec.json.encode(body)))
    assert again.untranslatable == ()
    assert support.shown(again.conversation) == support.shown(before)


def test_results_come_before_what_else_is_said() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"a"}}}
    body, notes = written(
        Conversation(
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"text": "said"},
                        {"toolResult": {"toolUseId": "1", "content": [{"text": "a"}, image], "status": "success"}},
                        {"toolResult": {"toolUseId": "2", "content": [{"json": [1]}]}},
                        {"toolResult": {"toolUseId": "3", "content": []}},
                    ],
                },
                {"role": "assistant", "content": []},
            ]
        )
    )
    assert body["messages"] == [
        {"role": "tool", "tool_call_id": "1", "content": "a"},
        {"role": "tool", "tool_call_id": "2", "content": "[1]"},
        {"role": "tool", "tool_call_id": "3", "content": ""},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,YQ=="}}]},
        {"role": "user", "content": "said"},
        {"role": "assistant", "content": ""},
    ]
    assert notes.untranslatable == []
    assert notes.edits == [
        "tool_image_beside:messages.0.content.1.toolResult.content.1",
        "tool_json_as_text:messages.0.content.2.toolResult.content.0",
    ]


def test_arguments_that_were_no_object_stay_the_text_that_they_were() -> None:
    use = {"toolUse": {"toolUseId": "1", "name": "f", "input": '{"a":'}}
    body, notes = written(Conversation(messages=[{"role": "assistant", "content": [use]}]))
    assert body["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"a":'
    assert body["messages"][0]["content"] is None
    assert notes.untranslatable == []


@pytest.mark.parametrize(
    ("role", "value", "path"),
    [
        ("user", {"cachePoint": {"type": "default"}}, ""),
        ("user", {"video": {"format": "mp4", "source": {"bytes": b"a"}}}, ""),
        ("user", {"document": {"format": "csv", "name": "n", "source": {"bytes": b"a"}}}, ""),
        ("user", {"document": {"format": "pdf", "context": "c", "source": {"bytes": b"a"}}}, ".document.context"),
        ("user", {"image": {"format": "png", "source": {"location": {"type": "s3", "uri": "s3://a"}}}}, ""),
        ("user", {"native": {"protocol": "anthropic", "block": {"type": "x"}}}, ""),
        ("user", {"native": {"protocol": "openai_chat", "block": {"refusal": "no"}}}, ""),
        ("user", {"toolResult": {"toolUseId": "1", "content": [], "status": "error"}}, ".toolResult.status"),
        ("user", {"toolResult": {"toolUseId": "1", "content": [{"document": {}}]}}, ".toolResult.content.0"),
        ("user", {"toolResult": {"toolUseId": "1", "content": [], "type": "x"}}, ".toolResult.type"),
        ("assistant", {"reasoningContent": {"reasoningText": {"text": "t"}}}, ""),
        ("assistant", {"image": {"format": "png", "source": {"bytes": b"a"}}}, ""),
        (
            "assistant",
            {"toolUse": {"toolUseId": "1", "name": "f", "input": {}, "reasoningSignature": "s"}},
            ".toolUse.reasoningSignature",
        ),
    ],
)
def test_what_has_no_place_is_named(role: str, value: dict[str, Any], path: str) -> None:
    _, notes = written(Conversation(messages=[{"role": role, "content": [value]}]))
    assert notes.untranslatable == [f"messages.0.content.0{path}"]


def test_systems_and_tools_without_a_place() -> None:
    point = {"cachePoint": {"type": "default"}}
    custom = {"type": "custom", "custom": {"name": "g"}}
    body, notes = written(
        Conversation(
            messages=[
                {
                    "role": "assistant",
                    "content": [{"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}, {"text": "late"}],
                }
            ],
            system=[{"text": "s"}, point, {"guardContent": {"text": {"text": "g"}}}],
            tools=[point, {"native": {"protocol": "openai_chat", "block": custom}}, {"systemTool": {"name": "n"}}],
        )
    )
    assert body["tools"] == [custom]
    assert notes.untranslatable == ["system.1", "system.2", "messages.0.content.1", "tools.0", "tools.2"]
