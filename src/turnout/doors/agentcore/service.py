"""The agents behind a service: begins turns, counts those that run, ends them when the service stops."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from strands import Agent

from turnout.doors.agentcore.agents import AgentSource, Prepare
from turnout.doors.agentcore.errors import StoppingError
from turnout.doors.agentcore.log import TurnLog, listen_to
from turnout.doors.agentcore.payload import Question
from turnout.doors.agentcore.sessions import Limits, Sessions
from turnout.doors.agentcore.turn import Turn
from turnout.trace.events import Records, new_id

logger = logging.getLogger(__name__)

_END_S = 5.0
"""Seconds that cancelled turns have to record their end."""


class AgentService:
    """Answers questions with one agent a session.

    Args:
        source: Where agents come from.
        records: Where the events of agents go that record nowhere by themselves; none: nowhere.
        limits: How much it takes on.
        label: What every answer says first of simulated models; empty: they are real.
        check: Is shown each agent before its first question, and may refuse it by an exception.

    Attributes:
        name: The agents' name.
        label: What every answer says first.
        limits: How much it takes on.
        sessions: The conversations, for the loop that the turns run in.
    """

    def __init__(
        self,
        source: AgentSource,
        *,
        records: Records | None = None,
        limits: Limits | None = None,
        label: str = "",
        check: Prepare | None = None,
    ) -> None:
        self.name = source.name
        self.label = label
        self.limits = limits or Limits()
        self.sessions = Sessions(source, self._listen, self.limits)
        self._check = check
        self._log = records if isinstance(records, TurnLog) else TurnLog(records)
        self._turns: set[Turn] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    @property
    def busy(self) -> bool:
        """Whether a question is being answered."""
        return bool(self._turns)

    def begin(self, question: Question) -> Turn:
        """Begin to answer; always from the same event loop.

        A question that names no session opens one, whose id the answer tells.

        Raises:
            StoppingError: The service is being stopped.
        """
        if self._stopping:
            raise StoppingError
        self._loop = asyncio.get_running_loop()
        turn = Turn(self, question, question.session_id or new_id())
        self._turns.add(turn)
        turn.task.add_done_callback(lambda task: self._ended(turn, task))
        return turn

    async def aclose(self) -> None:
        """End the turns that run, and forget all sessions; then nothing is answered any more. From any loop."""
        self._stopping = True
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        if loop is asyncio.get_running_loop():
            await self._end()
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._end(), loop))

    async def _end(self) -> None:
        running = {turn.task for turn in self._turns}
        for turn in list(self._turns):
            turn.leave()
        if running:
            _, late = await asyncio.wait(running, timeout=_END_S)
            if late:
                logger.warning("turns=<%d> | turns did not end in time", len(late))
        self.sessions.close()

    def _ended(self, turn: Turn, task: asyncio.Task[None]) -> None:
        self._turns.discard(turn)
        with suppress(asyncio.CancelledError):
            task.exception()  # looked at, so that asyncio does not tell of it once more

    def _listen(self, agent: Agent) -> None:
        if self._check is not None:
            self._check(agent)
        if not listen_to(agent.model, self._log, simulated=bool(self.label)):
            logger.warning("agent=<%s> | its model is not routed: answers tell no model, reason or cost", agent.name)
