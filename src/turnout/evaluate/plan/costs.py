"""What a recorded call costs one side of a plan: exactly where the side does as was recorded, else by an estimate.

An estimate holds the conversation as it was recorded. What changes with the model is reckoned so:

- the prompt's tokens: those that were reported, times the ratio of the two models' tokenizers;
- what is read and written: by the side's own cache, under the model's own floors and TTLs;
- the answer's length: the recorded one times the ratio of the two models' learned means, once both have answered
  `FEWEST_LEARNED` calls; else as many tokens as the same text has in the other tokenizer.

Each estimate has two ends. Low: the shorter of the two lengths, halved. High: the longer one, doubled, and nothing
warm. They are what is reckoned with, no guarantee; a sum of them supposes that all are off the same way.

Known limitations: the learned means are those of the queries that each model was given, which differ in difficulty; a
call that failed is not tried on the other model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnout.core.cache import COLD, CachePlan, CacheState, Prompt
from turnout.core.catalog import Model
from turnout.core.cost import cost_of
from turnout.core.decision import DecisionInput
from turnout.core.price import Price
from turnout.evaluate.counterfactual import ratio_of, usage_on
from turnout.trace.events import CallEvent
from turnout.trace.views.exactness import certainty

FEWEST_LEARNED = 20
"""From how many calls of each of two models on the ratio of their learned mean lengths is used."""

_OFF = 2
"""How far an answer's estimated length is taken to be off, either way."""


class Spend(NamedTuple):
    """A cost in pico-USD: what it is reckoned to be, its two ends, and the part that is exact."""

    pico: int = 0
    low_pico: int = 0
    high_pico: int = 0
    exact_pico: int = 0

    def __add__(self, other: tuple[int, ...]) -> Spend:  # type: ignore[override]  # sums, where a tuple would join
        return Spend(*[one + two for one, two in zip(self, other, strict=True)])


NOTHING = Spend()
"""No cost at all."""


def exactly(pico: int) -> Spend:
    """A cost that is known."""
    return Spend(pico, pico, pico, pico)


def as_recorded(call: CallEvent, price: Price, then: Price | None) -> Spend:
    """The cost of a call that goes as it was recorded, at a price of now.

    Args:
        call: The call.
        price: Its model's price on this side.
        then: Its model's price when it was recorded, if known.
    """
    pico = cost_of(call.usage, price).total_pico
    known = certainty(call.usage_source, call.status, call.error, call.cost.total_pico, call.cost_high_pico)
    if known in ("exact", "failed"):
        return exactly(pico)
    high = call.cost_high_pico
    if then is not None and then != price:
        high = int(high * _dearer(price, then)) + 1
    return Spend(pico, pico, max(pico, high), 0)


def kept(call: CallEvent) -> Spend:
    """The cost of a call that nothing else can be reckoned for: what it did cost."""
    pico = call.cost.total_pico
    return Spend(pico, pico, max(pico, call.cost_high_pico), 0)


def estimated(
    call: CallEvent,
    given: DecisionInput,
    model: Model,
    served: Model,
    prompt: Prompt,
    plan: CachePlan,
    state: CacheState,
) -> Spend:
    """The cost of a recorded call on another model, or on its own in another state of the cache.

    Args:
        call: The call, with known usage.
        given: What the side decided from.
        model: The side's model.
        served: The model that was called.
        prompt: The prompt in the side's model's tokens.
        plan: Where cache points stand.
        state: What the side believes warm on that model.
    """
    expected, low, high = output_tokens(call, given, model, served)

    def cost(warm: CacheState, output: int) -> int:
        return cost_of(usage_on(prompt, plan, model.cache, warm, call.started_ms, output), model.price).total_pico

    ends = [cost(state, expected), cost(state, low), cost(COLD, high)]
    return Spend(ends[0], min(ends), max(ends), 0)


def output_tokens(call: CallEvent, given: DecisionInput, model: Model, served: Model) -> tuple[int, int, int]:
    """The length that the answer is expected to have on a model, and its two ends, in that model's tokens."""
    recorded = call.usage.output_tokens
    if model.id == served.id:
        return recorded, recorded, recorded
    same_text = recorded * ratio_of(given, model) / ratio_of(given, served)
    own, other = given.statistics.of(model.id), given.statistics.of(served.id)
    expected = same_text
    if min(own.calls, other.calls) >= FEWEST_LEARNED and other.output_tokens:
        expected = recorded * own.output_tokens / other.output_tokens
    lengths = (expected, min(expected, same_text) / _OFF, max(expected, same_text) * _OFF)
    limits: Sequence[int | None] = (given.request.max_output_tokens, model.max_output_tokens)
    most = min([limit for limit in limits if limit is not None], default=None)
    first, low, high = (round(length) if most is None else min(round(length), most) for length in lengths)
    return first, low, high


def _dearer(price: Price, then: Price) -> float:
    """By what factor the new price is the dearer one at most."""
    factors = [0.0]
    for tier in price.tiers:
        old = then.tier_for(tier.above_prompt_tokens + 1)
        pairs = [
            (tier.input_pico, old.input_pico),
            (tier.output_pico, old.output_pico),
            (tier.cache_read_pico, old.cache_read_pico),
            (tier.cache_write_5m_pico, old.cache_write_5m_pico),
            (tier.cache_write_1h_pico, old.cache_write_1h_pico),
        ]
        factors += [one / other for one, other in pairs if other]
    return max(factors)
