"""An independent bill: fractions of a dollar for a usage report as a provider puts it on the wire.

It imports nothing of Turnout (`test_bill.py` holds that), knows the reports by their providers' own names, and has its
prices from the table below, which was typed in by hand.

Source of the prices: Amazon Bedrock's on-demand rates of the Claude models through global inference profiles, USD per
million tokens, read 2026-11-23. Regional profiles (us., eu., jp., au., apac.) cost 1.1 times that, us-gov. 1.2 times.
A prompt of Haiku 5.5 of more than 100,000 tokens, fresh, read and written together, has the higher price for all tokens
of its call, the answer's too.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

MILLION = 1_000_000


class Rates(NamedTuple):
    """USD per million tokens, as printed."""

    fresh: str
    output: str
    read: str
    write_5m: str
    write_1h: str


class Counts(NamedTuple):
    """Tokens by what they are billed as; they do not overlap."""

    fresh: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    output: int = 0


LONG_PROMPT = 100_000
"""A prompt of Haiku 5.5 that is longer has the higher price."""

PRICE_LIST: dict[str, tuple[Rates, Rates | None]] = {
    "anthropic.claude-haiku-5-5": (
        Rates("0.10", "0.50", "0.01", "0.125", "0.20"),
        Rates("0.50", "2.50", "0.05", "0.625", "1.00"),
    ),
    "anthropic.claude-haiku-4-5-20251001-v1:0": (Rates("1", "5", "0.10", "1.25", "2"), None),
    "anthropic.claude-sonnet-5-5": (Rates("2", "10", "0.10", "2.5", "4"), None),
    "anthropic.claude-sonnet-4-6": (Rates("3", "15", "0.30", "3.75", "6"), None),
    "anthropic.claude-sonnet-4-5-20250929-v1:0": (Rates("3", "15", "0.30", "3.75", "6"), None),
    "anthropic.claude-opus-5-5": (Rates("4", "20", "0.20", "5", "8"), None),
}
"""By Bedrock's model id without profile: the price, and that of long prompts where there is one."""

PROFILES = {"global": "1", "us": "1.1", "eu": "1.1", "jp": "1.1", "au": "1.1", "apac": "1.1", "us-gov": "1.2"}
"""What the global rate is multiplied by, by inference profile."""


def bill(model_id: str, counts: Counts) -> Fraction:
    """What one call costs in USD.

    Args:
        model_id: As Bedrock is given it, profile included: ``us.anthropic.claude-sonnet-4-6``.
        counts: Its tokens.
    """
    profile, _, name = model_id.partition(".")
    short, long = PRICE_LIST[name]
    prompt = counts.fresh + counts.read + counts.write_5m + counts.write_1h
    rates = long if long is not None and prompt > LONG_PROMPT else short
    dollars = sum(tokens * Fraction(rate) for tokens, rate in zip(_in_order(counts), rates, strict=True))
    return dollars * Fraction(PROFILES[profile]) / MILLION


def of_bedrock(report: Mapping[str, Any]) -> Counts:
    """Converse's ``usage``: cached tokens stand beside ``inputTokens``; unsplit writes are 5 minute ones."""
    details = report.get("cacheDetails", [])
    hour = sum(part["inputTokens"] for part in details if part["ttl"] == "1h")
    return Counts(
        fresh=report["inputTokens"],
        read=report.get("cacheReadInputTokens", 0),
        write_5m=report.get("cacheWriteInputTokens", 0) - hour,
        write_1h=hour,
        output=report["outputTokens"],
    )


def of_anthropic(report: Mapping[str, Any]) -> Counts:
    """The Messages API's ``usage``: cached tokens stand beside ``input_tokens``."""
    hour = report.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0)
    return Counts(
        fresh=report["input_tokens"],
        read=report.get("cache_read_input_tokens", 0),
        write_5m=report.get("cache_creation_input_tokens", 0) - hour,
        write_1h=hour,
        output=report["output_tokens"],
    )


def of_openai(report: Mapping[str, Any]) -> Counts:
    """Chat completions' ``usage``: cached tokens are counted inside ``prompt_tokens``; reasoning inside the output."""
    details = report.get("prompt_tokens_details", {})
    read, write = details.get("cached_tokens", 0), details.get("cache_write_tokens", 0)
    return Counts(
        fresh=report["prompt_tokens"] - read - write, read=read, write_5m=write, output=report["completion_tokens"]
    )


def of_span(attributes: Mapping[str, Any]) -> Counts:
    """A span's GenAI attributes: cached tokens are counted inside the input; the split by TTL stands beside them."""
    read = attributes["gen_ai.usage.cache_read.input_tokens"]
    written = attributes["gen_ai.usage.cache_creation.input_tokens"]
    hour = attributes.get("turnout.usage.cache_write_1h_tokens", 0)
    return Counts(
        fresh=attributes["gen_ai.usage.input_tokens"] - read - written,
        read=read,
        write_5m=written - hour,
        write_1h=hour,
        output=attributes["gen_ai.usage.output_tokens"],
    )


def as_bedrock(counts: Counts) -> dict[str, Any]:
    """Counts as Converse reports them."""
    written = counts.write_5m + counts.write_1h
    report: dict[str, Any] = {
        "inputTokens": counts.fresh,
        "outputTokens": counts.output,
        "totalTokens": sum(counts),
        "cacheReadInputTokens": counts.read,
        "cacheWriteInputTokens": written,
    }
    if written:
        report["cacheDetails"] = [
            {"ttl": "1h", "inputTokens": counts.write_1h},
            {"ttl": "5m", "inputTokens": counts.write_5m},
        ]
    return report


def as_anthropic(counts: Counts) -> dict[str, Any]:
    """Counts as the Messages API reports them."""
    return {
        "input_tokens": counts.fresh,
        "cache_read_input_tokens": counts.read,
        "cache_creation_input_tokens": counts.write_5m + counts.write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.write_5m,
            "ephemeral_1h_input_tokens": counts.write_1h,
        },
        "output_tokens": counts.output,
    }


def as_openai(counts: Counts, *, reasoning: int = 0) -> dict[str, Any]:
    """Counts as chat completions report them; there are no durations there."""
    written = counts.write_5m + counts.write_1h
    return {
        "prompt_tokens": counts.fresh + counts.read + written,
        "completion_tokens": counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def dollars(pico: int) -> Fraction:
    """USD for integers of 1e-12 USD, as the ledger has them."""
    return Fraction(pico, 10**12)


def _in_order(counts: Counts) -> tuple[int, int, int, int, int]:
    return counts.fresh, counts.output, counts.read, counts.write_5m, counts.write_1h
