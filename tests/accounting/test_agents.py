"""Whole agents: Strands writes tokens into its own spans and adds them up over an agent's life; the bill does not.

Several agents and turns, with a tool loop and the models' caches, against the Bedrock double; Strands' spans are
exported beside ours, as a backend gets them.
"""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from strands import Agent, tool

from tests.accounting.bill import bill, dollars, of_span
from tests.accounting.wire import CATALOG, HAIKU_4_5, SONNET_4_6, Wire, owed_by, system
from tests.trace.otel import attributes, cost_pico, fresh_tracing, named, usage
from turnout.classify.keyword import KeywordClassifier
from turnout.core.policy import Candidate, Policy
from turnout.doors.strands import RoutedModel
from turnout.testing.bedrock import Rule, RuleResponder, throttling
from turnout.trace.events import CallEvent
from turnout.trace.records import ListRecorder
from turnout.trace.spans.otlp import Tracing, configure_tracing


@tool
def get_price(product: str) -> str:
    """Price of a product."""
    return f"The {product} costs 10 dollars."


def test_agents_that_live_long_are_billed_once(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule(pattern="price of (?P<product>\\w+)", tool="get_price", input={"product": "{product}"})
    monkeypatch.setattr(wire.double, "responder", RuleResponder([rule]))
    exported, kept = InMemorySpanExporter(), ListRecorder()
    models = {f"bedrock/{model_id}": wire.model(model_id) for model_id in (HAIKU_4_5, SONNET_4_6)}
    with fresh_tracing(monkeypatch):
        tracing = configure_tracing(exporters=[exported])
        assert isinstance(tracing, Tracing)
        model = RoutedModel(
            models,
            policy=Policy(candidates=tuple(Candidate(name, rank) for rank, name in enumerate(models)), markers="fill"),
            catalog=CATALOG,
            classifier=KeywordClassifier(),
            recorder=kept,
            simulated=True,
        )
        for ttl in ("5m", "1h"):
            head: Any = system(20_000, ttl)
            asks = Agent(model=model, tools=[get_price], system_prompt=head, callback_handler=None, retry_strategy=None)
            wire.double.faults.add(throttling())
            for query in ("What is the price of tea?", "hello", "What is the price of milk, and why?"):
                asks(query)
        assert tracing.flush()
    calls = [event for event in kept.events if isinstance(event, CallEvent)]
    reported = [call for call in wire.double.calls if call.usage is not None]
    total = sum(owed_by(call) for call in reported)
    assert len(reported) >= 10
    assert len(wire.double.calls) == len(calls) == len(reported) + 2

    spans = exported.get_finished_spans()
    assert len(named(spans, "invoke_agent")) == 6
    assert dollars(sum(call.cost.total_pico for call in calls)) == dollars(cost_pico(spans)) == total
    # Whoever adds up tokens over all spans, Strands' included, has those of the bill.
    assert usage(spans).total_tokens == sum(call.usage["totalTokens"] for call in reported if call.usage)
    counted = [attributes(span) for span in spans if "gen_ai.usage.input_tokens" in attributes(span)]
    assert sum(bill(span["gen_ai.request.model"], of_span(span)) for span in counted) == total
