"""What Arize Phoenix shows of a workload, against the ledger: spans, tokens and cost of each call, and all totals.

Opt-in: it runs where there is a ``phoenix`` command (``make e2e-phoenix``). Three ways of sending are compared: by
`configure_tracing`, by the same with OpenInference's names beside ours, and by an application's own tracing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.e2e import workload
from tests.e2e.phoenix import MISSING, Phoenix, ReadSpan, command, running
from tests.trace.otel import fresh_tracing
from turnout.config import load_settings
from turnout.core.cost import cost_of, pico_to_usd
from turnout.core.usage import NO_USAGE, Usage
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.spans.openinference import openinference_attributes
from turnout.trace.spans.otlp import configure_tracing
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.views.metrics import Totals, run_metrics

COMMAND = command()
if COMMAND is None:
    pytest.skip(MISSING, allow_module_level=True)

# A stream that breaks, or is left, leaves its connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@contextmanager
def by_turnout(url: str, project: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Callable[[], int]]:
    """`configure_tracing` by the standard variables; gives what flushes and counts the spans that were sent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"openinference.project.name={project}")
    tracing = configure_tracing(load_settings(), **options)
    assert tracing is not None

    def flushed() -> int:
        assert tracing.flush()
        assert (tracing.failed, tracing.dropped) == (0, 0)
        return tracing.exported

    with tracing:
        yield flushed


@contextmanager
def by_the_application(url: str, project: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """An application's own set-up, as a vendor's package makes it: Turnout joins it."""
    sent = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"openinference.project.name": project}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    provider.add_span_processor(SimpleSpanProcessor(sent))
    trace.set_tracer_provider(provider)

    def flushed() -> int:
        assert provider.force_flush()
        return len(sent.get_finished_spans())

    try:
        yield flushed
    finally:
        provider.shutdown()


@contextmanager
def with_openinference(url: str, project: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """`configure_tracing` with the decorator."""
    with by_turnout(url, project, monkeypatch, decorators=[openinference_attributes]) as flushed:
        yield flushed


WAYS = {"turnout": by_turnout, "openinference": with_openinference, "application": by_the_application}


class Told(NamedTuple):
    """What the ledger and Phoenix say of the same workload."""

    way: str
    project: str
    calls: list[CallEvent]
    decisions: list[DecisionEvent]
    totals: Totals
    sent: int
    spans: list[ReadSpan]

    def counted(self, call: CallEvent) -> ReadSpan:
        """The span that has a call's tokens: ours, or that of Strands which names ours."""
        by_id = {span.span_id: span for span in self.spans}
        outer = [span for span in self.spans if span.attributes.get("turnout.call.span_id") == call.span_id]
        own = by_id[call.span_id]
        return next((span for span in [own, *outer] if "gen_ai.usage.input_tokens" in span.attributes), own)


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    assert COMMAND is not None
    with running(COMMAND, tmp_path_factory.mktemp("phoenix")) as server:
        yield server


@pytest.fixture(scope="module", params=WAYS)
def told(request: pytest.FixtureRequest, phoenix: Phoenix, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The workload, sent in one of the ways and read back."""
    directory, project = tmp_path_factory.mktemp("ledger"), f"turnout-{request.param}"
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        fresh_tracing(monkeypatch),
        WAYS[request.param](phoenix.url, project, monkeypatch) as flushed,
    ):
        return _told(request.param, project, phoenix, directory, flushed)


def _told(way: str, project: str, phoenix: Phoenix, directory: Path, flushed: Callable[[], int]) -> Told:
    with Ledger(directory / "ledger.db") as ledger:
        with Recorder(ledger) as recorder, workload.opened(recorder) as shop:
            for part in workload.PARTS:
                part(shop)
        sent = flushed()
        return Told(
            way=way,
            project=project,
            calls=ledger.calls(run=workload.RUN),
            decisions=ledger.decisions(run=workload.RUN),
            totals=run_metrics(ledger, workload.RUN).totals,
            sent=sent,
            spans=phoenix.spans(project, at_least=sent),
        )


def test_the_workload_has_what_bills_go_wrong_by(told: Told) -> None:
    calls = told.calls
    assert {(call.role, call.status) for call in calls} == {
        ("answer", "ok"),
        ("answer", "error"),
        ("answer", "cancelled"),
        ("classifier", "ok"),
        ("classifier", "error"),
    }
    assert {call.usage_source for call in calls} == {"reported", "estimated", "none"}
    assert {call.streamed for call in calls if call.role == "answer"} == {True, False}
    assert {call.finish_reason for call in calls} >= {"tool_use", "end_turn"}
    assert len({call.model for call in calls}) == 5
    assert any(call.usage.cache_write_5m_tokens and call.usage.cache_write_1h_tokens for call in calls)
    assert any(call.usage.cache_read_tokens for call in calls)
    assert max(call.usage.prompt_tokens for call in calls) > 100_000
    assert told.totals.reasons["failover"] == 1
    assert {"cheapest_clears_bar", "cheapest_below_bar", "classifier_error", "pinned"} <= set(told.totals.reasons)


def test_every_span_is_there_once(told: Told) -> None:
    ids = [span.span_id for span in told.spans]
    assert len(ids) == len(set(ids)) == told.sent
    ours = {span.span_id for span in told.spans if "turnout.event_id" in span.attributes}
    assert ours == {call.span_id for call in told.calls} | {decision.span_id for decision in told.decisions}
    assert {span.trace_id for span in told.spans} == {call.trace_id for call in told.calls}


def test_each_call_has_the_ledgers_tokens_and_cost(told: Told) -> None:
    own = {span.span_id: span.attributes for span in told.spans}
    for call in told.calls:
        usage = Usage.from_opentelemetry(told.counted(call).attributes)
        assert usage.to_opentelemetry() == call.usage.to_opentelemetry()
        assert Decimal(own[call.span_id]["turnout.cost.usd_exact"]) == call.cost.usd
        if call.usage_source != "none":
            kept = [own[call.span_id][f"turnout.usage.cache_write_{ttl}_tokens"] for ttl in ("5m", "1h")]
            assert kept == [call.usage.cache_write_5m_tokens, call.usage.cache_write_1h_tokens]


def test_the_sums_over_all_spans_are_the_ledgers_to_the_last_digit(told: Told) -> None:
    assert _usage(told).to_opentelemetry() == told.totals.usage.to_opentelemetry()
    costs = [Decimal(span.attributes.get("turnout.cost.usd_exact", "0")) for span in told.spans]
    assert sum(costs) == pico_to_usd(told.totals.cost_pico) == sum(call.cost.usd for call in told.calls)


def test_the_tokens_that_phoenix_adds_up_are_the_ledgers(told: Told, phoenix: Phoenix) -> None:
    shown = phoenix.totals(told.project)
    usage = told.totals.usage
    assert (shown["recordCount"], shown["traceCount"]) == (told.sent, told.totals.turns)
    assert (shown["tokenCountPrompt"], shown["tokenCountCompletion"]) == (usage.prompt_tokens, usage.output_tokens)
    assert shown["tokenCountTotal"] == shown["costSummary"]["total"]["tokens"] == usage.total_tokens
    for trace_id in {call.trace_id for call in told.calls}:
        expected = sum(call.usage.total_tokens for call in told.calls if call.trace_id == trace_id)
        assert (phoenix.trace(trace_id)["costSummary"]["total"]["tokens"] or 0) == expected


def test_the_tokens_that_phoenix_shows_of_a_call_are_the_ledgers(told: Told, phoenix: Phoenix) -> None:
    for call in told.calls:
        shown, usage = phoenix.span(told.counted(call).span_id), call.usage
        assert shown["spanKind"] == "llm"
        assert (shown["tokenCountPrompt"] or 0, shown["tokenCountCompletion"] or 0) == (
            usage.prompt_tokens,
            usage.output_tokens,
        )
        if call.usage_source != "none":
            assert shown["tokenPromptDetails"] == {
                "cacheRead": usage.cache_read_tokens,
                "cacheWrite": usage.cache_write_tokens,
            }


def test_phoenix_prices_by_its_own_table(told: Told, phoenix: Phoenix) -> None:
    """A newer Phoenix may price otherwise; then docs/tracing.md has to be read again, and nothing of ours is wrong."""
    expected = {call.span_id: _as_phoenix_prices(call, told.counted(call)) for call in told.calls}
    for call in told.calls:
        cost = (phoenix.span(told.counted(call).span_id)["costSummary"] or {"total": {"cost": 0.0}})["total"]["cost"]
        assert (cost or 0.0) == pytest.approx(float(expected[call.span_id]), rel=1e-9, abs=1e-15)
    shown = phoenix.totals(told.project)["costSummary"]["total"]["cost"]
    assert shown == pytest.approx(float(sum(expected.values())), rel=1e-9)
    _print(told, phoenix, shown)


def _as_phoenix_prices(call: CallEvent, span: ReadSpan) -> Decimal:
    """What Phoenix 20.26 makes of a call: the price of the profile ``global``, and of five minutes for every write.

    Nothing for a model that it does not know, such as the name of a router on Strands' own span.
    """
    if not str(span.attributes.get("llm.model_name", "")).endswith(call.model.rpartition(".")[2]):
        return Decimal(0)
    usage = msgspec.structs.replace(
        call.usage, cache_write_5m_tokens=call.usage.cache_write_tokens, cache_write_1h_tokens=0
    )
    anywhere = workload.CATALOG[call.model.replace("/us.", "/global.")]
    return cost_of(usage, anywhere.price).usd


def test_only_the_decorator_makes_a_request_a_chain(told: Told) -> None:
    kinds = {span.kind for span in told.spans if span.name == "turnout.route"}
    assert kinds == {"CHAIN" if told.way == "openinference" else "UNKNOWN"}


def test_no_text_of_ours_is_there(told: Told) -> None:
    ours = [span for span in told.spans if told.way != "application" or "turnout.event_id" in span.attributes]
    text = json.dumps([msgspec.to_builtins(span) for span in ours])
    for said in (workload.HARD, workload.EASY, workload.PAGE, "Thank you"):
        assert said.strip() not in text


def _usage(told: Told) -> Usage:
    """The tokens of all spans; in an application's own tracing without those of agents, as Phoenix does."""
    counted = [span for span in told.spans if told.way != "application" or span.kind != "AGENT"]
    return sum((Usage.from_opentelemetry(span.attributes) for span in counted), NO_USAGE)


def _print(told: Told, phoenix: Phoenix, shown_usd: float) -> None:
    """The figures, for those who run it with ``-s``."""
    shown, totals = phoenix.totals(told.project), told.totals
    sums = _usage(told)
    exact = sum(Decimal(span.attributes.get("turnout.cost.usd_exact", "0")) for span in told.spans)
    rows = [
        ("spans", told.sent, shown["recordCount"]),
        ("traces / turns", totals.turns, shown["traceCount"]),
        ("prompt tokens", totals.usage.prompt_tokens, int(shown["tokenCountPrompt"])),
        ("  cache read", totals.usage.cache_read_tokens, sums.cache_read_tokens),
        ("  cache write", totals.usage.cache_write_tokens, sums.cache_write_tokens),
        ("output tokens", totals.usage.output_tokens, int(shown["tokenCountCompletion"])),
        ("turnout.cost.usd_exact", pico_to_usd(totals.cost_pico), exact),
        ("cost by Phoenix's prices", "", f"{shown_usd:.12f}"),
    ]
    print(f"\nPhoenix {phoenix.version}, sent by: {told.way} (simulated models, {len(told.calls)} calls)")
    for name, ours, theirs in [("", "ledger", "Phoenix"), *rows]:
        print(f"  {name:26}{ours!s:>18}{theirs!s:>18}")
