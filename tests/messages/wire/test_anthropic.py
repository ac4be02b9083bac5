"""Bodies of the Messages API, as the real client sends them, and as they are written of a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from turnout.messages.conversation import Conversation, conversation_of
from turnout.messages.wire import anthropic, converse, openai_chat
from turnout.messages.wire.asked import Controls, OutputFormat, ToolChoice, WireProtocol
from turnout.messages.wire.fields import plain
from turnout.messages.wire.malformed import MalformedBodyError

CONTROLS = st.builds(
    Controls,
    max_output_tokens=st.integers(1, 10**6),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(0, 500),
    stop=st.lists(support.some_text, max_size=3).map(tuple),
    tool_choice=st.sampled_from([ToolChoice("auto"), ToolChoice("any"), ToolChoice("tool", "find")]),
    parallel_tools=st.none() | st.booleans(),
    output=st.none() | st.builds(OutputFormat, schema=support.objects),
    thinking=st.none() | st.just({"type": "adaptive"}) | st.just({"type": "enabled", "budget_tokens": 1024}),
    effort=st.none() | st.sampled_from(["low", "medium", "high", "xhigh", "max"]),
    user=st.none() | support.texts,
)


@pytest.mark.parametrize("stream", [False, True])
def test_everything_of_a_real_request_is_held(stream: bool) -> None:
    asked = anthropic.decode(support.anthropic_body(stream=stream))
    assert asked.protocol is WireProtocol.ANTHROPIC
    assert (asked.model, asked.stream, asked.wants_usage) == ("turnout", stream, True)
    assert asked.controls == Controls(
        max_output_tokens=700,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop=("END",),
        tool_choice=ToolChoice("tool", "find"),
        parallel_tools=False,
        output=OutputFormat(schema=support.SCHEMA),
        thinking={"type": "enabled", "budget_tokens": 1024},
        effort="low",
        user="user_ab_account__session_0f-1",
    )
    assert asked.parameters == ("temperature", "top_p", "top_k", "thinking.enabled", "effort")
    assert asked.forced_tool_choice
    assert asked.json_output
    assert asked.has_tools
    assert asked.session_id == "0f-1"
    assert (asked.unknown, asked.left_out, asked.fixed, asked.untranslatable) == ((), (), (), ())


def test_the_conversation_of_a_real_request() -> None:
    shown = support.shown(anthropic.decode(support.anthropic_body()).conversation)
    assert shown["system"] == [{"text": "You are kind."}, {"text": "Be brief."}, {"cachePoint": {"type": "default"}}]
    assert shown["tools"] == [
        {
            "toolSpec": {
                "name": "find",
                "description": "Finds an order.",
                "inputSchema": {"json": support.SCHEMA},
                "strict": True,
            }
        },
        {"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object"}}}},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
    ]
    question, answer, results = shown["messages"]
    assert question == {"role": "user", "content": [{"text": "hé \u2028 \U0001f600"}]}
    assert answer == {
        "role": "assistant",
        "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": b"redacted"}},
            {"text": "Looking."},
            {"toolUse": {"toolUseId": "t1", "name": "find", "input": {"order": "A-17", "n": 2**70}}},
            {"toolUse": {"toolUseId": "t2", "name": "add", "input": {}}},
        ],
    }
    assert results["content"] == [
        {
            "toolResult": {
                "toolUseId": "t1",
                "content": [
                    {"text": "found"},
                    {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n"}}},
                ],
            }
        },
        {"toolResult": {"toolUseId": "t2", "content": [{"text": "no"}], "status": "error"}},
        {
            "document": {
                "format": "pdf",
                "source": {"bytes": b"%PDF-1.7"},
                "name": "terms",
                "context": "of 2026",
                "citations": {"enabled": True},
            }
        },
        {"document": {"format": "txt", "source": {"text": "a,b"}}},
        {"searchResult": {"source": "https://a.example", "title": "A", "content": [{"text": "x"}]}},
        {"text": "and now?"},
        {"cachePoint": {"type": "default", "ttl": "5m"}},
    ]


def test_a_real_request_is_the_same_after_it_was_written_again() -> None:
    asked = anthropic.decode(support.anthropic_body())
    encoded = anthropic.encode(asked.conversation, asked.controls, model="claude-x", stream=True)
    assert encoded.refusals == encoded.edits == ()
    assert encoded.body is not None
    again = anthropic.decode(encoded.body)
    assert (again.model, again.stream) == ("claude-x", True)
    assert again.controls == asked.controls
    assert support.shown(again.conversation) == support.shown(asked.conversation)
    # And it says what the client said, but for the two texts that stand for a list of one.
    sent, written = json.loads(support.anthropic_body()), json.loads(encoded.body)
    sent["messages"][0]["content"] = [{"type": "text", "text": sent["messages"][0]["content"]}]
    sent["messages"][2]["content"][1]["content"] = [{"type": "text", "text": "no"}]
    assert written == {**sent, "model": "claude-x", "stream": True}


def test_a_real_request_on_its_way_to_bedrock_and_to_openai() -> None:
    asked = anthropic.decode(support.anthropic_body())
    there = converse.encode(asked.conversation, asked.controls)
    assert there.refusals == ("untranslatable:parallel_tools",)
    controls = Controls(max_output_tokens=700, output=asked.controls.output, thinking=asked.controls.thinking)
    there = converse.encode(asked.conversation, controls)
    assert there.edits == ("document_name:messages.2.content.3.document",)
    back = converse.decode(json.dumps(support.check_converse(there.body)).encode(), model="m", stream=False)
    assert back.controls == controls
    assert support.shown(back.conversation)["messages"][:2] == support.shown(asked.conversation)["messages"][:2]
    other = openai_chat.encode(asked.conversation, asked.controls, model="gpt-x")
    assert other.body is None
    assert other.refusals == (
        "untranslatable:system.2",
        "untranslatable:messages.1.content.0",
        "untranslatable:messages.1.content.1",
        "untranslatable:messages.2.content.1.toolResult.status",
        "untranslatable:messages.2.content.2.document.context",
        "untranslatable:messages.2.content.2.document.citations",
        "untranslatable:messages.2.content.3",
        "untranslatable:messages.2.content.4",
        "untranslatable:messages.2.content.6",
        "untranslatable:tools.2",
        "untranslatable:top_k",
        "untranslatable:thinking",
    )


@given(CONTROLS)
def test_controls_are_the_same_after_they_were_written(controls: Controls) -> None:
    encoded = anthropic.encode(conversation_of("x"), controls, model="claude-x")
    assert encoded.refusals == encoded.edits == ()
    assert encoded.body is not None
    again = anthropic.decode(encoded.body).controls
    assert again == controls


def test_what_the_api_wants_and_what_it_has_no_place_for() -> None:
    encoded = anthropic.encode(conversation_of("x"), Controls(), model="m", default_max_tokens=9)
    assert (
        encoded.body
        == b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}'
    )
    assert encoded.edits == ("output_limit:9",)
    output = OutputFormat(schema={}, name="n", strict=False)
    encoded = anthropic.encode(conversation_of("x"), Controls(max_output_tokens=1, output=output), model="m")
    assert encoded.edits == ("output_name:output", "output_strict:output")
    controls = Controls(max_output_tokens=1, temperature=1.5, effort="minimal", parallel_tools=True)
    encoded = anthropic.encode(conversation_of("x"), controls, model="m")
    assert encoded.body is None
    assert encoded.refusals == ("untranslatable:temperature", "untranslatable:effort")


def body(**members: Any) -> bytes:
    held = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}], **members}
    return json.dumps(held).encode()


def test_what_only_anthropic_knows_is_named() -> None:
    asked = anthropic.decode(
        body(
            service_tier="auto",
            container=None,
            mcp_servers=[{"type": "url"}],
            diagnostics={"previous_message_id": "m"},
            brand_new={"a": 1},
            another=None,
            tool_choice={"type": "none", "brand_new": 1},
            output_config={"format": {"type": "regex", "pattern": "a"}, "effort": "max"},
        )
    )
    assert asked.unknown == ("brand_new",)
    assert asked.left_out == ("diagnostics",)
    assert asked.fixed == (
        "service_tier",
        "mcp_servers",
        "tool_choice.brand_new",
        "output_config.format",
        "output_config.format.pattern",
    )
    assert asked.untranslatable == (*asked.fixed, "brand_new")
    assert asked.controls.tool_choice == ToolChoice("none")
    assert asked.controls.effort == "max"
    assert not asked.has_tools


def test_a_schema_where_beta_versions_have_it() -> None:
    asked = anthropic.decode(body(output_format={"type": "json_schema", "schema": {"type": "object"}}))
    assert asked.controls.output == OutputFormat(schema={"type": "object"})
    assert asked.fixed == ()


def test_a_choice_that_is_not_known_forces_nothing() -> None:
    asked = anthropic.decode(body(tool_choice={"type": "brand_new"}))
    assert (asked.controls.tool_choice, asked.fixed) == (None, ("tool_choice",))
    assert anthropic.decode(body(tool_choice={"type": "tool"})).forced_tool_choice


def test_parameters_with_their_default_are_not_set() -> None:
    asked = anthropic.decode(body(temperature=1.0, top_p=1, top_k=None))
    assert asked.parameters == ()
    assert anthropic.decode(body(temperature=0)).parameters == ("temperature",)


def test_counting_needs_no_limit() -> None:
    value = json.loads(body())
    del value["max_tokens"]
    assert anthropic.decode(json.dumps(value).encode()).controls.max_output_tokens is None


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences"),
        ({"temperature": "hot"}, "temperature"),
        ({"metadata": "u"}, "metadata"),
        ({"thinking": True}, "thinking"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": {"type": 1}}, "tool_choice.type"),
        ({"output_config": {"format": []}}, "output_config.format"),
    ],
)
def test_members_of_another_type_are_refused_by_name(members: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        anthropic.decode(body(**members))
    assert caught.value.path == path
    assert path in str(caught.value)


def test_a_body_without_messages() -> None:
    with pytest.raises(MalformedBodyError, match="messages is missing"):
        anthropic.decode(b'{"model":"m"}')
    with pytest.raises(MalformedBodyError, match="deeper than 3 levels"):
        anthropic.decode(body(x=[[[1]]]), max_depth=3)


@given(st.dictionaries(st.sampled_from(sorted(anthropic.KNOWN)), support.values, max_size=6))
def test_no_members_raise_anything_else(members: dict[str, Any]) -> None:
    try:
        asked = anthropic.decode(body(**members))
        conversation = plain(asked.conversation)
    except MalformedBodyError as error:
        conversation = None
        problem = str(error)
    assert isinstance(conversation, Conversation) or problem
