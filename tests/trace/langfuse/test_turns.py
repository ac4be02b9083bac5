from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from tests.trace.langfuse.events import LARGE, SMALL, START_MS, asked, call, decision
from tests.trace.langfuse.test_observations import both
from turnout.core.cost import NO_COST, Cost
from turnout.core.request import Request, Segment
from turnout.core.usage import NO_USAGE, Usage
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.langfuse.observations import Observation
from turnout.trace.langfuse.turns import calls_among, is_whole, run_of, turn_of
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.exactness import UNPRICED, CostRange
from turnout.trace.views.metrics import RunMetrics, TurnMetrics, run_metrics


def observed(*events: Event) -> list[Observation]:
    return [both(event)[0] for event in events]


def foreign(id: str, type: str = "GENERATION", *, parent: str = "", tokens: int = 100, **fields: Any) -> Observation:
    """An observation that Turnout did not write."""
    usual: dict[str, Any] = {
        "trace_id": "t",
        "root": not parent,
        "started_ms": float(START_MS),
        "ended_ms": START_MS + 1000.0,
        "model": "other",
        "usage": Usage(input_tokens=tokens),
        "cost": Cost(input_pico=tokens * 10**6),
    }
    return Observation(id=id, type=type, parent_id=parent, **{**usual, **fields})


def under(observation: Observation, parent: str, **fields: Any) -> Observation:
    return msgspec.structs.replace(observation, parent_id=parent, root=not parent, **fields)


def test_a_routed_turn_by_hand() -> None:
    (found,) = [turn_of(observed(decision(), asked(), call()))]
    assert (found.turn_id, found.query_id, found.status) == ("turn", "Return Policy", "answered")
    assert (found.model, found.reason, found.label) == (SMALL.id, "cheapest_clears_bar", "simple")
    assert (found.calls, found.unfinished_calls, found.exactness.exact_calls) == (1, 0, 2)
    # Worked out in test_attributes: 1,055e-6 for the answer, 425e-6 for the classifier.
    assert (found.answer_cost.total_pico, found.classifier_cost.total_pico) == (1_055_000_000, 425_000_000)
    assert found.range == CostRange(exact_pico=1_480_000_000, low_pico=0, high_pico=0)
    assert found.exactness.exact
    assert (found.usage.prompt_tokens, found.usage.output_tokens) == (2840, 65)
    # From the decision at 0 ms to the end of the answer at 700 + 1,500 ms.
    assert (found.started_ms, found.latency_ms) == (START_MS, 2200.0)
    assert (found.classified, found.classifier_ms, found.decision_ms) == (True, 612.5, 0.25)
    assert not found.simulated


def test_latency_of_simulated_models_is_none() -> None:
    found = turn_of(observed(decision(simulated=True), call(simulated=True)))
    assert (found.simulated, found.latency_ms) == (True, None)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([decision(), call(status="error", started_ms=START_MS), call(priced=LARGE)], "answered"),
        ([decision(), call(), call(status="error", started_ms=START_MS + 900)], "failed"),
        ([decision(), call(status="cancelled")], "cancelled"),
        ([decision()], "no_answer"),
        ([asked()], "no_answer"),
        (
            [
                decision(
                    request=Request(session_id="s", segments=(Segment(kind="system", tokens=10**7, prefix_hash="a"),))
                )
            ],
            "refused",
        ),
    ],
)
def test_how_a_turn_ended(events: list[Event], status: str) -> None:
    assert turn_of(observed(*events)).status == status


def test_estimated_usage_has_a_highest_cost() -> None:
    cut = call(usage=Usage(input_tokens=10), status="cancelled", usage_source="estimated", cost_high_pico=9 * 10**9)
    found = turn_of(observed(decision(), cut))
    assert (found.exactness.bounded_calls, found.exactness.estimated, found.unfinished_calls) == (1, 1, 1)
    # 10 tokens at 1 USD a million.
    assert found.range == CostRange(exact_pico=0, low_pico=10_000_000, high_pico=9 * 10**9)


def test_a_classifier_without_a_price_is_known_by_its_error() -> None:
    unpriced = asked(cost=NO_COST, status="error", error=UNPRICED)
    for api in (0, 1):
        found = turn_of([both(event)[api] for event in (decision(), unpriced, call())])
        assert (found.classifier_exactness.open_calls, found.answer_exactness.exact) == (1, True)


def test_what_others_wrote_is_never_exact() -> None:
    found = turn_of([foreign("judge", tokens=7)])
    assert (found.exactness.foreign, found.exactness.exact, found.range.most_pico) == (1, False, None)
    assert found.range.low_pico == found.cost_pico == 7 * 10**6


def test_an_observation_that_does_not_say_where_its_usage_is_from_claims_nothing() -> None:
    (ours,) = observed(call())
    facts = {key: value for key, value in ours.facts.items() if key != "usage_source"}
    assert turn_of([msgspec.structs.replace(ours, facts=facts)]).exactness.open_calls == 1


def test_spans_around_and_within_our_call_add_nothing() -> None:
    ours = under(observed(call())[0], "agent-chat")
    trace = [
        foreign("agent", "AGENT"),
        foreign("agent-chat", parent="agent"),  # the framework's own span of the same call
        ours,
        foreign("client", parent=ours.id),  # an instrumented client within it
        foreign("tool", "TOOL", parent="agent"),
    ]
    assert calls_among(trace) == [ours]
    assert turn_of(trace).usage == ours.usage


def test_a_call_that_is_not_ours_counts_beside_ours() -> None:
    ours = under(observed(call())[0], "agent")
    other = foreign("judge", parent="agent", tokens=7)
    found = turn_of([foreign("agent", "AGENT"), ours, other])
    assert found.calls == 2
    assert found.answer_usage == ours.usage + Usage(input_tokens=7)


def test_without_turnout_the_innermost_generation_counts() -> None:
    trace = [
        foreign("chain", "CHAIN", ended_ms=START_MS + 5000.0),
        foreign("outer", parent="chain", tokens=50),
        foreign("middle", "SPAN", parent="outer", tokens=60),
        foreign("inner", parent="middle", tokens=70),
        foreign("event", "EVENT", parent="chain", tokens=80, ended_ms=None),
    ]
    assert [one.id for one in calls_among(trace)] == ["inner"]
    found = turn_of(trace)
    assert (found.turn_id, found.usage.input_tokens, found.model) == ("t", 70, "other")
    # Of the whole trace, since there is nothing of ours.
    assert (found.latency_ms, found.status, found.reason, found.classified) == (5000.0, "answered", None, False)
    failed = turn_of([foreign("one", level="ERROR")])
    assert (failed.status, failed.unfinished_calls) == ("failed", 1)


def test_a_trace_that_goes_in_a_circle_ends() -> None:
    circle = [foreign("a", parent="b"), foreign("b", parent="a")]
    assert calls_among(circle) == []
    assert turn_of(circle).usage == NO_USAGE


def whole() -> list[Observation]:
    root, answer = observed(decision(), call())
    return [root, under(answer, root.id)]


def test_a_trace_without_a_gap() -> None:
    assert is_whole(whole())
    assert is_whole([foreign("alone")])


def test_traces_with_gaps() -> None:
    root, answer = whole()
    assert not is_whole([root])  # a model was chosen, and no call is there
    assert not is_whole([answer])  # what it lies in is missing
    assert not is_whole([root, msgspec.structs.replace(answer, ended_ms=None)])
    assert not is_whole([])


def test_a_call_that_asked_for_a_tool_is_followed_by_another() -> None:
    first = observed(decision(), call(finish_reason="tool_use"))
    assert not is_whole(first)
    assert is_whole([*first, *observed(call(started_ms=START_MS + 3000, finish_reason="end_turn"))])


def test_a_turn_of_several_decisions_is_explained_by_the_last_free_one() -> None:
    stay = decision(verdict=None, started_ms=START_MS + 3000)
    stay = msgspec.structs.replace(
        stay, decision=msgspec.structs.replace(stay.decision, reason=type(stay.decision.reason)("hard_stay"))
    )
    found = turn_of(observed(decision(), call(), stay, call(started_ms=START_MS + 3100)))
    assert (found.reason, found.label, found.calls, found.decision_ms) == ("cheapest_clears_bar", "simple", 2, 0.5)


def test_several_turns_in_one_trace_are_known_by_the_trace() -> None:
    found = turn_of(observed(call("one"), call("two")))
    assert len(found.turn_id) == 32
    assert found.calls == 2


def test_a_run_by_its_turns() -> None:
    later: list[Event] = [
        decision("b", started_ms=START_MS + 9000),
        call("b", started_ms=START_MS + 9500, priced=LARGE),
    ]
    found = run_of("agent", [*observed(*later, decision("a"), asked("a"), call("a")), foreign("other")])
    assert [turn.turn_id for turn in found.turns] == ["a", "b"]
    # 1,480e-6 and 3,165e-6: see test_attributes.
    assert found.totals.cost_pico == 4_645_000_000
    assert found.totals.models == {LARGE.id: 1, SMALL.id: 1}


def plain(event: Event, number: int, turn: int) -> Event:
    """The event as one of a run, at a time of its own that fits into a trace."""
    shared = {
        "event_id": f"{number:032x}",
        "run": "run",
        "turn_id": f"turn {turn}",
        "started_ms": START_MS + 1000 * number,
    }
    if isinstance(event, CallEvent):
        # Langfuse has no error of a call that ended well, and the ledger holds none either.
        error = "" if event.status == "ok" else event.error
        return msgspec.structs.replace(event, model=event.model or "m", error=error, **shared)
    return msgspec.structs.replace(event, **shared)


def comparable(metrics: RunMetrics) -> list[TurnMetrics]:
    """Turns with times that sums in another order, or whole milliseconds, make equal."""
    return [
        msgspec.structs.replace(
            turn,
            latency_ms=None if turn.latency_ms is None else round(turn.latency_ms / 10),
            classifier_ms=None if turn.classifier_ms is None else round(turn.classifier_ms, 3),
            decision_ms=None if turn.decision_ms is None else round(turn.decision_ms, 3),
        )
        for turn in metrics.turns
    ]


@settings(max_examples=25)
@given(data=st.data())
def test_langfuse_gives_the_same_metrics_as_the_ledger(
    call_events: SearchStrategy[CallEvent],
    decision_events: SearchStrategy[DecisionEvent],
    data: DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    drawn = data.draw(
        st.lists(st.tuples(st.one_of(call_events, decision_events), st.integers(0, 2)), min_size=1, max_size=7)
    )
    events = [plain(event, number, turn) for number, (event, turn) in enumerate(drawn)]
    events = [msgspec.structs.replace(event, latency_ms=float(round(event.latency_ms / 10) * 10)) for event in events]
    with Ledger(tmp_path_factory.mktemp("ledger") / "ledger.db") as ledger:
        ledger.append(events)
        expected = run_metrics(ledger, "run")
    for api in (0, 1):
        found = run_of("run", [both(event)[api] for event in events])
        assert comparable(found) == comparable(expected)
        assert found.totals.cost_pico == expected.totals.cost_pico
        assert found.totals.range == expected.totals.range
        assert found.totals.exactness == expected.totals.exactness
