"""Two runs side by side: signed changes, on the queries that both answered.

A change is after minus before. Sums are never rounded; a percentage is worked out to 28 digits and rounded only where
it is shown. Costs count every call at its lowest: where not every call of a run has an exact cost, the change is given
as an interval too, from the least to the most that it can be. Nothing is said about latency where a model was
simulated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import Literal

import msgspec

from turnout.core.cost import cost_of, pico_to_usd
from turnout.core.price import Price
from turnout.core.usage import Usage
from turnout.trace.views.exactness import (
    ALL_EXACT,
    Between,
    CostRange,
    Exactness,
    cost_range,
    difference,
    relative,
    usd_between,
)
from turnout.trace.views.interval import FEWEST_QUERIES, Interval, interval_of
from turnout.trace.views.metrics import RunMetrics, Totals, TurnMetrics, totals_of
from turnout.trace.views.typed import TYPED_IN, TypedTotals

CLASSIFIER_USAGE = Usage(input_tokens=400, output_tokens=5)
"""What the reference system's classifier uses for a query: a few-shot prompt of about 400 tokens, one word back."""

Basis = Literal["matched", "totals", "typed"]
"""What a comparison's figures are those of."""


class Change(msgspec.Struct, frozen=True):
    """A figure before and after; none before where the totals that were typed in leave it out."""

    before: Decimal | None
    after: Decimal

    @property
    def difference(self) -> Decimal | None:
        """After minus before; none where there is no before."""
        return None if self.before is None else self.after - self.before

    @property
    def percent(self) -> Decimal | None:
        """The difference in per cent of before; none where there is no before, or something came from nothing."""
        if self.before is None:
            return None
        if self.before == 0:
            return Decimal(0) if self.after == 0 else None
        with localcontext() as context:
            context.prec = 28
            return (self.after - self.before) * 100 / self.before


class CostBounds(msgspec.Struct, frozen=True, kw_only=True):
    """Between what a cost and its change lie where not every call has an exact cost.

    Attributes:
        before: The cost before, in USD.
        after: The cost after, in USD.
    """

    before: Between
    after: Between

    @property
    def difference(self) -> Between:
        """Where after minus before lies, in USD."""
        return difference(self.before, self.after)

    @property
    def percent(self) -> Between:
        """Where the difference lies, in per cent of before."""
        return relative(self.before, self.after)


class QueryPair(msgspec.Struct, frozen=True):
    """One query as both runs answered it."""

    query_id: str
    before: TurnMetrics
    after: TurnMetrics

    @property
    def change_pico(self) -> int:
        """The change of its cost in pico-USD, that of the lowest costs."""
        return self.after.cost_pico - self.before.cost_pico

    @property
    def least_change_pico(self) -> int | None:
        """The least that the change can be; none where the cost before has no upper bound."""
        most = self.before.range.most_pico
        return None if most is None else self.after.cost_pico - most

    @property
    def greatest_change_pico(self) -> int | None:
        """The most that the change can be; none where the cost after has no upper bound."""
        most = self.after.range.most_pico
        return None if most is None else most - self.before.cost_pico


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs side by side.

    Attributes:
        before: Name of the run that is compared against.
        after: Name of the run that is compared.
        simulated: Whether a model of either was simulated.
        basis: ``matched``: the figures are those of ``pairs``. ``totals``: the runs have no named query in common, so
            the figures are those of all turns of each. ``typed``: those of before were typed in, those of after are
            of all its turns.
        pairs: The queries that both runs answered, in the order of ``before``.
        unmatched_before: Turns of ``before`` without a partner, by name.
        unmatched_after: Turns of ``after`` without a partner, by name.
        unanswered: Queries in both runs that one of them did not answer: left out of the figures.
        cost: USD, as run: classifier, cache writes, failed and abandoned calls included, every call at its lowest.
        bounds: Between what that cost and its change lie; none where both costs are settled.
        exactness_before: How well the cost before is known; none where it was typed in, which nothing can check.
        exactness_after: How well the cost after is known.
        repriced: USD, with the classifier priced as ``assumption`` says; none where no price was given.
        repriced_bounds: Between what that cost and its change lie; none where the answers' costs are settled.
        assumption: How it was priced.
        latency: Mean seconds a turn; none where a model of either run was simulated.
        input: Fresh input tokens.
        output: Output tokens.
        cache_read: Tokens read from the cache.
        cache_write: Tokens written to the cache.
        interval: Of the mean change of cost by query; none below `FEWEST_QUERIES`.
        note: What the size of the sample allows to say.
    """

    before: str
    after: str
    simulated: bool
    basis: Basis
    pairs: tuple[QueryPair, ...]
    unmatched_before: tuple[str, ...]
    unmatched_after: tuple[str, ...]
    unanswered: tuple[str, ...]
    cost: Change
    bounds: CostBounds | None
    exactness_before: Exactness | None
    exactness_after: Exactness
    repriced: Change | None
    repriced_bounds: CostBounds | None
    assumption: str
    latency: Change | None
    input: Change
    output: Change
    cache_read: Change
    cache_write: Change
    interval: Interval | None
    note: str

    @property
    def exact(self) -> bool:
        """Whether the change of cost is exact: every call of both runs was reported and priced by the catalog."""
        return self.exactness_before is not None and self.exactness_before.exact and self.exactness_after.exact

    @property
    def tokens(self) -> dict[str, Change]:
        """The changes of tokens, by kind."""
        return {
            "input": self.input,
            "output": self.output,
            "cache read": self.cache_read,
            "cache write": self.cache_write,
        }


def compare(
    before: RunMetrics,
    after: RunMetrics,
    *,
    classifier_price: Price | None = None,
    classifier_usage: Usage = CLASSIFIER_USAGE,
    classifier_name: str = "the given model",
    seed: int = 0,
) -> Comparison:
    """Compare a run with the one before it.

    Turns are matched by ``query_id``, repetitions in the order in which they began.

    Args:
        before: The run that is compared against.
        after: The run that is compared.
        classifier_price: The price at which the classifier is priced in `Comparison.repriced`, whatever it was.
        classifier_usage: The tokens of the classifier's prompt and answer, for each query that was classified.
        classifier_name: What `Comparison.assumption` calls the model with that price.
        seed: Of the resampling: the same seed gives the same interval.
    """
    pairs, unanswered, rest_before, rest_after = _match(before.turns, after.turns)
    basis: Basis = "matched" if pairs or unanswered else "totals"
    if basis == "matched":
        turns_before, turns_after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    else:
        turns_before, turns_after = list(before.turns), list(after.turns)
    was, now = totals_of(turns_before), totals_of(turns_after)
    repriced, repriced_bounds = None, None
    if classifier_price is not None:
        one = cost_of(classifier_usage, classifier_price).total_pico
        costs = _repriced_pico(turns_before, one), _repriced_pico(turns_after, one)
        repriced = _usd(*costs)
        repriced_bounds = _bounds(
            cost_range(costs[0], was.answer_exactness), cost_range(costs[1], now.answer_exactness)
        )
    interval = _interval(pairs, seed)
    return Comparison(
        before=before.run,
        after=after.run,
        simulated=before.simulated or after.simulated,
        basis=basis,
        pairs=tuple(pairs),
        unmatched_before=tuple(turn.name for turn in rest_before),
        unmatched_after=tuple(turn.name for turn in rest_after),
        unanswered=tuple(unanswered),
        cost=_usd(was.cost_pico, now.cost_pico),
        bounds=_bounds(was.range, now.range),
        exactness_before=was.exactness,
        exactness_after=now.exactness,
        repriced=repriced,
        repriced_bounds=repriced_bounds,
        assumption="" if repriced is None else _assumption(classifier_usage, classifier_name),
        latency=_latency(before, after, was, now),
        input=_tokens(was.usage.input_tokens, now.usage.input_tokens),
        output=_tokens(was.usage.output_tokens, now.usage.output_tokens),
        cache_read=_tokens(was.usage.cache_read_tokens, now.usage.cache_read_tokens),
        cache_write=_tokens(was.usage.cache_write_tokens, now.usage.cache_write_tokens),
        interval=interval,
        note=_note(basis, pairs, interval),
    )


def compare_typed(
    before: TypedTotals,
    after: RunMetrics,
    *,
    classifier_price: Price | None = None,
    classifier_usage: Usage = CLASSIFIER_USAGE,
    classifier_name: str = "the given model",
) -> Comparison:
    """Compare a run with totals that somebody typed in: those of another system, or of a run that is in no ledger.

    Args:
        before: The totals.
        after: The run; all its turns count.
        classifier_price: The price at which the run's classifier is priced in `Comparison.repriced`.
        classifier_usage: The tokens of the classifier's prompt and answer, for each query that was classified.
        classifier_name: What `Comparison.assumption` calls the model with that price.
    """
    now = after.totals
    typed = cost_range(before.cost_pico, ALL_EXACT)
    repriced, repriced_bounds, assumption = None, None, ""
    if classifier_price is not None:
        one = cost_of(classifier_usage, classifier_price).total_pico
        cost_pico = _repriced_pico(after.turns, one)
        repriced = _usd(before.cost_pico, cost_pico)
        repriced_bounds = _bounds(typed, cost_range(cost_pico, now.answer_exactness))
        assumption = _assumption(classifier_usage, classifier_name) + "; the cost that was typed in is left as it is"
    latency = None
    if not after.simulated and now.latency_ms is not None:
        latency = Change(before.latency_s, Decimal(str(now.latency_ms)) / 1000)
    return Comparison(
        before=TYPED_IN,
        after=after.run,
        simulated=after.simulated,
        basis="typed",
        pairs=(),
        unmatched_before=(),
        unmatched_after=(),
        unanswered=tuple(name for name, _ in now.unanswered),
        cost=_usd(before.cost_pico, now.cost_pico),
        bounds=_bounds(typed, now.range),
        exactness_before=None,
        exactness_after=now.exactness,
        repriced=repriced,
        repriced_bounds=repriced_bounds,
        assumption=assumption,
        latency=latency,
        input=_tokens(before.input_tokens, now.usage.input_tokens),
        output=_tokens(before.output_tokens, now.usage.output_tokens),
        cache_read=_tokens(before.cache_read_tokens, now.usage.cache_read_tokens),
        cache_write=_tokens(before.cache_write_tokens, now.usage.cache_write_tokens),
        interval=None,
        note=(
            "the totals before were typed in: nothing here can check them, nor whether they are of the same queries"
            f" as the {now.turns} turn{'' if now.turns == 1 else 's'} after"
        ),
    )


def _match(
    before: Sequence[TurnMetrics], after: Sequence[TurnMetrics]
) -> tuple[list[QueryPair], list[str], list[TurnMetrics], list[TurnMetrics]]:
    """Pairs, the names of queries that one side did not answer, and the turns of each side that have no partner."""
    partners: defaultdict[str, list[TurnMetrics]] = defaultdict(list)
    for turn in reversed(after):
        partners[turn.query_id].append(turn)
    partners.pop("", None)
    pairs, unanswered, alone, taken = [], [], [], set()
    for turn in before:
        candidates = partners.get(turn.query_id)
        if not candidates:
            alone.append(turn)
            continue
        partner = candidates.pop()
        taken.add(partner.turn_id)
        if turn.status == partner.status == "answered":
            pairs.append(QueryPair(turn.query_id, turn, partner))
        else:
            unanswered.append(turn.query_id)
    return pairs, unanswered, alone, [turn for turn in after if turn.turn_id not in taken]


def _repriced_pico(turns: Sequence[TurnMetrics], classifier_pico: int) -> int:
    return sum(turn.answer_cost.total_pico + (classifier_pico if turn.classified else 0) for turn in turns)


def _assumption(usage: Usage, name: str) -> str:
    return (
        f"each query that was classified is charged {usage.prompt_tokens:,} prompt and {usage.output_tokens:,} output "
        f"tokens of the classifier at the price of {name}, in place of what its classifier cost"
    )


def _latency(before: RunMetrics, after: RunMetrics, was: Totals, now: Totals) -> Change | None:
    if before.simulated or after.simulated or was.latency_ms is None or now.latency_ms is None:
        return None
    return Change(Decimal(str(was.latency_ms)) / 1000, Decimal(str(now.latency_ms)) / 1000)


def _bounds(before: CostRange, after: CostRange) -> CostBounds | None:
    if before.settled and after.settled:
        return None
    return CostBounds(before=usd_between(before), after=usd_between(after))


def _interval(pairs: Sequence[QueryPair], seed: int) -> Interval | None:
    changes = _by_query(pairs, lambda pair: pair.change_pico)
    if all(pair.before.range.settled and pair.after.range.settled for pair in pairs):
        return interval_of(changes, seed=seed)
    if any(pair.least_change_pico is None or pair.greatest_change_pico is None for pair in pairs):
        return None
    least = _by_query(pairs, lambda pair: pair.least_change_pico or 0)
    greatest = _by_query(pairs, lambda pair: pair.greatest_change_pico or 0)
    return interval_of(changes, least, greatest, seed=seed)


def _by_query(pairs: Sequence[QueryPair], change: Callable[[QueryPair], int]) -> list[int]:
    """The change of each query, repetitions added up."""
    changes: defaultdict[str, int] = defaultdict(int)
    for pair in pairs:
        changes[pair.query_id] += change(pair)
    return list(changes.values())


def _note(basis: str, pairs: Sequence[QueryPair], interval: Interval | None) -> str:
    if basis == "totals":
        return "the runs have no named query in common: totals of all their turns are compared, and mean little"
    queries = len({pair.query_id for pair in pairs})
    if not queries:
        return "no query was answered in both runs: there is nothing to compare"
    counted = f"{queries} quer{'y' if queries == 1 else 'ies'}"
    if queries < FEWEST_QUERIES:
        return f"{counted}, fewer than {FEWEST_QUERIES}: the figures tell what happened here and no more"
    if interval is None:
        return f"{counted}: no interval, since costs have no upper bound"
    return f"{counted}: the interval holds for queries like these"


def _usd(before_pico: int, after_pico: int) -> Change:
    return Change(pico_to_usd(before_pico), pico_to_usd(after_pico))


def _tokens(before: int | None, after: int) -> Change:
    return Change(None if before is None else Decimal(before), Decimal(after))
