"""What a run cost and how long it took, turn by turn and in total, computed in integers from the ledger.

A turn's figures hold all of its calls: classifier and answer, also those that failed or were cancelled. A turn is
``answered`` if its last call for the answer ended well; all others are counted and named, never left out.

A cost counts every call at its lowest. How much of it is exact, and how far the rest can go, stands beside it
(`turnout.trace.views.exactness`).

Latency is wall-clock time from the first event of a turn to the end of its last call, tools included. That of
simulated models says nothing and is none; the time that classifying and deciding took is real and stands apart.

Known limitation: the start of an event is kept in whole milliseconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from turnout.core.cost import NO_COST, Cost
from turnout.core.usage import NO_USAGE, Usage
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.exactness import (
    ALL_EXACT,
    SOURCES,
    UNPRICED,
    Certainty,
    CostRange,
    Exactness,
    cost_range,
    sum_exactness,
)

TurnStatus = Literal["answered", "failed", "cancelled", "refused", "no_answer"]
"""How a turn ended: by its last call for the answer; without one, by whether a decision refused it."""


class TurnMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One turn.

    Attributes:
        turn_id: The turn.
        query_id: The caller's name of the query, or empty.
        started_ms: When it began, in milliseconds since the epoch.
        status: How it ended.
        model: The model of the last call for the answer; none if there was no such call.
        reason: Why that model was chosen (`turnout.core.policy.Reason`); none if nothing was decided. Of several
            decisions it is the last that was free to choose: not that of a tool loop's hard stay.
        label: The classifier's label in that decision, or none.
        classified: Whether a classifier was asked.
        calls: How many calls for the answer.
        unfinished_calls: How many calls, the classifier's too, failed or were cancelled.
        answer_usage: Tokens of the answer, those of calls that did not report in full as far as they are known.
        classifier_usage: Tokens of the classifier.
        answer_cost: Cost of the answer, at the least.
        classifier_cost: Cost of the classifier, at the least.
        answer_exactness: How well the answer's cost is known.
        classifier_exactness: How well the classifier's cost is known.
        expected_pico: What the decision expected the answer to cost, in pico-USD.
        latency_ms: Wall-clock time; none if a model was simulated or no call was made.
        classifier_ms: Time that classifying took; none if a simulated model classified.
        decision_ms: Time that deciding took.
        simulated: Whether any model of it was simulated.
    """

    turn_id: str
    query_id: str = ""
    started_ms: int = 0
    status: TurnStatus = "no_answer"
    model: str | None = None
    reason: str | None = None
    label: str | None = None
    classified: bool = False
    calls: int = 0
    unfinished_calls: int = 0
    answer_usage: Usage = NO_USAGE
    classifier_usage: Usage = NO_USAGE
    answer_cost: Cost = NO_COST
    classifier_cost: Cost = NO_COST
    answer_exactness: Exactness = ALL_EXACT
    classifier_exactness: Exactness = ALL_EXACT
    expected_pico: int | None = None
    latency_ms: float | None = None
    classifier_ms: float | None = None
    decision_ms: float | None = None
    simulated: bool = False

    @property
    def name(self) -> str:
        """What people know the turn by: the query's name, else the turn's id."""
        return self.query_id or self.turn_id

    @property
    def usage(self) -> Usage:
        """Tokens of classifier and answer together."""
        return self.answer_usage + self.classifier_usage

    @property
    def cost_pico(self) -> int:
        """Cost of classifier and answer together, in pico-USD, at the least."""
        return self.answer_cost.total_pico + self.classifier_cost.total_pico

    @property
    def exactness(self) -> Exactness:
        """How well that cost is known."""
        return self.answer_exactness + self.classifier_exactness

    @property
    def range(self) -> CostRange:
        """That cost taken apart: its exact part, and the two ends of the rest."""
        return cost_range(self.cost_pico, self.answer_exactness, self.classifier_exactness)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Several turns added up.

    Attributes:
        turns: How many.
        unanswered: The names of those that were not answered, with their status.
        answer_usage: Tokens of the answers, those of calls that did not report in full as far as they are known.
        classifier_usage: Tokens of the classifier.
        answer_cost: Cost of the answers, at the least.
        classifier_cost: Cost of the classifier, at the least.
        answer_exactness: How well the cost of the answers is known.
        classifier_exactness: How well the classifier's cost is known.
        latency_ms: Mean over the answered turns; none if any of the turns was simulated.
        classifier_ms: Mean over the turns that a classifier was asked for and whose time is known.
        decision_ms: Mean over the turns that were decided.
        models: How many turns each model answered.
        reasons: How many turns were decided for each reason.
        expected_turns: How many answered turns had an expected cost, and an answer whose cost is settled.
        expected_pico: What those were expected to cost, in pico-USD.
        expected_actual_pico: What their answers did cost.
        expected_error_pico: The sum over them of the absolute difference.
        simulated: Whether any model was simulated.
    """

    turns: int = 0
    unanswered: tuple[tuple[str, TurnStatus], ...] = ()
    answer_usage: Usage = NO_USAGE
    classifier_usage: Usage = NO_USAGE
    answer_cost: Cost = NO_COST
    classifier_cost: Cost = NO_COST
    answer_exactness: Exactness = ALL_EXACT
    classifier_exactness: Exactness = ALL_EXACT
    latency_ms: float | None = None
    classifier_ms: float | None = None
    decision_ms: float | None = None
    models: dict[str, int] = {}
    reasons: dict[str, int] = {}
    expected_turns: int = 0
    expected_pico: int = 0
    expected_actual_pico: int = 0
    expected_error_pico: int = 0
    simulated: bool = False

    @property
    def answered(self) -> int:
        """How many turns were answered."""
        return self.turns - len(self.unanswered)

    @property
    def usage(self) -> Usage:
        """Tokens of classifier and answers together."""
        return self.answer_usage + self.classifier_usage

    @property
    def cost_pico(self) -> int:
        """Cost of classifier and answers together, in pico-USD, at the least."""
        return self.answer_cost.total_pico + self.classifier_cost.total_pico

    @property
    def exactness(self) -> Exactness:
        """How well that cost is known."""
        return self.answer_exactness + self.classifier_exactness

    @property
    def range(self) -> CostRange:
        """That cost taken apart: its exact part, and the two ends of the rest."""
        return cost_range(self.cost_pico, self.answer_exactness, self.classifier_exactness)


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Calls beside all turns: answers that nobody was given and grades, of shadow evaluation (`turnout collect`).

    Attributes:
        calls: How many.
        cost_pico: What they cost at the least, in pico-USD.
        high_pico: What they can have cost at the most.
    """

    calls: int = 0
    cost_pico: int = 0
    high_pico: int = 0


NOTHING_BESIDE = Beside()
"""No such calls."""


class RunMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its turns in the order in which they began, and their totals.

    Attributes:
        run: Its name.
        turns: The turns.
        totals: Their totals.
        beside: Calls of shadow evaluation, which are in no turn and no total.
    """

    run: str
    turns: tuple[TurnMetrics, ...]
    totals: Totals
    beside: Beside = NOTHING_BESIDE

    @property
    def simulated(self) -> bool:
        """Whether any model of the run was simulated."""
        return self.totals.simulated


def run_metrics(ledger: Ledger, run: str) -> RunMetrics:
    """The metrics of a run.

    Raises:
        LedgerError: There is no such run (the message names the nearest one), or the ledger cannot be read.
    """
    turns: dict[str, dict[str, Any]] = {}
    with ledger.reading() as select:
        for row in select(_SUMS, (run,)):
            _add_sums(turns.setdefault(row[0], {"ends": []}), row)
        for turn_id, model, status in select(_LAST_ANSWERS, (run,)):
            turns[turn_id] |= {"model": model, "status": _STATUS_OF_CALL[status]}
        for row in select(_DECISIONS, (run,)):
            _add_decisions(turns.setdefault(row[0], {"ends": []}), row)
        for turn_id, reason, model, label, expected_pico in select(_DECIDING, (run,)):
            turns[turn_id] |= {"reason": reason, "label": label, "expected_pico": expected_pico}
            if model is None:
                turns[turn_id].setdefault("status", "refused")
        [beside] = [Beside(calls=calls, cost_pico=low, high_pico=high) for calls, low, high in select(_BESIDE, (run,))]
    if not turns:
        ledger.run(run)  # raises where there is no such run; one without events has no turns
    metrics = sorted(
        (_turn(turn_id, values) for turn_id, values in turns.items()), key=lambda turn: (turn.started_ms, turn.turn_id)
    )
    return RunMetrics(run=run, turns=tuple(metrics), totals=totals_of(metrics), beside=beside)


def totals_of(turns: Sequence[TurnMetrics]) -> Totals:
    """Turns added up; money and tokens are exact."""
    answered = [turn for turn in turns if turn.status == "answered"]
    simulated = any(turn.simulated for turn in turns)
    # What was estimated cannot say how far an expectation was off.
    expected = [turn for turn in answered if turn.expected_pico is not None and turn.answer_exactness.settled]
    return Totals(
        turns=len(turns),
        unanswered=tuple((turn.name, turn.status) for turn in turns if turn.status != "answered"),
        answer_usage=_sum_usage(turn.answer_usage for turn in turns),
        classifier_usage=_sum_usage(turn.classifier_usage for turn in turns),
        answer_cost=_sum_cost(turn.answer_cost for turn in turns),
        classifier_cost=_sum_cost(turn.classifier_cost for turn in turns),
        answer_exactness=sum_exactness(turn.answer_exactness for turn in turns),
        classifier_exactness=sum_exactness(turn.classifier_exactness for turn in turns),
        latency_ms=None if simulated else _mean(turn.latency_ms for turn in answered),
        classifier_ms=_mean(turn.classifier_ms for turn in turns if turn.classified),
        decision_ms=_mean(turn.decision_ms for turn in turns),
        models=dict(sorted(Counter(turn.model for turn in answered if turn.model is not None).items())),
        reasons=dict(sorted(Counter(turn.reason for turn in turns if turn.reason is not None).items())),
        expected_turns=len(expected),
        expected_pico=sum(turn.expected_pico or 0 for turn in expected),
        expected_actual_pico=sum(turn.answer_cost.total_pico for turn in expected),
        expected_error_pico=sum(abs(turn.answer_cost.total_pico - (turn.expected_pico or 0)) for turn in expected),
        simulated=simulated,
    )


_USAGE = Usage.__struct_fields__
_COST = Cost.__struct_fields__
_STATUS_OF_CALL: dict[str, TurnStatus] = {"ok": "answered", "error": "failed", "cancelled": "cancelled"}

_CERTAINTIES: tuple[Certainty, ...] = ("exact", "bounded", "open", "failed")
# `turnout.trace.views.exactness.certainty` in SQL; a property test holds the two together.
_CERTAINTY = f"""
    CASE WHEN error = '{UNPRICED}' THEN 'open'
        WHEN usage_source IN ('partial', 'estimated') OR cost_high_pico > cost_pico THEN 'bounded'
        WHEN usage_source = 'reported' THEN 'exact'
        WHEN status = 'error' AND cost_pico = 0 THEN 'failed'
        ELSE 'open' END
"""
_EXACTNESS = (*(f"{name}_calls" for name in _CERTAINTIES), *SOURCES, "low_pico", "high_pico")

_SUMS = f"""
    SELECT turn_id, role, max(query_id), min(started_ms), max(started_ms + latency_ms), max(simulated),
        count(*), sum(status <> 'ok'),
        {", ".join(f"sum({name})" for name in (*_USAGE, *_COST))},
        {", ".join(f"sum(certainty = '{name}')" for name in _CERTAINTIES)},
        {", ".join(f"sum(usage_source = '{name}')" for name in SOURCES)},
        sum(iif(certainty IN ('bounded', 'open'), cost_pico, 0)),
        sum(iif(certainty IN ('bounded', 'open'), max(cost_pico, cost_high_pico), 0))
    FROM (SELECT *, {_CERTAINTY} AS certainty FROM calls WHERE run = ? AND role IN ('answer', 'classifier'))
    GROUP BY turn_id, role
"""

_BESIDE = """
    SELECT count(*), coalesce(sum(cost_pico), 0), coalesce(sum(max(cost_pico, cost_high_pico)), 0)
    FROM calls WHERE run = ? AND role NOT IN ('answer', 'classifier')
"""

_LAST_ANSWERS = """
    SELECT turn_id, model, status FROM (
        SELECT turn_id, model, status,
            row_number() OVER (PARTITION BY turn_id ORDER BY started_ms DESC, sequence DESC) AS place
        FROM calls WHERE run = ? AND role = 'answer'
    ) WHERE place = 1
"""

_DECISIONS = """
    SELECT turn_id, max(query_id), min(started_ms), max(simulated), sum(latency_ms), sum(classifier_ms),
        max(classifier IS NOT NULL)
    FROM decisions WHERE run = ? GROUP BY turn_id
"""

_DECIDING = """
    SELECT turn_id, reason, model, label, expected_pico FROM (
        SELECT turn_id, reason, model, label, expected_pico,
            row_number() OVER (
                PARTITION BY turn_id ORDER BY reason = 'hard_stay', started_ms DESC, sequence DESC
            ) AS place
        FROM decisions WHERE run = ?
    ) WHERE place = 1
"""


def _add_sums(values: dict[str, Any], row: tuple[Any, ...]) -> None:
    _, role, query_id, started_ms, ended_ms, simulated, calls, unfinished, *sums = row
    usage, cost, exactness = sums[: len(_USAGE)], sums[len(_USAGE) : -len(_EXACTNESS)], sums[-len(_EXACTNESS) :]
    values["query_id"] = max(values.get("query_id", ""), query_id)
    values["started_ms"] = min(values.get("started_ms", started_ms), started_ms)
    values["ends"].append(ended_ms)
    values["simulated"] = values.get("simulated", False) or bool(simulated)
    values["unfinished_calls"] = values.get("unfinished_calls", 0) + unfinished
    values[f"{role}_usage"] = Usage(**dict(zip(_USAGE, usage, strict=True)))
    values[f"{role}_cost"] = Cost(**dict(zip(_COST, cost, strict=True)))
    values[f"{role}_exactness"] = Exactness(**dict(zip(_EXACTNESS, exactness, strict=True)))
    if role == "answer":
        values["calls"] = calls
    else:
        values["classified"] = True
        values["classifier_simulated"] = bool(simulated)


def _add_decisions(values: dict[str, Any], row: tuple[Any, ...]) -> None:
    _, query_id, started_ms, simulated, decision_ms, classifier_ms, classified = row
    values["query_id"] = max(values.get("query_id", ""), query_id)
    values["started_ms"] = min(values.get("started_ms", started_ms), started_ms)
    values["simulated"] = values.get("simulated", False) or bool(simulated)
    values["decision_ms"] = decision_ms
    values["classified"] = values.get("classified", False) or bool(classified)
    values["classifier_ms"] = classifier_ms if values["classified"] else None


def _turn(turn_id: str, values: dict[str, Any]) -> TurnMetrics:
    ends = values.pop("ends")
    if ends and not values["simulated"]:
        values["latency_ms"] = max(ends) - values["started_ms"]
    if values.pop("classifier_simulated", False):
        values["classifier_ms"] = None
    return TurnMetrics(turn_id=turn_id, **values)


def _sum_usage(usages: Iterable[Usage]) -> Usage:
    # Kind by kind: adding values one to another would build a value a turn.
    listed = list(usages)
    return Usage(**{name: sum(getattr(usage, name) for usage in listed) for name in _USAGE})


def _sum_cost(costs: Iterable[Cost]) -> Cost:
    listed = list(costs)
    return Cost(**{name: sum(getattr(cost, name) for cost in listed) for name in _COST})


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
