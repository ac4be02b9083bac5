"""One conversation a session: kept, bounded, one question at a time, and forgotten when nobody comes back.

Use it from one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from strands import Agent

from turnout.doors.agentcore.agents import AgentSource, Conversation, Prepare
from turnout.doors.agentcore.errors import SessionBusyError, TooManySessionsError

logger = logging.getLogger(__name__)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a service takes on.

    Attributes:
        max_prompt_chars: The longest prompt, in characters.
        most_sessions: How many sessions are kept; the one used longest ago makes room for a new one.
        idle_s: Seconds after which a session that nobody uses is forgotten. The default is that of AgentCore Runtime.
        most_waiting: How many questions of one session may wait for the one that is being answered.
    """

    max_prompt_chars: int = 200_000
    most_sessions: int = 1_000
    idle_s: float = 900.0
    most_waiting: int = 4

    def __post_init__(self) -> None:
        if self.max_prompt_chars < 1 or self.most_sessions < 1 or self.idle_s <= 0 or self.most_waiting < 0:
            raise ValueError(f"limits must be above 0, got {self}")


class _Kept:
    """A session: its conversation once there is one, and who uses it."""

    def __init__(self) -> None:
        self.conversation: Conversation | None = None
        self.lock = asyncio.Lock()
        self.users = 0
        self.used_s = 0.0


class Sessions:
    """The conversations of a service.

    Args:
        source: Gives a new session its conversation.
        prepare: Is shown each new agent.
        limits: How many, and for how long.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        source: AgentSource,
        prepare: Prepare,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._prepare = prepare
        self._limits = limits
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._kept)

    @asynccontextmanager
    async def agent(self, session_id: str) -> AsyncIterator[Agent]:
        """The session's agent for one question; waits for the questions that came before.

        Raises:
            SessionBusyError: Too many of them wait.
            TooManySessionsError: The session is new, and all that are kept are answering.
        """
        kept = self._enter(session_id)
        try:
            async with kept.lock:
                if kept.conversation is None:
                    kept.conversation = await self._source.conversation(session_id, self._prepare)
                async with kept.conversation.turn() as agent:
                    yield agent
        finally:
            self._leave(session_id, kept)

    def forget_idle(self) -> None:
        """Forget the sessions that nobody has used for too long."""
        before_s = self._clock() - self._limits.idle_s
        idle = [key for key, kept in self._kept.items() if not kept.users and kept.used_s <= before_s]
        for session_id in idle:
            self._forget(session_id)
        self._look_again()

    def close(self) -> None:
        """Forget all sessions."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for session_id in list(self._kept):
            self._forget(session_id)

    def _enter(self, session_id: str) -> _Kept:
        self.forget_idle()
        kept = self._kept.get(session_id)
        if kept is None:
            self._make_room()
            kept = self._kept[session_id] = _Kept()
        elif kept.users > self._limits.most_waiting:
            raise SessionBusyError
        self._kept.move_to_end(session_id)
        kept.users += 1
        return kept

    def _leave(self, session_id: str, kept: _Kept) -> None:
        kept.users -= 1
        kept.used_s = self._clock()
        if kept.conversation is None and not kept.users and self._kept.get(session_id) is kept:
            del self._kept[session_id]
        self._look_again()

    def _make_room(self) -> None:
        if len(self._kept) < self._limits.most_sessions:
            return
        oldest = next((key for key, kept in self._kept.items() if not kept.users), None)
        if oldest is None:
            raise TooManySessionsError
        self._forget(oldest)

    def _forget(self, session_id: str) -> None:
        kept = self._kept.pop(session_id)
        if kept.conversation is None:
            return
        try:
            kept.conversation.close()
        except Exception as error:
            logger.warning("error=<%s> | an agent that is no longer used could not be closed", type(error).__name__)

    def _look_again(self) -> None:
        """Have idle sessions forgotten in time, also where no request comes any more."""
        if self._timer is None and self._kept:
            self._timer = asyncio.get_running_loop().call_later(self._limits.idle_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.forget_idle()
