from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from turnout.config import load_catalog
from turnout.config.calibration import CalibrationFile, Data, Range, References, Target
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput, FailedAttempt
from turnout.core.policy import Candidate, Policy
from turnout.core.request import HardStay, Request, Segment
from turnout.core.verdict import Failure, Verdict
from turnout.evaluate.calibration.monitor import FEWEST, Monitored, monitor
from turnout.trace.events import DecisionEvent, new_id

CHEAP, CAPABLE = "bedrock/us.anthropic.claude-haiku-5-5", "bedrock/us.anthropic.claude-sonnet-5-5"
CATALOG = load_catalog().only([CHEAP, CAPABLE])
DRAW = random.Random(1)
FILE = CalibrationFile(
    format=1,
    turnout="0",
    created="2026-11-23T12:00:00+00:00",
    basis="outcome",
    bar=0.8,
    target=0,
    targets=(Target(kind="quality", value=0.98, delta=0.05, bar=0.8, statement="It is so."),),
    served="cheapest",
    candidates=(CHEAP, CAPABLE),
    table_names=("small", "large"),
    verdict_names=(CHEAP, CAPABLE),
    models={},
    classifier={"kind": "learned"},
    scorer="",
    parameters="",
    data=Data(files=("t.csv",), sha256="", prompts=500, units=400, set_aside=100),
    shares=(Range(0.5, 0.4, 0.6), Range(0.5, 0.4, 0.6)),
    usd=None,
    capable_usd=None,
    kept=None,
    probabilities={CHEAP: tuple(round(DRAW.random(), 6) for _ in range(500))},
    references=References(space="ngrams", share=0.02, cut=1.0, width=1, vectors=b""),
    unlikenesses=tuple(round(DRAW.random(), 6) for _ in range(500)),
)


def event(verdict: Verdict | None, *, bar: float = 0.8, turn: str = "", **more: Any) -> DecisionEvent:
    """A decision as the router makes and records it."""
    policy = Policy(candidates=(Candidate(CHEAP, 0), Candidate(CAPABLE, 1)), quality_bar=bar)
    request = Request(
        session_id="s", segments=(Segment(kind="message", tokens=50, prefix_hash="h"),), **more.pop("request", {})
    )
    given = DecisionInput(request=request, policy=policy, catalog=CATALOG, now_ms=1, verdict=verdict, **more)
    return DecisionEvent(
        event_id=new_id(),
        run="r",
        session_id="s",
        turn_id=turn or new_id(),
        started_ms=1,
        given=given,
        decision=decide(given),
    )


def says(p: float, unlikeness: float | None = None) -> Verdict:
    return Verdict(
        classifier="learned",
        label="simple",
        basis="outcome",
        p_suffices={CHEAP: p, CAPABLE: 1.0},
        unlikeness=unlikeness,
    )


def looked(*events: DecisionEvent, **more: Any) -> Monitored:
    return monitor(more.pop("file", FILE), [events], **more)


def test_what_is_as_it_was_holds() -> None:
    draw = random.Random(2)
    found = looked(*(event(says(draw.random(), draw.random())) for _ in range(300)))
    assert found.holds
    assert (found.decisions, found.verdicts, found.unlike, found.unlike_expected) == (300, 300, 0, 0.02)
    assert [one.of for one in found.streams] == [CHEAP, "unlikeness"]
    assert found.p > 0.01
    assert found.shares[CHEAP] == pytest.approx(0.2, abs=0.1)
    assert found.notes == ()


def test_verdicts_that_are_spread_otherwise_end_it() -> None:
    draw = random.Random(2)
    found = looked(*(event(says(draw.random() ** 3)) for _ in range(300)))
    assert not found.holds
    assert f"verdicts are unlike the calibration's, beyond chance: {CHEAP} was 0.499" in found.again[0]


def test_requests_that_are_further_away_end_it() -> None:
    draw = random.Random(2)
    found = looked(*(event(says(draw.random(), 0.3 + draw.random())) for _ in range(300)))
    assert found.unlike > 60
    assert found.again[0].startswith("requests are unlike the calibration's, beyond chance: unlikeness was 0.")


def test_few_verdicts_say_nothing() -> None:
    found = looked(*(event(says(0.99)) for _ in range(FEWEST - 1)))
    assert found.holds
    assert found.streams == ()
    assert found.notes == ("fewer than 50 verdicts since: nothing can be said of drift yet",)


def test_a_turn_counts_once_and_other_bars_and_candidates_not_at_all() -> None:
    turn = new_id()
    found = looked(event(says(0.9), turn=turn), event(says(0.9), turn=turn), event(says(0.9), bar=0.5))
    assert (found.decisions, found.verdicts, found.other_bar) == (3, 1, 1)
    assert "1 decisions were under another bar: the statement is not of them" in found.notes
    other = msgspec.structs.replace(FILE, candidates=("a", CAPABLE))
    assert looked(event(says(0.9)), file=other).decisions == 0
    simulated = msgspec.structs.replace(event(says(0.9)), simulated=True)
    assert looked(simulated).decisions == 0


def test_what_went_past_the_bar_is_told() -> None:
    turn = new_id()
    failed = (FailedAttempt(CAPABLE, "Throttled"),)
    found = looked(
        event(says(0.1), request={"pin": CHEAP}),
        event(says(0.1), failed=failed),
        event(says(0.1), request={"hard_stay": HardStay(CHEAP, "bound_state")}),
        # A tool loop goes on where its verdict cleared the bar.
        event(says(0.9), turn=turn),
        event(says(0.9), turn=turn, request={"hard_stay": HardStay(CHEAP, "tool_loop")}),
        # And on the most capable nothing can be past it.
        event(says(0.1), request={"pin": CAPABLE}),
    )
    assert found.past_the_bar == {"pinned": 1, "failover": 1, "hard_stay": 1}
    assert "3 decisions went past the bar" in found.notes[-1]


def test_a_failed_verdict_is_counted_and_no_figure() -> None:
    found = looked(event(Verdict(classifier="learned", failure=Failure("timeout"))), event(None))
    assert (found.failed_verdicts, found.verdicts) == (1, 0)


def test_another_model_or_classifier_ends_it_and_prices_end_a_budget() -> None:
    assert looked(changed=["was found for another model"]).again == ("was found for another model",)
    told = looked(prices=[CHEAP])
    assert told.holds
    assert f"prices have changed: {CHEAP}" in told.notes[0]
    budget = msgspec.structs.replace(FILE, targets=(Target(kind="budget_usd", value=0.01, bar=0.8),))
    assert not looked(prices=[CHEAP], file=budget).holds


def test_verdicts_on_labels() -> None:
    draw = random.Random(3)
    labels = msgspec.structs.replace(
        FILE, basis="label", probabilities={"simple": FILE.probabilities[CHEAP]}, unlikenesses=()
    )
    verdicts = [Verdict(classifier="keyword", label="simple", p_simple=draw.random()) for _ in range(100)]
    events = []
    for verdict in verdicts:
        one = event(verdict)
        policy = msgspec.structs.replace(one.given.policy, simple_bar=0.8)
        given = msgspec.structs.replace(one.given, policy=policy)
        events.append(msgspec.structs.replace(one, given=given, decision=decide(given)))
    found = looked(*events, file=labels)
    assert (found.verdicts, [one.of for one in found.streams]) == (100, ["simple"])
    # Verdicts on outcomes are none of a calibration on labels.
    assert looked(event(says(0.5)), file=labels).verdicts == 0
