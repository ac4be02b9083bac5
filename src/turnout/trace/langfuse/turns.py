"""Observations as the metrics that the ledger gives: the same values, so that tables and comparisons are the same code.

No usage is counted twice. Only generations count, and of several that lie one in another only one does: Turnout's own
if there is one, else the innermost. So an agent framework's span around a call, and a client library's span within
it, add nothing.

A cost is exact by the rules of the ledger: each call that Turnout wrote brings along where its usage comes from and
what it cost at the most. What something else wrote was priced by Langfuse, from a table of its own, or by somebody who
is not known here: it is never called exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from turnout.core.cost import NO_COST, Cost
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import UsageSource
from turnout.trace.langfuse.observations import Observation, pico_of
from turnout.trace.views.exactness import SOURCES, Exactness, one_call, sum_exactness
from turnout.trace.views.metrics import RunMetrics, TurnMetrics, TurnStatus, totals_of

_STATUS_OF_CALL: dict[str, TurnStatus] = {"ok": "answered", "error": "failed", "cancelled": "cancelled"}
_LIKELY_STATUS = {"ERROR": "error"}
_GOES_ON = ("tool_use", "tool_calls")


def calls_among(observations: Sequence[Observation]) -> list[Observation]:
    """The generations whose usage counts, in the order in which they began."""
    by_id = {observation.id: observation for observation in observations}
    generations = [observation for observation in observations if observation.type == "GENERATION"]
    has_within: set[str] = set()
    lies_in_own: set[str] = set()
    for generation in generations:
        for above in _above(generation, by_id):
            if above.type == "GENERATION":
                has_within.add(above.id)
                if above.own:
                    lies_in_own.add(generation.id)
    counted = [one for one in generations if one.own or (one.id not in has_within and one.id not in lies_in_own)]
    return sorted(counted, key=_order)


def is_whole(observations: Sequence[Observation]) -> bool:
    """Whether a trace shows no gap: it has a first observation, all have ended, nothing above one is missing.

    A decision of Turnout that chose a model must be followed by a call for the answer, and a call that asked for a
    tool by another one.
    """
    known = {observation.id for observation in observations}
    ended = all(observation.ended_ms is not None for observation in observations)
    joined = all(one.root or not one.parent_id or one.parent_id in known for one in observations)
    chosen = any(one.event == "decision" and "model" in one.facts for one in observations)
    answers = sorted((one for one in observations if one.event == "call" and _role(one) == "answer"), key=_order)
    done = answers[-1].facts.get("finish_reason") not in _GOES_ON if answers else not chosen
    return ended and joined and done and any(one.root for one in observations)


def turn_of(observations: Sequence[Observation], turn_id: str = "") -> TurnMetrics:
    """The metrics of observations that make up one turn, such as those of one trace.

    Latency is wall-clock time from the first of Turnout's observations to the end of the last call; where Turnout had
    no part, that of the whole trace.

    Args:
        observations: All of the turn's observations, at least one.
        turn_id: The turn's id; default: the one that Turnout wrote if it is but one, else the trace's.
    """
    calls = calls_among(observations)
    decisions = sorted((one for one in observations if one.event == "decision"), key=_order)
    answers = [call for call in calls if _role(call) == "answer"]
    asked = [call for call in calls if _role(call) == "classifier"]
    own_turns = {one.facts.get("turn_id", "") for one in observations if one.own}
    classified = bool(asked) or any("basis" in one.facts for one in decisions)
    deciding = max(decisions, key=lambda one: (one.facts.get("reason") != "hard_stay", _order(one)), default=None)
    facts = {} if deciding is None else deciding.facts
    simulated = any(_flag(one, "simulated") for one in observations)
    counted = [*calls, *decisions] if own_turns else list(observations)
    started_ms = min(one.started_ms for one in counted or observations)
    ends = [one.ended_ms for one in (calls if own_turns else observations) if one.ended_ms is not None]
    return TurnMetrics(
        turn_id=turn_id or (own_turns.pop() if len(own_turns) == 1 else "") or observations[0].trace_id,
        query_id=max(one.facts.get("query_id", "") for one in observations),
        started_ms=int(started_ms),
        status=_status(answers, deciding),
        model=answers[-1].model or None if answers else None,
        reason=facts.get("reason"),
        label=facts.get("label"),
        classified=classified,
        calls=len(answers),
        unfinished_calls=sum(_call_status(call) != "ok" for call in calls),
        answer_usage=_usage(answers),
        classifier_usage=_usage(asked),
        answer_cost=_cost(answers),
        classifier_cost=_cost(asked),
        answer_exactness=sum_exactness(map(_exactness, answers)),
        classifier_exactness=sum_exactness(map(_exactness, asked)),
        expected_pico=None if deciding is None else _pico(deciding, "expected_usd"),
        latency_ms=max(ends) - started_ms if ends and not simulated else None,
        classifier_ms=_classifier_ms(decisions, asked) if classified else None,
        decision_ms=_sum(decisions, "decision_ms") if decisions else None,
        simulated=simulated,
    )


def run_of(run: str, observations: Iterable[Observation]) -> RunMetrics:
    """The metrics of a run: Turnout's observations by their turns, in the order in which those began."""
    by_turn: defaultdict[str, list[Observation]] = defaultdict(list)
    for observation in observations:
        if observation.own:
            by_turn[observation.facts.get("turn_id", "")].append(observation)
    turns = sorted((turn_of(each, turn_id) for turn_id, each in by_turn.items()), key=_by_start)
    return RunMetrics(run=run, turns=tuple(turns), totals=totals_of(turns))


def _by_start(turn: TurnMetrics) -> tuple[int, str]:
    return turn.started_ms, turn.turn_id


def _above(observation: Observation, by_id: dict[str, Observation]) -> list[Observation]:
    """What an observation lies in, the nearest first."""
    found: list[Observation] = []
    above = by_id.get(observation.parent_id)
    while above is not None and above not in found:  # a broken trace may go in a circle
        found.append(above)
        above = by_id.get(above.parent_id)
    return found


def _order(observation: Observation) -> tuple[float, str]:
    return observation.started_ms, observation.facts.get("event_id", "")


def _role(call: Observation) -> str:
    return call.facts.get("role", "answer")


def _call_status(call: Observation) -> str:
    return call.facts.get("status") or _LIKELY_STATUS.get(call.level, "ok")


def _status(answers: Sequence[Observation], deciding: Observation | None) -> TurnStatus:
    if answers:
        return _STATUS_OF_CALL.get(_call_status(answers[-1]), "failed")
    return "refused" if deciding is not None and "model" not in deciding.facts else "no_answer"


def _exactness(call: Observation) -> Exactness:
    cost_pico = call.cost.total_pico
    if not call.own:
        return Exactness(open_calls=1, foreign=1, low_pico=cost_pico, high_pico=cost_pico)
    stated = call.facts.get("usage_source")
    source: UsageSource = next((known for known in SOURCES if known == stated), "none")
    return one_call(source, _call_status(call), call.message, cost_pico, _pico(call, "highest_usd") or 0)


def _usage(calls: Iterable[Observation]) -> Usage:
    return sum((call.usage for call in calls), start=NO_USAGE)


def _cost(calls: Iterable[Observation]) -> Cost:
    return sum((call.cost for call in calls), start=NO_COST)


def _classifier_ms(decisions: Sequence[Observation], asked: Sequence[Observation]) -> float | None:
    if any(_flag(call, "simulated") for call in asked) or not decisions:
        return None
    return _sum(decisions, "classifier_ms")


def _sum(decisions: Iterable[Observation], key: str) -> float:
    return sum(float(one.facts.get(key, "0")) for one in decisions)


def _pico(observation: Observation, key: str) -> int | None:
    text = observation.facts.get(key)
    return None if text is None else pico_of(text)


def _flag(observation: Observation, key: str) -> bool:
    return observation.facts.get(key, "").lower() == "true"
