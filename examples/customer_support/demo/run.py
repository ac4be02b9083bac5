"""Runs one set of queries through one version of the agent, and keeps what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from examples.customer_support.backends import Backend
from examples.customer_support.build import SupportAgent, build
from examples.customer_support.demo.queries import Query
from examples.customer_support.tools import SupportTools
from turnout.classify.protocol import Classifier
from turnout.trace.events import DecisionEvent, Event, Records


class Answered(NamedTuple):
    """A query, its answer's text, and the decision that opened its turn."""

    query: Query
    text: str
    decision: DecisionEvent


class Tee:
    """Hands events on, and keeps the decisions of the newest query."""

    def __init__(self, following: Records) -> None:
        self._following = following
        self.decisions: list[DecisionEvent] = []

    def record(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, DecisionEvent):
            self.decisions.append(event)
        self._following.record(event)


async def run_queries(
    version: int,
    backend: Backend,
    queries: Sequence[Query],
    *,
    run: str,
    recorder: Records,
    tools: SupportTools,
    classifier: Classifier | None,
    advance: Callable[[], None],
) -> list[Answered]:
    """Ask every query in a conversation of its own, one after the other, in a version of the agent.

    The run's name goes in front of the system prompt of models that are not simulated, so that the prompt caches of a
    provider are cold for each version and no version pays for what another one wrote.
    """
    tee = Tee(recorder)
    agent = build(
        version,
        backend.models,
        backend.policy,
        tools=tools,
        classifier=classifier,
        recorder=tee,
        run=run,
        simulated=backend.simulated,
    )
    answered = []
    for query in queries:
        tee.decisions.clear()
        conversation = _conversation(agent, backend, run)
        names = {"turnout": {"query_id": query.title, "session_id": f"{run}/{query.title}"}}
        result: Any = await conversation.invoke_async(query.text, invocation_state=names)
        text = "\n".join(block["text"] for block in result.message["content"] if "text" in block)
        answered.append(Answered(query, text, tee.decisions[0]))
        advance()
    return answered


def _conversation(agent: SupportAgent, backend: Backend, run: str) -> Any:
    conversation = agent.new_conversation()
    if not backend.simulated:
        prompt = conversation.system_prompt_content or []
        conversation.system_prompt = [{"text": f"(Run {run})"}, *prompt]
    return conversation
