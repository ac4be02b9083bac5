"""Langfuse: settings, what spans carry for it, reading traces back as metrics, scores.

Nothing here imports the Langfuse SDK before something is read or written by it: ``pip install 'turnout[langfuse]'``.
"""

from turnout.trace.langfuse.attributes import Labels, attributes_of, trace_attributes
from turnout.trace.langfuse.errors import (
    ApiMissingError,
    LangfuseAccessError,
    LangfuseError,
    LangfuseRequestError,
    LangfuseSettingsError,
    LangfuseUnavailableError,
    MissingPackageError,
    TraceNotFoundError,
    WaitCancelledError,
)
from turnout.trace.langfuse.exporting import langfuse_exporter, span_decorator, trace_decorator
from turnout.trace.langfuse.feedback import score_event
from turnout.trace.langfuse.reading import LangfuseReader, Reading
from turnout.trace.langfuse.scores import create_score
from turnout.trace.langfuse.settings import LangfuseSettings, langfuse_settings
from turnout.trace.langfuse.totals import ModelTotals
from turnout.trace.langfuse.waiting import Patience

__all__ = [
    "ApiMissingError",
    "Labels",
    "LangfuseAccessError",
    "LangfuseError",
    "LangfuseReader",
    "LangfuseRequestError",
    "LangfuseSettings",
    "LangfuseSettingsError",
    "LangfuseUnavailableError",
    "MissingPackageError",
    "ModelTotals",
    "Patience",
    "Reading",
    "TraceNotFoundError",
    "WaitCancelledError",
    "attributes_of",
    "create_score",
    "langfuse_exporter",
    "langfuse_settings",
    "score_event",
    "span_decorator",
    "trace_attributes",
    "trace_decorator",
]
