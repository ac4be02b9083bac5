"""Runs one set of queries through one version of the agent, and keeps what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from strands.types.exceptions import MaxTokensReachedException

from examples.customer_support.backends import Backend
from examples.customer_support.build import SupportAgent, build
from examples.customer_support.demo.queries import Query
from examples.customer_support.tools import SupportTools
from turnout.classify.protocol import Classifier
from turnout.cli.errors import UserError
from turnout.trace.events import DecisionEvent, Event, Records
from turnout.upstream.errors import error_name

_MOST_FAILURES = 3
"""After so many queries in a row without an answer the rest is not tried."""


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
    provider are cold for each version and no version pays for what another one wrote. A query that fails stays without
    an answer.

    Raises:
        UserError: Several queries in a row were not answered.
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
    answered: list[Answered] = []
    failures = 0
    for query in queries:
        tee.decisions.clear()
        conversation = _conversation(agent, backend, run)
        names = {"turnout": {"query_id": query.title, "session_id": f"{run}/{query.title}"}}
        try:
            result: Any = await conversation.invoke_async(query.text, invocation_state=names)
            text = _text(result.message)
            failures = 0
        except MaxTokensReachedException:
            # Billed and answered, as far as the limit let it; Strands keeps what came in the history.
            text = _text(conversation.messages[-1]) + " (cut off at the limit)"
            failures = 0
        except Exception as error:
            failures += 1
            text = f"(not answered: {error_name(error)})"
            if not tee.decisions or failures == _MOST_FAILURES:
                raise UserError(_why(backend, error)) from error
        answered.append(Answered(query, text, tee.decisions[0]))
        advance()
    return answered


def _text(message: Any) -> str:
    return "\n".join(block["text"] for block in message["content"] if "text" in block)


def _why(backend: Backend, error: Exception) -> str:
    hints = {
        "live": "check the AWS credentials, the region and the access to both models",
        "openai": "check that the server is up, has both models, and takes the key in OPENAI_API_KEY",
    }
    name = error_name(error.__cause__ or error)
    return f"the models do not answer ({name}); {hints.get(backend.name, 'nothing more is known')}"


def _conversation(agent: SupportAgent, backend: Backend, run: str) -> Any:
    conversation = agent.new_conversation()
    if not backend.simulated:
        prompt = conversation.system_prompt_content or []
        conversation.system_prompt = [{"text": f"(Run {run})"}, *prompt]
    return conversation
