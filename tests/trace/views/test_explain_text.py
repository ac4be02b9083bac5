from __future__ import annotations

import io

import msgspec
import pytest
from hypothesis import given, settings
from rich.console import Console

from tests.core.strategies import decision_inputs
from tests.trace import decided
from tests.trace.decided import CAPABLE, CHEAP, REQUEST, warm
from turnout.core.cost import Cost
from turnout.core.decision import DecisionInput, FailedAttempt, SessionView
from turnout.core.policy import Budget
from turnout.core.request import HardStay, Needs
from turnout.core.verdict import Failure, Verdict
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.views.explain import explain
from turnout.trace.views.explain_text import after_costs, before_costs, cost_table, printable


def words(event: DecisionEvent, calls: tuple[CallEvent, ...] = (), others: tuple[DecisionEvent, ...] = ()) -> str:
    explanation = explain(event)
    sections = [*before_costs(explanation), *after_costs(explanation, calls, others)]
    return "\n".join(line for section in sections for line in (section.heading, *section.lines))


def table(event: DecisionEvent) -> str:
    out = io.StringIO()
    Console(file=out, width=140).print(cost_table(explain(event)))
    return out.getvalue()


def test_a_decision_in_words() -> None:
    text = words(decided.decided(decided.given(caches={CAPABLE.id: warm(0.75)})))
    for line in (
        f"chosen: Claude Haiku 4.5 ({CHEAP.id}), reason cheapest_clears_bar",
        "replays: deciding again on the stored input gives the stored decision, byte for byte",
        "a prompt of 2,020 reference tokens in 2 blocks (system 2,000, message 20)",
        "cache points: 1, placed because the request had none",
        "Claude Sonnet 4.6: 2,000 tokens believed warm (chance 0.75, for another 200 s)",
        "Claude Haiku 4.5: caches nothing here: 2,000 tokens are below its floor of 4,096",
        "classifier keyword says simple: P(simple) 0.8, held against a bar of 0.5",
        "that is the probability of a label: it says nothing about the quality of an answer",
        "it is the cheapest of all that can serve, and it clears the bar",
        "if P(simple) had been 0.4999 or less (it was 0.8): Claude Sonnet 4.6 (cheapest_below_bar)",
        "if the classifier had failed: Claude Sonnet 4.6 (classifier_timeout)",
    ):
        assert line in text.splitlines(), line


def test_what_a_classifier_would_be_asked_for_is_told() -> None:
    head = msgspec.structs.replace(REQUEST.segments[0], tokens=6_000)
    request = msgspec.structs.replace(REQUEST, segments=(head, REQUEST.segments[1]))
    text = words(decided.decided(decided.given(request=request, caches={CAPABLE.id: warm()}, verdict=None)))
    assert "no classifier was asked" in text
    assert "whatever a classifier would say, it serves" in text
    assert (
        "if the cache of Claude Sonnet 4.6 had been cold: a classifier would be asked: simple gives Claude Haiku 4.5, "
        "complex Claude Sonnet 4.6" in text
    )


def test_the_costs_part_by_part() -> None:
    shown = table(decided.decided(decided.given(caches={CAPABLE.id: warm(0.75)})))
    assert "Claude Haiku 4.5 (chosen)" in shown
    for part in ("with chance 0.75:", "read from the cache", "written to the cache", "fresh input", "output (assumed)"):
        assert part in shown
    assert "0.000600" in shown  # 2,000 tokens read at 0.30 USD per million
    assert "0.007500" in shown  # 2,000 tokens written at 3.75
    assert "simulated" not in shown


def test_simulated_models_are_labelled_in_both() -> None:
    event = decided.decided(simulated=True)
    assert "simulated models: how it was decided is real" in words(event)
    assert table(event).startswith("simulated models · what each candidate")


def test_what_bound_the_decision_is_told() -> None:
    request = msgspec.structs.replace(
        REQUEST,
        hard_stay=HardStay(CAPABLE.id, "bound_state"),
        needs=Needs(tools=True),
        parameters=("temperature",),
        max_output_tokens=800,
        allowed_models=(CAPABLE.id, CHEAP.id),
    )
    policy = msgspec.structs.replace(decided.POLICY, budget=Budget(limit_pico=10**12))
    session = SessionView(current_model=CAPABLE.id, spent_pico=5 * 10**11)
    text = words(decided.decided(decided.given(request=request, policy=policy, session=session)))
    for line in (
        "the request asks for: tools, temperature, at most 800 tokens of output",
        "stay: Claude Sonnet 4.6 must go on serving, the history holds state that only it accepts",
        "budget: 0.500000 $ spent of 1.000000 $",
        "the session was served by Claude Sonnet 4.6",
        f"the caller may use only: {CAPABLE.id}, {CHEAP.id}",
        "Claude Haiku 4.5 could not serve: "
        f"the conversation goes on with {CAPABLE.id} only (history_bound:{CAPABLE.id})",
        "it had to go on serving",
    ):
        assert line in text.splitlines(), line


def test_pin_failure_and_failed_classifier() -> None:
    pinned = words(decided.decided(decided.given(request=msgspec.structs.replace(REQUEST, pin=CAPABLE.id))))
    assert "pin: the caller insists on Claude Sonnet 4.6" in pinned
    failed = words(decided.decided(decided.given(failed=(FailedAttempt(CHEAP.id, "Throttled"),))))
    assert "Claude Haiku 4.5 had failed this request with Throttled" in failed
    silent = Verdict(classifier="llm", failure=Failure("unparsed"))
    assert "classifier llm gave no verdict: unparsed" in words(decided.decided(decided.given(verdict=silent)))
    graded = Verdict(classifier="learned", label="simple", basis="outcome", p_suffices={CHEAP.id: 0.95})
    text = words(decided.decided(decided.given(verdict=graded)))
    assert "calibrated on graded answers: P(suffices) Claude Haiku 4.5 0.95; held against a bar of 0.9" in text
    assert "it says nothing about the quality" not in text


def test_how_the_turn_went() -> None:
    stayed = decided.decided(
        decided.given(request=msgspec.structs.replace(REQUEST, hard_stay=HardStay(CHEAP.id, "tool_loop")))
    )
    call = decided.called(cost=Cost(input_pico=2_520_000_000))
    text = words(decided.decided(), (call,), (stayed,))
    assert f"also decided in this turn: Claude Haiku 4.5 (hard_stay), {stayed.event_id}" in text
    assert (
        "answer call to Claude Haiku 4.5: 0.002520 $, 2,020 fresh, 0 read, 0 written, 100 output (reported, ok)" in text
    )
    assert "the turn's answer was expected to cost 0.003520 $ and did cost 0.002520 $" in text


def test_a_call_that_is_not_exact_has_two_ends() -> None:
    cut = decided.called(
        cost=Cost(input_pico=10**9), cost_high_pico=3 * 10**9, usage_source="estimated", status="cancelled"
    )
    text = words(decided.decided(), (cut,))
    assert "answer call to Claude Haiku 4.5: 0.001000 to 0.003000 $" in text
    assert "and did cost 0.001000 to 0.003000 $" in text
    silent = words(decided.decided(), (decided.called(usage_source="none"),))
    assert "and did cost at least 0.000000 $" in silent


def test_a_decision_of_another_version_says_that_it_does_not_replay() -> None:
    event = decided.decided()
    changed = msgspec.structs.replace(event, decision=msgspec.structs.replace(event.decision, runner_up=None))
    assert "DOES NOT REPLAY" in words(changed)


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "\x1b[31mred", "a\nb"])
def test_somebody_elses_text_changes_nothing_in_the_terminal(text: str) -> None:
    assert str(printable(text)) == "".join(one if one.isprintable() else "�" for one in text)


@settings(max_examples=100)
@given(decision_inputs())
def test_every_decision_can_be_told(made_from: DecisionInput) -> None:
    event = decided.decided(made_from)
    text = words(event)
    assert f"reason {event.decision.reason}" in text or f"refused: {event.decision.reason}" in text
    assert table(event)
