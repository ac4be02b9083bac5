from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.trace.otel import attributes, fresh_tracing, named
from tests.trace.samples import CAPABLE, CHEAP, call, classifier_call, decision, failed_call
from turnout.core.cost import cost_of
from turnout.core.usage import Usage
from turnout.trace.events import Event
from turnout.trace.spans.context import SpanNote
from turnout.trace.spans.openinference import openinference_attributes
from turnout.trace.spans.otlp import configure_tracing
from turnout.trace.spans.pipeline import Host
from turnout.trace.spans.recorder import SpanRecorder

USAGE = Usage(
    input_tokens=100,
    cache_read_tokens=1_000,
    cache_write_5m_tokens=200,
    cache_write_1h_tokens=300,
    output_tokens=50,
    reasoning_tokens=20,
)


def test_a_call_is_an_llm_span_with_its_tokens_and_its_cost() -> None:
    assert openinference_attributes(call(CAPABLE, usage=USAGE)) == {
        "openinference.span.kind": "LLM",
        "session.id": "s-1",
        "llm.model_name": "capable",
        "llm.token_count.prompt": 1_600,
        "llm.token_count.completion": 50,
        "llm.token_count.total": 1_650,
        "llm.token_count.prompt_details.cache_read": 1_000,
        "llm.token_count.prompt_details.cache_write": 500,
        "llm.token_count.completion_details.reasoning": 20,
        # 100 x $3, 1,000 x $0.30, 200 x $3.75 and 300 x $6, 50 x $15, per million
        "llm.cost.prompt": 0.00315,
        "llm.cost.prompt_details.input": 0.0003,
        "llm.cost.prompt_details.cache_read": 0.0003,
        "llm.cost.prompt_details.cache_write": 0.00255,
        "llm.cost.completion": 0.00075,
        "llm.cost.completion_details.output": 0.00075,
        "llm.cost.total": 0.0039,
    }


def test_a_classifiers_call_is_one_too() -> None:
    assert openinference_attributes(classifier_call())["llm.token_count.total"] == 110


def test_a_decision_is_a_chain_without_tokens_or_cost() -> None:
    assert openinference_attributes(decision()) == {"openinference.span.kind": "CHAIN", "session.id": "s-1"}


@pytest.mark.parametrize("event", [failed_call(), failed_call(session_id="")])
def test_where_nothing_was_used_nothing_is_counted(event: Event) -> None:
    found = openinference_attributes(event)
    assert set(found) - {"session.id"} == {"openinference.span.kind", "llm.model_name"}
    assert ("session.id" in found) is bool(event.session_id)


def test_no_reasoning_is_no_statement() -> None:
    assert not [name for name in openinference_attributes(call()) if "reasoning" in name]


_counts = st.integers(0, 10**7)


@given(
    st.builds(
        Usage,
        input_tokens=_counts,
        cache_read_tokens=_counts,
        cache_write_5m_tokens=_counts,
        cache_write_1h_tokens=_counts,
        output_tokens=_counts,
    )
)
def test_the_parts_add_up_and_say_what_gen_ai_says(usage: Usage) -> None:
    event = call(CAPABLE, usage=usage)
    found = openinference_attributes(event)
    standard = usage.to_opentelemetry()
    assert found["llm.token_count.prompt"] == standard["gen_ai.usage.input_tokens"]
    assert found["llm.token_count.completion"] == standard["gen_ai.usage.output_tokens"]
    assert found["llm.token_count.total"] == usage.prompt_tokens + usage.output_tokens
    # The nearest binary fractions of amounts in whole pico-USD, so that each comes back exactly.
    pico = {
        name: round(Decimal(repr(found[f"llm.cost.{name}"])) * 10**12) for name in ("prompt", "completion", "total")
    }
    assert pico["total"] == cost_of(usage, CAPABLE.price).total_pico == pico["prompt"] + pico["completion"]


def test_an_exporters_spans_carry_it_beside_the_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = InMemorySpanExporter()
    with fresh_tracing(monkeypatch):
        tracing = configure_tracing(exporters=[exported], decorators=[openinference_attributes])
        assert tracing is not None
        tracing.recorder.record(decision())
        tracing.recorder.record(call(CHEAP))
        assert tracing.flush()
    spans = exported.get_finished_spans()
    assert attributes(named(spans, "turnout.route")[0])["openinference.span.kind"] == "CHAIN"
    (chat,) = named(spans, "chat cheap")
    assert attributes(chat)["llm.token_count.prompt"] == attributes(chat)["gen_ai.usage.input_tokens"] == 100


def test_in_an_applications_own_tracing_the_framework_counts() -> None:
    """There its span around the call has the tokens, so ours has them by neither name."""
    memory, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("turnout")
    assert isinstance(tracer, Tracer)
    with SpanRecorder([Host(tracer.span_processor)], decorators=[openinference_attributes]) as recorder:
        event = call(CHEAP)
        recorder.note(event.span_id, SpanNote(outer_usage=True))
        recorder.record(event)
        assert recorder.flush()
    (span,) = memory.get_finished_spans()
    assert attributes(span)["openinference.span.kind"] == "LLM"
    assert not [
        name for name in attributes(span) if name.startswith(("gen_ai.usage.", "llm.token_count.", "llm.cost."))
    ]
