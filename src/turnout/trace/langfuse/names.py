"""The names that Langfuse reads from spans, and those that Turnout keeps its own facts under.

Names as in Langfuse's OpenTelemetry mapping and SDK 5.0.4 (read 2026-11).
"""

from __future__ import annotations

TRACE_NAME = "langfuse.trace.name"
TAGS = "langfuse.trace.tags"
SESSION = "session.id"
USER = "user.id"
ENVIRONMENT = "langfuse.environment"
RELEASE = "langfuse.release"
VERSION = "langfuse.version"

TYPE = "langfuse.observation.type"
LEVEL = "langfuse.observation.level"
STATUS_MESSAGE = "langfuse.observation.status_message"
MODEL = "langfuse.observation.model.name"
USAGE_DETAILS = "langfuse.observation.usage_details"
COST_DETAILS = "langfuse.observation.cost_details"
FIRST_CONTENT = "langfuse.observation.completion_start_time"
METADATA = "langfuse.observation.metadata."

OWN = "turnout_"
"""What the metadata keys of Turnout begin with. Their values are strings: Langfuse keeps strings as they are, while a
whole number in an OTLP/JSON export would reach it as text of another form."""

EVENT = OWN + "event"
"""``call`` or ``decision``: the mark of an observation that Turnout made."""

RUN_TAG = "run:"
"""What the tag with the run's name begins with."""

SIMULATED_TAG = "simulated"
"""The tag of everything that simulated models had a part in."""

INPUT = "input"
CACHE_READ = "input_cached_tokens"
CACHE_WRITE_5M = "input_cache_creation"
CACHE_WRITE_1H = "input_cache_creation_1h"
OUTPUT = "output"
TOTAL = "total"
"""Kinds of tokens and of cost. Langfuse adds up all that begin with ``input`` and all that begin with ``output``, so
kinds must not overlap: thinking, which is a part of the output, is metadata."""
