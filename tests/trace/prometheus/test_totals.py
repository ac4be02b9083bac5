from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from tests.trace.samples import CAPABLE, CHEAP, call, decision
from turnout.core.policy import Reason
from turnout.core.usage import Usage
from turnout.core.verdict import Failure, FailureKind, Verdict
from turnout.trace.prometheus.totals import NO_MODEL, OTHER, TOKEN_KINDS, CallKey, Totals


def totals() -> Totals:
    return Totals([CHEAP.id, CAPABLE.id])


def test_calls_are_told_apart_by_model_role_end_and_certainty() -> None:
    counted = totals()
    counted.add(call())
    counted.add(call())
    counted.add(call(status="error", error="ThrottlingException", usage=Usage(), usage_source="none"))
    counted.add(call(CAPABLE, role="classifier", usage_source="partial"))
    assert {key: sums.calls for key, sums in counted.calls.items()} == {
        CallKey(CHEAP.id, "answer", "ok", "exact"): 2,
        CallKey(CHEAP.id, "answer", "error", "failed"): 1,
        CallKey(CAPABLE.id, "classifier", "ok", "bounded"): 1,
    }


def test_tokens_and_money_are_exact_sums_of_integers() -> None:
    counted = totals()
    usage = Usage(
        input_tokens=1,
        cache_read_tokens=20,
        cache_write_5m_tokens=300,
        cache_write_1h_tokens=4_000,
        output_tokens=50_000,
        reasoning_tokens=7,
    )
    for _ in range(3):
        counted.add(call(CAPABLE, usage=usage))
    [sums] = counted.calls.values()
    assert dict(zip(TOKEN_KINDS, sums.tokens, strict=True)) == {
        "input": 3,
        "cache_read": 60,
        "cache_write_5m": 900,
        "cache_write_1h": 12_000,
        "output": 150_000,
    }
    assert sums.reasoning_tokens == 21
    # 3 calls of 1 at $3, 20 at $0.30, 300 at $3.75, 4,000 at $6 and 50,000 at $15 a million: $2.325393 and a bit.
    assert sums.low_pico == 3 * (3_000_000 + 6_000_000 + 1_125_000_000 + 24_000_000_000 + 750_000_000_000)


def test_the_most_that_calls_can_have_cost_stands_apart() -> None:
    counted = totals()
    counted.add(call(usage=Usage(input_tokens=1), usage_source="partial", cost_high_pico=5_000_000))
    counted.add(call(usage=Usage(input_tokens=1)))
    assert {key.certainty: (sums.low_pico, sums.high_pico) for key, sums in counted.calls.items()} == {
        "bounded": (1_000_000, 5_000_000),
        "exact": (1_000_000, 1_000_000),
    }


def test_models_that_are_not_in_use_share_a_label() -> None:
    counted = totals()
    for name in ("a", "b", "c"):
        counted.add(msgspec.structs.replace(call(), model=name))
    [(key, sums)] = counted.calls.items()
    assert (key.model, sums.calls) == (OTHER, 3)


def test_labels_are_bounded_whatever_names_come() -> None:
    counted = totals()
    for number in range(500):
        event = call(status="error", error=f"E{number}", finish_reason=f"f{number}", session_id=f"s{number}")
        counted.add(msgspec.structs.replace(event, model=f"m{number}", classifier=f"c{number}", query_id=f"q{number}"))
        counted.add(decision(session_id=f"s{number}", query_id=f"q{number}"))
    assert len(counted.calls) == len(counted.decisions) == 1


def test_repeated_calls_are_those_for_the_answer_alone() -> None:
    counted = totals()
    counted.add(call(attempt=1))
    counted.add(call(attempt=2))
    counted.add(call(attempt=3))
    counted.add(call(attempt=2, role="classifier"))
    assert {key.role: sums.again for key, sums in counted.calls.items()} == {"answer": 2, "classifier": 0}


def test_the_first_content_counts_where_it_came() -> None:
    counted = totals()
    counted.add(call(first_content_ms=250.0))
    counted.add(call(first_content_ms=None))
    counted.add(call(role="classifier", first_content_ms=1.0))
    assert {model: sum(histogram.counts) for model, histogram in counted.first_content.items()} == {CHEAP.id: 1}


def test_decisions_are_counted_by_choice_and_reason() -> None:
    counted = totals()
    counted.add(decision())
    counted.add(decision(pin="bedrock/unknown"))
    assert counted.decisions == {(CHEAP.id, Reason.CHEAPEST_CLEARS_BAR): 1, (NO_MODEL, Reason.PIN_INELIGIBLE): 1}


def test_a_failover_counts_for_the_model_that_failed_last() -> None:
    counted = totals()
    counted.add(decision(failed=(CHEAP.id,)))
    counted.add(decision(failed=(CHEAP.id, CAPABLE.id)))  # nobody is left: refused, and no failover
    assert counted.failovers == {CHEAP.id: 1}


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_a_failed_verdict_counts_once_a_turn(kind: FailureKind) -> None:
    counted = totals()
    failed = Verdict(classifier="llm", failure=Failure(kind))
    counted.add(decision(verdict=failed))
    counted.add(decision(verdict=failed, classifier_ms=0.0))  # the turn's next call uses the same failure
    assert counted.classifier_failures == {**dict.fromkeys(get_args(FailureKind), 0), kind: 1}
    assert sum(counted.classifying.counts) == 1
    assert sum(counted.deciding.counts) == 2
