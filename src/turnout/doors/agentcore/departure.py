"""Ends the call to the provider when the caller leaves.

Cancelling the task that consumes a model's stream is not enough where a provider reads in a thread, as Strands'
``BedrockModel`` does: the thread would read on to the end, and the account would pay for it. Strands gives such a model
an event to watch, but clears it as soon as the agent has ended, often before the thread looks. So each turn has an
event of its own, which stays set.

Known limitation: a thread that waits for its next bytes closes the connection only when they come, or at the client's
read time-out.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from strands.middleware import InvokeModelStage

if TYPE_CHECKING:
    from strands import Agent
    from strands.middleware.stages import InvokeModelContext
    from strands.models import Model

DEPARTURE: ContextVar[threading.Event | None] = ContextVar("turnout_agentcore_departure", default=None)
"""Set when the caller of the request that this task answers has left."""


def watch_departures(agent: Agent) -> None:
    """Have every model call of an agent end when its caller leaves; to be called once an agent."""
    agent.add_middleware(InvokeModelStage.Input, _watching)


def _watching(context: InvokeModelContext) -> InvokeModelContext:
    departure = DEPARTURE.get()
    if departure is None:
        return context
    return context.replace(model=cast("Model", _Watching(context.model, departure)))


class _Watching:
    """A model whose calls also see the caller's departure; in everything else the model itself."""

    def __init__(self, model: Model, departure: threading.Event) -> None:
        self._model = model
        self._departure = departure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream(self, *args: Any, cancel_signal: threading.Event | None = None, **kwargs: Any) -> Any:
        return self._model.stream(*args, cancel_signal=_Either(self._departure, cancel_signal), **kwargs)


class _Either(threading.Event):
    """Set as soon as one of two events was seen set; models ask with `is_set`."""

    def __init__(self, first: threading.Event, second: threading.Event | None) -> None:
        super().__init__()
        self._watched = [event for event in (first, second) if event is not None]

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._watched)
