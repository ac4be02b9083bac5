"""The trace that a request belongs to: what derives spans in this process, and the trace that a caller names.

OpenTelemetry is never imported from here: where nobody has imported it, there is nothing to join.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

from turnout.trace.spans.context import Spans, activate, activated, may_join, surrounding_span

logger = logging.getLogger(__name__)

_lock = threading.RLock()
_asked: ModuleType | None = None
"""OpenTelemetry's API, once it has said that it has no provider."""


def active_spans() -> Spans | None:
    """What derives spans in this process, or none.

    An application that has set up OpenTelemetry by itself is joined at the first request: spans go to its processors.
    """
    if not may_join():
        return activated()
    sdk = sys.modules.get("opentelemetry.sdk.trace")
    if sdk is None:
        return None
    global _asked
    api = sys.modules["opentelemetry.trace"]
    if _asked is api and getattr(api, "_TRACER_PROVIDER", api) is None:
        # Still nobody has set one: asking again would read the environment, for every event.
        return None
    provider = api.get_tracer_provider()
    if not isinstance(provider, sdk.TracerProvider):
        _asked = api
        return None
    with _lock:
        if activated() is None and may_join():
            from turnout.trace.spans.otlp import join  # imports OpenTelemetry's SDK, which is there by now

            try:
                join(provider)
            except Exception:
                # Tracing must not cost anybody a request; and it would fail at the next one in the same way.
                logger.exception("provider=<%s> | spans are not derived", type(provider).__name__)
                activate(None)
        return activated()


@contextmanager
def joined(headers: Mapping[str, str]) -> Iterator[None]:
    """A block that belongs to the trace that an incoming request names by ``traceparent``.

    Where a span is current already, as with an instrumented server, the block belongs to that one. Without tracing it
    does nothing.

    Args:
        headers: The request's headers.
    """
    if active_spans() is None or surrounding_span().trace_id:
        yield
        return
    from opentelemetry import context, propagate

    token = context.attach(propagate.extract({name.lower(): value for name, value in headers.items()}))
    try:
        yield
    finally:
        context.detach(token)
