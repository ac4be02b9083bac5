"""What every protocol's bodies have in common: sessions, overrides, parameters, and a conversation built once."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.messages.wire import support
from turnout.core.catalog import Model
from turnout.core.price import flat_price
from turnout.messages.conversation import Conversation
from turnout.messages.portability import carry
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.messages.wire import anthropic, converse, invoke, openai_chat
from turnout.messages.wire.asked import (
    Encoded,
    ToolChoice,
    WireProtocol,
    overrides_of,
    session_of,
    set_parameters,
    without_raw,
)
from turnout.messages.wire.fields import Notes
from turnout.messages.wire.malformed import MalformedBodyError


@pytest.mark.parametrize(
    ("metadata", "user", "session"),
    [
        ({}, None, None),
        ({"session_id": "s"}, "user_x_session_y", "s"),
        ({"session_id": ""}, None, None),
        ({}, "user_ab12_account__session_7c0e-11", "7c0e-11"),
        ({}, "user_ab12_account_9f_session_7c0e-11", "7c0e-11"),
        ({}, '{"device_id":"d","account_uuid":"","session_id":"7c0e"}', "7c0e"),
        ({}, '{"session_id":5}', None),
        ({}, '{"session_id":""}', None),
        ({}, "{no json", None),
        ({}, '{"a":' + "[" * 5000, None),
        ({}, "somebody", None),
        ({}, "my_session_is over", None),
    ],
)
def test_sessions(metadata: dict[str, str], user: str | None, session: str | None) -> None:
    assert session_of(metadata, user) == session


def test_overrides() -> None:
    metadata = {"turnout_model": "a", "Turnout-Max-Cost": "b", "turnout.policy": "c", "turnouts": "d", "other": "e"}
    assert overrides_of(metadata) == {"model": "a", "max_cost": "b", "policy": "c"}


def test_parameters_are_those_that_say_something() -> None:
    values = {"temperature": 1.0, "top_p": 0.5, "top_k": None, "logprobs": False, "logit_bias": {"1": 2}, "seed": 0}
    assert set_parameters(values) == ("top_p", "logit_bias", "seed")


def test_forced_choices() -> None:
    assert [ToolChoice(kind).forced for kind in ("auto", "any", "none", "tool")] == [False, True, False, True]


def test_the_conversation_is_read_when_it_is_asked_for_and_once() -> None:
    asked = openai_chat.decode(b'{"model":"m","messages":"no list"}')
    with pytest.raises(MalformedBodyError, match="messages must be a list, got a text"):
        _ = asked.conversation
    asked = openai_chat.decode(b'{"model":"m","messages":[{"role":"user","content":"hi"}],"x":1}')
    assert asked.conversation is asked.conversation
    assert asked.untranslatable == ("x",)
    assert asked.body.edited(replace={"model": b'"gpt-x"'}) == (
        b'{"model":"gpt-x","messages":[{"role":"user","content":"hi"}],"x":1}'
    )


def test_depth_that_only_reading_meets_is_a_malformed_body() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    data = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})[:-1] + f',"tools":[{deep}]' + "}"
    with pytest.raises(MalformedBodyError, match="deep"):
        _ = openai_chat.decode(data.encode(), max_depth=1_000_000).conversation


def test_schemas_are_raw_until_they_are_wanted() -> None:
    asked = openai_chat.decode(
        b'{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{ "a" : 1.0 }}}]}'
    )
    (tool,) = asked.conversation.tools
    assert tool["toolSpec"]["inputSchema"]["json"] == msgspec.Raw(b'{ "a" : 1.0 }')
    settled = without_raw(asked.conversation)
    assert settled.tools == [{"toolSpec": {"name": "f", "inputSchema": {"json": {"a": 1.0}}}}]
    assert without_raw(Conversation(messages=[], tools=[{"a": 1}])).tools == [{"a": 1}]


@pytest.mark.parametrize("protocol", [one for one in WireProtocol if one is not WireProtocol.OPENAI_RESPONSES])
def test_a_real_request_is_counted_hashed_and_carried(protocol: WireProtocol) -> None:
    """What the rest of the house does with a conversation works on one that came over the wire."""
    asked = {
        WireProtocol.OPENAI_CHAT: lambda: openai_chat.decode(support.openai_body()),
        WireProtocol.ANTHROPIC: lambda: anthropic.decode(support.anthropic_body()),
        WireProtocol.INVOKE: lambda: invoke.decode(support.invoke_request()[1], model="m", stream=False),
        WireProtocol.CONVERSE: lambda: converse.decode(support.converse_request()[1], model="m", stream=False),
    }[protocol]()
    request = request_of(
        asked.conversation,
        PrefixHasher(b"k"),
        session_id=asked.session_id,
        max_output_tokens=asked.controls.max_output_tokens,
        parameters=asked.parameters,
        forced_tool_choice=asked.forced_tool_choice,
        structured_output=asked.json_output,
        streaming=asked.stream,
    )
    assert request.needs.tools
    assert request.needs.vision or protocol in (WireProtocol.ANTHROPIC, WireProtocol.INVOKE)  # theirs: in a result
    assert request.needs.documents
    assert request.needs.structured_output
    marks = [segment.marker for segment in request.segments if segment.marker]
    assert marks == ([] if protocol is WireProtocol.OPENAI_CHAT else ["1h", "5m", "5m"])
    assert request.tokens > 100
    assert len({segment.prefix_hash for segment in request.segments}) == len(request.segments)
    assert asked.conversation.query.endswith("and now?")
    # Native blocks, places in the web and provider's files are refused on a switch by what judges a switch.
    source, target = (
        Model(
            id=f"{name}/m",
            provider=name,
            model_id="claude-sonnet-4-6",
            name="m",
            price=flat_price("1", "2"),
            context_window=9,
        )
        for name in ("openai", "anthropic")
    )
    history = Conversation(
        messages=[
            {"role": "user", "content": [NATIVE, {"image": {"source": {"location": {"type": "url", "uri": "u"}}}}]}
        ]
    )
    assert carry(history, source, target).refusals == (
        "untranslatable:messages.0.content.0",
        "untranslatable:messages.0.content.1",
    )


NATIVE = {"native": {"protocol": "openai_chat", "block": {"type": "video_url"}}}


def test_what_was_refused_has_no_body() -> None:
    notes = Notes()
    assert Encoded.of({"a": 1}, notes) == Encoded(body=b'{"a":1}')
    notes.refuse("messages.0")
    notes.edit("tool_id", "messages.1")
    assert Encoded.of({"a": 1}, notes) == Encoded(
        body=None, edits=("tool_id:messages.1",), refusals=("untranslatable:messages.0",)
    )


def test_every_protocol_has_a_module_of_its_name() -> None:
    for protocol in WireProtocol:
        module = __import__(f"turnout.messages.wire.{protocol.value}", fromlist=["decode"])
        assert callable(module.decode)
        # Nothing is translated into Responses.
        assert hasattr(module, "encode") == (protocol is not WireProtocol.OPENAI_RESPONSES)
