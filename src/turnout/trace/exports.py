"""One call that switches every export on that the environment asks for: OTLP, and Langfuse."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from turnout.trace.langfuse import (
    Labels,
    langfuse_exporter,
    langfuse_settings,
    span_decorator,
    trace_decorator,
)
from turnout.trace.spans.otlp import Tracing, configure_tracing

if TYPE_CHECKING:
    from turnout.config import Settings


def configure_exports(
    settings: Settings | None = None,
    *,
    labels: Labels | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Tracing | None:
    """Export this process's spans to where the environment says; nothing is exported unless it says so.

    ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its like switch OTLP on, ``LANGFUSE_PUBLIC_KEY`` and ``LANGFUSE_SECRET_KEY``
    Langfuse; both may be on at once.

    Args:
        settings: Says whether prompts and answers may be recorded; none: they may not.
        labels: What Langfuse shows a trace under.
        environment: Where the Langfuse variables are read from.

    Returns:
        Tracing, or none where there is nowhere to export to. Close it, or let the end of the process do so.

    Raises:
        LangfuseSettingsError: The Langfuse variables contradict each other or are incomplete.
        ConfigError: The environment asks for a protocol other than HTTP with protobuf, or a package is missing.
    """
    langfuse = langfuse_settings(environment)
    if langfuse is None or not langfuse.tracing_enabled:
        return configure_tracing(settings)
    shown = labels or Labels()
    return configure_tracing(
        settings,
        exporters=[langfuse_exporter(langfuse)],
        decorators=[span_decorator(langfuse, shown)],
        trace_decorators=[trace_decorator(langfuse, shown)],
    )
