"""Content of the Messages API as Converse blocks: what has no form there is shown as it is, and named."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from turnout.messages.wire.anthropic_read import read
from turnout.messages.wire.asked import Read
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.splice import Body


def read_of(**members: Any) -> Read:
    return read(Body(json.dumps({"messages": [], **members}).encode()))


def content(*blocks: Any) -> tuple[list[Any], tuple[str, ...]]:
    found = read_of(messages=[{"role": "user", "content": list(blocks)}])
    return support.shown(found.conversation)["messages"][0]["content"], found.untranslatable


@pytest.mark.parametrize(
    ("block", "expected", "left"),
    [
        (
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}},
            {"image": {"source": {"location": {"type": "url", "uri": "https://a.example/b"}}}},
            [],
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f1"}},
            {"image": {"source": {"location": {"type": "file"}}}},
            ["source"],
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "no base64!"}},
            {"image": {"format": "png", "source": {}}},
            ["source.data"],
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "u"}, "transformations": {"crop": 1}},
            {"image": {"source": {"location": {"type": "url", "uri": "u"}}}},
            ["transformations"],
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "u"}},
            {"document": {"format": "pdf", "source": {"location": {"type": "url", "uri": "u"}}}},
            [],
        ),
        (
            {"type": "document", "source": {"type": "file", "file_id": "f1"}, "title": "t"},
            {"document": {"source": {"location": {"type": "file"}}, "name": "t"}},
            ["source"],
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "a"}},
            {"document": {"source": {"content": [{"text": "a"}]}}},
            [],
        ),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [{"type": "text", "text": "a"}, {"type": "image", "source": {}}],
                },
                "citations": {"enabled": False},
            },
            {"document": {"source": {"content": [{"text": "a"}]}, "citations": {"enabled": False}}},
            ["source.content.1"],
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/x", "data": "!"}},
            {"document": {"format": "application/x", "source": {}}},
            ["source.data"],
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/x", "data": "a"}},
            {"document": {"format": "txt", "source": {"text": "a"}}},
            ["source.media_type"],
        ),
        (
            {"type": "redacted_thinking", "data": "not canonical"},
            {"native": {"protocol": "anthropic", "block": {"type": "redacted_thinking", "data": "not canonical"}}},
            [""],
        ),
        (
            {"type": "tool_use", "id": "a", "name": "n", "input": {}, "caller": {"type": "direct"}},
            {"toolUse": {"toolUseId": "a", "name": "n", "input": {}}},
            [],
        ),
        (
            {"type": "tool_use", "id": "a", "name": "n", "input": {}, "caller": {"type": "code_execution_20260120"}},
            {"toolUse": {"toolUseId": "a", "name": "n", "input": {}}},
            ["caller"],
        ),
        ({"type": "tool_result", "tool_use_id": "a"}, {"toolResult": {"toolUseId": "a", "content": []}}, []),
        (
            {"type": "tool_result", "tool_use_id": "a", "is_error": False, "content": []},
            {"toolResult": {"toolUseId": "a", "content": [], "status": "success"}},
            [],
        ),
        (
            {
                "type": "tool_result",
                "tool_use_id": "a",
                "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
            },
            {"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}},
            ["content.0.cache_control"],
        ),
        (
            {"type": "web_search_tool_result", "tool_use_id": "a", "content": [1]},
            {
                "native": {
                    "protocol": "anthropic",
                    "block": {"type": "web_search_tool_result", "tool_use_id": "a", "content": [1]},
                }
            },
            [""],
        ),
        ({"type": "text", "text": "x", "brand_new": 1, "other": None}, {"text": "x"}, ["brand_new"]),
        ({"type": "text", "text": "x", "citations": []}, {"text": "x"}, []),
        (
            {
                "type": "text",
                "text": "x",
                "citations": [
                    {
                        "type": "web_search_result_location",
                        "cited_text": "c",
                        "url": "u",
                        "title": None,
                        "encrypted_index": "e",
                    }
                ],
            },
            {"text": "x"},
            ["citations"],
        ),
        (
            {
                "type": "text",
                "text": "x",
                "citations": [
                    {
                        "type": "char_location",
                        "cited_text": "c",
                        "document_index": 0,
                        "document_title": "t",
                        "start_char_index": 1,
                        "end_char_index": 2,
                    },
                    {
                        "type": "search_result_location",
                        "cited_text": "d",
                        "search_result_index": 1,
                        "source": "s",
                        "title": None,
                        "start_block_index": 0,
                        "end_block_index": 1,
                    },
                ],
            },
            {
                "citationsContent": {
                    "content": [{"text": "x"}],
                    "citations": [
                        {
                            "title": "t",
                            "sourceContent": [{"text": "c"}],
                            "location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 2}},
                        },
                        {
                            "source": "s",
                            "sourceContent": [{"text": "d"}],
                            "location": {"searchResultLocation": {"searchResultIndex": 1, "start": 0, "end": 1}},
                        },
                    ],
                }
            },
            [],
        ),
    ],
)
def test_a_block(block: dict[str, Any], expected: dict[str, Any], left: list[str]) -> None:
    found, untranslatable = content(copy.deepcopy(block))
    assert found == [expected]
    assert untranslatable == tuple(f"messages.0.content.0.{name}".rstrip(".") for name in left)


def test_cache_control_of_another_kind_is_named() -> None:
    found, untranslatable = content({"type": "text", "text": "x", "cache_control": {"type": "eternal", "scope": "g"}})
    assert found == [{"text": "x"}, {"cachePoint": {"type": "default"}}]
    assert untranslatable == ("messages.0.content.0.cache_control.type", "messages.0.content.0.cache_control.scope")


def test_tools_that_the_provider_runs_are_shown_as_they_are() -> None:
    found = read_of(
        tools=[
            {"type": "web_search_20260318", "name": "web_search", "cache_control": {"type": "ephemeral"}},
            {"type": "custom", "name": "t", "input_schema": {"type": "object"}, "defer_loading": True},
            {"type": "brand_new", "name": "u", "input_schema": {}},
            {"name": "no schema"},
        ]
    )
    assert support.shown(found.conversation)["tools"] == [
        {"native": {"protocol": "anthropic", "block": {"type": "web_search_20260318", "name": "web_search"}}},
        {"cachePoint": {"type": "default"}},
        {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}},
        {"native": {"protocol": "anthropic", "block": {"type": "brand_new", "name": "u", "input_schema": {}}}},
        {"native": {"protocol": "anthropic", "block": {"name": "no schema"}}},
    ]
    assert found.untranslatable == ("tools.0", "tools.1.defer_loading", "tools.2", "tools.3")


def test_a_system_of_one_text_and_messages_of_the_system() -> None:
    found = read_of(
        system="s", messages=[{"role": "system", "content": "now"}, {"role": "user", "content": [], "x": 1}]
    )
    assert support.shown(found.conversation) == {
        "system": [{"text": "s"}],
        "tools": [],
        "messages": [{"role": "system", "content": [{"text": "now"}]}, {"role": "user", "content": []}],
    }
    assert found.untranslatable == ("messages.1.x",)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"messages": {}}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "n", "input": []}]}]},
            "messages.0.content.0.input",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": "5m"}]}]},
            "messages.0.content.0.cache_control",
        ),
        ({"system": 5}, "system"),
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools"),
        ({"tools": [{"name": 5, "input_schema": {}}]}, "tools.0.name"),
    ],
)
def test_another_shape_is_refused_with_its_place(members: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        read_of(**members)
    assert caught.value.path == path


BLOCK_MEMBERS = st.sampled_from(
    ["type", "text", "source", "content", "input", "citations", "cache_control", "data", "id", "name", "tool_use_id"]
)
KINDS = st.sampled_from(
    ["text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result", "base64"]
)


@given(
    st.recursive(
        support.values | KINDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(BLOCK_MEMBERS, inner | KINDS, max_size=4),
        max_leaves=10,
    )
)
def test_no_content_raises_anything_else(value: Any) -> None:
    data = json.dumps({"messages": [{"role": "user", "content": value}], "system": value, "tools": value}).encode()
    try:
        blocks = read(Body(data)).conversation.messages[0]["content"]
    except MalformedBodyError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(blocks, list)
