"""A real Strands agent over a simulated Bedrock, traced by the real exporter, read by the real Langfuse SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.config import Config
from strands import Agent, tool
from strands.models import BedrockModel

from tests.testing.langfuse.contract import checked
from tests.trace.langfuse.conftest import settings_of
from tests.trace.otel import fresh_tracing
from turnout.classify.keyword import KeywordClassifier
from turnout.config import DEFAULT_PAIR, load_catalog
from turnout.core.policy import Policy
from turnout.doors.strands import RoutedModel
from turnout.testing.bedrock import BedrockDouble, Rule, RuleResponder, throttling
from turnout.testing.langfuse import LangfuseDouble
from turnout.trace.langfuse import (
    Labels,
    LangfuseReader,
    Patience,
    create_score,
    langfuse_exporter,
    span_decorator,
    trace_decorator,
)
from turnout.trace.records import ListRecorder
from turnout.trace.spans.otlp import Tracing, configure_tracing
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.metrics import RunMetrics, TurnMetrics, run_metrics

AT_ONCE = Patience(wait_seconds=0)
LABELS = Labels(trace_name="support", user_id="user-7", version="v4", tags=("demo",))


@tool
def store_hours(day: str) -> str:
    """When the store is open.

    Args:
        day: The day.
    """
    return f"{day}: 9 to 5"


@pytest.fixture
def langfuse() -> Iterator[LangfuseDouble]:
    with checked(LangfuseDouble()) as double:
        yield double


@pytest.fixture
def tracing(langfuse: LangfuseDouble, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracing]:
    settings = settings_of(langfuse)
    with fresh_tracing(monkeypatch):
        tracing = configure_tracing(
            exporters=[langfuse_exporter(settings)],
            decorators=[span_decorator(settings, LABELS)],
            trace_decorators=[trace_decorator(settings, LABELS)],
        )
        assert tracing is not None
        yield tracing


@pytest.fixture
def bedrock() -> Iterator[BedrockDouble]:
    rules = RuleResponder([Rule(r"(?i)hours", tool="store_hours", input={"day": "Monday"})])
    with BedrockDouble(rules) as double:
        yield double


@pytest.fixture
def events() -> ListRecorder:
    return ListRecorder()


@pytest.fixture
def agent(bedrock: BedrockDouble, events: ListRecorder, tracing: Tracing) -> Agent:
    def upstream(model_id: str) -> BedrockModel:
        return BedrockModel(
            model_id=model_id.removeprefix("bedrock/"),
            boto_session=bedrock.session(),
            endpoint_url=bedrock.url,
            boto_client_config=Config(retries={"total_max_attempts": 1}),
        )

    model = RoutedModel(
        {model_id: upstream(model_id) for model_id in DEFAULT_PAIR},
        policy=Policy(candidates=DEFAULT_PAIR.candidates, markers="fill"),
        catalog=load_catalog(),
        classifier=KeywordClassifier(),
        recorder=events,
        simulated=True,
    )
    return Agent(
        model=model, system_prompt="You answer for a shop. " * 1000, tools=[store_hours], callback_handler=None
    )


def ledgers(events: ListRecorder, tmp_path: Path) -> RunMetrics:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(events.events)
        return run_metrics(ledger, events.events[0].run)


def without_times(turn: TurnMetrics) -> TurnMetrics:
    return msgspec.structs.replace(turn, decision_ms=None, classifier_ms=None)


def test_turns_with_tools_and_caches_are_the_same_in_langfuse_and_the_ledger(
    agent: Agent, tracing: Tracing, langfuse: LangfuseDouble, events: ListRecorder, tmp_path: Path
) -> None:
    agent("What are your store hours?")
    agent("Thank you!")
    assert tracing.flush()
    expected = ledgers(events, tmp_path)
    assert [turn.calls for turn in expected.turns] == [2, 1]
    assert expected.totals.usage.cache_write_tokens > 0
    with LangfuseReader(settings_of(langfuse)) as reader:
        found = reader.run(expected.run)
        latest = reader.latest("support", patience=AT_ONCE)
    assert found.simulated
    assert [without_times(turn) for turn in found.turns] == [without_times(turn) for turn in expected.turns]
    assert found.totals.decision_ms == pytest.approx(expected.totals.decision_ms)
    assert without_times(latest.turn) == without_times(expected.turns[-1])
    assert latest.whole


def test_every_span_of_the_trace_carries_what_is_the_traces(
    agent: Agent, tracing: Tracing, langfuse: LangfuseDouble, events: ListRecorder
) -> None:
    agent("What are your store hours?")
    assert tracing.flush()
    types = {span.type for span in langfuse.spans}
    assert {"AGENT", "GENERATION", "SPAN", "TOOL"} <= types
    assert len({span.trace_id for span in langfuse.spans}) == 1
    for span in langfuse.spans:
        assert (span.trace_name, span.user_id, span.version) == ("support", "user-7", "v4")
        assert span.tags == ("demo", f"run:{events.events[0].run}", "simulated")
    # What Langfuse itself would add up over the whole trace is what the calls cost, once.
    costs = [span.cost["total"] for span in langfuse.spans if span.cost]
    assert sum(costs) == sum(event.cost.usd for event in events.events if hasattr(event, "cost"))
    tokens = sum(span.usage.get("total", 0) for span in langfuse.spans)
    assert tokens == sum(event.usage.total_tokens for event in events.events if hasattr(event, "usage"))


def test_a_turn_that_failed_over(
    agent: Agent,
    bedrock: BedrockDouble,
    tracing: Tracing,
    langfuse: LangfuseDouble,
    events: ListRecorder,
    tmp_path: Path,
) -> None:
    bedrock.faults.add(throttling())
    agent("Thank you!")
    assert tracing.flush()
    (expected,) = ledgers(events, tmp_path).turns
    assert (expected.calls, expected.unfinished_calls, expected.reason) == (2, 1, "failover")
    with LangfuseReader(settings_of(langfuse)) as reader:
        found = reader.latest("support", patience=AT_ONCE).turn
    assert without_times(found) == without_times(expected)


def test_feedback_finds_the_call(
    agent: Agent, tracing: Tracing, langfuse: LangfuseDouble, events: ListRecorder
) -> None:
    agent("Thank you!")
    assert tracing.flush()
    answer = events.events[-1]
    create_score(
        settings_of(langfuse),
        name="user-feedback",
        value=True,
        trace_id=answer.trace_id,
        observation_id=answer.span_id,
    )
    scored: dict[str, Any] = langfuse.scores[0].body
    (span,) = [span for span in langfuse.spans if span.id == scored["observationId"]]
    assert (span.trace_id, span.type) == (scored["traceId"], "GENERATION")


def test_no_prompt_and_no_answer_leaves(agent: Agent, tracing: Tracing, langfuse: LangfuseDouble) -> None:
    agent("What are your store hours?")
    assert tracing.flush()
    everything = str(langfuse.spans)
    for text in ("What are your store hours", "You answer for a shop", "9 to 5"):
        assert text not in everything
