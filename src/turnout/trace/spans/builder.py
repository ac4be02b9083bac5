"""From events to spans: one for each call, and one around each request, from its first decision to its last call.

A call's span is whole with its event. A request's is whole when its last call has ended: with ``ok`` or ``cancelled``
at once; after an error another model may take over, which the door decides in the same breath, so the span waits a
second for that. Ends are recorded times, so waiting changes nothing in the span.

A request whose task is cancelled while its classifier is asked was never decided and has no span; the classifier's
calls then stand where it would have stood.

Known limitation: spans begin at whole milliseconds, as events do, so one may begin up to a millisecond before the
framework's span around it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.spans import semconv
from turnout.trace.spans.attributes import Attributes, AttributeValue, call_attributes, request_attributes
from turnout.trace.spans.content import Redact
from turnout.trace.spans.context import SpanNote

logger = logging.getLogger(__name__)

Decorator = Callable[[Event], Mapping[str, AttributeValue]]
"""Adds attributes to the span of an event: of a call, or of the last decision of a request. They win over ours."""

SETTLED_S = 1.0
"""Seconds that a request whose last call failed is kept for a failover."""

_NS_PER_MS = 1_000_000
_MOST_OPEN = 10_000
_REMEMBERED = 4_096


class Decorations:
    """Several decorators as one; what one of them raises is logged once, and spans go without its attributes.

    Args:
        decorators: The decorators; later ones win.
    """

    def __init__(self, decorators: Sequence[Decorator]) -> None:
        self._decorators = tuple(decorators)
        self._failing: list[Decorator] = []

    def of(self, event: Event) -> Attributes:
        """The attributes that they add to the span of an event."""
        found: Attributes = {}
        for decorator in self._decorators:
            try:
                found |= decorator(event)
            except Exception:
                if decorator not in self._failing:
                    self._failing.append(decorator)
                    logger.exception("decorator=<%s> | spans go without its attributes", decorator)
        return found


class BuiltSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A span before any library knows of it.

    Attributes:
        name: Its name.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_span_id: The same, or empty.
        start_ns: Nanoseconds since the epoch.
        end_ns: The same.
        attributes: Its attributes.
        client: Whether it is a call to a model.
        error: The error's name, or empty.
        outer_usage: Whether the framework's own span around the request reports the same tokens.
    """

    name: str
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    client: bool = False
    error: str = ""
    outer_usage: bool = False


class _Request(msgspec.Struct):
    """A request whose last call has not ended."""

    decisions: list[DecisionEvent]
    calls: list[CallEvent]
    failed_at: float | None = None


class SpanBuilder:
    """Makes spans of events, in the thread that calls it.

    An event that comes twice, as where two recorders hand it on, makes one span.

    Args:
        emit: Takes each span.
        decorators: Add attributes to spans.
        redact: Applied to texts, where there are any.
    """

    def __init__(
        self,
        emit: Callable[[BuiltSpan], None],
        *,
        decorators: Sequence[Decorator] = (),
        redact: Sequence[Redact] = (),
    ) -> None:
        self._emit = emit
        self._decorations = Decorations(decorators)
        self._redact = tuple(redact)
        self._open: OrderedDict[str, _Request] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._traces: OrderedDict[str, CallEvent] = OrderedDict()

    def add(self, event: Event, now_s: float, note: SpanNote | None = None) -> None:
        """Take one event; an event without a span id is left out.

        Args:
            event: The event.
            now_s: A monotonic clock's seconds.
            note: What its span needs beside it.
        """
        if not event.span_id or not self._is_new(event.event_id):
            return
        if isinstance(event, CallEvent):
            self._remember(event)
            self._emit_call(event, note)
            if event.role == "answer":
                self._ended(event, now_s)
        else:
            self._decided(event)

    def settle(self, now_s: float, *, at_once: bool = False) -> None:
        """Give out the requests whose last call failed long enough ago, or at once."""
        done = [
            span_id
            for span_id, request in self._open.items()
            if request.failed_at is not None and (at_once or now_s - request.failed_at >= SETTLED_S)
        ]
        for span_id in done:
            self._close(span_id)

    def finish(self) -> None:
        """Give out every request as far as it is known."""
        for span_id in list(self._open):
            self._close(span_id)

    def call_of_trace(self, trace_id: str) -> CallEvent | None:
        """A call of that trace, if it was not too long ago."""
        return self._traces.get(trace_id)

    def _is_new(self, event_id: str) -> bool:
        if event_id in self._seen:
            return False
        self._see(event_id)
        return True

    def _see(self, known: str) -> None:
        self._seen[known] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _remember(self, event: CallEvent) -> None:
        self._traces[event.trace_id] = event
        self._traces.move_to_end(event.trace_id)
        if len(self._traces) > _REMEMBERED:
            self._traces.popitem(last=False)

    def _decided(self, event: DecisionEvent) -> None:
        request = self._open.get(event.span_id)
        if request is None:
            if event.span_id in self._seen:
                # A flush came between a failed call and its failover: the request's span has gone without it.
                return
            request = self._open[event.span_id] = _Request(decisions=[], calls=[])
            if len(self._open) > _MOST_OPEN:
                self._close(next(iter(self._open)))
        request.decisions.append(event)
        request.failed_at = None
        if event.decision.refused:
            self._close(event.span_id)

    def _ended(self, event: CallEvent, now_s: float) -> None:
        request = self._open.get(event.parent_span_id)
        if request is None:
            return
        request.calls.append(event)
        if event.status == "error":
            request.failed_at = now_s
        else:
            self._close(event.parent_span_id)

    def _emit_call(self, event: CallEvent, note: SpanNote | None) -> None:
        attributes = call_attributes(event)
        note = note or SpanNote()
        if note.transcript is not None:
            attributes |= note.transcript.attributes(event.finish_reason, self._redact)
        self._emit(
            BuiltSpan(
                name=f"{semconv.CHAT} {attributes[semconv.REQUEST_MODEL]}",
                trace_id=event.trace_id,
                span_id=event.span_id,
                parent_span_id=event.parent_span_id,
                start_ns=event.started_ms * _NS_PER_MS,
                end_ns=_end_ns(event, event.latency_ms),
                attributes=attributes | self._decorations.of(event),
                client=True,
                error=_error_of(attributes),
                # The framework reports tokens only of an answer that it got to its end.
                outer_usage=note.outer_usage and event.status == "ok" and event.usage_source == "reported",
            )
        )

    def _close(self, span_id: str) -> None:
        request = self._open.pop(span_id)
        self._see(span_id)
        first, last = request.decisions[0], request.decisions[-1]
        ends = [_end_ns(event, event.classifier_ms + event.latency_ms) for event in request.decisions]
        ends += [_end_ns(event, event.latency_ms) for event in request.calls]
        attributes = request_attributes(request.decisions, request.calls)
        self._emit(
            BuiltSpan(
                name=semconv.ROUTE,
                trace_id=first.trace_id,
                span_id=span_id,
                parent_span_id=first.parent_span_id,
                start_ns=first.started_ms * _NS_PER_MS,
                end_ns=max(ends),
                attributes=attributes | self._decorations.of(last),
                error=_error_of(attributes),
            )
        )


def _end_ns(event: Event, after_ms: float) -> int:
    return event.started_ms * _NS_PER_MS + round(after_ms * _NS_PER_MS)


def _error_of(attributes: Attributes) -> str:
    return str(attributes.get(semconv.ERROR_TYPE, ""))
