from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from turnout.doors.gateway.access.buckets import MINUTE_MS, Bucket

_STEPS = st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 120)), max_size=30)


def test_a_bucket_is_full_at_first_and_fills_evenly() -> None:
    bucket = Bucket(60, 0)
    bucket.take(60, 0)
    assert bucket.wait_ms(1, 0) == 1_000
    assert bucket.wait_ms(1, 999) == 1
    assert bucket.wait_ms(1, 1_000) == 0
    assert bucket.wait_ms(30, 1_000) == 29_000
    assert bucket.wait_ms(60, 600_000) == 0
    bucket.take(60, 600_000)  # a rest of ten minutes filled no more than a minute does
    assert bucket.wait_ms(60, 600_000) == MINUTE_MS


def test_more_than_the_limit_is_had_from_a_full_bucket_and_then_owed() -> None:
    bucket = Bucket(10, 0)
    assert bucket.wait_ms(25, 0) == 0
    bucket.take(25, 0)
    assert bucket.wait_ms(1, 0) == (15 + 1) * 6_000
    assert bucket.wait_ms(25, 0) == 25 * 6_000  # full again, whatever is owed


def test_what_is_given_back_does_not_overflow() -> None:
    bucket = Bucket(10, 0)
    bucket.take(4, 0)
    bucket.give(4, 12_000)
    bucket.take(10, 12_000)
    assert bucket.wait_ms(1, 12_000) == 6_000


def test_another_limit_holds_at_once_and_gives_nothing() -> None:
    bucket = Bucket(10, 0)
    bucket.take(10, 0)
    bucket.resize(60, 0)
    assert bucket.wait_ms(1, 0) == 1_000
    full = Bucket(60, 0)
    full.resize(10, 0)
    full.take(10, 0)
    assert full.wait_ms(1, 0) == 6_000
    assert full.limit == 10


def test_a_clock_that_is_set_back_adds_nothing_and_stops_nothing() -> None:
    bucket = Bucket(60, 100_000)
    bucket.take(60, 100_000)
    assert bucket.wait_ms(1, 40_000) == 1_000
    assert bucket.wait_ms(1, 40_500) == 500


@given(st.integers(1, 100), _STEPS)
def test_within_any_time_no_more_is_given_out_than_promised(limit: int, steps: list[tuple[int, int]]) -> None:
    bucket, now_ms, given_out = Bucket(limit, 0), 0, []
    for passed_ms, amount in steps:
        now_ms += passed_ms
        asked = min(amount, limit)
        wait_ms = bucket.wait_ms(asked, now_ms)
        if wait_ms == 0:
            bucket.take(asked, now_ms)
            given_out.append((now_ms, asked))
        else:
            # It says exactly when: not a millisecond sooner or later.
            now_ms += wait_ms - 1
            assert bucket.wait_ms(asked, now_ms) == 1
            now_ms += 1
            assert bucket.wait_ms(asked, now_ms) == 0
            bucket.take(asked, now_ms)
            given_out.append((now_ms, asked))
    for first, (since_ms, _) in enumerate(given_out):
        total = 0
        for until_ms, amount in given_out[first:]:
            total += amount
            assert total <= limit + Fraction(limit * (until_ms - since_ms), MINUTE_MS)


@given(st.integers(1, 100), _STEPS)
def test_what_was_taken_and_given_back_at_once_was_never_taken(limit: int, steps: list[tuple[int, int]]) -> None:
    plain, borrowed, now_ms = Bucket(limit, 0), Bucket(limit, 0), 0
    for passed_ms, amount in steps:
        now_ms += passed_ms
        borrowed.take(amount, now_ms)
        borrowed.give(amount, now_ms)
        for bucket in (plain, borrowed):
            if bucket.wait_ms(1, now_ms) == 0:
                bucket.take(1, now_ms)
        assert borrowed.wait_ms(limit, now_ms) == plain.wait_ms(limit, now_ms)
