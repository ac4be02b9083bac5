"""One question while it is answered: a task that runs the agent, and the parts of the answer as they come.

The agent runs in one task from beginning to end, so that what it sets in the context (spans, the events that are
collected) is taken back where it was set, whoever reads the parts and whenever they stop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace
from strands import Agent

from turnout.doors.agentcore.answer import answer_of
from turnout.doors.agentcore.departure import DEPARTURE
from turnout.doors.agentcore.errors import StoppingError
from turnout.doors.agentcore.log import Heard, collected
from turnout.doors.agentcore.payload import Question
from turnout.trace.spans.joining import joined
from turnout.upstream.errors import error_name

if TYPE_CHECKING:
    from turnout.doors.agentcore.service import AgentService

logger = logging.getLogger(__name__)

Part = dict[str, Any]
"""One part of an answer: ``type`` is ``decision``, ``text``, ``tool`` or, at the end, ``answer``."""

_AHEAD = 64
"""How many parts may wait for a caller who reads slowly."""


class Turn:
    """An answer that is being given; the agent starts at once. To be used from the service's event loop.

    Args:
        service: Whose agents answer.
        question: What is asked.
        session_id: The session.
    """

    def __init__(self, service: AgentService, question: Question, session_id: str) -> None:
        self.session_id = session_id
        self._service = service
        self._question = question
        self._heard = Heard()
        self._parts: asyncio.Queue[Part] = asyncio.Queue(_AHEAD)
        self._departure = threading.Event()
        self.task = asyncio.create_task(self._run(), name="turnout-agentcore-turn")

    @property
    def ids(self) -> dict[str, str | None]:
        """Turn and trace, as far as they are known by now."""
        return self._heard.ids

    async def next(self) -> Part | None:
        """The next part, or none after the last.

        Raises:
            StoppingError: The turn was cancelled by the service.
            Exception: What kept the agent from answering.
        """
        if self._parts.empty() and not self.task.done():
            part = asyncio.ensure_future(self._parts.get())
            try:
                await asyncio.wait({part, self.task}, return_when=asyncio.FIRST_COMPLETED)
                if part.done():
                    return part.result()
            finally:
                part.cancel()
        if not self._parts.empty():
            return self._parts.get_nowait()
        if self.task.cancelled():
            raise StoppingError
        self.task.result()
        return None

    def leave(self) -> None:
        """End the turn, and the call to the provider that is under way; after its end nothing happens."""
        if not self.task.done():
            self._departure.set()
            self.task.cancel()

    async def _run(self) -> None:
        DEPARTURE.set(self._departure)
        tracer = trace.get_tracer(__name__)
        with (
            joined(self._question.headers),
            # One span over classifiers, answers and tools: a trace's totals include all. What an exception says may be
            # what the caller wrote, so neither span nor log gets it.
            tracer.start_as_current_span(
                self._service.name,
                kind=trace.SpanKind.SERVER,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
        ):
            span.set_attribute("session.id", self.session_id)
            try:
                async with self._service.sessions.agent(self.session_id) as agent:
                    with collected() as self._heard:
                        await self._answer(agent)
            except Exception as error:
                name = error_name(error)
                logger.error("error=<%s>, turn_id=<%s> | a question was not answered", name, self.ids["turn_id"] or "")
                span.set_status(trace.StatusCode.ERROR, name)
                raise

    async def _answer(self, agent: Agent) -> None:
        state = {"turnout": {"session_id": self.session_id}}
        events = cast("AsyncGenerator[Any, None]", agent.stream_async(self._question.prompt, invocation_state=state))
        told: str | None = None
        result = None
        try:
            async for event in events:
                if "result" in event:
                    result = event["result"]
                if not self._question.stream:
                    continue
                decisions = self._heard.decisions
                if decisions and decisions[-1].decision.model != told:
                    told = decisions[-1].decision.model
                    await self._parts.put(self._decided())
                if (part := _part_of(event)) is not None:
                    await self._parts.put(part)
        finally:
            await events.aclose()
        if result is None:
            raise RuntimeError("the agent ended without a result")
        label = self._service.label
        answer = answer_of(result, self._heard, session_id=self.session_id, label=label)
        await self._parts.put({"type": "answer", **answer})

    def _decided(self) -> Part:
        """Which model answers from here on, and why: the first part, and once more after a failover."""
        label = self._service.label
        last = self._heard.decisions[-1].decision
        return {
            "type": "decision",
            **({"label": label} if label else {}),
            "model_used": last.model,
            "reason": str(last.reason),
            "simulated": self._heard.simulated or bool(label),
            "session_id": self.session_id,
            **self.ids,
        }


def _part_of(event: Any) -> Part | None:
    """What a caller is shown of an agent's event: text as it comes, and the names of tools."""
    if "data" in event:
        return {"type": "text", "text": event["data"]}
    start = event.get("event", {}).get("contentBlockStart", {}).get("start", {})
    if "toolUse" in start:
        return {"type": "tool", "name": start["toolUse"]["name"]}
    return None
