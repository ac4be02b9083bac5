"""Which candidates are reached from which door, and how."""

from __future__ import annotations

import random

import pytest

from tests.doors.gateway.support import ANTHROPIC, BEDROCK, KEYS, OPENAI
from turnout.config import load_catalog, load_settings
from turnout.core.request import HistoryFit
from turnout.doors.gateway.app import Gateway
from turnout.doors.gateway.headers import Wishes
from turnout.doors.gateway.routing import _DOOR, detours_of
from turnout.doors.gateway.serving import gateway_of
from turnout.messages.conversation import Conversation
from turnout.messages.wire import openai_chat
from turnout.messages.wire.asked import WireProtocol

CATALOG = load_catalog()
SIGNED = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}
USE = {"toolUse": {"toolUseId": "a b", "name": "one", "input": {}}}
IN_A_LOOP = Conversation(
    messages=[
        {"role": "user", "content": [{"text": "Hi."}]},
        {"role": "assistant", "content": [USE]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "a b", "content": [{"text": "x"}]}}]},
    ]
)


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    file = tmp_path_factory.mktemp("routing") / "turnout.toml"
    listed = "".join(
        f'[[policy.candidates]]\nmodel = "{model}"\nrank = {rank}\n'
        for rank, model in enumerate((OPENAI[0], ANTHROPIC[0], BEDROCK[0]))
    )
    file.write_text(
        f"{listed}[upstreams.openai]\nkey_env='MY_OPENAI_KEY'\n[upstreams.anthropic]\nkey_env='MY_ANTHROPIC_KEY'\n"
        "[upstreams.bedrock]\nauth='bearer'\nkey_env='MY_BEDROCK_KEY'\nregion='eu-west-1'\n"
        "[upstreams.second]\nprovider='bedrock'\nprotocol='anthropic'\nbase_url='http://localhost:1'\n"
    )
    return gateway_of(load_settings(file), CATALOG, environment=KEYS, chance=random.Random(1))


def test_the_clients_own_protocol_comes_first(gateway: Gateway) -> None:
    routing = gateway.routing
    way, translates = routing.way(BEDROCK[0], WireProtocol.ANTHROPIC)
    assert (way.protocol, translates) == (WireProtocol.ANTHROPIC, False)
    way, translates = routing.way(BEDROCK[0], WireProtocol.OPENAI_CHAT)
    assert (way.protocol, translates) == (WireProtocol.ANTHROPIC, True)


def test_a_candidate_that_nothing_serves_has_no_detour() -> None:
    assert detours_of([OPENAI[0]], {}) == {}


def test_only_the_pinned_candidate_is_looked_at(gateway: Gateway) -> None:
    routing = gateway.routing
    asked = openai_chat.decode(b'{"model":"turnout","seed":1,"messages":[{"role":"user","content":"Hi."}]}')
    every = routing.read(asked, Wishes(), routing.choice(asked, Wishes()), preview=True)
    why = ("untranslatable:seed",)
    assert every.request.history == (HistoryFit(ANTHROPIC[0], (), why), HistoryFit(BEDROCK[0], (), why))
    pinned = Wishes(pin=BEDROCK[0])
    one = routing.read(asked, pinned, routing.choice(asked, pinned), preview=True)
    assert one.request.history == (HistoryFit(BEDROCK[0], (), why),)


def test_what_is_written_anew_may_be_edited(gateway: Gateway) -> None:
    """An id that Anthropic does not take keeps a relay from it, and a translation not."""
    source, target = CATALOG[OPENAI[0]], CATALOG[ANTHROPIC[0]]
    token = _DOOR.set(WireProtocol.OPENAI_CHAT)
    try:
        assert gateway.routing.may_move(IN_A_LOOP, source, target) is None
        _DOOR.set(WireProtocol.ANTHROPIC)
        assert gateway.routing.may_move(IN_A_LOOP, source, target) == "needs_edit:tool_result_status"
    finally:
        _DOOR.reset(token)


def test_thinking_of_a_loop_binds_over_a_translation_too(gateway: Gateway) -> None:
    said = {"role": "assistant", "content": [SIGNED, USE]}
    bound = Conversation(messages=[IN_A_LOOP.messages[0], said, IN_A_LOOP.messages[2]])
    token = _DOOR.set(WireProtocol.ANTHROPIC)
    try:
        why = gateway.routing.may_move(bound, CATALOG[ANTHROPIC[0]], CATALOG[OPENAI[0]])
        assert why == "bound:tool_loop_thinking"
    finally:
        _DOOR.reset(token)
