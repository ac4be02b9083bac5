"""Messages and tools of Chat Completions as Converse blocks: what has no form there is shown as it is, and named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from turnout.messages.wire import openai_chat
from turnout.messages.wire.asked import Read
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.openai_read import read
from turnout.messages.wire.splice import Body


def read_of(*messages: Any, **members: Any) -> Read:
    return read(Body(json.dumps({"messages": list(messages), **members}).encode()))


def native(value: Any) -> dict[str, Any]:
    return {"native": {"protocol": "openai_chat", "block": value}}


@pytest.mark.parametrize(
    ("part", "expected", "left"),
    [
        (
            {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"text": "x"},
            ["prompt_cache_breakpoint"],
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a", "detail": "high"}},
            {"image": {"source": {"location": {"type": "url", "uri": "https://a"}}}},
            ["image_url.detail"],
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}},
            {"image": {"format": "png", "source": {}}},
            ["image_url.url"],
        ),
        (
            {"type": "image_url", "image_url": {"url": "DATA:Image/JPEG;base64,YQ=="}},
            {"image": {"format": "jpeg", "source": {"bytes": b"a"}}},
            [],
        ),
        ({"type": "file", "file": {"file_id": "f"}}, {"document": {"source": {}}}, ["file"]),
        (
            {"type": "file", "file": {"file_data": "data:text/markdown;base64,YQ==", "filename": "n"}},
            {"document": {"source": {"bytes": b"a"}, "format": "md", "name": "n"}},
            [],
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "?", "format": "mp3"}},
            {"audio": {"format": "mp3", "source": {}}},
            ["input_audio.data"],
        ),
        (
            {"type": "video_url", "video_url": {"url": "u"}},
            native({"type": "video_url", "video_url": {"url": "u"}}),
            [""],
        ),
    ],
)
def test_a_part(part: dict[str, Any], expected: dict[str, Any], left: list[str]) -> None:
    found = read_of({"role": "user", "content": [part]})
    assert found.conversation.messages[0]["content"] == [expected]
    assert found.untranslatable == tuple(f"messages.0.content.0.{name}".rstrip(".") for name in left)


def test_systems_before_and_between() -> None:
    found = read_of(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": "b", "name": "n"},
        {"role": "user", "content": "c", "name": "m"},
        {"role": "developer", "content": "d"},
    )
    assert support.shown(found.conversation) == {
        "system": [{"text": "a"}, {"text": "b"}],
        "tools": [],
        "messages": [
            {"role": "user", "content": [{"text": "c"}]},
            {"role": "system", "content": [{"text": "d"}]},
        ],
    }
    assert found.untranslatable == ("messages.1.name", "messages.2.name")


def test_what_an_assistant_may_hold() -> None:
    found = read_of(
        {
            "role": "assistant",
            "reasoning_content": "hm",
            "content": None,
            "refusal": "no",
            "audio": {"id": "a"},
            "function_call": None,
            "annotations": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1e2}'}},
                {"id": "2", "type": "function", "function": {"name": "f", "arguments": "[1]"}},
                {"id": "3", "function": {"name": "f", "arguments": '{"a":'}},
                {"id": "4", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": "", "tool_calls": None},
    )
    first, second, third = [message["content"] for message in found.conversation.messages]
    assert first == [
        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
        native({"refusal": "no"}),
        native({"audio": {"id": "a"}}),
        {"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 100.0}}},
        {"toolUse": {"toolUseId": "2", "name": "f", "input": "[1]"}},
        {"toolUse": {"toolUseId": "3", "name": "f", "input": '{"a":'}},
        native({"id": "4", "type": "custom", "custom": {"name": "g", "input": "x"}}),
    ]
    assert second == [native({"type": "refusal", "refusal": "no"})]
    assert third == [{"text": ""}]
    assert found.untranslatable == (
        "messages.0.refusal",
        "messages.0.audio",
        "messages.0.tool_calls.1.function.arguments",
        "messages.0.tool_calls.2.function.arguments",
        "messages.0.tool_calls.3",
        "messages.1.content.0",
    )


def test_results_are_gathered_as_far_as_they_follow_each_other() -> None:
    found = read_of(
        {"role": "tool", "tool_call_id": "1", "content": "a"},
        {"role": "tool", "tool_call_id": "2", "content": ""},
        {"role": "user", "content": "b"},
        {"role": "tool", "tool_call_id": "3", "content": "c"},
        {"role": "function", "name": "f", "content": "d"},
        {"role": "tool", "tool_call_id": "4", "content": "e"},
    )
    results = [
        [block.get("toolResult", {}).get("toolUseId") for block in message["content"]]
        for message in found.conversation.messages
    ]
    assert results == [["1", "2"], [None], ["3"], [None], ["4"]]
    assert found.untranslatable == ("messages.4",)


def test_tools_of_other_kinds_are_shown_as_they_are() -> None:
    found = read_of(
        tools=[
            {"type": "custom", "custom": {"name": "g"}},
            {"type": "function", "function": {"name": "f", "parameters": None, "strict": None, "x": 1}, "y": 2},
        ],
        functions=[{"name": "h"}],
    )
    assert support.shown(found.conversation)["tools"] == [
        native({"type": "custom", "custom": {"name": "g"}}),
        {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
        native({"functions": [{"name": "h"}]}),
    ]
    assert found.untranslatable == ("tools.0", "tools.1.y", "tools.1.function.x")


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ("hi", "messages.0"),
        ({}, "messages.0.role"),
        ({"role": "robot", "content": "x"}, "messages.0.role"),
        ({"role": "user"}, "messages.0.content"),
        ({"role": "user", "content": {}}, "messages.0.content"),
        ({"role": "user", "content": ["x"]}, "messages.0.content.0"),
        ({"role": "user", "content": [{"text": "x"}]}, "messages.0.content.0.type"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages.0.content.0.image_url"),
        ({"role": "tool", "content": "x"}, "messages.0.tool_call_id"),
        ({"role": "assistant", "tool_calls": {}}, "messages.0.tool_calls"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, "messages.0.tool_calls.0.function"),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
            "messages.0.tool_calls.0.function.arguments",
        ),
    ],
)
def test_another_shape_is_refused_with_its_place(message: Any, path: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        read_of(message)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ({}, "tools"),
        ([5], "tools"),
        ([{"type": "function", "function": 5}], "tools.0.function"),
        ([{"type": "function", "function": {}}], "tools.0.function.name"),
    ],
)
def test_tools_of_another_shape(tools: Any, path: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        read_of(tools=tools)
    assert caught.value.path == path


MEMBERS = st.sampled_from(
    ["role", "content", "type", "text", "image_url", "url", "file", "tool_calls", "function", "name", "arguments", "id"]
)
WORDS = st.sampled_from(["user", "assistant", "tool", "system", "text", "image_url", "file", "function", "input_audio"])


@given(
    st.recursive(
        support.values | WORDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner | WORDS, max_size=4),
        max_leaves=10,
    )
)
def test_no_content_raises_anything_else(value: Any) -> None:
    for message in ({"role": "user", "content": value}, {"role": "assistant", "tool_calls": value}, value):
        try:
            found = read_of(message, tools=value)
        except MalformedBodyError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
        else:
            assert isinstance(found, Read)


@pytest.mark.parametrize(
    ("echoed", "paths"),
    [
        ({"annotations": [], "provider_specific_fields": {"refusal": None}}, ()),
        ({"annotations": [{"type": "url_citation"}]}, ("messages.1.annotations",)),
        ({"provider_specific_fields": {"x": 1}}, ("messages.1.provider_specific_fields",)),
    ],
)
def test_what_a_client_sends_back_of_an_answer_counts_where_it_says_something(
    echoed: dict[str, Any], paths: tuple[str, ...]
) -> None:
    asked = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hi.", **echoed}]
    body = json.dumps({"model": "m", "messages": asked}).encode()
    assert openai_chat.decode(body).untranslatable == paths
