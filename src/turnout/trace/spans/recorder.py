"""`SpanRecorder`: OpenTelemetry spans of recorded events, built by a background thread.

`SpanRecorder.record` appends to a queue and returns, in well under a microsecond; a full queue drops the newest event
and counts it. The thread takes what has come every ``interval_s``, makes spans of it and hands them to span processors.

Known limitation: a process that forks must configure tracing in the child.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Self

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from turnout.trace.closing import Closing
from turnout.trace.events import CallEvent, Event
from turnout.trace.spans.builder import Decorator, SpanBuilder
from turnout.trace.spans.content import Redact
from turnout.trace.spans.context import OpenSpan, SpanNote
from turnout.trace.spans.emitter import SpanEmitter
from turnout.trace.spans.ids import SpanIds
from turnout.trace.spans.yielding import EVERY, pause

logger = logging.getLogger(__name__)

AT_EXIT_S = 5.0
"""Seconds that a process may take at its end to export what is left."""


class _Order:
    """A request to flush now, and where the answer goes."""

    def __init__(self, *, stop: bool, until: float) -> None:
        self.stop = stop
        self.until = until
        # A signal handler may interrupt the thread that waits here: SimpleQueue allows that, an event does not.
        self.answer: SimpleQueue[bool] = SimpleQueue()


class SpanRecorder(Closing):
    """Draws the ids of spans, takes events, and builds their spans; a context manager that closes it.

    Args:
        processors: Take the spans; closing the recorder shuts them down.
        resource: What the spans come from; none: the SDK's default.
        sampler: Decides whether a request is sampled; none: by its parent, and always where there is none.
        id_generator: Draws ids; none: random ones.
        decorators: Add attributes to spans.
        record_text: Whether prompts and answers may stand in spans.
        redact: What is applied to them before.
        interval_s: Seconds between two rounds of the thread.
        capacity: How many events may wait. Threads that record at the same time may exceed it by one each.
        ready: Whether the processors can take more; while they cannot, events wait.
    """

    def __init__(
        self,
        processors: Sequence[SpanProcessor],
        *,
        resource: Resource | None = None,
        sampler: Sampler | None = None,
        id_generator: IdGenerator | None = None,
        decorators: Sequence[Decorator] = (),
        record_text: bool = False,
        redact: Sequence[Redact] = (),
        interval_s: float = 0.2,
        capacity: int = 16_384,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        if interval_s <= 0 or capacity < 1:
            raise ValueError(f"interval_s must be above 0 and capacity at least 1, got {interval_s} and {capacity}")
        self._ids = SpanIds(sampler, id_generator)
        self._record_text = record_text
        self._interval_s = interval_s
        self._capacity = capacity
        self._ready = ready
        self._emitter = SpanEmitter(processors, resource)
        self._builder = SpanBuilder(self._emitter.emit, decorators=decorators, redact=redact)
        self._queue: deque[Event] = deque()
        self._notes: dict[str, SpanNote] = {}
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._lock = threading.RLock()
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="turnout-spans", daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    @property
    def span_source(self) -> Self:
        """Itself: how a router finds it among its records."""
        return self

    @property
    def record_text(self) -> bool:
        """Whether prompts and answers may stand in spans."""
        return self._record_text

    @property
    def dropped(self) -> int:
        """How many events got no span because the queue was full or the recorder closed."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """How many events wait for the thread."""
        return len(self._queue)

    @property
    def built(self) -> int:
        """How many spans were handed to the processors."""
        return self._emitter.emitted

    def open(self, name: str, *, parent: OpenSpan | None = None, follows: OpenSpan | None = None) -> OpenSpan:
        """Draw the ids of a span; see `turnout.trace.spans.context.Spans`."""
        return self._ids.open(name, parent=parent, follows=follows)

    def note(self, span_id: str, note: SpanNote) -> None:
        """Keep a note for the span of the event that is recorded next with this id."""
        # Bounded by what may wait: an event that never comes here must not leave its note behind for ever.
        if span_id and not self._closed and len(self._notes) < self._capacity:
            self._notes[span_id] = note

    def record(self, event: Event) -> None:
        """Take one event; a full queue drops it."""
        if not event.span_id:
            return
        if self._closed or len(self._queue) >= self._capacity:
            self._drop(event)
            return
        self._queue.append(event)

    def call_of_trace(self, trace_id: int) -> CallEvent | None:
        """A call of that trace, if it was not too long ago."""
        return self._builder.call_of_trace(f"{trace_id:032x}")

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Build the spans of what was recorded before this call, and flush the processors.

        Returns:
            Whether all of it was done within the time.
        """
        return self._ask(stop=False, timeout_s=timeout_s)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Build every span that is left, flush the processors and shut them down; a second time does nothing.

        Returns:
            Whether all of it was done within the time; what is left then is still tried.
        """
        if self._closed:
            return True
        self._closed = True
        atexit.unregister(self._at_exit)
        return self._ask(stop=True, timeout_s=timeout_s)

    def _drop(self, event: Event) -> None:
        self._notes.pop(event.span_id, None)
        # Reentrant: a signal handler may interrupt the thread that holds it.
        with self._lock:
            self._dropped += 1
            first = self._dropped == 1
        if first:
            why = "recorder is closed" if self._closed else "queue is full"
            logger.warning("why=<%s>, capacity=<%d> | events get no spans", why, self._capacity)

    def _ask(self, *, stop: bool, timeout_s: float) -> bool:
        if threading.current_thread() is self._thread:
            # A processor flushes the provider that it stands in, which flushes this.
            return True
        if not self._thread.is_alive():
            return False
        order = _Order(stop=stop, until=time.monotonic() + timeout_s)
        self._orders.put(order)
        try:
            return order.answer.get(timeout=timeout_s)
        except Empty:
            return False

    def _run(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=self._interval_s)
            except Empty:
                order = None
            done = True
            try:
                done = self._drain(order)
                if order is not None:
                    done = self._emitter.flush(order.until - time.monotonic()) and done
                    if order.stop:
                        self._emitter.shutdown()
            except Exception:
                # A processor of somebody else failed: what is recorded later must not suffer for it.
                logger.exception("waiting=<%d> | handing spans on failed", self.waiting)
                done = False
            if order is not None:
                order.answer.put(done)
                if order.stop:
                    return

    def _drain(self, order: _Order | None) -> bool:
        """Build spans of what waits now, but for what comes meanwhile; whether all of it could be handed on."""
        for number in range(len(self._queue)):
            if number % EVERY == EVERY - 1:
                pause()
            while not self._ready():
                if order is None or time.monotonic() > order.until:
                    return False
                time.sleep(0.01)
            event = self._queue.popleft()
            self._builder.add(event, time.monotonic(), self._notes.pop(event.span_id, None))
        self._builder.settle(time.monotonic(), at_once=order is not None)
        if order is not None and order.stop:
            self._builder.finish()
        return True

    def _at_exit(self) -> None:
        if not self.close(AT_EXIT_S):
            logger.warning("seconds=<%g> | spans may be lost: they were not exported in time at exit", AT_EXIT_S)
