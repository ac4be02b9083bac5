"""The two smallest places where events go: nowhere, and a list."""

from __future__ import annotations

from turnout.trace.events import CallEvent, DecisionEvent, Event


class NullRecorder:
    """Keeps nothing: for callers that want no record."""

    def record(self, event: Event) -> None:
        """Forget the event."""


class ListRecorder:
    """Keeps all events in memory, in the order in which they were recorded; for tests and short scripts.

    Attributes:
        events: The events.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)

    @property
    def calls(self) -> list[CallEvent]:
        """The calls among them."""
        return [event for event in self.events if isinstance(event, CallEvent)]

    @property
    def decisions(self) -> list[DecisionEvent]:
        """The decisions among them."""
        return [event for event in self.events if isinstance(event, DecisionEvent)]
