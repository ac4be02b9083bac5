"""Sequences of routed calls as values: the router's events, the ledger's sums, the spans and the bill are one figure.

Each example makes a router over some of the catalog's models at some inference profile, and drives it as a door does:
turns with a classifier that answers, fails, is too slow or is cancelled with its request; calls that are refused and
fail over, that end, are left, break, or end with a report that is missing, unreadable or does not split its writes.
What the provider would bill is drawn beside each call and priced by `tests.accounting.bill`.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.accounting.bill import PRICE_LIST, PROFILES, Counts, as_bedrock, bill, dollars, of_span
from tests.trace.otel import attributes, cost_pico, fresh_tracing, usage
from turnout.config import load_catalog
from turnout.core.cache import Ttl
from turnout.core.policy import Candidate, Policy
from turnout.core.request import Request, Segment
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import ClassifierCall, Failure, Verdict
from turnout.doors.strands.meter import note
from turnout.messages.conversation import Conversation, conversation_of
from turnout.router import CANCELLED, OpenCall, RefusedError, Routed, Router
from turnout.trace.events import CallEvent
from turnout.trace.fanout import Fanout
from turnout.trace.langfuse import names
from turnout.trace.langfuse.attributes import attributes_of
from turnout.trace.spans.recorder import SpanRecorder
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.views.compare import compare
from turnout.trace.views.metrics import run_metrics

CATALOG = load_catalog()
LIMIT = 3_000
"""The output limit of every request."""

ANSWERS = ["ended", "ended", "ended", "left", "left_at_the_end", "broken", "unreadable", "unsplit", "early_report"]
UNREADABLE: list[Any] = [None, {}, "much", {"inputTokens": -1}, {"prompt_tokens": 7, "completion_tokens": 1}]


class Owed(NamedTuple):
    """What one call cost by the bill: from the least to the most that its provider may charge."""

    least: Fraction
    most: Fraction
    counts: Counts | None = None
    """The report, where there was one that tells all."""


class Given:
    """A classifier that does what it was told to for this turn."""

    name = "given"

    def __init__(self) -> None:
        self.calls: list[ClassifierCall] = []
        self.does = "answers"

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        if self.does in ("is slow", "is cancelled"):
            try:
                for call in self.calls[:-1]:
                    kwargs["on_call"](call)
                await asyncio.sleep(60)
            finally:
                for call in self.calls[-1:]:
                    kwargs["on_call"](call)
        for call in self.calls:
            kwargs["on_call"](call)
        if self.does == "raises":
            raise RuntimeError("of the classifier")
        if self.does == "fails":
            return Verdict(classifier=self.name, failure=Failure("unparsed"), calls=tuple(self.calls))
        if self.does == "says complex":
            return Verdict(classifier=self.name, label="complex", p_simple=0.1, calls=tuple(self.calls))
        return Verdict(classifier=self.name, label="simple", p_simple=0.9, calls=tuple(self.calls))


class Scenario:
    """One example: a router, and what its calls owe by the bill, in the order in which they are recorded."""

    def __init__(self, data: st.DataObject, records: Any) -> None:
        self.draw = data.draw
        profile = self.draw(st.sampled_from(list(PROFILES)), label="profile")
        chosen = self.draw(st.lists(st.sampled_from(list(PRICE_LIST)), min_size=2, max_size=3, unique=True))
        self.models = [f"bedrock/{profile}.{name}" for name in chosen]
        self.owed: list[Owed] = []
        self.classifier = Given()
        self.router = Router(
            Policy(candidates=tuple(Candidate(model, rank) for rank, model in enumerate(self.models)), markers="fill"),
            CATALOG,
            classifier=self.classifier,
            records=records,
            run="proof",
            classifier_timeout_s=0.005,
        )

    async def turn(self, number: int) -> None:
        """One turn: the classifier, then its calls."""
        self.classifier.does = self.draw(
            st.sampled_from(["answers", "says complex", "fails", "raises", "is slow", "is cancelled"]),
            label="classifier",
        )
        self.classifier.calls = []
        owed = [self.classifier_call() for _ in range(self.draw(st.integers(0, 2)))]
        request, turn = self.request(), self.router.begin_turn(f"session-{number % 2}")
        for _ in range(self.draw(st.integers(1, 3), label="calls of the turn")):
            task = asyncio.create_task(self.router.route(conversation_of("hello"), request, turn))
            if self.classifier.does == "is cancelled":
                await asyncio.sleep(0)
                task.cancel()
            asked = turn.verdict is None
            try:
                routed = await task
            except asyncio.CancelledError:
                self.owed += owed
                return
            except RefusedError:
                self.owed += owed if turn.verdict is not None and asked else []
                return
            self.owed += owed if turn.verdict is not None and asked else []
            if not self.call(routed):
                return

    def classifier_call(self) -> Owed:
        """A call of the classifier's: reported, refused, or cancelled after an unknown part of it."""
        model = self.draw(st.sampled_from(self.models))
        how = self.draw(st.sampled_from(["reported", "reported", "refused", "cancelled"]))
        counts = Counts(fresh=self.draw(st.integers(0, 3_000)), output=self.draw(st.integers(0, 50)))
        wire_id = model.removeprefix("bedrock/")
        if how == "reported":
            self.classifier.calls.append(ClassifierCall(model=model, usage=Usage.from_bedrock(as_bedrock(counts))))
            return Owed(bill(wire_id, counts), bill(wire_id, counts), counts)
        if how == "refused":
            self.classifier.calls.append(ClassifierCall(model=model, usage_source="none", error="ThrottlingException"))
            return Owed(Fraction(0), Fraction(0))
        guess = Usage(input_tokens=400)
        self.classifier.calls.append(
            ClassifierCall(model=model, usage=guess, usage_source="estimated", error=CANCELLED)
        )
        most = Counts(fresh=round(800 * CATALOG[model].tokenizer_ratio), output=counts.output)
        return Owed(Fraction(0), bill(wire_id, most))

    def request(self) -> Request:
        """A prompt of a head and a query, around the long prompt's price now and then, with a cache point or none."""
        ttls: st.SearchStrategy[Ttl | None] = st.sampled_from([None, "5m", "1h"])
        sizes = st.integers(0, 9_000) | st.integers(76_900, 77_100) | st.integers(99_900, 100_100)
        head = Segment(kind="system", tokens=self.draw(sizes), prefix_hash="head", marker=self.draw(ttls))
        query = Segment(kind="message", tokens=self.draw(st.integers(1, 200)), prefix_hash="query")
        return Request(session_id="s", segments=(head, query), max_output_tokens=LIMIT)

    def call(self, routed: Routed) -> bool:
        """Call the chosen model, and others after it where it is refused; whether the turn may go on."""
        while self.draw(st.integers(0, 3), label="refused where 0") == 0:
            self.router.begin_call(routed).end("error", error="ThrottlingException")
            self.owed.append(Owed(Fraction(0), Fraction(0)))
            try:
                routed = self.router.failover(routed, "ThrottlingException")
            except RefusedError:
                return False
        how = self.draw(st.sampled_from(ANSWERS), label="answer")
        text = "x" * self.draw(st.integers(0, 2_000), label="characters")
        call = self.router.begin_call(routed, streamed=self.draw(st.booleans(), label="streamed"))
        counts = self.truth(routed, len(text))
        self.answer(call, how, text, as_bedrock(counts))
        self.owed.append(self.owes(routed.model.model_id, how, counts))
        return how in ("ended", "unreadable", "unsplit")

    def answer(self, call: OpenCall, how: str, text: str, report: dict[str, Any]) -> None:
        """Give the call the events of an answer, and end it."""
        delta = {"contentBlockDelta": {"delta": {"text": text}}}
        stop, metadata = {"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": report}}
        if how == "unreadable":
            metadata = {"metadata": {"usage": self.draw(st.sampled_from(UNREADABLE))}}
        if how == "unsplit":
            report.pop("cacheDetails", None)
        events = {
            "left": [delta],
            "broken": [delta],
            "early_report": [delta, metadata],
        }.get(how, [delta, stop, metadata])
        for event in events:
            note(event, call, "beside")
        if how == "broken":
            call.end("error", error="ModelStreamErrorException")
        else:
            call.end("cancelled" if how in ("left", "left_at_the_end", "early_report") else "ok")

    def owes(self, wire_id: str, how: str, counts: Counts) -> Owed:
        """The bill of an answer that ended so."""
        whole = bill(wire_id, counts)
        match how:
            case "ended" | "left_at_the_end" | "unsplit":
                return Owed(whole, whole, counts)
            case "broken":
                return Owed(Fraction(0), whole)
            case "early_report":
                return Owed(whole, bill(wire_id, counts._replace(output=max(counts.output, LIMIT))))
            case _:
                return Owed(whole, whole)

    def truth(self, routed: Routed, characters: int) -> Counts:
        """What the provider counts, within half and twice of our own count; all writes have the cache point's TTL."""
        given, plan = routed.given, routed.decision.cache_plan
        ratio = given.statistics.of(routed.model.id).tokenizer_ratio or routed.model.tokenizer_ratio
        head, whole = given.request.prompt_for(ratio).offsets
        marked = head if plan.markers else 0
        fresh = self.draw(_within(whole - marked), label="fresh")
        cached = self.draw(_within(marked), label="cached")
        start, end = sorted(self.draw(st.tuples(st.integers(0, cached), st.integers(0, cached)), label="cuts"))
        read, written, missed = start, end - start, cached - end
        hour = {marker.ttl for marker in plan.markers} == {"1h"}
        seen = int(characters / 4 * ratio)
        return Counts(
            fresh=fresh + missed,
            read=read,
            write_5m=0 if hour else written,
            write_1h=written if hour else 0,
            output=self.draw(st.integers((seen + 1) // 2, max(LIMIT, seen)), label="output"),
        )


def _within(count: int) -> st.SearchStrategy[int]:
    """From half to twice of a count."""
    return st.integers((count + 1) // 2, 2 * count)


def one_figure(calls: list[CallEvent], owed: list[Owed], ledger: Ledger, exported: InMemorySpanExporter) -> None:
    """Check that every sum is the same, and that the bill is it, or lies between its ends."""
    assert len(calls) == len(owed)
    for call, owes in zip(calls, owed, strict=True):
        low, high = dollars(call.cost.total_pico), dollars(call.cost_high_pico)
        assert low <= owes.least <= owes.most <= high
        if owes.counts is not None:
            assert (call.usage_source, low, high) == ("reported", owes.least, owes.most)
            assert call.usage == Usage.from_bedrock(as_bedrock(owes.counts))
        if call.usage_source == "reported":
            assert low == owes.least == owes.most == high
    total_pico = sum(call.cost.total_pico for call in calls)
    reported = [(call, owes) for call, owes in zip(calls, owed, strict=True) if call.usage_source == "reported"]
    assert dollars(sum(call.cost.total_pico for call, _ in reported)) == sum(owes.least for _, owes in reported)

    metrics = run_metrics(ledger, "proof")
    assert metrics.totals.cost_pico == sum(turn.cost_pico for turn in metrics.turns) == total_pico
    assert metrics.totals.usage == sum((call.usage for call in calls), NO_USAGE)
    compared = compare(metrics, metrics)
    assert compared.cost.before == compared.cost.after == Decimal(total_pico).scaleb(-12)

    spans = [span for span in exported.get_finished_spans() if span.name.startswith("chat ")]
    assert len(spans) == len(calls)
    assert cost_pico(spans) == total_pico
    assert usage(exported.get_finished_spans()).total_tokens == metrics.totals.usage.total_tokens
    by_event = {attributes(span)["turnout.event_id"]: attributes(span) for span in spans}
    for call in calls:
        span = by_event[call.event_id]
        low = dollars(call.cost.total_pico)
        if call.usage_source != "none":
            assert bill(call.model.removeprefix("bedrock/"), of_span(span)) == low
        details = {
            kind: Fraction(value) for kind, value in json.loads(span[names.COST_DETAILS], parse_float=Decimal).items()
        }
        assert details.pop(names.TOTAL) == sum(details.values()) == low


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Any:
    with fresh_tracing(monkeypatch):
        yield


@settings(max_examples=40)
@given(st.data())
def test_every_sum_is_the_bill(data: st.DataObject) -> None:
    exported = InMemorySpanExporter()
    with (
        TemporaryDirectory() as folder,
        Ledger(Path(folder) / "ledger.sqlite3") as ledger,
        SpanRecorder([SimpleSpanProcessor(exported)], decorators=[attributes_of]) as spans,
        Recorder(ledger) as recorder,
    ):
        ledger.describe("proof")
        scenario = Scenario(data, Fanout(recorder, spans))

        async def all_turns() -> None:
            for number in range(data.draw(st.integers(1, 4), label="turns")):
                await scenario.turn(number)

        asyncio.run(all_turns())
        recorder.flush()
        spans.flush()
        assert (recorder.dropped, recorder.rejected, spans.dropped) == (0, 0, 0)
        # In the order of recording: calls of one turn may begin in the same millisecond.
        calls = sorted(ledger.calls(run="proof"), key=lambda call: _place(ledger, call))
        one_figure(calls, scenario.owed, ledger, exported)


def _place(ledger: Ledger, call: CallEvent) -> int:
    ((place,),) = ledger.select("SELECT sequence FROM calls WHERE event_id = ?", (call.event_id,))
    return int(place)
