"""The trace of a client: a request joins the one that its ``traceparent`` names, and the provider is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

from turnout.trace.spans.context import OpenSpan
from turnout.trace.spans.joining import active_spans, joined

_TRACE = (b"traceparent", b"tracestate", b"baggage")
_NOTHING = nullcontext()

Fields = Sequence[tuple[bytes, bytes]]


def joined_by(headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[None]:
    """A block that belongs to the trace that a request's headers name; without tracing it does nothing."""
    if active_spans() is None:
        return _NOTHING
    return joined({name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in _TRACE})


def traced(headers: Fields, span: OpenSpan) -> Fields:
    """The headers of a call to a provider, which name the call's span where it has one.

    Without tracing the client's own ``traceparent`` goes through like other headers.
    """
    context = span.span_context
    if context is None or not context.is_valid:
        return headers
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    kept = [field for field in headers if field[0] != b"traceparent"]
    return [*kept, (b"traceparent", parent.encode())]
