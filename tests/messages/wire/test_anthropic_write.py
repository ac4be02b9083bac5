"""Converse blocks as content of the Messages API, and back: the same blocks, or an edit or refusal with a name."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from tests.messages.wire.support import block, made
from turnout.messages.conversation import Conversation
from turnout.messages.wire import anthropic_write
from turnout.messages.wire.anthropic_read import read
from turnout.messages.wire.fields import Notes
from turnout.messages.wire.splice import Body

RANGE = {"start": st.integers(0, 9), "end": st.integers(0, 9)}
PLACES = (
    block("documentChar", made({"documentIndex": st.integers(0, 9), **RANGE}))
    | block("documentPage", made({"documentIndex": st.integers(0, 9), **RANGE}))
    | block("documentChunk", made({"documentIndex": st.integers(0, 9), **RANGE}))
)
SOURCE_CONTENT = st.tuples(made({"text": support.texts})).map(list)
CITATIONS = made({"sourceContent": SOURCE_CONTENT, "location": PLACES}, {"title": support.texts}) | made(
    {
        "sourceContent": SOURCE_CONTENT,
        "location": block("searchResultLocation", made({"searchResultIndex": st.integers(0, 9), **RANGE})),
        "source": support.texts,
    },
    {"title": support.texts},
)
CITED = block(
    "citationsContent",
    made({"content": SOURCE_CONTENT, "citations": st.lists(CITATIONS, min_size=1, max_size=2)}),
)
DOCUMENTS = block(
    "document",
    st.one_of(
        made(
            {"format": st.just("pdf"), "source": made({"bytes": support.data})},
            extras := {"name": support.texts, "context": support.texts, "citations": made({"enabled": st.booleans()})},
        ),
        made({"format": st.just("txt"), "source": made({"text": support.texts})}, extras),
        made({"source": made({"content": st.lists(made({"text": support.texts}), max_size=2)})}, extras),
        made(
            {
                "format": st.just("pdf"),
                "source": made({"location": made({"type": st.just("url"), "uri": support.some_text})}),
            },
            extras,
        ),
    ),
)
FOUND = block(
    "searchResult",
    made(
        {
            "source": support.texts,
            "title": support.texts,
            "content": st.lists(made({"text": support.texts}), max_size=2),
        },
        {"citations": made({"enabled": st.booleans()})},
    ),
)
RESULTS = block(
    "toolResult",
    made(
        {
            "toolUseId": support.ids,
            "content": st.lists(support.text_blocks | support.images | DOCUMENTS | FOUND, max_size=2),
        },
        {"status": st.sampled_from(["success", "error"])},
    ),
)
OWN = made({"protocol": st.just("anthropic"), "block": made({"type": st.just("brand_new"), "x": support.values})}).map(
    lambda held: {"native": held}
)
USER = support.text_blocks | support.images | support.url_images | DOCUMENTS | FOUND | RESULTS | OWN
ASSISTANT = support.text_blocks | CITED | support.tool_uses
CONVERSATIONS = support.conversations(
    support.with_points(USER),
    st.tuples(st.lists(support.thinking, max_size=2), support.with_points(ASSISTANT)).map(
        lambda both: both[0] + both[1]
    ),
    support.with_points(support.text_blocks),
    support.with_points(support.specs),
)


def written(conversation: Conversation) -> tuple[dict[str, Any], Notes]:
    notes = Notes()
    body = {
        "messages": anthropic_write.messages(conversation.messages, notes),
        "system": anthropic_write.blocks(conversation.system, "system", notes),
        "tools": anthropic_write.tools(conversation.tools, notes),
    }
    return body, notes


@given(CONVERSATIONS)
def test_what_is_written_reads_back_the_same(conversation: Conversation) -> None:
    before = copy.deepcopy(conversation)
    body, notes = written(conversation)
    assert support.shown(conversation) == support.shown(before)
    assert notes.untranslatable == notes.edits == []
    again = read(Body(msgspec.json.encode(body)))
    # Blocks of its own are named as such again; nothing else is.
    assert [path for path in again.untranslatable if "native" not in str(at(again.conversation, path))] == []
    assert support.shown(again.conversation) == support.shown(before)


def at(conversation: Conversation, path: str) -> Any:
    """What may stand at a path of the body; indices there do not count cache points."""
    return [one for message in conversation.messages for one in message["content"] if "native" in one]


def one(value: dict[str, Any], role: str = "user") -> tuple[Any, list[str], list[str]]:
    body, notes = written(Conversation(messages=[{"role": role, "content": [value]}]))
    return body["messages"][0]["content"], notes.edits, notes.untranslatable


@pytest.mark.parametrize(
    ("value", "expected", "edits"),
    [
        (
            {"toolResult": {"toolUseId": "a", "content": [{"json": {"a": 1}}]}},
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": '{"a":1}'}]},
            ["tool_json_as_text:messages.0.content.0.toolResult.content.0"],
        ),
        (
            {"document": {"format": "csv", "name": "n", "source": {"bytes": b"a,b"}}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}, "title": "n"},
            ["document_source:messages.0.content.0.document", "document_format:messages.0.content.0.document"],
        ),
        (
            {"document": {"name": "n", "source": {"text": "a"}}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "title": "n"},
            [],
        ),
        (
            {"image": {"format": "jpg", "source": {"bytes": b"a"}}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "YQ=="}},
            [],
        ),
    ],
)
def test_what_is_written_differently_is_named(
    value: dict[str, Any], expected: dict[str, Any], edits: list[str]
) -> None:
    assert one(value) == ([expected], edits, [])


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"cachePoint": {"type": "default"}}, ""),
        ({"video": {"format": "mp4", "source": {"bytes": b"a"}}}, ""),
        ({"native": {"protocol": "openai_chat", "block": {}}}, ""),
        ({"text": "a", "other": 1}, ""),
        ({"image": {"format": "png", "source": {"location": {"type": "s3", "uri": "s3://a/b"}}}}, ".image.source"),
        ({"image": {"format": "png", "source": {}}}, ".image.source"),
        ({"image": {"format": "png", "source": {"bytes": b"a"}, "error": {"message": "m"}}}, ".image.error"),
        ({"document": {"format": "docx", "name": "n", "source": {"bytes": b"a"}}}, ".document.source"),
        ({"document": {"format": "txt", "name": "n", "source": {"bytes": b"\xff"}}}, ".document.source.bytes"),
        ({"document": {"format": "txt", "name": "n"}}, ".document.source"),
        ({"toolUse": {"toolUseId": "a", "name": "n", "input": "no object"}}, ".toolUse.input"),
        (
            {"toolUse": {"toolUseId": "a", "name": "n", "input": {}, "reasoningSignature": "s"}},
            ".toolUse.reasoningSignature",
        ),
        ({"toolResult": {"toolUseId": "a", "content": [{"cachePoint": {"type": "default"}}]}}, ".toolResult.content.0"),
        ({"toolResult": {"toolUseId": "a", "content": [{"video": {}}]}}, ".toolResult.content.0"),
        ({"reasoningContent": {}}, ".reasoningContent"),
        ({"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}}, ".citationsContent"),
        (
            {"citationsContent": {"content": [{"text": "a"}], "citations": [{"location": {"web": {"url": "u"}}}]}},
            ".citationsContent",
        ),
    ],
)
def test_what_has_no_place_is_named(value: dict[str, Any], path: str) -> None:
    assert one(value)[2] == [f"messages.0.content.0{path}"]


def test_points_that_no_block_can_bear() -> None:
    point = {"cachePoint": {"type": "default"}}
    body, notes = written(
        Conversation(
            messages=[
                {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
                        point,
                        {"text": "a"},
                        point,
                        point,
                        {"text": "b"},
                        {"cachePoint": {"type": "default", "scope": "new"}},
                    ],
                }
            ],
            system=[point],
            tools=[point, {"systemTool": {"name": "n"}}],
        )
    )
    assert notes.untranslatable == [
        "messages.0.content.1",
        "messages.0.content.4",
        "messages.0.content.6",
        "system.0",
        "tools.0",
        "tools.1",
    ]
    assert json.dumps(body).count("cache_control") == 1
