"""A double of Bedrock with its clients, what was called on it, and the bill of that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from botocore.config import Config
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from strands.models import BedrockModel

from tests.accounting.bill import Counts, bill, dollars, of_bedrock, of_span
from tests.trace.otel import attributes, cost_pico
from turnout.config import load_catalog
from turnout.doors.strands import MeteredModel
from turnout.testing.bedrock import BedrockDouble
from turnout.testing.bedrock.engine import Call
from turnout.trace.events import CallEvent
from turnout.trace.fanout import Fanout
from turnout.trace.spans.recorder import SpanRecorder
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.views.metrics import run_metrics

CATALOG = load_catalog()
LIMIT = 400
"""The output limit that every client sends."""

HAIKU_4_5 = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET_4_6 = "global.anthropic.claude-sonnet-4-6"
HAIKU_5_5 = "global.anthropic.claude-haiku-5-5"
SONNET_4_6_EU = "eu.anthropic.claude-sonnet-4-6"
SONNET_4_6_GOV = "us-gov.anthropic.claude-sonnet-4-6"
HELLO: Any = [{"role": "user", "content": [{"text": "hello"}]}]


class Clock:
    """The double's time, so that caches expire without waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Wire:
    """A running double and clients for it, one for each model and way of calling."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.double = BedrockDouble(clock=self.clock)
        self._session = self.double.session()
        self._clients: dict[tuple[str, bool], BedrockModel] = {}

    def __enter__(self) -> Self:
        self.double.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            client.client.close()
        self.double.stop()

    def reset(self) -> None:
        """Forget calls, caches and faults."""
        self.double.calls.clear()
        self.double.caches.clear()
        self.double.faults.clear()

    def model(self, model_id: str, *, streaming: bool = True) -> BedrockModel:
        """The client of a model."""
        if (model_id, streaming) not in self._clients:
            self._clients[model_id, streaming] = BedrockModel(
                model_id=model_id,
                boto_session=self._session,
                endpoint_url=self.double.url,
                boto_client_config=Config(retries={"total_max_attempts": 1}),
                max_tokens=LIMIT,
                streaming=streaming,
            )
        return self._clients[model_id, streaming]


class Books:
    """A ledger and spans, to which calls are recorded, and what they are held against."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self.ledger = Ledger(Path(self._folder.name) / "ledger.sqlite3")
        self._recorder = Recorder(self.ledger)
        self._exported = InMemorySpanExporter()
        self._spans = SpanRecorder([SimpleSpanProcessor(self._exported)])
        self.records = Fanout(self._recorder, self._spans)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recorder.close()
        self._spans.close()
        self.ledger.close()
        self._folder.cleanup()

    def metered(self, wire: Wire, model_id: str, *, streaming: bool = True) -> MeteredModel:
        """A client whose calls are recorded here."""
        return MeteredModel.alone(
            wire.model(model_id, streaming=streaming),
            f"bedrock/{model_id}",
            catalog=CATALOG,
            recorder=self.records,
            run="wire",
            simulated=True,
        )

    def calls(self) -> list[CallEvent]:
        """The calls, in the order in which they ended."""
        self._recorder.flush()
        order = [row[0] for row in self.ledger.select("SELECT event_id FROM calls ORDER BY sequence")]
        by_id = {call.event_id: call for call in self.ledger.calls()}
        return [by_id[event_id] for event_id in order]

    def spans(self) -> list[ReadableSpan]:
        """The spans of calls."""
        self._spans.flush()
        return [span for span in self._exported.get_finished_spans() if span.name.startswith("chat ")]

    def check(self, double: BedrockDouble) -> Fraction:
        """Check all sums against what the double says that it reported; gives the bill of all that was reported.

        Call by call: what was reported is the bill to the last digit; what was not lies between its ends, for which
        `lies_between` is the caller's to check.
        """
        calls, sent = self.calls(), [call for call in double.calls if call.operation != "CountTokens"]
        assert len(calls) == len(sent)
        total = Fraction(0)
        for call, wire_call in zip(calls, sent, strict=True):
            assert call.model == f"bedrock/{wire_call.model}"
            if call.usage_source == "reported":
                owed = owed_by(wire_call)
                assert dollars(call.cost.total_pico) == dollars(call.cost_high_pico) == owed
                total += owed
            elif call.usage_source == "none":
                assert (wire_call.usage, call.cost.total_pico, call.cost_high_pico) == (None, 0, 0)
        assert dollars(sum(call.cost.total_pico for call in calls if call.usage_source == "reported")) == total
        everything = sum(call.cost.total_pico for call in calls)
        assert cost_pico(self.spans()) == everything
        priced = [attributes(span) for span in self.spans() if "gen_ai.usage.input_tokens" in attributes(span)]
        of_spans = sum(bill(span["gen_ai.request.model"], of_span(span)) for span in priced)
        assert of_spans == dollars(everything)
        if calls:
            assert run_metrics(self.ledger, "wire").totals.cost_pico == everything
        return total


def owed_by(call: Call) -> Fraction:
    """The bill of a call that the double reported on."""
    assert call.usage is not None
    return bill(call.model, of_bedrock(call.usage))


def lies_between(call: CallEvent, model_id: str, counts: Counts) -> bool:
    """Whether what a call really used costs no less than its low and no more than its high end."""
    return dollars(call.cost.total_pico) <= bill(model_id, counts) <= dollars(call.cost_high_pico)


def system(characters: int, ttl: str | None = None) -> list[dict[str, Any]]:
    """A system prompt of that many characters, with a cache point after it unless there is no TTL."""
    text = {"text": ("The shop has many policies, and this is one of them. " * (characters // 52 + 1))[:characters]}
    return [text] if ttl is None else [text, {"cachePoint": {"type": "default", "ttl": ttl}}]


async def take(stream: AsyncGenerator[Any, None], events: int | None = None) -> list[Mapping[str, Any]]:
    """All events of a stream, or so many before it is left."""
    taken: list[Mapping[str, Any]] = []
    try:
        async for event in stream:
            taken.append(event)
            if len(taken) == events:
                break
    finally:
        await stream.aclose()
    return taken


def ask(model: Any, head: list[dict[str, Any]] | None, *, events: int | None = None) -> list[Mapping[str, Any]]:
    """One call, in a loop of its own that waits for the client's thread."""

    async def run() -> list[Mapping[str, Any]]:
        try:
            return await take(model.stream(HELLO, None, None, system_prompt_content=head), events)
        finally:
            await asyncio.get_running_loop().shutdown_default_executor()

    return asyncio.run(run())
