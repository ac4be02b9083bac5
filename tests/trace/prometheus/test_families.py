from __future__ import annotations

import prometheus_client.core as core

from tests.trace.prometheus.read import samples, total, value
from tests.trace.samples import CAPABLE, CHEAP, call, decision
from turnout.core.policy import Reason
from turnout.core.usage import Usage
from turnout.trace.prometheus.families import breaker_family
from turnout.trace.prometheus.recorder import MetricsRecorder
from turnout.trace.prometheus.totals import Totals


def rendered() -> bytes:
    metrics = MetricsRecorder([CHEAP.id, CAPABLE.id])
    metrics.record(decision(failed=(CHEAP.id,)))
    metrics.record(call(status="error", usage=Usage(), usage_source="none", latency_ms=90.0))
    metrics.record(call(CAPABLE, attempt=2, first_content_ms=400.0, latency_ms=2_500.0))
    return metrics.render()


def test_every_family_says_what_it_is() -> None:
    lines = rendered().decode().splitlines()
    named = {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert named == {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert named == {
        "turnout_calls_total",
        "turnout_repeated_calls_total",
        "turnout_tokens_total",
        "turnout_reasoning_tokens_total",
        "turnout_cost_usd_total",
        "turnout_cost_high_usd_total",
        "turnout_call_duration_seconds",
        "turnout_time_to_first_content_seconds",
        "turnout_decisions_total",
        "turnout_failovers_total",
        "turnout_classifier_failures_total",
        "turnout_classifier_duration_seconds",
        "turnout_decision_duration_seconds",
        "turnout_events_dropped_total",
        "turnout_build_info",
    }


def test_the_values_stand_under_their_labels() -> None:
    found = samples(rendered())
    assert value(found, "turnout_calls_total", model=CHEAP.id, role="answer", status="error") == 1
    assert value(found, "turnout_calls_total", model=CAPABLE.id, role="answer", status="ok") == 1
    assert value(found, "turnout_repeated_calls_total", model=CHEAP.id) == 0
    assert value(found, "turnout_repeated_calls_total", model=CAPABLE.id) == 1
    assert value(found, "turnout_failovers_total", model=CHEAP.id) == 1
    assert value(found, "turnout_decisions_total", model=CAPABLE.id, reason=Reason.FAILOVER.value) == 1
    # 100 tokens at $3 and 10 at $15 a million.
    assert value(found, "turnout_cost_usd_total", model=CAPABLE.id, role="answer", certainty="exact") == 0.00045
    assert value(found, "turnout_cost_usd_total", model=CHEAP.id, role="answer", certainty="failed") == 0


def test_times_are_in_seconds() -> None:
    found = samples(rendered())
    name = "turnout_call_duration_seconds"
    assert value(found, f"{name}_sum", model=CAPABLE.id, role="answer", status="ok") == 2.5
    assert value(found, f"{name}_bucket", model=CAPABLE.id, role="answer", status="ok", le="2.0") == 0
    assert value(found, f"{name}_bucket", model=CAPABLE.id, role="answer", status="ok", le="3.0") == 1
    assert total(found, f"{name}_count") == 2
    assert value(found, "turnout_time_to_first_content_seconds_sum", model=CAPABLE.id) == 0.4


def test_both_formats_say_the_same() -> None:
    metrics = MetricsRecorder([CHEAP.id])
    for event in (decision(), call(first_content_ms=3.0), call(CAPABLE)):
        metrics.record(event)
    other = metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert other.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert other.body.endswith(b"# EOF\n")
    assert samples(other.body, openmetrics=True) == samples(metrics.render())


def test_of_several_breakers_under_one_label_the_most_serious_is_shown() -> None:
    states = [(CHEAP.id, "", "closed"), ("x", "eu", "half_open"), ("y", "eu", "open"), ("z", "eu", "closed")]
    family = breaker_family(core, Totals([CHEAP.id]), states)
    holding = [(*sample.labels.values(),) for sample in family.samples if sample.value == 1]
    assert sorted(holding) == sorted([(CHEAP.id, "", "closed"), ("other", "eu", "open")])
    assert len(family.samples) == 6
