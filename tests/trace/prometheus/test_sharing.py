"""The counts of several processes, added up."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.trace import samples
from turnout.core.cost import Cost
from turnout.trace.prometheus import MetricsRecorder
from turnout.trace.prometheus.sharing import Counted, Shared, added
from turnout.trace.prometheus.totals import Totals
from turnout.upstream.breaker import BreakerKey

MODEL = samples.call().model


def recorder(lost: int = 0, state: str = "closed") -> MetricsRecorder:
    return MetricsRecorder(
        [MODEL], breakers=lambda: [(BreakerKey(MODEL, "r"), state)], dropped={"ledger": lambda: lost}
    )


def values(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(text.decode())
    return {(one.name, tuple(one.labels.values())): one.value for family in families for one in family.samples}


def test_parts_add_up_to_what_one_would_have_counted(tmp_path: Path) -> None:
    one, other, both = recorder(2), recorder(3, "open"), recorder(5, "open")
    events = [
        samples.call(cost=Cost(input_pico=10**12 + number), latency_ms=125.0 * number, first_content_ms=62.5 * number)
        for number in range(20)
    ] + [samples.decision() for _ in range(3)]
    for index, event in enumerate(events):
        (one if index % 3 else other).record(event)
        both.record(event)
    shared = [Shared(tmp_path, slot) for slot in (0, 1)]
    for place, part in zip(shared, (one, other), strict=True):
        place.write(part.counted())
    assert values(one.exposition(parts=shared[1].all()).body) == values(both.render())


def test_one_that_takes_the_place_of_another_goes_on(tmp_path: Path) -> None:
    first = recorder(4)
    first.record(samples.call())
    Shared(tmp_path, 0).write(first.counted())
    second = recorder(1)
    before = Shared(tmp_path, 0).before()
    assert before is not None
    second.go_on_from(before)
    second.record(samples.call())
    found = values(second.render())
    assert found["turnout_calls_total", (MODEL, "answer", "ok")] == 2
    assert found["turnout_events_dropped_total", ("ledger",)] == 5
    assert Shared(tmp_path, 1).before() is None


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Shared(tmp_path, 0).write(recorder().counted())
    (tmp_path / "1.counts").write_bytes(b"\x00 nothing")
    with caplog.at_level(logging.ERROR):
        assert len(Shared(tmp_path, 0).all()) == 1
    assert "the counts of a process cannot be read" in caplog.text


def test_nothing_adds_up_to_nothing() -> None:
    found = added(["m"], [Counted(Totals(["m"]))])
    assert (found.totals.calls, found.breakers, found.dropped) == ({}, (), {})
