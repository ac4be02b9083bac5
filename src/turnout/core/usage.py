"""Tokens of one model call, told apart by what they cost.

Providers disagree on whether cached tokens are counted inside ``input`` or beside it, so every convention has its own
constructor and nothing else in Turnout reads a provider's usage.

Known limitations: tokens that are billed apart (audio, images by count) are not told apart from text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class UsageError(ValueError):
    """A usage report that contradicts itself or holds something other than token counts."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Tokens of one call or of several added up; the five billed kinds do not overlap.

    ``reasoning_tokens`` is informational: it is the part of ``output_tokens`` that was thinking.

    Raises:
        UsageError: A count is negative, or there is more reasoning than output.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        if (
            self.input_tokens < 0
            or self.cache_read_tokens < 0
            or self.cache_write_5m_tokens < 0
            or self.cache_write_1h_tokens < 0
            or self.output_tokens < 0
            or self.reasoning_tokens < 0
        ):
            name = next(name for name in self.__struct_fields__ if getattr(self, name) < 0)
            raise UsageError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.reasoning_tokens > self.output_tokens:
            raise UsageError(
                f"reasoning_tokens ({self.reasoning_tokens}) is a part of output_tokens ({self.output_tokens})"
            )

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def cache_write_tokens(self) -> int:
        """Tokens written to the prompt cache, for either duration."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt: fresh, read and written tokens. The long-prompt tier is chosen by it."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def total_tokens(self) -> int:
        """Prompt and output together."""
        return self.prompt_tokens + self.output_tokens

    @classmethod
    def from_bedrock(cls, usage: Mapping[str, Any]) -> Usage:
        """From Converse's ``TokenUsage``: cached tokens stand *beside* ``inputTokens``.

        ``cacheDetails`` splits the writes by TTL; without it all writes are taken as 5 minute ones, Bedrock's default.

        Raises:
            UsageError: A count is no whole number, the details do not add up to ``cacheWriteInputTokens``, or there is
                neither input nor output: the report follows another convention.
        """
        _require_counts(usage, "inputTokens", "outputTokens")
        write_1h, write_5m = 0, 0
        for index, detail in enumerate(_sequence(usage, "cacheDetails")):
            count = _count(detail, "inputTokens", within=f"cacheDetails[{index}].")
            match detail.get("ttl"):
                case "1h":
                    write_1h += count
                case "5m":
                    write_5m += count
                case other:
                    raise UsageError(f"cacheDetails[{index}].ttl must be 5m or 1h, got {other!r}")
        write = _count(usage, "cacheWriteInputTokens", default=write_1h + write_5m)
        return cls(
            input_tokens=_count(usage, "inputTokens"),
            cache_read_tokens=_count(usage, "cacheReadInputTokens"),
            cache_write_5m_tokens=_rest("cacheWriteInputTokens", write, write_5m, write_1h),
            cache_write_1h_tokens=write_1h,
            output_tokens=_count(usage, "outputTokens"),
        )

    @classmethod
    def from_anthropic(cls, usage: Mapping[str, Any]) -> Usage:
        """From the Messages API: cached tokens stand *beside* ``input_tokens``.

        ``cache_creation`` splits the writes by TTL; without it all are taken as 5 minute ones.

        Raises:
            UsageError: A count is no whole number, the split does not add up to ``cache_creation_input_tokens``, or
                there is neither input nor output: the report follows another convention.
        """
        _require_counts(usage, "input_tokens", "output_tokens")
        split = _mapping(usage, "cache_creation")
        write_5m = _count(split, "ephemeral_5m_input_tokens", within="cache_creation.")
        write_1h = _count(split, "ephemeral_1h_input_tokens", within="cache_creation.")
        write = _count(usage, "cache_creation_input_tokens", default=write_5m + write_1h)
        output_details = _mapping(usage, "output_tokens_details")
        return cls(
            input_tokens=_count(usage, "input_tokens"),
            cache_read_tokens=_count(usage, "cache_read_input_tokens"),
            cache_write_5m_tokens=_rest("cache_creation_input_tokens", write, write_5m, write_1h),
            cache_write_1h_tokens=write_1h,
            output_tokens=_count(usage, "output_tokens"),
            reasoning_tokens=_reasoning(
                output_details,
                "thinking_tokens",
                "output_tokens_details.",
                "output_tokens",
                _count(usage, "output_tokens"),
            ),
        )

    @classmethod
    def from_openai(cls, usage: Mapping[str, Any]) -> Usage:
        """From chat completions or responses: cached tokens are counted *inside* the prompt tokens.

        Both spellings are read: ``prompt_tokens``/``completion_tokens`` and ``input_tokens``/``output_tokens``.

        Raises:
            UsageError: A count is no whole number, more tokens were cached than the prompt has, or there is neither
                input nor output: the report follows another convention.
        """
        _require_counts(usage, "prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")
        prompt_key = _stated(usage, "prompt_tokens", "input_tokens")
        output_key = _stated(usage, "completion_tokens", "output_tokens")
        prompt_details_key = _stated(usage, "prompt_tokens_details", "input_tokens_details")
        output_details_key = _stated(usage, "completion_tokens_details", "output_tokens_details")
        prompt_details, output_details = _mapping(usage, prompt_details_key), _mapping(usage, output_details_key)
        read = write = reasoning = 0
        if prompt_details:
            read = _count(prompt_details, "cached_tokens", within=prompt_details_key + ".")
            write = _count(prompt_details, "cache_write_tokens", within=prompt_details_key + ".")
        output = _count(usage, output_key)
        if output_details:
            reasoning = _reasoning(output_details, "reasoning_tokens", output_details_key + ".", output_key, output)
        return cls(
            input_tokens=_fresh(prompt_key, _count(usage, prompt_key), read, write),
            cache_read_tokens=read,
            cache_write_5m_tokens=write,
            output_tokens=output,
            reasoning_tokens=reasoning,
        )

    @classmethod
    def from_opentelemetry(cls, attributes: Mapping[str, Any]) -> Usage:
        """From GenAI span attributes: cached tokens are counted *inside* ``gen_ai.usage.input_tokens``.

        The conventions know no TTL of cache writes, so all are taken as 5 minute ones.

        Raises:
            UsageError: A count is no whole number, or more tokens were cached than the prompt has.
        """
        prefix = "gen_ai.usage."
        read = _count(attributes, prefix + "cache_read.input_tokens")
        write = _count(attributes, prefix + "cache_creation.input_tokens")
        prompt = _count(attributes, prefix + "input_tokens")
        output = _count(attributes, prefix + "output_tokens")
        return cls(
            input_tokens=_fresh(prefix + "input_tokens", prompt, read, write),
            cache_read_tokens=read,
            cache_write_5m_tokens=write,
            output_tokens=output,
            reasoning_tokens=_reasoning(
                attributes, prefix + "reasoning.output_tokens", "", prefix + "output_tokens", output
            ),
        )

    def to_opentelemetry(self) -> dict[str, int]:
        """The GenAI span attributes of this usage; the inverse of `from_opentelemetry` but for the TTL of writes."""
        return {
            "gen_ai.usage.input_tokens": self.prompt_tokens,
            "gen_ai.usage.cache_read.input_tokens": self.cache_read_tokens,
            "gen_ai.usage.cache_creation.input_tokens": self.cache_write_tokens,
            "gen_ai.usage.output_tokens": self.output_tokens,
            "gen_ai.usage.reasoning.output_tokens": self.reasoning_tokens,
        }


_NOTHING: Mapping[str, Any] = {}

NO_USAGE = Usage()
"""No tokens at all: the neutral element of addition."""


def _count(report: Mapping[str, Any], key: str, *, default: int = 0, within: str = "") -> int:
    value = report.get(key)
    if type(value) is int and value >= 0:
        return value  # nearly always
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{within}{key} must be a whole number of tokens, 0 or more, got {value!r}")
    return value


def _stated(report: Mapping[str, Any], key: str, other: str) -> str:
    """The spelling of a key that a report uses; the first where it uses both or none."""
    return other if report.get(key) is None and report.get(other) is not None else key


def _require_counts(report: Mapping[str, Any], *keys: str) -> None:
    """A report in another convention must not read as no tokens at all, which would be free."""
    for key in keys:
        if report.get(key) is not None:
            return
    raise UsageError(f"the report has none of {', '.join(keys)}; it has {', '.join(map(str, report)) or 'nothing'}")


def _mapping(report: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = report.get(key)
    if value is None:
        return _NOTHING
    # Asked of a dict first, since asking an abstract class takes longer.
    if type(value) is not dict and not isinstance(value, Mapping):
        raise UsageError(f"{key} must be an object, got {value!r}")
    return value


def _sequence(report: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = report.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise UsageError(f"{key} must be a list of objects, got {value!r}")
    return value


def _rest(key: str, write: int, write_5m: int, write_1h: int) -> int:
    """The 5 minute writes: those stated, or all where no split was reported."""
    if write_5m + write_1h == 0:
        return write
    if write != write_5m + write_1h:
        raise UsageError(f"{key} is {write}, but its split by TTL adds up to {write_5m + write_1h}")
    return write_5m


def _reasoning(report: Mapping[str, Any], key: str, within: str, output_key: str, output: int) -> int:
    reasoning = _count(report, key, within=within)
    if reasoning > output:
        raise UsageError(f"{within}{key} is {reasoning}, but it is a part of {output_key}, which is {output}")
    return reasoning


def _fresh(key: str, prompt: int, read: int, write: int) -> int:
    if read + write > prompt:
        raise UsageError(f"{key} is {prompt}, but {read} read and {write} written tokens are counted inside it")
    return prompt - read - write
