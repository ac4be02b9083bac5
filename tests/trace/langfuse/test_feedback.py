from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trace import samples
from turnout.testing.langfuse import LangfuseDouble
from turnout.trace.errors import LedgerError
from turnout.trace.langfuse import LangfuseSettings, score_event
from turnout.trace.langfuse.feedback import DATA_TYPES, Scored, score_value, to_score
from turnout.trace.store.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


def test_an_event_is_scored_by_its_span(settings: LangfuseSettings, double: LangfuseDouble) -> None:
    event = samples.call()
    score_id = score_event(settings, event, name="user-feedback", value=True, comment="solved it", score_id="mine")
    [score] = double.scores
    assert (score.id, score_id) == ("mine", "mine")
    assert (score.body["traceId"], score.body["observationId"]) == (event.trace_id, event.span_id)


def test_an_event_without_a_trace_is_an_error(settings: LangfuseSettings, double: LangfuseDouble) -> None:
    with pytest.raises(ValueError, match="no tracing was switched on"):
        score_event(settings, samples.call(trace_id="", span_id=""), name="n", value=1)
    with pytest.raises(ValueError, match="was not sampled"):
        score_event(settings, samples.call(span_id=""), name="n", value=1)
    assert not double.exchanges


def test_a_turn_is_known_by_its_newest_trace(ledger: Ledger) -> None:
    ledger.append(
        [
            samples.decision(event_id="d"),
            samples.call(event_id="c", trace_id="f" * 32, started_ms=2_000),
            samples.call(event_id="unsampled", span_id="", trace_id="0" * 31 + "1", started_ms=3_000),
        ]
    )
    assert to_score(ledger, "t-1") == Scored("turn", "t-1", "f" * 32, None)
    assert to_score(ledger, "last") == Scored("turn", "t-1", "f" * 32, None)
    assert to_score(ledger, "d") == Scored("decision", "d", samples.TRACE, samples.REQUEST)


def test_an_empty_ledger_has_nothing_to_score(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="holds no call or decision yet"):
        to_score(ledger, "last")


@pytest.mark.parametrize("data_type", [None, *DATA_TYPES])
@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_is_no_value(text: str, data_type: str | None) -> None:
    with pytest.raises(ValueError, match="score"):
        score_value(text, data_type)


@pytest.mark.parametrize(
    ("text", "value"),
    [("TRUE", True), ("false", False), ("1", 1.0), ("-0.5", -0.5), ("inf", "inf"), ("yes", "yes"), ("a b", "a b")],
)
def test_what_a_value_looks_like(text: str, value: object) -> None:
    found = score_value(text)
    assert (found, type(found)) == (value, type(value))
