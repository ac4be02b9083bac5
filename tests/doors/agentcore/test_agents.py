from __future__ import annotations

import logging

import pytest
from strands import Agent
from strands.types.content import Message

from turnout.doors.agentcore.agents import Conversation, FromFactory, SharedAgent
from turnout.upstream.local.strands_model import LocalModel


def new_agent(session_id: str = "") -> Agent:
    return Agent(model=LocalModel(), name="shop", callback_handler=None)


async def fail_in(conversation: Conversation) -> None:
    async with conversation.turn() as kept:
        kept.messages.append(said("lost"))
        raise RuntimeError


def said(text: str) -> Message:
    return {"role": "user", "content": [{"text": text}]}


async def test_a_factory_makes_an_agent_for_each_session_and_each_is_looked_at_once() -> None:
    seen: list[Agent] = []
    source = FromFactory(new_agent, name="shop")
    one, two = await source.conversation("a", seen.append), await source.conversation("b", seen.append)
    async with one.turn() as first, two.turn() as second:
        assert [first, second] == seen
    one.close()


async def test_a_factory_may_be_a_coroutine() -> None:
    async def make(session_id: str) -> Agent:
        return new_agent()

    async with (await FromFactory(make).conversation("a", lambda agent: None)).turn() as found:
        assert found.name == "shop"


async def test_a_factory_that_makes_something_else_is_told_to_its_operator(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TypeError, match="made a dict"), caplog.at_level(logging.ERROR):
        await FromFactory(lambda session_id: {}, name="m:f").conversation("a", lambda agent: None)
    assert "factory=<m:f>, made=<dict>" in caplog.text


async def test_a_question_that_fails_leaves_no_trace_in_an_agents_history() -> None:
    conversation = await FromFactory(new_agent).conversation("a", lambda agent: None)
    async with conversation.turn() as kept:
        kept.messages.append(said("before"))
    with pytest.raises(RuntimeError):
        await fail_in(conversation)
    async with conversation.turn() as kept:
        assert kept.messages == [said("before")]


async def test_sessions_share_an_agent_and_not_its_history_or_state() -> None:
    agent = new_agent()
    agent.messages.append(said("greeting"))
    seen: list[Agent] = []
    shared = SharedAgent(agent)
    assert shared.name == "shop"
    one, two = await shared.conversation("a", seen.append), await shared.conversation("b", seen.append)
    assert seen == [agent]
    async with one.turn() as found:
        assert found is agent
        found.messages.append(said("one"))
        found.state.set("who", "one")
    async with two.turn() as found:
        assert found.messages == [said("greeting")]
        assert found.state.get("who") is None
        found.messages.append(said("two"))
    with pytest.raises(RuntimeError):
        await fail_in(one)
    async with one.turn() as found:
        assert found.messages == [said("greeting"), said("one")]
        assert found.state.get("who") == "one"
    one.close()
