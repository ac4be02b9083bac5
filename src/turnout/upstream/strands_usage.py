"""Usage as Strands' models report it: one set of names for what providers count in two ways.

Bedrock and Anthropic count cached tokens beside ``inputTokens``; OpenAI, its likes and Gemini inside it.

Sources: the providers' modules of strands-agents 1.62, read 2026-11. That of Mistral was not seen on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from turnout.core.usage import Usage, UsageError

CachedTokens = Literal["beside", "inside"]
"""Where a report counts cached tokens: beside its input tokens, or inside them."""

_INSIDE = {"openai", "openai_responses", "litellm", "llamacpp", "gemini", "mistral"}
"""The modules of ``strands.models`` whose models count them inside."""


def cached_tokens_of(model: object) -> CachedTokens:
    """Where the reports of a Strands model count cached tokens; models of other packages report as Bedrock does."""
    for cls in type(model).__mro__:
        package, _, module = cls.__module__.rpartition(".")
        if package == "strands.models":
            return "inside" if module in _INSIDE else "beside"
    return "beside"


def splits_writes(report: Any) -> bool:
    """Whether a report says for how long its cache writes are kept: Bedrock's does; Strands' other models drop it."""
    return isinstance(report, Mapping) and bool(report.get("cacheDetails"))


def usage_of(report: Any, cached: CachedTokens) -> Usage:
    """Usage from the ``metadata`` event of a Strands stream.

    Raises:
        UsageError: The report is none, or contradicts itself.
    """
    if not isinstance(report, Mapping):
        raise UsageError(f"a usage report must be an object, got {type(report).__name__}")
    if cached == "beside":
        return Usage.from_bedrock(report)
    return Usage.from_openai(
        {
            "prompt_tokens": report.get("inputTokens"),
            "completion_tokens": report.get("outputTokens"),
            "prompt_tokens_details": {
                "cached_tokens": report.get("cacheReadInputTokens"),
                "cache_write_tokens": report.get("cacheWriteInputTokens"),
            },
        }
    )
