from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest
from strands import Agent
from strands.types.content import Message

from tests.doors.agentcore.support import come_about
from turnout.doors.agentcore.agents import FromFactory
from turnout.doors.agentcore.errors import SessionBusyError, TooManySessionsError
from turnout.doors.agentcore.sessions import Limits, Sessions
from turnout.upstream.local.strands_model import LocalModel


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Closing(Agent):
    """An agent that notes when it is cleaned up."""

    closed = 0

    def cleanup(self) -> None:
        type(self).closed += 1
        super().cleanup()


def sessions(clock: Clock | None = None, **limits: float) -> Sessions:
    source = FromFactory(lambda session_id: Closing(model=LocalModel(), callback_handler=None))
    return Sessions(source, lambda agent: None, Limits(**limits), clock=clock or Clock())  # type: ignore[arg-type]


def said(text: str) -> Message:
    return {"role": "user", "content": [{"text": text}]}


async def say(kept: Sessions, session_id: str) -> int:
    """Add a message to a session, and give how many it has now."""
    async with kept.agent(session_id) as agent:
        agent.messages.append(said(session_id))
        return len(agent.messages)


async def test_a_session_keeps_its_agent_and_others_have_their_own() -> None:
    kept = sessions()
    async with kept.agent("a") as first:
        pass
    async with kept.agent("a") as again, kept.agent("b") as other:
        assert again is first
        assert other is not first
    kept.close()
    assert len(kept) == 0


async def test_the_session_used_longest_ago_makes_room_and_is_closed() -> None:
    kept = sessions(most_sessions=2)
    before = Closing.closed
    assert [await say(kept, name) for name in "abac"] == [1, 1, 2, 1]
    assert Closing.closed == before + 1
    assert await say(kept, "a") == 3
    assert await say(kept, "b") == 1
    assert len(kept) == 2
    kept.close()


async def test_a_session_that_answers_is_never_forgotten() -> None:
    clock = Clock()
    kept = sessions(clock, most_sessions=1, idle_s=10)
    async with kept.agent("a") as agent:
        agent.messages.append(said("a"))
        clock.now_s = 1000
        kept.forget_idle()
        with pytest.raises(TooManySessionsError):
            await say(kept, "b")
    assert await say(kept, "a") == 2
    kept.close()


async def test_a_session_that_nobody_uses_is_forgotten() -> None:
    clock = Clock()
    kept = sessions(clock, idle_s=10)
    await say(kept, "a")
    clock.now_s = 9
    await say(kept, "b")
    clock.now_s = 10
    kept.forget_idle()
    assert len(kept) == 1
    assert await say(kept, "b") == 2
    assert await say(kept, "a") == 1
    kept.close()


async def test_idle_sessions_are_forgotten_where_no_request_comes_any_more() -> None:
    clock = Clock()
    kept = sessions(clock, idle_s=0.01)
    await say(kept, "a")
    clock.now_s = 1
    await come_about(lambda: not len(kept))
    kept.close()


async def test_questions_of_one_session_are_answered_one_after_the_other() -> None:
    kept = sessions()
    order: list[str] = []

    async def ask(name: str) -> None:
        async with kept.agent("a"):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(ask("one"), ask("two"))
    assert order == ["one begins", "one ends", "two begins", "two ends"]
    kept.close()


async def test_only_so_many_questions_of_one_session_wait() -> None:
    kept = sessions(most_waiting=1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(kept.agent("a"))
        waiting = asyncio.create_task(say(kept, "a"))
        await asyncio.sleep(0)
        with pytest.raises(SessionBusyError):
            await say(kept, "a")
        assert await say(kept, "b") == 1
    assert await waiting == 1
    kept.close()


async def test_a_question_that_stops_waiting_frees_its_place() -> None:
    kept = sessions(most_waiting=1)
    async with kept.agent("a"):
        waiting = asyncio.create_task(say(kept, "a"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        waiting = asyncio.create_task(say(kept, "a"))
        await asyncio.sleep(0)
    assert await waiting == 1
    kept.close()


async def test_a_session_whose_agent_could_not_be_made_is_not_kept() -> None:
    def fail(session_id: str) -> Agent:
        raise OSError("no tools today")

    kept = Sessions(FromFactory(fail), lambda agent: None, Limits())
    with pytest.raises(OSError, match="no tools"):
        await say(kept, "a")
    assert len(kept) == 0
    kept.close()


async def test_an_agent_that_cannot_be_closed_is_told_of_and_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Agent):
        def cleanup(self) -> None:
            raise OSError("secret")

    kept = Sessions(
        FromFactory(lambda session_id: Stuck(model=LocalModel(), callback_handler=None)), lambda agent: None, Limits()
    )
    await say(kept, "a")
    with caplog.at_level(logging.WARNING, logger="turnout"):
        kept.close()
    assert len(kept) == 0
    assert [record.getMessage() for record in caplog.records if record.name.startswith("turnout")] == [
        "error=<OSError> | an agent that is no longer used could not be closed"
    ]


@pytest.mark.parametrize("limits", [{"most_sessions": 0}, {"idle_s": 0}, {"most_waiting": -1}, {"max_prompt_chars": 0}])
def test_limits_are_above_nothing(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Limits(**limits)
