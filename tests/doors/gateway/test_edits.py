"""The closed list of edits: what is changed, and that nothing else is."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from turnout.config import load_catalog
from turnout.doors.gateway.edits import edited
from turnout.messages.wire import anthropic, converse, invoke, openai_chat, openai_responses

CATALOG = load_catalog()
GPT, CLAUDE = CATALOG["openai/gpt-5"], CATALOG["bedrock/global.anthropic.claude-sonnet-4-6"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=9).map("x_".__add__), VALUES, max_size=5), st.booleans())
def test_only_the_name_and_the_wish_for_usage_change(extra: dict[str, Any], stream: bool) -> None:
    before = {**extra, "model": "turnout", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    found = edited(openai_chat.decode(json.dumps(before).encode()), GPT)
    wanted = {**before, "model": "gpt-5", **({"stream_options": {"include_usage": True}} if stream else {})}
    assert json.loads(found.body) == wanted
    assert list(json.loads(found.body)) == list(wanted)
    assert found.edits == (("model", "stream_usage") if stream else ("model",))
    assert found.asks_usage == stream


def test_without_an_edit_the_very_bytes() -> None:
    for data in (
        b'{"model":"gpt-5" ,"messages":[]}',
        b'{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true},"messages":[]}',
    ):
        found = edited(openai_chat.decode(data), GPT)
        assert found.body is data
        assert not found.edits


def test_what_a_policy_adapts() -> None:
    data = b'{"temperature":0.1,"model":"gpt-5","max_tokens":9,"max_completion_tokens":null,"messages":[]}'
    found = edited(openai_chat.decode(data), GPT, ("drop_parameter:temperature", "clamp_output:5"))
    assert found.body == b'{"model":"gpt-5","max_tokens":5,"max_completion_tokens":null,"messages":[]}'
    data = b'{"model":"claude-sonnet-4-6","max_tokens":9,"top_k":3,"messages":[]}'
    model = CATALOG["anthropic/claude-sonnet-4-6"]
    found = edited(anthropic.decode(data), model, ("drop_parameter:top_k",))
    assert found.body == b'{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[]}'


def test_a_name_that_the_upstream_has_for_a_model() -> None:
    body = b'{"model":"gpt-5","messages":[]}'
    found = edited(openai_chat.decode(body), GPT, called="my-deployment")
    assert found.body == b'{"model":"my-deployment","messages":[]}'
    body = b'{"model":"my-deployment","input":"hi"}'
    assert edited(openai_responses.decode(body), GPT, called="my-deployment").body is body


def test_what_a_policy_adapts_in_responses_and_invoke() -> None:
    data = b'{"model":"turnout","stream":true,"max_output_tokens":9,"max_tokens":9,"top_p":0.5,"input":"hi"}'
    found = edited(openai_responses.decode(data), GPT, ("drop_parameter:top_p", "clamp_output:5"))
    assert found.body == b'{"model":"gpt-5","stream":true,"max_output_tokens":5,"max_tokens":9,"input":"hi"}'
    data = b'{"anthropic_version":"v","max_tokens":9,"temperature":0.5,"messages":[]}'
    asked = invoke.decode(data, model="turnout", stream=True)
    assert edited(asked, CLAUDE).body is data
    found = edited(asked, CLAUDE, ("drop_parameter:temperature", "clamp_output:5"))
    assert found.body == b'{"anthropic_version":"v","max_tokens":5,"messages":[]}'


def test_what_a_policy_adapts_in_converse() -> None:
    data = (
        b'{"inferenceConfig":{"maxTokens":9,"topP":0.5,"stopSequences":["a"]},"messages":[] ,'
        b'"additionalModelRequestFields":{"top_k":3,"y":1.0}}'
    )
    asked = converse.decode(data, model="turnout", stream=False)
    assert edited(asked, CLAUDE).body is data
    found = edited(asked, CLAUDE, ("drop_parameter:top_p", "drop_parameter:top_k", "clamp_output:5"))
    assert found.body == (
        b'{"inferenceConfig":{"maxTokens":5,"stopSequences":["a"]},"messages":[] ,'
        b'"additionalModelRequestFields":{"y":1.0}}'
    )


def test_what_only_some_models_take_is_left_out_where_it_stands() -> None:
    dropped = ("drop_parameter:thinking.adaptive", "drop_parameter:effort", "drop_parameter:effort.max")
    inner = (
        b'"thinking":{"type":"adaptive"},"output_config":{"effort":"max"},'
        b'"context_management":{"edits":[{"type":"clear_thinking_20251015"}]}'
    )
    model = CATALOG["anthropic/claude-haiku-4-5-20251001"]
    data = b'{"model":"claude-haiku-4-5-20251001",%b,"messages":[]}' % inner
    found = edited(anthropic.decode(data), model, dropped)
    assert found.body == b'{"model":"claude-haiku-4-5-20251001","messages":[]}'
    assert found.edits == dropped
    data = b'{"messages":[],"outputConfig":{"effort":"max"},"additionalModelRequestFields":{%b,"top_k":1 }}' % inner
    found = edited(converse.decode(data, model="m", stream=False), CLAUDE, dropped)
    assert found.body == b'{"messages":[],"outputConfig":{},"additionalModelRequestFields":{"top_k":1}}'


def test_the_effort_of_openai_is_left_out_where_it_stands() -> None:
    dropped = ("drop_parameter:reasoning_effort", "drop_parameter:reasoning_effort.none")
    data = b'{"model":"gpt-5","reasoning_effort":"none","messages":[]}'
    assert edited(openai_chat.decode(data), GPT, dropped).body == b'{"model":"gpt-5","messages":[]}'
    data = b'{"model":"gpt-5","reasoning":{"effort":"none","summary":"auto"},"input":"Hi."}'
    body = edited(openai_responses.decode(data), GPT, dropped).body
    assert body == b'{"model":"gpt-5","reasoning":{"summary":"auto"},"input":"Hi."}'
