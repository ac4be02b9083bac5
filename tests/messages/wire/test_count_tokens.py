"""Bodies of CountTokens: what boto3 sends, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.messages.wire import support
from turnout.messages.wire import count_tokens
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.malformed import MalformedBodyError

CLAUDE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}


def sent(counted: dict[str, Any]) -> Asked:
    """What boto3's client sends."""
    with support.recorder(b'{"inputTokens":1}') as server, support.bedrock_client(server.url) as client:
        client.count_tokens(modelId="turnout/economy", input=counted)
    assert server.paths == ["/model/turnout%2Feconomy/count-tokens"]
    return count_tokens.decode(server.body, model="turnout/economy")


@pytest.mark.parametrize(
    "counted",
    [
        {"converse": {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}},
        {"invokeModel": {"body": json.dumps(CLAUDE).encode()}},
    ],
)
def test_both_forms_hold_a_conversation(counted: dict[str, Any]) -> None:
    asked = sent(counted)
    assert (asked.protocol, asked.model, asked.stream) == (WireProtocol.CONVERSE, "turnout/economy", False)
    assert asked.conversation.messages == [{"role": "user", "content": [{"text": "hi"}]}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "input is missing"),
        (b'{"input":{}}', "input must have either converse or invokeModel"),
        (b'{"input":{"converse":{},"invokeModel":{"body":""}}}', "input must have either converse or invokeModel"),
        (b'{"input":{"invokeModel":{}}}', "input"),
        (b'{"input":7}', "input"),
    ],
)
def test_malformed(body: bytes, said: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        count_tokens.decode(body, model="m")
    assert said in str(caught.value)


def test_what_is_no_base64_is_told_where_somebody_looks() -> None:
    asked = count_tokens.decode(b'{"input":{"invokeModel":{"body":"?"}}}', model="m")
    with pytest.raises(MalformedBodyError, match="is no base64"):
        assert asked.conversation
