from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from tests.testing.langfuse.contract import checked
from tests.trace.langfuse.events import LARGE, SMALL, START_MS, asked, call, decision
from tests.trace.langfuse.sending import export, new_trace_id, sent_for
from turnout.core.cost import Cost
from turnout.core.usage import Usage
from turnout.testing.langfuse import LangfuseDouble
from turnout.trace.errors import LedgerError
from turnout.trace.events import Event
from turnout.trace.langfuse import LangfuseReader, LangfuseSettings, TraceNotFoundError, langfuse_settings
from turnout.trace.langfuse.errors import WaitCancelledError
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.exactness import Exactness
from turnout.trace.views.lab import (
    NO_PANDAS,
    clear_metrics,
    collect_metric,
    get_collected_metrics,
    get_latest_trace_metrics,
    print_metrics,
    print_metrics_table,
)
from turnout.trace.views.metrics import TurnMetrics

NOW: dict[str, Any] = {"wait_seconds": 0.0, "max_retries": 1, "timeout_seconds": 10.0}


@pytest.fixture(autouse=True)
def _nothing_collected() -> Iterator[None]:
    clear_metrics()
    yield
    clear_metrics()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
def double() -> Iterator[LangfuseDouble]:
    with checked(LangfuseDouble()) as double:
        yield double


def console() -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, width=160), text


def turn(turn_id: str, at_ms: int = 0) -> list[Event]:
    started = START_MS + at_ms
    return [
        decision(turn_id, started_ms=started),
        asked(turn_id, started_ms=started + 10),
        call(turn_id, started_ms=started + 700),
    ]


def settings_of(double: LangfuseDouble) -> LangfuseSettings:
    found = langfuse_settings(double.environment)
    assert found is not None
    return found


def send(double: LangfuseDouble, *events: Event) -> None:
    traces = {event.turn_id: new_trace_id() for event in events}
    export(settings_of(double), [sent_for(event, traces[event.turn_id]) for event in events])


def test_the_newest_turn_is_the_same_from_both_sources(ledger: Ledger, double: LangfuseDouble) -> None:
    events = turn("old") + turn("new", 9000)
    ledger.append(events)
    send(double, *events)
    from_ledger = get_latest_trace_metrics("agent", **NOW, source=ledger)
    with LangfuseReader(settings_of(double)) as reader:
        from_langfuse = get_latest_trace_metrics("agent", **NOW, source=reader)
    assert from_ledger == from_langfuse
    # 1,055e-6 for the answer and 425e-6 for the classifier.
    assert (from_ledger.turn_id, from_ledger.cost_pico) == ("new", 1_480_000_000)


def test_langfuse_is_the_source_where_the_environment_has_its_keys(
    double: LangfuseDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in double.environment.items():
        monkeypatch.setenv(name, value)
    send(double, *turn("one"))
    assert get_latest_trace_metrics("agent", **NOW).turn_id == "one"


def test_else_it_is_the_ledger_of_the_settings(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNOUT_LEDGER", str(ledger.path))
    ledger.append(turn("one"))
    assert get_latest_trace_metrics("agent", **NOW).turn_id == "one"


def test_the_ledger_is_waited_for_too(ledger: Ledger) -> None:
    class Writing:
        """Time passes by a turn being written."""

        waits = 0

        def wait(self, timeout: float) -> bool:
            self.waits += 1
            if self.waits == 2:
                ledger.append(turn("late")[:1])
            if self.waits == 3:
                ledger.append(turn("late")[1:])
            return False

    writing = Writing()
    assert get_latest_trace_metrics("agent", 0, source=ledger, cancel=writing).turn_id == "late"
    assert writing.waits == 3


def test_what_the_ledger_does_not_have(ledger: Ledger) -> None:
    ledger.append(turn("one"))
    with pytest.raises(LedgerError, match="agent"):
        get_latest_trace_metrics("agnet", **NOW, source=ledger)
    with pytest.raises(TraceNotFoundError, match="no answered turn of the run 'agent'"):
        get_latest_trace_metrics("agent", **NOW, source=ledger, since_ms=START_MS + 1)
    assert get_latest_trace_metrics("agent", **NOW, source=ledger, since_ms=START_MS).turn_id == "one"


def test_a_wait_can_be_cancelled(ledger: Ledger) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(WaitCancelledError):
        get_latest_trace_metrics("agent", source=ledger, cancel=cancel)


def metrics(name: str, **fields: Any) -> TurnMetrics:
    """A turn of the reference system's printed table, so that its figures can be compared with that."""
    usual = TurnMetrics(
        turn_id=name,
        query_id=name,
        status="answered",
        model=LARGE.id,
        reason="cheapest_below_bar",
        latency_ms=9350.0,
        answer_usage=Usage(input_tokens=917, output_tokens=418, cache_read_tokens=1743, cache_write_5m_tokens=1743),
        # At $3, $15, $0.30 and $3.75 per million: 2,751e-6 + 6,270e-6 + 522.9e-6 + 6,536.25e-6.
        answer_cost=Cost(
            input_pico=2_751 * 10**6,
            output_pico=6_270 * 10**6,
            cache_read_pico=522_900_000,
            cache_write_5m_pico=6_536_250_000,
        ),
    )
    return msgspec.structs.replace(usual, **fields)


def test_collecting() -> None:
    one = metrics("one")
    collect_metric(one)
    collect_metric(one, "Technical Support")
    collected = get_collected_metrics()
    assert [turn.name for turn in collected] == ["one", "Technical Support"]
    collected.clear()
    assert len(get_collected_metrics()) == 2
    clear_metrics()
    assert get_collected_metrics() == []


def test_collecting_from_many_threads() -> None:
    def collect() -> None:
        for _ in range(50):
            collect_metric(metrics("one"))

    threads = [threading.Thread(target=collect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(get_collected_metrics()) == 400


def test_one_turn_is_printed() -> None:
    out, text = console()
    print_metrics(metrics("one"), "Technical Support", names={LARGE.id: "Sonnet"}, console=out)
    for part in ("Technical Support", "Sonnet", "cheapest_below_bar", "9.35", "0.016080", "917", "418", "1,743"):
        assert part in text.getvalue()


def test_the_table_and_its_data_frame() -> None:
    collect_metric(metrics("one"), "Technical Support")
    collect_metric(metrics("two", latency_ms=650.0, model=SMALL.id, answer_cost=Cost(input_pico=1)), "Hello")
    out, text = console()
    frame = print_metrics_table("v4", console=out)
    assert "v4: metrics" in text.getvalue()
    assert "total (2), mean latency" in text.getvalue()
    assert list(frame["test"]) == ["Technical Support", "Hello", "TOTAL"]
    assert list(frame["latency_s"]) == [9.35, 0.65, 5.0]
    assert list(frame["cost_pico_usd"]) == [16_080_150_000, 1, 16_080_150_001]
    assert frame["cost_usd"][0] == float(Decimal("0.01608015"))
    assert list(frame["cache_write"]) == [1743, 1743, 3486]
    assert list(frame["model"][:2]) == [LARGE.id, SMALL.id]
    assert frame["status"][2] == "2 of 2 answered"


def test_the_data_frame_says_what_is_exact_and_how_high_the_rest_goes() -> None:
    bounded = Exactness(bounded_calls=1, estimated=1, low_pico=1, high_pico=9)
    collect_metric(metrics("one"))
    collect_metric(metrics("two", answer_cost=Cost(input_pico=1), answer_exactness=bounded))
    out, text = console()
    frame = print_metrics_table("v4", console=out)
    assert list(frame["exact"]) == [True, False, False]
    assert list(frame["cost_high_pico_usd"]) == [16_080_150_000, 9, 16_080_150_009]
    assert "bounded part, calls: 1" in text.getvalue()
    clear_metrics()
    collect_metric(metrics("open", answer_exactness=Exactness(open_calls=1, none=1)))
    assert print_metrics_table(console=out)["cost_high_usd"].isna().all()


def test_simulated_models_are_labelled_and_have_no_latency() -> None:
    collect_metric(metrics("one", simulated=True, latency_ms=None))
    out, text = console()
    frame = print_metrics_table(console=out)
    assert text.getvalue().startswith("simulated models")
    assert frame["latency_s"].isna().all()
    assert frame["simulated"].all()


def test_without_pandas_the_table_is_printed_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    collect_metric(metrics("one"))
    out, text = console()
    assert print_metrics_table(console=out) is None
    assert text.getvalue().rstrip().endswith(NO_PANDAS)
    assert "pip install 'turnout[lab]'" in NO_PANDAS


def test_an_empty_table() -> None:
    out, text = console()
    frame = print_metrics_table(console=out)
    assert "total (0)" in text.getvalue()
    assert list(frame["test"]) == ["TOTAL"]


def test_standard_output_is_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    print_metrics(metrics("one"))
    print_metrics_table()
    assert "one: metrics" in capsys.readouterr().out
