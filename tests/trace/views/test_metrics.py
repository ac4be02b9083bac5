from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from turnout.core.catalog import Catalog, Model
from turnout.core.cost import NO_COST, Cost, cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput, FailedAttempt
from turnout.core.policy import Candidate, Policy
from turnout.core.price import flat_price
from turnout.core.request import HardStay, Request, Segment
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import UsageSource, Verdict
from turnout.trace.errors import LedgerError
from turnout.trace.events import CallEvent, DecisionEvent, Event, Role, Status, new_id
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.exactness import UNPRICED, CostRange, Exactness, cost_range, exactness_of, sum_exactness
from turnout.trace.views.metrics import NOTHING_BESIDE, Beside, RunMetrics, TurnMetrics, run_metrics, totals_of

SMALL = Model(
    id="bedrock/small",
    provider="bedrock",
    model_id="small",
    name="Small",
    price=flat_price("1", "5", cache_read="0.1", cache_write_5m="1.25"),
    context_window=200_000,
)
LARGE = Model(
    id="bedrock/large",
    provider="bedrock",
    model_id="large",
    name="Large",
    price=flat_price("3", "15", cache_read="0.3", cache_write_5m="3.75"),
    context_window=200_000,
)
CATALOG = Catalog.of([SMALL, LARGE])
POLICY = Policy(candidates=(Candidate(SMALL.id, 1), Candidate(LARGE.id, 2)))
SIMPLE = Verdict(classifier="llm", label="simple", p_simple=0.9)
COMPLEX = Verdict(classifier="llm", label="complex", p_simple=0.1)
REQUEST = Request(session_id="s", segments=(Segment(kind="message", tokens=1000, prefix_hash="aa"),))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


def _call(
    turn: str,
    model: Model,
    usage: Usage = NO_USAGE,
    *,
    started_ms: int = 1000,
    latency_ms: float = 100.0,
    role: Role = "answer",
    status: Status = "ok",
    usage_source: UsageSource = "reported",
    high_pico: int = 0,
    simulated: bool = False,
) -> CallEvent:
    return CallEvent(
        event_id=new_id(),
        run="run",
        session_id="s",
        turn_id=turn,
        query_id=f"query {turn}",
        role=role,
        model=model.id,
        started_ms=started_ms,
        latency_ms=latency_ms,
        usage=usage,
        usage_source=usage_source,
        cost=cost_of(usage, model.price),
        cost_high_pico=high_pico,
        status=status,
        simulated=simulated,
    )


def _decision(
    turn: str,
    verdict: Verdict | None = None,
    *,
    request: Request = REQUEST,
    policy: Policy = POLICY,
    failed: tuple[FailedAttempt, ...] = (),
    started_ms: int = 990,
    classifier_ms: float = 0.0,
    simulated: bool = False,
) -> DecisionEvent:
    inputs = DecisionInput(
        request=request, policy=policy, catalog=CATALOG, now_ms=started_ms, verdict=verdict, failed=failed
    )
    return DecisionEvent(
        event_id=new_id(),
        run="run",
        session_id="s",
        turn_id=turn,
        query_id=f"query {turn}",
        started_ms=started_ms,
        latency_ms=0.25,
        classifier_ms=classifier_ms,
        given=inputs,
        decision=decide(inputs),
        simulated=simulated,
    )


def _metrics(ledger: Ledger, *events: Event) -> RunMetrics:
    ledger.append(events)
    return run_metrics(ledger, "run")


def _turn(ledger: Ledger, *events: Event) -> TurnMetrics:
    [turn] = _metrics(ledger, *events).turns
    return turn


def test_a_turn_adds_classifier_and_answer_and_keeps_them_apart(ledger: Ledger) -> None:
    # The reference system's technical-support row with its cache write priced: 917 fresh, 1,743 read and written, 418
    # out on the large model, and a classifier prompt of 400 tokens with 5 out on the small one.
    answer = Usage(
        input_tokens=917, cache_read_tokens=1743, cache_write_5m_tokens=1743, output_tokens=418, reasoning_tokens=18
    )
    classifier = Usage(input_tokens=400, output_tokens=5)
    turn = _turn(
        ledger,
        _decision("t", COMPLEX, classifier_ms=310.5),
        _call("t", SMALL, classifier, role="classifier", started_ms=991, latency_ms=310.0),
        _call("t", LARGE, answer, started_ms=1301, latency_ms=9039.0),
    )
    assert turn == TurnMetrics(
        turn_id="t",
        query_id="query t",
        started_ms=990,
        status="answered",
        model="bedrock/large",
        reason="cheapest_below_bar",
        label="complex",
        classified=True,
        calls=1,
        answer_usage=answer,
        classifier_usage=classifier,
        answer_cost=Cost(
            input_pico=2_751_000_000,
            cache_read_pico=522_900_000,
            cache_write_5m_pico=6_536_250_000,
            output_pico=6_270_000_000,
        ),
        classifier_cost=Cost(input_pico=400_000_000, output_pico=25_000_000),
        answer_exactness=Exactness(exact_calls=1, reported=1),
        classifier_exactness=Exactness(exact_calls=1, reported=1),
        # 1,000 fresh tokens at 3 USD and the prior of 300 output tokens at 15 USD per million.
        expected_pico=7_500_000_000,
        latency_ms=9350.0,
        classifier_ms=310.5,
        decision_ms=0.25,
    )
    assert turn.cost_pico == 16_505_150_000
    assert turn.usage == answer + classifier


def test_a_tool_loop_is_one_turn_whose_reason_is_that_of_its_choice(ledger: Ledger) -> None:
    staying = msgspec.structs.replace(REQUEST, hard_stay=HardStay(SMALL.id, "tool_loop"))
    turn = _turn(
        ledger,
        _decision("t", SIMPLE, started_ms=1000),
        _call("t", SMALL, Usage(input_tokens=10), started_ms=1001, latency_ms=100.0),
        _decision("t", SIMPLE, request=staying, started_ms=1500),
        _call("t", SMALL, Usage(input_tokens=20), started_ms=1501, latency_ms=99.0),
    )
    assert (turn.status, turn.reason, turn.label, turn.calls) == ("answered", "cheapest_clears_bar", "simple", 2)
    assert turn.usage.input_tokens == 30
    # From the first decision to the end of the last call: the tool's time is the caller's too.
    assert turn.latency_ms == 600.0
    assert turn.decision_ms == 0.5


def test_a_failover_charges_both_models_and_names_the_one_that_answered(ledger: Ledger) -> None:
    turn = _turn(
        ledger,
        _decision("t", SIMPLE, started_ms=1000),
        _call(
            "t",
            SMALL,
            Usage(input_tokens=7),
            started_ms=1001,
            status="error",
            usage_source="partial",
            high_pico=9 * 10**6,
        ),
        _decision("t", SIMPLE, failed=(FailedAttempt(SMALL.id, "throttled"),), started_ms=1200),
        _call("t", LARGE, Usage(input_tokens=5), started_ms=1201),
    )
    assert (turn.status, turn.model, turn.reason) == ("answered", LARGE.id, "failover")
    assert (turn.unfinished_calls, turn.exactness.bounded_calls, turn.exactness.exact_calls) == (1, 1, 1)
    assert turn.cost_pico == 7 * 1_000_000 + 5 * 3_000_000
    assert turn.range == CostRange(exact_pico=15_000_000, low_pico=7_000_000, high_pico=9_000_000)


def test_an_abandoned_call_has_a_low_and_a_high_cost(ledger: Ledger) -> None:
    turn = _turn(
        ledger,
        _call("t", SMALL, Usage(input_tokens=7), status="cancelled", usage_source="estimated", high_pico=90_000_000),
    )
    assert (turn.status, turn.unfinished_calls, turn.exactness.bounded_calls) == ("cancelled", 1, 1)
    assert turn.range == CostRange(exact_pico=0, low_pico=7_000_000, high_pico=90_000_000)
    assert turn.answer_exactness.estimated == 1


def test_a_call_that_failed_before_any_content_has_nothing_to_report(ledger: Ledger) -> None:
    turn = _turn(ledger, _call("t", SMALL, status="error", usage_source="none"))
    assert (turn.status, turn.unfinished_calls, turn.exactness.failed_calls) == ("failed", 1, 1)
    assert (turn.exactness.settled, turn.exactness.exact) == (True, False)


def test_a_classifier_without_a_price_has_no_exact_cost(ledger: Ledger) -> None:
    unpriced = msgspec.structs.replace(
        _call("t", SMALL, status="error", role="classifier"), usage=Usage(input_tokens=400), error=UNPRICED
    )
    turn = _turn(ledger, unpriced, _call("t", SMALL, Usage(input_tokens=5)))
    assert (turn.classifier_exactness.open_calls, turn.answer_exactness.exact) == (1, True)
    assert turn.range == CostRange(exact_pico=5_000_000, low_pico=0, high_pico=None)


def test_turns_that_were_not_answered_are_counted_and_named(ledger: Ledger) -> None:
    nobody = msgspec.structs.replace(REQUEST, allowed_models=())
    metrics = _metrics(
        ledger,
        _call("ok", SMALL, started_ms=1),
        # The first call ended well; the one after the tool did not.
        _call("failed", SMALL, started_ms=2),
        _call("failed", SMALL, status="error", started_ms=3),
        _decision("refused", request=nobody, started_ms=4),
        _decision("decided only", SIMPLE, started_ms=5),
        _call("classified only", SMALL, role="classifier", started_ms=6),
    )
    assert [turn.status for turn in metrics.turns] == ["answered", "failed", "refused", "no_answer", "no_answer"]
    assert metrics.totals.turns == 5
    assert metrics.totals.answered == 1
    assert metrics.totals.unanswered == (
        ("query failed", "failed"),
        ("query refused", "refused"),
        ("query decided only", "no_answer"),
        ("query classified only", "no_answer"),
    )
    assert metrics.totals.models == {SMALL.id: 1}
    assert metrics.turns[2].reason == "no_eligible_candidate"
    assert metrics.turns[2].model is None


def test_calls_of_the_same_millisecond_are_told_apart_by_the_order_of_recording(ledger: Ledger) -> None:
    assert _turn(ledger, _call("t", SMALL, status="error"), _call("t", LARGE)).model == LARGE.id


def test_simulated_models_have_no_latency_but_classifying_and_deciding_have(ledger: Ledger) -> None:
    metrics = _metrics(
        ledger,
        _decision("t", SIMPLE, classifier_ms=12.0, simulated=True),
        _call("t", SMALL, role="classifier", latency_ms=12.0),
        _call("t", SMALL, simulated=True),
    )
    [turn] = metrics.turns
    assert metrics.simulated
    assert turn.simulated
    assert turn.latency_ms is None
    assert metrics.totals.latency_ms is None
    assert (turn.classifier_ms, turn.decision_ms) == (12.0, 0.25)
    assert (metrics.totals.classifier_ms, metrics.totals.decision_ms) == (12.0, 0.25)


def test_a_simulated_classifier_has_no_latency_either(ledger: Ledger) -> None:
    turn = _turn(
        ledger,
        _decision("t", SIMPLE, classifier_ms=12.0, simulated=True),
        _call("t", SMALL, role="classifier", simulated=True),
        _call("t", SMALL, simulated=True),
    )
    assert turn.classifier_ms is None


def test_one_simulated_turn_takes_the_latency_from_the_totals(ledger: Ledger) -> None:
    metrics = _metrics(ledger, _call("a", SMALL, started_ms=1), _call("b", SMALL, started_ms=2, simulated=True))
    assert [turn.latency_ms for turn in metrics.turns] == [100.0, None]
    assert metrics.simulated
    assert metrics.totals.latency_ms is None


def test_totals_average_latency_over_answered_turns_only(ledger: Ledger) -> None:
    totals = _metrics(
        ledger,
        _call("a", SMALL, latency_ms=100.0),
        _call("b", SMALL, latency_ms=300.0),
        _call("c", SMALL, latency_ms=9000.0, status="error"),
    ).totals
    assert totals.latency_ms == 200.0


def test_expected_cost_is_held_against_the_answers_cost(ledger: Ledger) -> None:
    # Expected on the small model: 1,000 fresh at 1 USD and 300 out at 5 USD per million = 2,500,000,000 pico-USD.
    totals = _metrics(
        ledger,
        _decision("a", SIMPLE),
        _call("a", SMALL, Usage(input_tokens=1000, output_tokens=100)),
        _decision("b", SIMPLE),
        _call("b", SMALL, Usage(input_tokens=1000, output_tokens=400)),
        _call("b", SMALL, Usage(input_tokens=9999), role="classifier"),
        _call("without a decision", SMALL, Usage(input_tokens=5)),
    ).totals
    assert totals.expected_turns == 2
    assert totals.expected_pico == 5_000_000_000
    assert totals.expected_actual_pico == 1_500_000_000 + 3_000_000_000
    assert totals.expected_error_pico == 1_000_000_000 + 500_000_000
    assert totals.reasons == {"cheapest_clears_bar": 2}
    assert totals.models == {SMALL.id: 3}


def test_a_run_without_events_has_no_turns(ledger: Ledger) -> None:
    ledger.describe("run", note="nothing yet")
    metrics = run_metrics(ledger, "run")
    assert metrics.turns == ()
    assert metrics.totals == totals_of([])
    assert metrics.totals.latency_ms is None


def test_an_unknown_run_names_the_nearest(ledger: Ledger) -> None:
    ledger.append([_call("t", SMALL)])
    with pytest.raises(LedgerError, match="unknown run 'rum'; the nearest known one is 'run'"):
        run_metrics(ledger, "rum")


def test_other_runs_are_left_out(ledger: Ledger) -> None:
    ledger.append([msgspec.structs.replace(_call("t", SMALL, Usage(input_tokens=5)), run="other")])
    assert _turn(ledger, _call("t", SMALL, Usage(input_tokens=1))).usage.input_tokens == 1


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_totals_are_the_sums_of_all_calls(
    tmp_path_factory: pytest.TempPathFactory, call_events: SearchStrategy[CallEvent], data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(call_events, min_size=1, max_size=6))
    turns = st.sampled_from(["t1", "t2"])
    errors = st.sampled_from(["", UNPRICED, "ThrottlingException"])
    events = [
        msgspec.structs.replace(event, event_id=new_id(), run="run", turn_id=data.draw(turns), error=data.draw(errors))
        for event in drawn
    ]
    with Ledger(tmp_path_factory.mktemp("sums") / "ledger.db") as ledger:
        metrics = _metrics(ledger, *events)
    for role in ("answer", "classifier"):
        usage = sum((event.usage for event in events if event.role == role), NO_USAGE)
        cost = sum((event.cost for event in events if event.role == role), NO_COST)
        assert getattr(metrics.totals, f"{role}_usage") == usage
        assert getattr(metrics.totals, f"{role}_cost") == cost
    assert metrics.totals.cost_pico == sum(event.cost.total_pico for event in events)
    assert metrics.totals.exactness == exactness_of(events)
    assert metrics.totals.range == cost_range(metrics.totals.cost_pico, exactness_of(events))
    assert metrics.totals.exactness == sum_exactness(turn.exactness for turn in metrics.turns)
    assert metrics.totals.cost_pico == sum(turn.cost_pico for turn in metrics.turns)
    assert sum(turn.unfinished_calls for turn in metrics.turns) == sum(event.status != "ok" for event in events)
    assert metrics.simulated == any(event.simulated for event in events)


def test_shadow_evaluation_is_in_no_turn_and_on_the_bill(ledger: Ledger) -> None:
    usage = Usage(input_tokens=1_000, output_tokens=100)
    answer = _call("t-1", SMALL, usage)
    shadows = [
        msgspec.structs.replace(_call(turn, LARGE, usage), role=role)
        for turn, role in (("t-1", "shadow"), ("t-2", "judge"))
    ]
    doubtful = msgspec.structs.replace(shadows[0], event_id=new_id(), cost=NO_COST, cost_high_pico=7)
    ledger.append([answer])
    alone = run_metrics(ledger, answer.run)
    assert alone.beside == NOTHING_BESIDE
    ledger.append([*shadows, doubtful])
    metrics = run_metrics(ledger, answer.run)
    assert (metrics.turns, metrics.totals) == (alone.turns, alone.totals)
    cost = 2 * cost_of(usage, LARGE.price).total_pico
    assert metrics.beside == Beside(calls=3, cost_pico=cost, high_pico=cost + 7)
