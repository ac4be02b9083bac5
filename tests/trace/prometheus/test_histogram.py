from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.trace.prometheus.histogram import (
    CALL_SECONDS,
    CLASSIFIER_SECONDS,
    CONTENT_SECONDS,
    DECISION_SECONDS,
    Histogram,
)

ALL = (CALL_SECONDS, CONTENT_SECONDS, CLASSIFIER_SECONDS, DECISION_SECONDS)


@pytest.mark.parametrize("bounds", ALL)
def test_the_buckets_ascend(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
    assert bounds[0] > 0


def test_a_time_that_equals_an_end_is_within_it() -> None:
    histogram = Histogram((0.5, 1.0))
    for milliseconds in (499.0, 500.0, 500.1, 1000.0, 1001.0):
        histogram.add(milliseconds)
    assert histogram.buckets() == [("0.5", 2.0), ("1.0", 4.0), ("+Inf", 5.0)]
    assert histogram.sum_s == pytest.approx(3.5001)


@given(st.lists(st.floats(0, 1e6)), st.sampled_from(ALL))
def test_each_bucket_holds_the_times_up_to_its_end(times: list[float], bounds: tuple[float, ...]) -> None:
    histogram = Histogram(bounds)
    for milliseconds in times:
        histogram.add(milliseconds)
    for end, count in histogram.buckets():
        assert count == sum(milliseconds / 1000 <= float(end) for milliseconds in times)
    assert histogram.sum_s == pytest.approx(sum(times) / 1000)
