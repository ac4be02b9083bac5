"""What a call and a turn are expected to cost on a model, in the state that its prompt cache is in.

With counts in the model's own tokens, N the whole prompt, w the warm prefix and e the end of caching::

    call(w) = read·w + Σ over spans in (w, e] of write[ttl]·length + input·(N − max(w, e)) + output·E[O]

Warm prefixes are nested, each with a chance. The expectation goes from the longest to the shortest: the longest is
read with its chance, else the next one, and with what chance is left nothing is. With one warm prefix that is
π·call(w) + (1 − π)·call(0); with several it keeps an uncertain long prefix from hiding a certain short one.

Prices are those of the tier that N falls in, for every token of the call. The result is whole pico-USD, rounded half
to even once for each call, since counts and chances are means.
"""

from __future__ import annotations

import msgspec

from turnout.core.cache import (
    CachePlan,
    CacheState,
    Prompt,
    WarmPrefix,
    WarmPrompt,
    WriteSpan,
    unmarked_spans,
    write_spans,
)
from turnout.core.catalog import Model
from turnout.core.price import PriceTier
from turnout.core.statistics import ModelStatistics


class ExpectedTurn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a turn is expected to cost, and what its first call is expected to read and write.

    Token counts are the model's own. ``read_tokens`` is the longest warm prefix and ``read_chance`` the chance that it
    is warm; ``write_tokens`` is what the call writes if it is.
    """

    cost_pico: int
    calls: float
    prompt_tokens: int
    read_tokens: int
    read_chance: float
    write_tokens: int
    output_tokens: float


def expected_turn(
    model: Model,
    prompt: Prompt,
    plan: CachePlan,
    state: CacheState,
    statistics: ModelStatistics,
    now_ms: int,
    *,
    uses_tools: bool,
) -> ExpectedTurn:
    """The expected cost of a turn: its first call, and those that its tool loop is expected to add.

    Each further call has the grown prompt and finds warm what the call before it left. A fraction of a call counts
    for that fraction of its cost.
    """
    return expected_turn_on(
        model, WarmPrompt(prompt, model.cache, state, now_ms), plan, statistics, uses_tools=uses_tools
    )


def expected_turn_on(
    model: Model, held: WarmPrompt, plan: CachePlan, statistics: ModelStatistics, *, uses_tools: bool
) -> ExpectedTurn:
    """`expected_turn` of a prompt that is held against the model's cache already, as where many plans are weighed."""
    spans = write_spans(held.prompt, plan, model.cache)
    return _expected(model, held.prompt.tokens, spans, held.reads(plan), statistics, uses_tools)


def expected_turn_cold(model: Model, tokens: int, statistics: ModelStatistics, *, uses_tools: bool) -> ExpectedTurn:
    """`expected_turn` of a prompt of so many tokens that has no markers, and of which nothing is warm."""
    return _expected(model, tokens, unmarked_spans(tokens, model.cache), (), statistics, uses_tools)


def _expected(
    model: Model,
    tokens: int,
    spans: tuple[WriteSpan, ...],
    warm: tuple[WarmPrefix, ...],
    statistics: ModelStatistics,
    uses_tools: bool,
) -> ExpectedTurn:
    output_tokens = statistics.output_tokens
    calls = statistics.calls_per_turn if uses_tools else 1.0
    cost = _expected_call(model, tokens, spans, warm, output_tokens)
    left, number = calls - 1.0, 1
    while left > 0:
        before = round(tokens + (number - 1) * statistics.growth_tokens)
        grown = round(tokens + number * statistics.growth_tokens)
        next_spans, next_warm = _next_call(model, spans, warm, before, grown)
        share = min(left, 1.0)
        cost += round(share * _expected_call(model, grown, next_spans, next_warm, output_tokens))
        left, number = left - 1.0, number + 1
    read = warm[0] if warm else _NOTHING_READ
    return ExpectedTurn(
        cost_pico=cost,
        # A mean given as 2 and read again as 2.0 must be stored alike, or a decision would not replay byte for byte.
        calls=float(calls),
        prompt_tokens=tokens,
        read_tokens=read.tokens,
        read_chance=float(read.chance),
        write_tokens=max(0, (spans[-1].end if spans else 0) - read.tokens),
        output_tokens=float(output_tokens),
    )


_NOTHING_READ = WarmPrefix(0, 1.0)


def call_cost_pico(
    tier: PriceTier, prompt_tokens: int, spans: tuple[WriteSpan, ...], warm_tokens: int, output_tokens: float
) -> int:
    """The cost in pico-USD of one call that really reads ``warm_tokens``."""
    cost = warm_tokens * tier.cache_read_pico
    start = warm_tokens
    for span in spans:
        if span.end > start:
            price = tier.cache_write_1h_pico if span.ttl == "1h" else tier.cache_write_5m_pico
            cost += (span.end - start) * price
            start = span.end
    return cost + (prompt_tokens - start) * tier.input_pico + round(output_tokens * tier.output_pico)


def _expected_call(
    model: Model, prompt_tokens: int, spans: tuple[WriteSpan, ...], warm: tuple[WarmPrefix, ...], output_tokens: float
) -> int:
    tier = model.price.tier_for(prompt_tokens)
    expected, left = 0.0, 1.0
    for prefix in warm:
        cost = call_cost_pico(tier, prompt_tokens, spans, prefix.tokens, output_tokens)
        if left * prefix.chance == 1.0:
            return cost
        expected += left * prefix.chance * cost
        left *= 1.0 - prefix.chance
    cold = call_cost_pico(tier, prompt_tokens, spans, 0, output_tokens)
    return cold if left == 1.0 else round(expected + left * cold)


def _next_call(
    model: Model, spans: tuple[WriteSpan, ...], warm: tuple[WarmPrefix, ...], before: int, grown: int
) -> tuple[tuple[WriteSpan, ...], tuple[WarmPrefix, ...]]:
    """Spans and warm prefixes of the call after one with a prompt of ``before`` tokens."""
    rules = model.cache
    if rules.mode == "implicit":
        if grown < rules.floor_tokens:
            return (), ()
        matched = before - (before - rules.floor_tokens) % rules.step_tokens if before >= rules.floor_tokens else 0
        read = (WarmPrefix(matched, 1.0),) if matched else ()
        return (WriteSpan(grown, rules.ttls[0]),), read
    if not spans:
        return (), warm
    return spans, (WarmPrefix(spans[-1].end, 1.0),)
