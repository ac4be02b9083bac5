"""Listens to the events of a turn, so that an answer can name model, reason and cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from turnout.router import Router
from turnout.trace.events import CallEvent, DecisionEvent, Event, Records
from turnout.trace.spans.context import Spans, spans_of


class Heard:
    """The events of one turn, in the order in which they came.

    Attributes:
        events: The events; the list grows while the turn goes on.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def decisions(self) -> list[DecisionEvent]:
        """The decisions of the turn that was opened first; those of agents that its tools ask are left out."""
        found = [event for event in self.events if isinstance(event, DecisionEvent)]
        return [event for event in found if event.turn_id == found[0].turn_id]

    @property
    def cost_pico(self) -> int:
        """What every call cost in pico-USD: classifiers, failed attempts and agents that tools ask included."""
        return sum(event.cost.total_pico for event in self.events if isinstance(event, CallEvent))

    @property
    def simulated(self) -> bool:
        """Whether any of the models was simulated."""
        return any(event.simulated for event in self.events)

    @property
    def ids(self) -> dict[str, str | None]:
        """Turn and trace, each none where it is not known."""
        first = self.events[0] if self.events else None
        return {
            "turn_id": first.turn_id if first else None,
            "trace_id": first.trace_id or None if first else None,
        }


_HEARD: ContextVar[Heard | None] = ContextVar("turnout_agentcore_heard", default=None)
"""What collects the events of the request that this task answers."""


class TurnLog:
    """Takes events, passes them on, and gives a request those that were recorded for it.

    Any log serves any request: an agent whose model was built with ``recorder=TurnLog(recorder)`` is understood by
    every service.

    Args:
        following: Where events go from here, such as a recorder; none: nowhere.
    """

    def __init__(self, following: Records | None = None) -> None:
        self._following = following

    @property
    def span_source(self) -> Spans | None:
        """What derives spans among the records that follow, or none."""
        return spans_of(self._following)

    def record(self, event: Event) -> None:
        """Take one event."""
        heard = _HEARD.get()
        if heard is not None:
            heard.events.append(event)
        if self._following is not None:
            self._following.record(event)


@contextmanager
def collected() -> Iterator[Heard]:
    """The events that are recorded inside, in this task and in those that it starts."""
    heard = Heard()
    token = _HEARD.set(heard)
    try:
        yield heard
    finally:
        _HEARD.reset(token)


def listen_to(model: object, log: TurnLog, *, simulated: bool = False) -> bool:
    """Have a model of the Strands door heard.

    A router that records nothing gets ``log``; one that records elsewhere goes on doing so.

    Args:
        model: A Strands model.
        log: Where its events go.
        simulated: Whether its events are to say that its models are simulated.

    Returns:
        Whether there is anything to hear: not where the model is none of ours.
    """
    router = _router_of(model)
    if router is None:
        return False
    if not isinstance(router.records, TurnLog):
        router.records = log if router.records is None else TurnLog(router.records)
    router.simulated = router.simulated or simulated
    return True


def _router_of(model: object) -> Router | None:
    # `RoutedModel` shows its routing; `MeteredModel`, which a ModelRouter's candidates are, keeps it to itself.
    routing = getattr(model, "routing", None) or getattr(model, "_routing", None)
    router = getattr(routing, "router", None)
    return router if isinstance(router, Router) else None
