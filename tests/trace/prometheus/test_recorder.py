from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.trace.prometheus.read import samples, total, value
from tests.trace.samples import CAPABLE, CHEAP, call, decision
from turnout.config.extras import MissingExtraError
from turnout.core.calls import BreakerRules
from turnout.trace.events import CallEvent, DecisionEvent, new_id
from turnout.trace.fanout import Fanout
from turnout.trace.prometheus import MetricsRecorder
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.exactness import one_call
from turnout.upstream.breaker import BreakerKey, Breakers

TOKENS = {
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "output": "output_tokens",
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_totals_equal_the_ledgers(
    call_events: SearchStrategy[CallEvent],
    decision_events: SearchStrategy[DecisionEvent],
    data: st.DataObject,
    tmp_path: Path,
) -> None:
    models = ["bedrock/cheap", "bedrock/capable"]
    named = st.sampled_from([*models, "bedrock/unused", 'bedrock/"quoted\\\n'])
    events: list[CallEvent | DecisionEvent] = [
        msgspec.structs.replace(event, event_id=new_id(), model=data.draw(named))
        for event in data.draw(st.lists(call_events, max_size=12))
    ]
    events += [
        msgspec.structs.replace(event, event_id=new_id()) for event in data.draw(st.lists(decision_events, max_size=3))
    ]
    metrics = MetricsRecorder(models)
    with Ledger(tmp_path / f"{new_id()}.sqlite3") as ledger:
        ledger.append(events)
        for event in events:
            metrics.record(event)
        calls, decisions = ledger.calls(), ledger.decisions()
    found = samples(metrics.render())

    assert total(found, "turnout_calls_total") == len(calls) == total(found, "turnout_call_duration_seconds_count")
    assert total(found, "turnout_decisions_total") == len(decisions)
    for model in (*models, "other"):
        here = [event for event in calls if (event.model if event.model in models else "other") == model]
        for status in ("ok", "error", "cancelled"):
            counted = sum(event.status == status for event in here)
            assert total(found, "turnout_calls_total", model=model, status=status) == counted
        for kind, name in TOKENS.items():
            counted = sum(getattr(event.usage, name) for event in here)
            assert total(found, "turnout_tokens_total", model=model, kind=kind) == counted
        for certainty in ("exact", "bounded", "open", "failed"):
            for role in ("answer", "classifier"):
                those = [event for event in here if event.role == role and _certainty(event) == certainty]
                if those:
                    # Exactly: the sum in pico-USD, rounded once.
                    labels = {"model": model, "role": role, "certainty": certainty}
                    low = sum(event.cost.total_pico for event in those)
                    assert value(found, "turnout_cost_usd_total", **labels) == low / 10**12
                    high = sum(max(event.cost.total_pico, event.cost_high_pico) for event in those)
                    assert value(found, "turnout_cost_high_usd_total", **labels) == high / 10**12
        again = sum(event.attempt > 1 and event.role == "answer" for event in here)
        assert total(found, "turnout_repeated_calls_total", model=model) == again
        answers = [event.first_content_ms for event in here if event.role == "answer"]
        streamed = [milliseconds for milliseconds in answers if milliseconds is not None]
        name = "turnout_time_to_first_content_seconds"
        assert total(found, f"{name}_count", model=model) == len(streamed)
        assert total(found, f"{name}_sum", model=model) == pytest.approx(sum(streamed) / 1000)
    for name in {reason for _, has in found for label, reason in has if label == "reason"}:
        counted = sum(event.decision.reason == name for event in decisions)
        assert total(found, "turnout_decisions_total", reason=name) == counted


def _certainty(event: CallEvent) -> str:
    counts = one_call(event.usage_source, event.status, event.error, event.cost.total_pico, event.cost_high_pico)
    return next(kind for kind in ("exact", "bounded", "open", "failed") if getattr(counts, f"{kind}_calls"))


def test_it_is_a_place_where_events_go_beside_others() -> None:
    metrics = MetricsRecorder([CHEAP.id])
    Fanout(metrics).record(call())
    assert total(samples(metrics.render()), "turnout_calls_total") == 1


def test_the_text_is_of_the_format_0_0_4() -> None:
    answer = MetricsRecorder([]).exposition()
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.body.endswith(b"\n")


def test_no_event_is_lost_or_counted_twice_among_threads_that_also_read() -> None:
    metrics = MetricsRecorder([CHEAP.id])
    event, reads = call(), []

    def record() -> None:
        for _ in range(500):
            metrics.record(event)

    threads = [threading.Thread(target=record) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            reads.append(total(samples(metrics.render()), "turnout_calls_total"))
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert reads == sorted(reads)
    assert total(samples(metrics.render()), "turnout_calls_total") == 2_000


def test_a_signal_handler_may_record_while_the_same_thread_counts() -> None:
    metrics = MetricsRecorder([CHEAP.id])
    sent = 0

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal sent
        sent += 1
        metrics.record(call())

    before = signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while sent < 50:
            metrics.record(call())
            signal.raise_signal(signal.SIGUSR1)
            metrics.record(decision())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, before)
    found = samples(metrics.render())
    assert total(found, "turnout_calls_total") == sent + total(found, "turnout_decisions_total")


def test_what_cannot_be_counted_is_logged_and_keeps_nothing_back(caplog: pytest.LogCaptureFixture) -> None:
    metrics = MetricsRecorder([CHEAP.id])
    metrics.record(msgspec.structs.replace(call(), latency_ms="soon"))
    metrics.record(call(latency_ms=7.0))
    assert total(samples(metrics.render()), "turnout_call_duration_seconds_count") == 1
    assert "kind=<CallEvent> | an event was not counted" in caplog.text


def test_states_of_breakers_are_read_when_they_are_asked_for() -> None:
    breakers = Breakers(BreakerRules(consecutive_failures=1, open_s=10.0))
    now = 1_000_000
    metrics = MetricsRecorder([CHEAP.id], breakers=lambda: breakers.states(now).items())
    assert not [name for name, _ in samples(metrics.render()) if name == "turnout_breaker_state"]
    breakers.failed(BreakerKey(CHEAP.id, "eu-central-1"), now)
    labels = {"model": CHEAP.id, "region": "eu-central-1"}
    assert value(samples(metrics.render()), "turnout_breaker_state", **labels, state="open") == 1
    now += 10_000
    found = samples(metrics.render())
    assert value(found, "turnout_breaker_state", **labels, state="open") == 0
    assert value(found, "turnout_breaker_state", **labels, state="half_open") == 1


def test_drops_of_other_places_are_read_when_they_are_asked_for() -> None:
    drops = {"ledger": 0}
    metrics = MetricsRecorder([], dropped={"ledger": lambda: drops["ledger"]})
    assert value(samples(metrics.render()), "turnout_events_dropped_total", place="ledger") == 0
    drops["ledger"] = 5
    assert value(samples(metrics.render()), "turnout_events_dropped_total", place="ledger") == 5


def test_a_server_adds_families_of_its_own() -> None:
    import prometheus_client

    own = prometheus_client.CollectorRegistry()
    gauge = prometheus_client.Gauge("turnout_requests_in_flight", "Requests under way.", registry=own)
    gauge.set(3)
    found = samples(MetricsRecorder([], collectors=[own]).render())
    assert value(found, "turnout_requests_in_flight") == 3


def test_models_can_be_replaced_and_counts_stay() -> None:
    metrics = MetricsRecorder([CHEAP.id])
    metrics.record(call())
    metrics.record(call(CAPABLE))
    metrics.use_models([CHEAP.id, CAPABLE.id])
    metrics.record(call(CAPABLE))
    found = samples(metrics.render())
    counts = {model: total(found, "turnout_calls_total", model=model) for model in (CHEAP.id, CAPABLE.id, "other")}
    assert counts == {CHEAP.id: 1, CAPABLE.id: 1, "other": 1}


def test_without_the_client_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.core", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'turnout\[gateway\]'"):
        MetricsRecorder([])
