"""Claude bodies behind InvokeModel, as the real client for Bedrock sends them."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from tests.messages.wire import support
from turnout.messages.wire import anthropic, invoke
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.malformed import MalformedBodyError


def test_everything_of_a_real_request_is_held() -> None:
    path, body = support.invoke_request()
    assert unquote(path) == f"/model/{support.HAIKU}/invoke"
    asked = invoke.decode(body, model=support.HAIKU, stream=True)
    same = anthropic.decode(support.anthropic_body())
    assert asked.protocol is WireProtocol.INVOKE
    assert (asked.model, asked.stream) == (support.HAIKU, True)
    assert asked.controls == same.controls
    assert asked.parameters == same.parameters
    assert asked.session_id == same.session_id
    assert asked.untranslatable == ()
    assert support.shown(asked.conversation) == support.shown(same.conversation)


def test_a_real_request_is_the_same_after_it_was_written_again() -> None:
    _, body = support.invoke_request()
    asked = invoke.decode(body, model="m", stream=False)
    encoded = invoke.encode(asked.conversation, asked.controls)
    assert encoded.refusals == encoded.edits == ()
    assert encoded.body is not None
    written = json.loads(encoded.body)
    assert written["anthropic_version"] == invoke.VERSION
    assert json.loads(body)["anthropic_version"]  # the client's own, which changes with it
    assert "model" not in written
    again = invoke.decode(encoded.body, model="m", stream=False)
    assert again.controls == asked.controls
    assert support.shown(again.conversation) == support.shown(asked.conversation)


def test_beta_names_in_the_body_are_bedrocks_and_anthropics_alone() -> None:
    body = b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["b"],"messages":[],"max_tokens":1,"x":2}'
    asked = invoke.decode(body, model="m", stream=False)
    assert (asked.fixed, asked.unknown) == (("anthropic_beta",), ("x",))


def test_a_body_for_another_model_is_not_understood() -> None:
    with pytest.raises(MalformedBodyError, match="anthropic_version is missing"):
        invoke.decode(b'{"inputText":"hi"}', model="amazon.titan", stream=False)
    with pytest.raises(MalformedBodyError, match="messages is missing"):
        invoke.decode(b'{"anthropic_version":"v"}', model="m", stream=False)
