"""Spans before they are built: ids drawn at the start, put into OpenTelemetry's context, and left in the events.

A request draws its ids when it is routed and each call when it begins. A `NonRecordingSpan` with these ids is current
while classifier and model run, so that spans of other libraries, and the ``traceparent`` of an instrumented client,
hang under them; `turnout.trace.spans.recorder` builds the span itself later, from the event. An event has a span id
only if its span is going to be built: not where tracing is off, and not where the trace is not sampled.

OpenTelemetry is never imported from here: where nobody has imported it, there is nothing to join.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from turnout.trace.events import Event

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from turnout.trace.spans.content import Transcript

logger = logging.getLogger(__name__)


class OpenSpan:
    """A span that runs: who it is, and the context that stands for it.

    Attributes:
        trace_id: The trace, or empty.
        span_id: Its id if it is going to be built, else empty.
        parent_span_id: The span above it that is built or was there before, or empty.
        span_context: What is handed on to other libraries; none where tracing is off.
    """

    __slots__ = ("_context", "parent_span_id", "span_context", "span_id", "trace_id")

    def __init__(
        self,
        trace_id: str = "",
        span_id: str = "",
        parent_span_id: str = "",
        span_context: SpanContext | None = None,
        context: Context | None = None,
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_span_id = parent_span_id
        self.span_context = span_context
        self._context = context

    def attach(self) -> Any:
        """Make it the current span; give the answer to `detach`, in the same task.

        An async generator must not keep it current over a ``yield``: its consumer would be inside it.
        """
        return None if self._context is None else sys.modules["opentelemetry.context"].attach(self._context)

    def detach(self, token: Any) -> None:
        """Make the span that was current before `attach` current again."""
        if token is not None:
            sys.modules["opentelemetry.context"].detach(token)

    @contextmanager
    def current(self) -> Iterator[None]:
        """A block in which it is the current span."""
        token = self.attach()
        try:
            yield
        finally:
            self.detach(token)


_NO_SPAN = OpenSpan()
"""Nothing is traced; no span is ever changed, so that all may have this one."""


class SpanNote(msgspec.Struct, kw_only=True):
    """What a span needs and an event does not hold.

    Attributes:
        outer_usage: Whether the framework's own span around the request reports the same tokens.
        transcript: Prompt and answer, where they may be recorded.
    """

    outer_usage: bool = False
    transcript: Transcript | None = None


class Spans(Protocol):
    """What derives spans from events: a `turnout.trace.events.Records` that also draws ids."""

    @property
    def record_text(self) -> bool:
        """Whether prompts and answers may stand in spans."""

    def open(self, name: str, *, parent: OpenSpan | None = None, follows: OpenSpan | None = None) -> OpenSpan:
        """Draw the ids of a span.

        Args:
            name: Its name, which a sampler may look at.
            parent: The span of ours above it; none: the current span of OpenTelemetry, if there is one.
            follows: A span whose trace it joins where there is neither.
        """

    def note(self, span_id: str, note: SpanNote) -> None:
        """Keep a note for the span of the event that is recorded next with this id."""

    def record(self, event: Event) -> None:
        """Take one event."""


def surrounding_span() -> OpenSpan:
    """The current span of OpenTelemetry as the parent of what is not traced itself."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return _NO_SPAN
    context = api.get_current_span().get_span_context()
    if not context.is_valid:
        return _NO_SPAN
    return OpenSpan(trace_id=f"{context.trace_id:032x}", parent_span_id=f"{context.span_id:016x}")


_active: Spans | None = None
_joins = True


def activate(spans: Spans | None) -> None:
    """Hand the events of every router to ``spans`` from now on; none: to nothing but its own records."""
    global _active, _joins
    _active, _joins = spans, False


def activated() -> Spans | None:
    """What was activated last, or none."""
    return _active


def may_join() -> bool:
    """Whether nothing was activated or turned off so far, so that an application's own set-up may be joined."""
    return _joins


def spans_of(records: object) -> Spans | None:
    """What derives spans among these records: a recorder of spans, alone or in a `turnout.trace.fanout.Fanout`."""
    found: Spans | None = getattr(records, "span_source", None)
    return found
