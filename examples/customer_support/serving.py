"""What an entry point needs beside the agent: checked payloads, kept conversations, decisions, safe errors."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse
from strands import Agent
from strands.agent import AgentResult

from turnout.core.cost import pico_to_usd
from turnout.core.policy import Reason
from turnout.router import RefusedError
from turnout.trace.events import DecisionEvent, Event, Records

_MOST_SESSIONS = 1000


class PayloadError(ValueError):
    """A payload that cannot be served; the message is for the caller."""


def read_prompt(payload: object, max_chars: int) -> str:
    """The prompt of a payload ``{"prompt": "..."}``; other keys are left alone.

    Raises:
        PayloadError: There is no prompt, or it is empty, too long or not text.
    """
    if not isinstance(payload, dict):
        raise PayloadError('the payload must be an object like {"prompt": "..."}')
    prompt = payload.get("prompt")
    if prompt is None:
        raise PayloadError('the payload has no "prompt"')
    if not isinstance(prompt, str):
        raise PayloadError(f'"prompt" must be text, got {type(prompt).__name__}')
    if not prompt.strip():
        raise PayloadError('"prompt" is empty')
    if len(prompt) > max_chars:
        raise PayloadError(f'"prompt" has {len(prompt):,} characters, at most {max_chars:,} are taken')
    if "\0" in prompt or any("\ud800" <= character <= "\udfff" for character in prompt):
        raise PayloadError('"prompt" holds characters that are not text')
    return prompt


def error_response(error: Exception) -> JSONResponse:
    """What the caller is told: their own mistakes and refusals in full, of everything else only that it failed."""
    if isinstance(error, PayloadError):
        return _error(400, "invalid_payload", str(error))
    if isinstance(error, RefusedError):
        status = 429 if error.decision.reason is Reason.BUDGET_SPENT else 400
        return _error(status, str(error.decision.reason), str(error))
    return _error(500, "not_answered", "The question could not be answered. Please try again.")


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


class Conversations:
    """One agent for each session, the sessions used longest ago forgotten first.

    Within a session one question is answered after the other. Where an answer fails, its question is taken out of the
    history, so that the session can go on. Use it from one event loop.
    """

    def __init__(self, new_agent: Callable[[], Agent], *, most_sessions: int = _MOST_SESSIONS) -> None:
        self._new_agent = new_agent
        self._most_sessions = most_sessions
        self._kept: OrderedDict[str, tuple[Agent, asyncio.Lock]] = OrderedDict()

    @asynccontextmanager
    async def agent(self, session_id: str | None) -> AsyncIterator[Agent]:
        """The session's agent, or a new one where there is no session."""
        if session_id is None:
            yield self._new_agent()
            return
        if session_id not in self._kept:
            self._kept[session_id] = (self._new_agent(), asyncio.Lock())
            if len(self._kept) > self._most_sessions:
                self._kept.popitem(last=False)
        self._kept.move_to_end(session_id)
        agent, lock = self._kept[session_id]
        async with lock:
            before = len(agent.messages)
            try:
                yield agent
            except BaseException:
                del agent.messages[before:]
                raise


class DecisionLog:
    """Takes events, passes them on, and gives a request the decisions that were made for it.

    Args:
        following: Where events go from here, such as a recorder; none: nowhere.
    """

    def __init__(self, following: Records | None = None) -> None:
        self._following = following
        self._collected: ContextVar[list[DecisionEvent] | None] = ContextVar("decisions", default=None)

    def record(self, event: Event) -> None:
        """Take one event."""
        collected = self._collected.get()
        if collected is not None and isinstance(event, DecisionEvent):
            collected.append(event)
        if self._following is not None:
            self._following.record(event)

    @contextmanager
    def collect(self) -> Iterator[list[DecisionEvent]]:
        """The decisions made inside, in this task and those that it starts; the list grows as they are made."""
        collected: list[DecisionEvent] = []
        token = self._collected.set(collected)
        try:
            yield collected
        finally:
            self._collected.reset(token)


@dataclass(frozen=True)
class Service:
    """What an entry point answers with."""

    conversations: Conversations
    decisions: DecisionLog
    max_prompt_chars: int


def answer_of(result: AgentResult, decisions: list[DecisionEvent]) -> dict[str, Any]:
    """The entry point's answer.

    ``decision`` tells of the decision that opened the turn; ``model_used`` is the model that gave the last answer,
    another one if the first failed. ``complexity`` is null where no verdict was needed or there was none.
    """
    first, last = decisions[0], decisions[-1]
    verdict = first.given.verdict
    failed_over = [attempt.model for attempt in last.given.failed]
    return {
        "response": "\n".join(block["text"] for block in result.message["content"] if "text" in block),
        "model_used": last.decision.model,
        "complexity": verdict.label if verdict is not None else None,
        "decision": {
            "reason": str(first.decision.reason),
            "runner_up": first.decision.runner_up,
            "classifier": verdict.classifier if verdict is not None else None,
            "p_simple": verdict.p_simple if verdict is not None else None,
            "bar": first.decision.bar,
            "expected_cost_usd": {
                estimate.model: str(pico_to_usd(estimate.expected.cost_pico))
                for estimate in first.decision.estimates
                if estimate.expected is not None
            },
            **({"failed_over_from": failed_over} if failed_over else {}),
        },
    }
