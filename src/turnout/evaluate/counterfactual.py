"""What a recorded call would have read, written and cost on another model or in another state of the cache.

The conversation is held as it was recorded: its blocks with their hashes and cache points, and the usage that was
reported for the model that did serve it. The prompt on another model has the tokens that were reported, times the ratio
of the two models' tokenizers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol, TypeVar

from turnout.core.cache import CachePlan, CacheRules, CacheState, Prompt, warm_prefixes, write_spans
from turnout.core.catalog import Model
from turnout.core.decision import DecisionInput
from turnout.core.usage import Usage
from turnout.trace.events import CallEvent


class Timed(Protocol):
    """What has a time of its own."""

    @property
    def started_ms(self) -> int:
        """Milliseconds since the epoch."""


_Decided = TypeVar("_Decided", bound=Timed)


def paired(calls: Sequence[CallEvent], decisions: Sequence[_Decided]) -> list[tuple[CallEvent, _Decided]]:
    """Each call of a turn with the decision that it follows.

    Args:
        calls: The turn's calls, of one role.
        decisions: The turn's decisions that chose a model.
    """
    calls = sorted(calls, key=lambda call: call.started_ms)
    served = sorted(decisions, key=lambda decision: decision.started_ms)
    if len(calls) == len(served):
        return list(zip(calls, served, strict=True))
    starts = [decision.started_ms for decision in served]
    return [(call, served[max(0, bisect_right(starts, call.started_ms) - 1)]) for call in calls if served]


def ratio_of(given: DecisionInput, model: Model) -> float:
    """The model's tokens for one reference token, as the decision knew it."""
    return given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio


def prompt_on(call: CallEvent, given: DecisionInput, model: Model, served: Model) -> Prompt | None:
    """The prompt of a call in the tokens of another model; none where nothing is known of it.

    Args:
        call: The call, with reported usage.
        given: What its decision was made from.
        model: The other model.
        served: The model that was called.
    """
    counted = given.request.prompt_for(ratio_of(given, served)).tokens
    if not counted:
        return None
    return given.request.prompt_for(ratio_of(given, model) * call.usage.prompt_tokens / counted)


def usage_on(
    prompt: Prompt, plan: CachePlan, rules: CacheRules, state: CacheState, now_ms: int, output_tokens: int
) -> Usage:
    """The usage of a call that reads the longest prefix that is warm, and writes where its cache points stand."""
    warm = warm_prefixes(prompt, plan, rules, state, now_ms)
    read = start = warm[0].tokens if warm else 0
    written = {"5m": 0, "1h": 0}
    for span in write_spans(prompt, plan, rules):
        if span.end > start:
            written[span.ttl] += span.end - start
            start = span.end
    return Usage(
        input_tokens=prompt.tokens - start,
        cache_read_tokens=read,
        cache_write_5m_tokens=written["5m"],
        cache_write_1h_tokens=written["1h"],
        output_tokens=output_tokens,
    )
