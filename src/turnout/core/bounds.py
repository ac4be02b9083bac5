"""What a call cost at least and at most whose provider did not report its usage, or not to the end.

Two things are not known then. The prompt's tokens are our own count, whose true value is taken to lie between half and
twice of it (`COUNT_FACTOR`). And the provider may have read or written the cache where the request let it, and may have
gone on to write the whole answer. The low end takes everything at its best, the high end everything at its worst.

Known limitations: text that a tokenizer splits into more than two tokens for one of ours (some scripts, some binary
data) can lie outside; a provider that charges for tokens that it neither was sent nor sent back, too.
"""

from __future__ import annotations

import msgspec

from turnout.core.cache import CachePlan, CacheRules, Prompt, Ttl
from turnout.core.catalog import Model
from turnout.core.cost import cost_of
from turnout.core.price import Price, PriceTier
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import ClassifierCall

COUNT_FACTOR = 2
"""How far our own count of tokens may be off, either way."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The two ends: the least usage that the call can have had, and the most pico-USD that it can have cost."""

    least: Usage = NO_USAGE
    high_pico: int = 0


def unreported(
    price: Price,
    *,
    prompt_tokens: int,
    cacheable_tokens: int = 0,
    seen_output_tokens: int = 0,
    most_output_tokens: int,
    surely_billed: bool,
) -> Bounds:
    """The bounds of a call without any report.

    Args:
        price: The model's.
        prompt_tokens: Our count of the prompt, in the model's tokens.
        cacheable_tokens: How many of them the cache can have been read or written for (`cacheable`).
        seen_output_tokens: Our count of the output that came.
        most_output_tokens: The limit on output, thinking included.
        surely_billed: Whether the provider surely bills for the prompt and for what came; else the low end is nothing.
    """
    least = NO_USAGE
    if surely_billed:
        least = Usage(
            input_tokens=(prompt_tokens - cacheable_tokens) // COUNT_FACTOR,
            cache_read_tokens=cacheable_tokens // COUNT_FACTOR,
            output_tokens=seen_output_tokens // COUNT_FACTOR,
        )
    cached, fresh = cacheable_tokens * COUNT_FACTOR, (prompt_tokens - cacheable_tokens) * COUNT_FACTOR
    high_pico = max(
        cached * _dearest(tier) + fresh * tier.input_pico + most_output_tokens * tier.output_pico
        for tier in price.tiers
        if tier.above_prompt_tokens == 0 or tier.above_prompt_tokens < cached + fresh
    )
    return Bounds(least=least, high_pico=max(high_pico, cost_of(least, price).total_pico))


def unfinished(price: Price, usage: Usage, *, most_output_tokens: int) -> Bounds:
    """The bounds of a call whose report came before its end: it may have gone on writing up to its limit."""
    longest = msgspec.structs.replace(usage, output_tokens=max(usage.output_tokens, most_output_tokens))
    return Bounds(least=usage, high_pico=cost_of(longest, price).total_pico)


def unsplit(price: Price, usage: Usage, ttls: frozenset[Ttl]) -> Bounds:
    """The bounds of a call whose report does not say for how long its cache writes are kept.

    Args:
        price: The model's.
        usage: As reported, with all writes as 5 minute ones.
        ttls: The durations that the request asked for. With one there is no doubt; none means the default, 5 minutes.
    """
    if "1h" not in ttls:
        return Bounds(least=usage, high_pico=cost_of(usage, price).total_pico)
    long = msgspec.structs.replace(usage, cache_write_5m_tokens=0, cache_write_1h_tokens=usage.cache_write_tokens)
    high_pico = cost_of(long, price).total_pico
    return Bounds(least=long if ttls == {"1h"} else usage, high_pico=high_pico)


def of_classifier(call: ClassifierCall, model: Model, *, unbilled: bool) -> Bounds:
    """The bounds of a classifier's call; what was not reported is the classifier's own count of tokens.

    Args:
        call: The call.
        model: The model that it called.
        unbilled: Whether the call's error, if it has one, is one that is surely not billed.
    """
    if call.usage_source == "reported" or (call.usage_source == "none" and unbilled):
        return Bounds(least=call.usage, high_pico=cost_of(call.usage, model.price).total_pico)
    most_output_tokens = model.max_output_tokens or model.context_window
    if call.usage_source == "partial":
        return unfinished(model.price, call.usage, most_output_tokens=most_output_tokens)
    prompt_tokens = round(call.usage.prompt_tokens * model.tokenizer_ratio) or model.context_window
    return unreported(
        model.price,
        prompt_tokens=prompt_tokens,
        cacheable_tokens=prompt_tokens if model.cache.mode == "implicit" else 0,
        seen_output_tokens=round(call.usage.output_tokens * model.tokenizer_ratio),
        most_output_tokens=most_output_tokens,
        # One that failed or was given up may not be billed, or may never have begun.
        surely_billed=call.usage_source == "estimated" and call.error is None,
    )


def cacheable(prompt: Prompt, plan: CachePlan, rules: CacheRules) -> int:
    """How many tokens of a prompt its provider can have read from the cache or written to it.

    The model's floor plays no part: whether the prompt reaches it is not known where its tokens are not.
    """
    if rules.mode == "implicit":
        return prompt.tokens
    if rules.mode == "none" or not plan.markers:
        return 0
    return prompt.offsets[max(marker.segment for marker in plan.markers)]


def _dearest(tier: PriceTier) -> int:
    return max(tier.input_pico, tier.cache_read_pico, tier.cache_write_5m_pico, tier.cache_write_1h_pico)
