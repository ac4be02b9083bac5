"""An explanation in words and as a table of costs, for people who have not read the code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from turnout.core.cost import pico_to_usd
from turnout.core.ineligible import in_words
from turnout.core.policy import Reason
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.views.exactness import cost_range, exactness_of
from turnout.trace.views.explain import CandidateView, Explanation, FirstCall
from turnout.trace.views.figures import usd, usd_range
from turnout.trace.views.fitting import FittingTable
from turnout.trace.views.tables import SIMULATED
from turnout.trace.views.whatif import Outcome


class Section(NamedTuple):
    """A heading and the sentences below it."""

    heading: str
    lines: tuple[str, ...]


_ORIGIN = {"user": "as the request brought them", "fill": "placed because the request had none", "manage": "as planned"}
_STAY = {"tool_loop": "the turn is in its tool loop", "bound_state": "the history holds state that only it accepts"}


_WHY = {
    Reason.PINNED: "the caller insisted on it, and it can serve",
    Reason.HARD_STAY: "it had to go on serving",
    Reason.BUDGET_CHEAPEST: "the budget is spent, and the policy then serves the cheapest",
    Reason.VERDICT_NOT_NEEDED: "whatever a classifier would say, it serves: it is the cheapest and the most capable "
    "of those that can, or the only one",
    Reason.CHEAPEST_CLEARS_BAR: "it is the cheapest of all that can serve, and it clears the bar",
    Reason.CHEAPEST_BELOW_BAR: "a cheaper one does not clear the bar; it is the cheapest that does",
    Reason.NO_VERDICT: "no classifier is configured: the most capable serves",
    Reason.CLASSIFIER_TIMEOUT: "the classifier was too slow: the most capable serves",
    Reason.CLASSIFIER_ERROR: "the classifier failed: the most capable serves",
    Reason.CLASSIFIER_UNPARSED: "the classifier's answer could not be read: the most capable serves",
    Reason.UNLIKE_CALIBRATION: "the request is unlike those that the classifier was calibrated on: the most capable "
    "serves",
    Reason.SPEND_BOUND: "any other choice could break the spend bound",
    Reason.FAILOVER: "the model chosen before failed before its first content; this is the next choice",
    Reason.NO_ELIGIBLE_CANDIDATE: "refused: no candidate accepts every part of the request",
    Reason.PIN_INELIGIBLE: "refused: the model that the caller insisted on cannot serve this request",
    Reason.FAILOVER_UNSAFE: "refused: the model failed, and the conversation cannot safely move to another one",
    Reason.HARD_STAY_INELIGIBLE: "refused: the model that must go on serving cannot serve this request",
    Reason.BUDGET_SPENT: "refused: the budget is spent",
}


def before_costs(explanation: Explanation) -> list[Section]:
    """What was decided, and what the decision saw: the sections above the table of costs."""
    return [
        Section("The decision", tuple(_headline(explanation))),
        Section("What it saw", tuple(_saw(explanation))),
    ]


def after_costs(
    explanation: Explanation, calls: Sequence[CallEvent] = (), others: Sequence[DecisionEvent] = ()
) -> list[Section]:
    """Why this one, what would have changed it, and how it went: the sections below the table of costs.

    Args:
        explanation: The decision.
        calls: The calls of its turn.
        others: The other decisions of its turn.
    """
    flips = [_what_if(explanation, one.words, one.outcome) for one in explanation.what_ifs if one.flips]
    keeps = [f"if {one.words}" for one in explanation.what_ifs if not one.flips]
    sections = [
        Section("Why", tuple(_why(explanation))),
        Section("What would have changed it (each decided again)", tuple(flips) or ("nothing that was tried",)),
    ]
    if keeps:
        sections.append(Section("What would not have changed it", tuple(keeps)))
    if calls or others:
        sections.append(Section("How the turn went", tuple(_went(explanation, calls, others))))
    return sections


def cost_table(explanation: Explanation) -> Table:
    """What each candidate was expected to cost, part by part."""
    label = f"{SIMULATED} · " if explanation.simulated else ""
    table = FittingTable(title=printable(f"{label}what each candidate was expected to cost"), title_justify="left")
    for heading in ("candidate", "part"):
        table.add_column(heading, overflow="fold")
    for heading in ("tokens", "USD"):
        table.add_column(heading, justify="right")
    for candidate in explanation.candidates:
        for place, (part, tokens, pico) in enumerate(_cost_rows(candidate)):
            name = f"{candidate.name}{' (chosen)' if candidate.chosen else ''}" if place == 0 else ""
            amount = "" if pico is None else usd(pico_to_usd(pico))
            table.add_row(printable(name), printable(part), tokens, amount)
        table.add_section()
    return table


def printable(text: str) -> Text:
    """Text as it is: no markup, no control characters, since parts of it are somebody else's."""
    return Text("".join(character if character.isprintable() else "�" for character in text))


def _headline(explanation: Explanation) -> Iterator[str]:
    named = f"query {explanation.query_id!r}, " if explanation.query_id else ""
    yield f"{explanation.event_id} ({named}turn {explanation.turn_id}, run {explanation.run})"
    if explanation.simulated:
        yield f"{SIMULATED}: how it was decided is real, what it says about quality and savings is nothing"
    if explanation.model_name is None:
        yield f"refused: {explanation.reason}"
    else:
        yield f"chosen: {explanation.model_name} ({explanation.model}), reason {explanation.reason}"
    if explanation.replays:
        yield "replays: deciding again on the stored input gives the stored decision, byte for byte"
    else:
        yield "DOES NOT REPLAY: deciding again gives another decision; another version of Turnout made it"


def _saw(explanation: Explanation) -> Iterator[str]:
    parts = ", ".join(f"{kind} {tokens:,}" for kind, tokens in explanation.prompt.items() if tokens)
    total = sum(explanation.prompt.values())
    yield f"a prompt of {total:,} reference tokens in {explanation.segments} blocks ({parts or 'empty'})"
    if explanation.markers:
        yield f"cache points: {explanation.markers}, {_ORIGIN[explanation.marker_origin]}"
    else:
        yield "no cache point"
    wanted = [name.replace("_", " ") for name in (*explanation.needs, *explanation.parameters)]
    if explanation.max_output_tokens is not None:
        wanted.append(f"at most {explanation.max_output_tokens:,} tokens of output")
    if wanted:
        yield f"the request asks for: {', '.join(wanted)}"
    yield from (f"{one.name}: {_cache(one)}" for one in explanation.candidates if not one.ineligible)
    yield from _verdict(explanation)
    names = {candidate.model: candidate.name for candidate in explanation.candidates}
    if explanation.current_model is not None:
        yield f"the session was served by {names.get(explanation.current_model, explanation.current_model)}"
    if explanation.budget_pico is not None:
        spent, limit = (usd(pico_to_usd(pico)) for pico in (explanation.spent_pico, explanation.budget_pico))
        yield f"budget: {spent} $ spent of {limit} $"
    if explanation.pin is not None:
        yield f"pin: the caller insists on {names.get(explanation.pin, explanation.pin)}"
    if explanation.stay is not None:
        model, cause = explanation.stay
        yield f"stay: {names.get(model, model)} must go on serving, {_STAY[cause]}"
    if explanation.allowed_models is not None:
        yield f"the caller may use only: {', '.join(explanation.allowed_models) or 'no model'}"
    for model, error in explanation.failed:
        yield f"{names.get(model, model)} had failed this request with {error}"


def _cache(candidate: CandidateView) -> str:
    warm = [
        f"{entry.tokens:,} tokens believed warm (chance {entry.chance:.4g}, for another {entry.left_ms / 1000:,.0f} s)"
        + ("" if entry.readable else ", which this request cannot read")
        for entry in candidate.warm
    ]
    if warm:
        return "; ".join(warm)
    if candidate.cache_mode == "none":
        return "has no prompt cache"
    if candidate.marked_tokens and not candidate.cached_tokens:
        return (
            f"caches nothing here: {candidate.marked_tokens:,} tokens are below its floor of {candidate.floor_tokens:,}"
        )
    if not candidate.cached_tokens:
        return "caches nothing here"
    return f"cold; {candidate.cached_tokens:,} of {candidate.prompt_tokens:,} tokens would be written"


def _verdict(explanation: Explanation) -> Iterator[str]:
    verdict = explanation.verdict
    if verdict is None:
        yield "no classifier was asked"
        return
    if verdict.failure is not None:
        yield f"classifier {verdict.classifier} gave no verdict: {verdict.failure.kind}"
        return
    if verdict.unlikeness is not None:
        beyond = "beyond the cut" if verdict.unlike else "within the cut"
        yield f"unlikeness to the calibration's requests: {verdict.unlikeness:.3g}, {beyond} of 1"
    held = "held against nothing, as other rules settled it"
    if explanation.bar is not None:
        held = f"held against a bar of {explanation.bar:g}"
    if verdict.basis == "label":
        yield f"classifier {verdict.classifier} says {verdict.label}: P(simple) {verdict.p_simple:.4g}, {held}"
        yield "that is the probability of a label: it says nothing about the quality of an answer"
        return
    names = {candidate.model: candidate.name for candidate in explanation.candidates}
    chances = ", ".join(f"{names.get(model, model)} {p:.4g}" for model, p in verdict.p_suffices.items())
    yield f"classifier {verdict.classifier}, calibrated on graded answers: P(suffices) {chances or 'none'}; {held}"


def _cost_rows(candidate: CandidateView) -> Iterator[tuple[str, str, int | None]]:
    if candidate.expected_pico is None:
        yield f"cannot serve: {'; '.join(map(in_words, candidate.ineligible))}", "", None
        return
    if candidate.tiers > 1:
        above = candidate.tier_above
        yield f"price of prompts {f'above {above:,} tokens' if above else 'in the lowest tier'}", "", None
    for way in candidate.first_calls:
        if len(candidate.first_calls) > 1:
            yield f"with chance {way.chance:.4g}:", "", way.cost.total_pico
        yield from _parts(candidate, way)
    if candidate.later_calls_pico:
        further = candidate.calls - 1
        yield (
            f"{further:.2g} further call{'' if further == 1 else 's'} of the tool loop",
            "",
            candidate.later_calls_pico,
        )
    yield "expected", "", candidate.expected_pico


def _parts(candidate: CandidateView, way: FirstCall) -> Iterator[tuple[str, str, int | None]]:
    cost = way.cost
    if way.read_tokens:
        yield "read from the cache", f"{way.read_tokens:,}", cost.cache_read_pico
    if way.write_tokens:
        yield "written to the cache", f"{way.write_tokens:,}", cost.cache_write_pico
    if way.fresh_tokens:
        yield "fresh input", f"{way.fresh_tokens:,}", cost.input_pico
    known = "learned" if candidate.learned_calls else "assumed"
    yield f"output ({known})", f"{candidate.output_tokens:,.0f}", cost.output_pico


def _why(explanation: Explanation) -> Iterator[str]:
    chosen = next((candidate for candidate in explanation.candidates if candidate.chosen), None)
    able = [candidate for candidate in explanation.candidates if candidate.expected_pico is not None]
    yield _WHY[Reason(explanation.reason)]
    for candidate in explanation.candidates:
        if candidate.ineligible:
            yield f"{candidate.name} could not serve: {'; '.join(map(in_words, candidate.ineligible))}"
    if chosen is None or chosen.expected_pico is None:
        return
    for other in able:
        if other.chosen or other.expected_pico is None:
            continue
        difference = other.expected_pico - chosen.expected_pico
        amount = usd(pico_to_usd(abs(difference)))
        more = "the same as" if difference == 0 else f"{amount} $ {'less' if difference > 0 else 'more'} than"
        bar = (
            "" if other.clears_bar is None else f", which {'clears' if other.clears_bar else 'does not clear'} the bar"
        )
        yield f"{chosen.name} was expected to cost {more} {other.name}{bar}"


def _what_if(explanation: Explanation, words: str, outcome: Outcome) -> str:
    names = {candidate.model: candidate.name for candidate in explanation.candidates}

    def name(model: str | None) -> str:
        return "refused" if model is None else names.get(model, model)

    if outcome.asks:
        then = (
            f"a classifier would be asked: simple gives {name(outcome.if_simple)}, complex {name(outcome.if_complex)}"
        )
    else:
        then = f"{name(outcome.model)} ({outcome.reason})"
    return f"if {words}: {then}"


def _went(explanation: Explanation, calls: Sequence[CallEvent], others: Sequence[DecisionEvent]) -> Iterator[str]:
    names = {candidate.model: candidate.name for candidate in explanation.candidates}
    for other in others:
        model = "refused" if other.decision.model is None else names.get(other.decision.model, other.decision.model)
        yield f"also decided in this turn: {model} ({other.decision.reason}), {other.event_id}"
    for call in calls:
        usage = call.usage
        cost = usd_range(cost_range(call.cost.total_pico, exactness_of((call,))))
        ended = call.status if not call.error else f"{call.status} {call.error}"
        read, written = usage.cache_read_tokens, usage.cache_write_tokens
        yield (
            f"{call.role} call to {names.get(call.model, call.model)}: {cost} $, {usage.input_tokens:,} fresh, "
            f"{read:,} read, {written:,} written, {usage.output_tokens:,} output ({call.usage_source}, {ended})"
        )
    answers = [call for call in calls if call.role == "answer"]
    answered = cost_range(sum(call.cost.total_pico for call in answers), exactness_of(answers))
    chosen = next((candidate for candidate in explanation.candidates if candidate.chosen), None)
    if calls and chosen is not None and chosen.expected_pico is not None:
        expected = usd(pico_to_usd(chosen.expected_pico))
        yield f"the turn's answer was expected to cost {expected} $ and did cost {usd_range(answered)} $"
