"""One call sets tracing up: for applications, for doors and for the command line.

Nothing is exported unless one of OpenTelemetry's endpoint variables is set or an exporter is given. The other standard
variables (headers, time-out, compression, sampler, queue sizes, service name) are read by the SDK and its exporter.

Where the process has no tracer provider yet, ours becomes it, so that spans of Strands and other libraries are exported
too, without text and without counting tokens twice. Where the application has set one up, that one stays: our spans go
to its processors, and what it exports of other libraries is its own affair.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from turnout.config.errors import ConfigError
from turnout.trace.closing import Closing
from turnout.trace.spans import semconv
from turnout.trace.spans.content import Redact
from turnout.trace.spans.context import activate, activated

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from turnout.config import Settings
    from turnout.trace.spans.builder import Decorator
    from turnout.trace.spans.pipeline import Exports, Others
    from turnout.trace.spans.recorder import SpanRecorder

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Any of these switches the export over OTLP on."""

SERVICE = "turnout"
"""The service's name where the environment gives none."""

_INSTALL = "pip install 'turnout[otel]'"
_PROTOCOL = "http/protobuf"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Tracing(Closing):
    """Tracing as it was set up; a context manager that ends it.

    Attributes:
        recorder: Takes events and builds spans; routers find it by themselves.
    """

    def __init__(self, recorder: SpanRecorder, exports: Sequence[Exports], others: Others) -> None:
        self.recorder = recorder
        self._exports = tuple(exports)
        self._others = others

    @property
    def dropped(self) -> int:
        """How many events got no span, and how many spans were dropped, because too many waited."""
        return self.recorder.dropped + sum(exports.dropped for exports in self._exports)

    @property
    def exported(self) -> int:
        """How many spans our exporters took."""
        return sum(exports.exported for exports in self._exports)

    @property
    def failed(self) -> int:
        """How many spans our exporters could not deliver."""
        return sum(exports.failed for exports in self._exports)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Export what was recorded before; whether it was done in time. Slow: not for the path of a request."""
        return self.recorder.flush(timeout_s)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Export what is left and end; whether it was done in time. A second time does nothing."""
        if activated() is self.recorder:
            activate(None)
        done = self.recorder.close(timeout_s)
        self._others.leave(self.recorder.flush)
        return done


def configure_tracing(
    settings: Settings | None = None,
    *,
    exporters: Sequence[SpanExporter] = (),
    decorators: Sequence[Decorator] = (),
    trace_decorators: Sequence[Decorator] = (),
    redact: Sequence[Redact] = (),
    set_global: bool = True,
) -> Tracing | None:
    """Set tracing up for this process, in the place of what was set up before.

    Args:
        settings: Says whether prompts and answers may be recorded, and in which file; none: they may not.
        exporters: Exporters beside the one over OTLP that the environment switches on.
        decorators: Add attributes to the span of an event.
        trace_decorators: Add attributes to other libraries' spans, given a call of the same trace.
        redact: Applied to every prompt and answer that is recorded.
        set_global: Whether our provider becomes the process's where there is none. Without it only our own spans are
            exported.

    Returns:
        Tracing, or none where there is nowhere to export to.

    Raises:
        ConfigError: The environment asks for a protocol other than HTTP with protobuf, or a package is missing.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    wanted = _wants_otlp()
    texts = None if settings is None else settings.texts
    if texts is not None and settings is not None and not settings.record_text:
        logger.warning("texts=<%s> | record_text is off: no prompt and no answer is kept", texts)
        texts = None
    if not _has_sdk(wanted or bool(exporters) or texts is not None):
        return None
    if texts is not None:
        from turnout.trace.spans.texts import TextFile

        exporters = [*exporters, TextFile(texts)]
    host = _host()
    # Where the application has its own set-up, the endpoint is where that exports to: nothing must go there twice.
    exporters = [*exporters, *([_otlp_exporter()] if wanted and host is None else [])]
    if not exporters and host is None:
        return None
    return _start(
        host,
        exporters,
        decorators=decorators,
        trace_decorators=trace_decorators,
        record_text=settings is not None and settings.record_text,
        redact=redact,
        set_global=set_global,
    )


def join(provider: TracerProvider) -> None:
    """Hand our spans to a provider that the application set up; a router does so by itself at its first request."""
    _start(provider, [])


_lock = threading.RLock()
_current: Tracing | None = None
_ours: TracerProvider | None = None
_standing: weakref.WeakKeyDictionary[TracerProvider, Others] = weakref.WeakKeyDictionary()


def _start(
    host: TracerProvider | None,
    exporters: Sequence[SpanExporter],
    *,
    decorators: Sequence[Decorator] = (),
    trace_decorators: Sequence[Decorator] = (),
    record_text: bool = False,
    redact: Sequence[Redact] = (),
    set_global: bool = False,
) -> Tracing:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, Tracer

    from turnout.trace.spans.builder import Decorations
    from turnout.trace.spans.pipeline import Exports, Host
    from turnout.trace.spans.privacy import Privacy
    from turnout.trace.spans.recorder import SpanRecorder

    def of_trace(span: ReadableSpan) -> Mapping[str, Any]:
        call = None if span.context is None else recorder.call_of_trace(span.context.trace_id)
        return {} if call is None else decorations.of(call)

    global _current
    with _lock:
        tracer = None if host is None else host.get_tracer(semconv.SCOPE)
        if tracer is not None and not isinstance(tracer, Tracer):
            raise ConfigError(f"spans cannot be handed to a tracer provider that makes a {type(tracer).__name__}")
        if _current is not None:
            _current.close()
        decorations = Decorations(trace_decorators)
        privacy = Privacy(record_text=record_text, redact=tuple(redact))
        exports = tuple(Exports(exporter, privacy, of_trace) for exporter in exporters)
        provider = host or _own_provider(set_global)
        processors: list[SpanProcessor] = [*exports]
        if tracer is not None:
            processors.append(Host(tracer.span_processor))
        recorder = SpanRecorder(
            processors,
            resource=provider.resource,
            sampler=provider.sampler,
            id_generator=provider.id_generator,
            decorators=decorators,
            record_text=record_text,
            redact=redact,
            # One exporter that is down must not hold up the others: it drops, and counts what it drops.
            ready=lambda: not exports or any(one.ready for one in exports),
        )
        others = _others_in(provider)
        others.serve(exports, recorder.flush)
        _current = Tracing(recorder, exports, others)
        activate(recorder)
        return _current


def _wants_otlp() -> bool:
    """Whether the environment switches the export over OTLP on.

    Raises:
        ConfigError: By another protocol than HTTP with protobuf.
    """
    if not any(os.environ.get(name, "").strip() for name in ENDPOINTS):
        return False
    if "otlp" not in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").replace(" ", "").split(","):
        return False
    for name in _PROTOCOLS:
        protocol = os.environ.get(name, "").strip()
        if protocol and protocol != _PROTOCOL:
            raise ConfigError(f"environment variable {name}: spans are exported by {_PROTOCOL} only, set that")
        if protocol:
            break
    return True


def _has_sdk(needed: bool) -> bool:
    """Whether OpenTelemetry's SDK is installed.

    Raises:
        ConfigError: It is needed and not there.
    """
    if importlib.util.find_spec("opentelemetry") and importlib.util.find_spec("opentelemetry.sdk"):
        return True
    if needed:
        raise ConfigError(f"opentelemetry-sdk is not installed, so nothing can be exported: {_INSTALL}")
    return False


def _otlp_exporter() -> SpanExporter:
    try:
        module = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as error:
        raise ConfigError(
            f"{' or '.join(ENDPOINTS)} is set, but {error.name or 'the exporter'} is not installed: {_INSTALL}"
        ) from error
    exporter: SpanExporter = module.OTLPSpanExporter()
    return exporter


def _host() -> TracerProvider | None:
    """The tracer provider that the application set up, or none."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider = trace.get_tracer_provider()
    return provider if isinstance(provider, TracerProvider) and provider is not _ours else None


def _own_provider(set_global: bool) -> TracerProvider:
    """Ours: the process's if wanted, once and for all, since OpenTelemetry lets nobody replace it."""
    global _ours
    from opentelemetry import trace
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    if _ours is not None and set_global:
        return _ours
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: SERVICE}))
    # The recorder shuts our exporters down at exit, after it has built the last spans.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if set_global:
        trace.set_tracer_provider(provider)
        _ours = provider
    return provider


def _others_in(provider: TracerProvider) -> Others:
    """What takes other libraries' spans out of a provider: one for all times that tracing is set up."""
    from turnout.trace.spans.pipeline import Others

    others = _standing.get(provider)
    if others is None:
        others = _standing[provider] = Others()
        provider.add_span_processor(others)
    return others
