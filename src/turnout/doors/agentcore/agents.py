"""Where the agents of a service come from: a factory that makes one a session, or one agent that all share."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from strands import Agent, Snapshot

from turnout.doors.agentcore.departure import watch_departures

logger = logging.getLogger(__name__)

AgentFactory = Callable[[str], Any]
"""Given a session id, makes that session's `Agent`, or a coroutine of one."""

Prepare = Callable[[Agent], None]
"""Looks at each agent once, before its first question."""


class Conversation(Protocol):
    """One session's agent, or its part of a shared one."""

    def turn(self) -> AbstractAsyncContextManager[Agent]:
        """The agent for one question. Where it fails, the question leaves no trace in the history."""

    def close(self) -> None:
        """Let go of what the agent holds."""


class AgentSource(Protocol):
    """Gives each session its conversation.

    Attributes:
        name: What the service is called in spans and logs.
    """

    @property
    def name(self) -> str:
        """What the service is called in spans and logs."""

    async def conversation(self, session_id: str, prepare: Prepare) -> Conversation:
        """A new conversation; ``prepare`` is shown an agent that was not seen before."""


class FromFactory:
    """A new agent for each session, so that sessions are answered side by side.

    Args:
        factory: Makes the agent; given the session id.
        name: What the service is called.
    """

    def __init__(self, factory: AgentFactory, *, name: str = "agent") -> None:
        self.name = name
        self._factory = factory

    async def conversation(self, session_id: str, prepare: Prepare) -> OwnAgent:
        """A conversation with an agent of its own.

        Raises:
            TypeError: The factory made something else.
        """
        made = self._factory(session_id)
        if inspect.isawaitable(made):
            made = await made
        if not isinstance(made, Agent):
            logger.error("factory=<%s>, made=<%s> | the factory made no strands.Agent", self.name, type(made).__name__)
            raise TypeError(f"the factory {self.name} made a {type(made).__name__}, not a strands.Agent")
        watch_departures(made)
        prepare(made)
        return OwnAgent(made)


class OwnAgent:
    """A conversation that has its agent for itself."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Agent]:
        """The agent for one question."""
        before = list(self._agent.messages)
        try:
            yield self._agent
        except BaseException:
            self._agent.messages[:] = before
            raise

    def close(self) -> None:
        """End the agent's tool providers."""
        self._agent.cleanup()


class SharedAgent:
    """One agent for all sessions: its history and state are exchanged before each question.

    Known limitation: it answers one question at a time over all sessions; a factory answers them side by side. What
    the agent keeps beside messages, state, conversation manager and interrupts is shared by all sessions.

    Args:
        agent: The agent, as each session begins with it.
        name: What the service is called; by default as the agent.
    """

    def __init__(self, agent: Agent, *, name: str = "") -> None:
        self.name = name or agent.name
        self.agent = agent
        self.lock = asyncio.Lock()
        self.begin: Snapshot = agent.take_snapshot(preset="session")
        self._prepared = False

    async def conversation(self, session_id: str, prepare: Prepare) -> SharedConversation:
        """A conversation that begins as the agent was found."""
        if not self._prepared:
            self._prepared = True
            watch_departures(self.agent)
            prepare(self.agent)
        return SharedConversation(self)


class SharedConversation:
    """One session's part of a shared agent."""

    def __init__(self, shared: SharedAgent) -> None:
        self._shared = shared
        self._kept = shared.begin

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Agent]:
        """The agent for one question, with this session's history."""
        async with self._shared.lock:
            self._shared.agent.load_snapshot(self._kept)
            yield self._shared.agent
            self._kept = self._shared.agent.take_snapshot(preset="session")

    def close(self) -> None:
        """Nothing: the agent serves other sessions."""
