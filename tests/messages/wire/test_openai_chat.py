"""Bodies of Chat Completions, as the real client sends them, and as they are written of a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from turnout.messages.conversation import conversation_of
from turnout.messages.wire import anthropic, converse, openai_chat
from turnout.messages.wire.asked import Controls, OutputFormat, ToolChoice, WireProtocol
from turnout.messages.wire.malformed import MalformedBodyError

CONTROLS = st.builds(
    Controls,
    max_output_tokens=st.none() | st.integers(1, 10**6),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    stop=st.lists(support.some_text, max_size=4).map(tuple),
    tool_choice=st.sampled_from(
        [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("any"), ToolChoice("tool", "find")]
    ),
    parallel_tools=st.none() | st.booleans(),
    output=st.none()
    | st.builds(
        OutputFormat,
        schema=support.objects,
        name=support.names,
        description=st.none() | support.texts,
        strict=st.none() | st.booleans(),
    ),
    effort=st.none() | st.sampled_from(["none", "minimal", "low", "medium", "high"]),
    user=st.none() | support.texts,
)


@pytest.mark.parametrize("stream", [False, True])
def test_everything_of_a_real_request_is_held(stream: bool) -> None:
    asked = openai_chat.decode(support.openai_body(stream=stream))
    assert asked.protocol is WireProtocol.OPENAI_CHAT
    assert (asked.model, asked.stream, asked.wants_usage) == ("turnout/economy", stream, stream)
    assert asked.controls == Controls(
        max_output_tokens=700,
        temperature=0.5,
        top_p=0.9,
        stop=("END", "STOP"),
        tool_choice=ToolChoice("tool", "find"),
        parallel_tools=False,
        output=OutputFormat(schema=support.SCHEMA, name="order", strict=True),
        effort="low",
        user="u1",
    )
    assert asked.parameters == ("temperature", "top_p", "reasoning_effort")
    assert asked.forced_tool_choice
    assert asked.json_output
    assert asked.has_tools
    assert asked.session_id == "s1"
    assert asked.overrides == {"policy": "economy", "max_cost": "0.1"}
    assert asked.metadata == support.OPENAI_REQUEST["metadata"]
    assert (asked.unknown, asked.left_out, asked.fixed, asked.untranslatable) == ((), (), (), ())


def test_the_conversation_of_a_real_request() -> None:
    shown = support.shown(openai_chat.decode(support.openai_body()).conversation)
    assert shown["system"] == [{"text": "You are kind."}, {"text": "Be brief."}]
    assert shown["tools"] == [
        {
            "toolSpec": {
                "name": "find",
                "description": "Finds an order.",
                "inputSchema": {"json": support.SCHEMA},
                "strict": True,
            }
        },
        {"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
    ]
    assert shown["messages"] == [
        {"role": "user", "content": [{"text": "hé \u2028 \U0001f600"}]},
        {
            "role": "assistant",
            "content": [
                {"text": "Looking."},
                {"toolUse": {"toolUseId": "t1", "name": "find", "input": {"order": "A-17"}}},
                {"toolUse": {"toolUseId": "t2", "name": "add", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "found"}]}},
                {"toolResult": {"toolUseId": "t2", "content": [{"text": "a"}, {"text": "b"}]}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"text": "and now?"},
                {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n"}}},
                {"image": {"source": {"location": {"type": "url", "uri": "https://a.example/b.png"}}}},
                {"document": {"source": {"bytes": b"%PDF-1.7"}, "format": "pdf", "name": "terms"}},
                {"audio": {"format": "wav", "source": {"bytes": b"RIFF"}}},
            ],
        },
    ]


def test_a_real_request_is_the_same_after_it_was_written_again() -> None:
    asked = openai_chat.decode(support.openai_body())
    encoded = openai_chat.encode(asked.conversation, asked.controls, model="gpt-x", stream=True)
    assert encoded.refusals == encoded.edits == ()
    assert encoded.body is not None
    again = openai_chat.decode(encoded.body)
    assert (again.model, again.stream, again.wants_usage) == ("gpt-x", True, True)
    assert again.controls == asked.controls
    assert support.shown(again.conversation) == support.shown(asked.conversation)


def test_a_real_request_on_its_way_to_bedrock_and_to_anthropic() -> None:
    asked = openai_chat.decode(support.openai_body())
    there = converse.encode(asked.conversation, asked.controls)
    assert there.refusals == (
        "untranslatable:messages.3.content.2.image.source",
        "untranslatable:messages.3.content.2.image.format",
        "untranslatable:parallel_tools",
    )
    fewer = json.loads(support.openai_body())
    del fewer["messages"][-1]["content"][2], fewer["parallel_tool_calls"]
    asked = openai_chat.decode(json.dumps(fewer).encode())
    there = converse.encode(asked.conversation, asked.controls)
    back = converse.decode(json.dumps(support.check_converse(there.body)).encode(), model="m", stream=False)
    assert support.shown(back.conversation) == support.shown(asked.conversation)
    other = anthropic.encode(asked.conversation, asked.controls, model="claude-x")
    assert other.refusals == ("untranslatable:messages.3.content.3",)  # sound


@given(CONTROLS)
def test_controls_are_the_same_after_they_were_written(controls: Controls) -> None:
    encoded = openai_chat.encode(conversation_of("x"), controls, model="gpt-x")
    assert encoded.refusals == encoded.edits == ()
    assert encoded.body is not None
    assert openai_chat.decode(encoded.body).controls == controls


def test_what_this_protocol_has_no_place_for() -> None:
    controls = Controls(
        top_k=3,
        thinking={"type": "adaptive"},
        stop=("a", "b", "c", "d", "e"),
        effort="extreme",
        output=OutputFormat(schema={}),
    )
    encoded = openai_chat.encode(conversation_of("x"), controls, model="m")
    assert encoded.body is None
    assert encoded.refusals == tuple(f"untranslatable:{name}" for name in ("top_k", "thinking", "stop", "effort"))
    assert encoded.edits == ("output_name:output",)
    off = openai_chat.encode(conversation_of("x"), Controls(thinking={"type": "disabled"}), model="m")
    assert off.body == b'{"model":"m","messages":[{"role":"user","content":"x"}]}'


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **members}).encode()


def test_what_only_this_protocol_knows_is_named() -> None:
    asked = openai_chat.decode(
        body(
            n=2,
            seed=7,
            logprobs=True,
            top_logprobs=None,
            logit_bias={},
            presence_penalty=0,
            frequency_penalty=0.5,
            store=True,
            prompt_cache_key="k",
            modalities=["text"],
            service_tier="auto",
            verbosity="low",
            guided_json={},
            response_format={"type": "json_object"},
            tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}},
        )
    )
    assert asked.unknown == ("guided_json",)
    assert asked.left_out == ("store", "prompt_cache_key")
    assert asked.fixed == (
        "n",
        "seed",
        "logprobs",
        "frequency_penalty",
        "verbosity",
        "response_format.type",
        "tool_choice",
    )
    assert asked.parameters == ("seed", "logprobs", "frequency_penalty")
    assert asked.json_output
    assert asked.forced_tool_choice
    assert asked.controls.output is None


def test_older_spellings() -> None:
    asked = openai_chat.decode(body(max_tokens=5, stop="END", functions=[{"name": "f"}], function_call="auto"))
    assert asked.controls == Controls(max_output_tokens=5, stop=("END",))
    assert asked.fixed == ("functions",)
    assert asked.has_tools
    assert asked.conversation.tools
    assert openai_chat.decode(body(max_tokens=5, max_completion_tokens=6)).controls.max_output_tokens == 6
    assert openai_chat.decode(body(response_format={"type": "text"}, tools=[])).untranslatable == ()


def test_a_schema_that_is_missing() -> None:
    asked = openai_chat.decode(body(response_format={"type": "json_schema", "json_schema": {"name": "n"}}))
    assert asked.fixed == ("response_format.json_schema.schema",)
    assert asked.json_output


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stream": 1}, "stream"),
        ({"stop": [1]}, "stop"),
        ({"temperature": []}, "temperature"),
        ({"metadata": []}, "metadata"),
        ({"stream_options": True}, "stream_options"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"user": 5}, "user"),
        ({"reasoning_effort": {}}, "reasoning_effort"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
    ],
)
def test_members_of_another_type_are_refused_by_name(members: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        openai_chat.decode(body(**members))
    assert caught.value.path == path


def test_a_body_without_messages() -> None:
    with pytest.raises(MalformedBodyError, match="messages is missing"):
        openai_chat.decode(b'{"model":"m"}')
    with pytest.raises(MalformedBodyError, match="model is missing"):
        openai_chat.decode(b'{"messages":[]}')


NAMES = sorted({*support.OPENAI_REQUEST, "n", "seed", "functions", "stream", "stream_options", "store", "logit_bias"})


@given(st.dictionaries(st.sampled_from(NAMES), support.values, max_size=6))
def test_no_members_raise_anything_else(members: dict[str, Any]) -> None:
    try:
        turns = list(openai_chat.decode(body(**members)).conversation.turns())
    except MalformedBodyError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(turns, list)


def test_the_limit_on_output_has_the_name_that_the_server_knows() -> None:
    conversation, controls = conversation_of("Hello."), Controls(max_output_tokens=7)
    older = openai_chat.encode(conversation, controls, model="m", limit_name="max_tokens")
    assert json.loads(older.body or b"")["max_tokens"] == 7
    newer = openai_chat.encode(conversation, controls, model="m")
    assert json.loads(newer.body or b"")["max_completion_tokens"] == 7
