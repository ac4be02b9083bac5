"""Bodies of the Responses API: what is asked beside the conversation, and what the provider keeps of earlier ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.messages.wire import openai_responses
from turnout.messages.wire.asked import Asked, Controls, OutputFormat, ToolChoice, WireProtocol
from turnout.messages.wire.malformed import MalformedBodyError

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def decoded(**members: Any) -> Asked:
    return openai_responses.decode(json.dumps({"model": "turnout", "input": "hi", **members}).encode())


def test_everything_that_is_set() -> None:
    asked = decoded(
        stream=True,
        instructions="Be brief.",
        max_output_tokens=700,
        temperature=0.5,
        top_p=0.9,
        tool_choice={"type": "function", "name": "find"},
        parallel_tool_calls=False,
        tools=[{"type": "function", "name": "find", "parameters": SCHEMA, "strict": True}],
        text={"format": {"type": "json_schema", "name": "order", "schema": SCHEMA, "strict": True}},
        reasoning={"effort": "low"},
        include=["reasoning.encrypted_content"],
        user="u1",
        metadata={"session_id": "s1", "turnout_pin": "x"},
        store=False,
        prompt_cache_key="k",
        truncation="disabled",
        service_tier="auto",
        background=False,
    )
    assert asked.protocol is WireProtocol.OPENAI_RESPONSES
    assert (asked.model, asked.stream, asked.wants_usage) == ("turnout", True, True)
    assert asked.controls == Controls(
        max_output_tokens=700,
        temperature=0.5,
        top_p=0.9,
        tool_choice=ToolChoice("tool", "find"),
        parallel_tools=False,
        output=OutputFormat(schema=SCHEMA, name="order", strict=True),
        effort="low",
        user="u1",
    )
    assert asked.parameters == ("temperature", "top_p", "reasoning_effort")
    assert asked.forced_tool_choice
    assert asked.json_output
    assert asked.has_tools
    assert (asked.session_id, asked.overrides) == ("s1", {"pin": "x"})
    assert asked.left_out == ("store", "prompt_cache_key")
    assert (asked.unknown, asked.fixed, asked.untranslatable, asked.held) == ((), (), (), ())


@pytest.mark.parametrize(
    ("members", "fixed"),
    [
        ({"background": True}, "background"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"truncation": "auto"}, "truncation"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, "reasoning.summary"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format.type"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ],
)
def test_what_only_this_protocol_has(members: dict[str, Any], fixed: str) -> None:
    assert decoded(**members).fixed == (fixed,)


def test_unknown_members_are_named() -> None:
    assert decoded(zz_new=1, other=None).unknown == ("zz_new",)


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("any")),
        ({"type": "web_search"}, ToolChoice("any")),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, ToolChoice("any")),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, None),
        (None, None),
    ],
)
def test_tool_choice(choice: Any, wanted: ToolChoice | None) -> None:
    assert decoded(tool_choice=choice).controls.tool_choice == wanted


def test_what_the_provider_keeps() -> None:
    items = [
        {"type": "item_reference", "id": "msg_1"},
        {"id": "fc_2"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"},
        {"role": "user", "content": "the reasoning of an item_reference"},
    ]
    asked = decoded(input=items, previous_response_id="resp_1", prompt={"id": "pmpt_1", "version": "2"})
    assert asked.held == ("resp_1", "pmpt_1", "msg_1", "rs_1")
    assert decoded(conversation="conv_1").held == ("conv_1",)
    assert decoded(conversation={"id": "conv_2"}, previous_response_id=None).held == ("conv_2",)


def test_an_input_may_be_missing_where_the_provider_has_it() -> None:
    asked = openai_responses.decode(b'{"model":"m","prompt":{"id":"pmpt_1"}}')
    assert asked.conversation.messages == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "the body is not a JSON object"),
        (b'{"input":"hi"}', "model is missing"),
        (b'{"model":"m"}', "input is missing"),
        (b'{"model":"m","input":null}', "input is missing"),
        (b'{"model":"m","input":"hi","conversation":{}}', None),
        (b'{"model":"m","input":"hi","conversation":{"id":3}}', "conversation must be an id"),
        (b'{"model":"m","input":"hi","previous_response_id":3}', "previous_response_id"),
        (b'{"model":"m","input":"hi","stream":"yes"}', "stream"),
        (b'{"model":"m","input":"hi","text":{"format":{}}}', "text.format.type is missing"),
        (b'{"model":"m","input":[{"type":"reasoning"},7]}', "input"),
    ],
)
def test_malformed(body: bytes, said: str | None) -> None:
    if said is None:
        assert openai_responses.decode(body).held == ()
        return
    with pytest.raises(MalformedBodyError) as caught:
        openai_responses.decode(body)
    assert said in str(caught.value)
