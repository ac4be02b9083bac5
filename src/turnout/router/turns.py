"""What a request is to the router: the turn that it belongs to, the decision that serves it, or its refusal."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from turnout.core.catalog import Model, unknown
from turnout.core.decision import Decision, DecisionInput
from turnout.core.ineligible import in_words
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation
from turnout.trace.spans.context import OpenSpan

MayMove = Callable[[Conversation, Model, Model], str | None]
"""Whether a conversation that one model serves can move to another one: none if it can, else what is in the way.

It is asked only where a model failed that had to go on serving (a hard stay).
"""


class RefusedError(ValueError):
    """A request that no candidate may serve; the message names each candidate's reason, or that of the pinned one.

    Attributes:
        decision: The decision.
        event_id: The id of its event.
    """

    def __init__(self, decision: Decision, pin: str | None = None, event_id: str = "") -> None:
        self.decision = decision
        self.event_id = event_id
        pinned = [estimate for estimate in decision.estimates if estimate.model == pin and estimate.ineligible]
        whys = "; ".join(
            f"{estimate.model}: {', '.join(map(in_words, estimate.ineligible)) or 'eligible'}"
            for estimate in pinned or decision.estimates
        )
        if pin is not None and all(estimate.model != pin for estimate in decision.estimates):
            whys = f"{unknown('candidate', pin, [estimate.model for estimate in decision.estimates])}; {whys}"
        super().__init__(f"the request was refused ({decision.reason}): {whys}")


class Turn(msgspec.Struct, kw_only=True):
    """One query and everything it takes to answer it; a door keeps it through the turn's tool loop.

    ``key_id`` is the id of the key that it came with, where a door knows keys; every call of the turn carries it.

    ``span`` is that of the turn's first request, whose trace the others join where nothing is around them. ``answers``
    counts the calls that brought content, ``broke_off`` says whether the newest call failed after it had, ``routed`` is
    the newest decision and ``called`` the newest that was followed by a call.
    """

    session_id: str
    turn_id: str
    query_id: str = ""
    key_id: str = ""
    span: OpenSpan | None = None
    model: str | None = None
    verdict: Verdict | None = None
    calls: int = 0
    answers: int = 0
    broke_off: bool = False
    prompt_tokens: int | None = None
    routed: Routed | None = None
    called: Routed | None = None

    def rest(self) -> None:
        """Let go of the decisions, once its door needs them no more: a turn is kept for long, and they refer to it."""
        self.routed = self.called = None


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that may be served, with what it was made from.

    ``span`` is that of the request; ``conversation`` is kept only where prompts may be recorded. ``attempt`` counts the
    calls that the request has come to. ``event_id`` is that of the decision's event.
    """

    turn: Turn
    given: DecisionInput
    decision: Decision
    model: Model
    span: OpenSpan
    conversation: Conversation | None = None
    attempt: int = 1
    event_id: str = ""
