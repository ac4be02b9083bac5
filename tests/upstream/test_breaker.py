from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from turnout.core.calls import BreakerRules
from turnout.upstream.breaker import (
    CLOSED,
    Breaker,
    BreakerKey,
    Breakers,
    admits,
    began,
    failed,
    released,
    seen_at,
    succeeded,
)

RULES = BreakerRules(consecutive_failures=3, error_rate=0.5, minimum_calls=10, window_s=60.0, open_s=15.0, probes=2)
KEY = BreakerKey("bedrock/a", "us-east-1")


def opened_at(now_ms: int) -> Breaker:
    breaker = CLOSED
    for _ in range(3):
        breaker = failed(breaker, RULES, now_ms)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = failed(failed(CLOSED, RULES, 0), RULES, 1)
    assert admits(breaker, RULES, 2)
    assert failed(succeeded(breaker, RULES, 2), RULES, 3).state == "closed"
    assert failed(breaker, RULES, 2).state == "open"
    assert not admits(failed(breaker, RULES, 2), RULES, 3)


def test_a_share_of_failures_opens_it_once_there_are_enough_calls() -> None:
    breaker = CLOSED
    for number in range(9):
        breaker = (failed if number % 2 else succeeded)(breaker, RULES, number * 1_000)
    assert breaker.state == "closed"
    assert failed(breaker, RULES, 9_000).state == "open"


def test_old_failures_are_forgotten() -> None:
    breaker = CLOSED
    for number in range(9):
        breaker = (failed if number % 2 else succeeded)(breaker, RULES, number)
    assert failed(breaker, RULES, 61_000).state == "closed"


def test_probes_find_out_whether_the_upstream_is_back() -> None:
    breaker = opened_at(0)
    assert not admits(breaker, RULES, 14_999)
    assert seen_at(breaker, RULES, 15_000).state == "half_open"
    one = began(breaker, RULES, 15_000)
    two = began(one, RULES, 15_001)
    assert admits(one, RULES, 15_001)
    assert not admits(two, RULES, 15_002)
    half = succeeded(two, RULES, 15_100)
    assert (half.state, admits(half, RULES, 15_101)) == ("half_open", True)
    assert succeeded(half, RULES, 15_200).state == "closed"
    again = failed(half, RULES, 15_200)
    assert (again.state, again.since_ms) == ("open", 15_200)


def test_a_probe_that_says_nothing_makes_room_for_another() -> None:
    two = began(began(opened_at(0), RULES, 15_000), RULES, 15_000)
    assert admits(released(two, RULES, 15_001), RULES, 15_001)
    # One whose end is never told is forgotten.
    assert admits(two, RULES, 30_000)


def test_late_ends_do_not_close_an_open_breaker() -> None:
    assert succeeded(opened_at(0), RULES, 10).state == "open"
    assert failed(opened_at(0), RULES, 10).since_ms == 0


def test_a_clock_that_is_set_back_does_not_keep_it_open() -> None:
    assert admits(opened_at(1_000_000), RULES, 5)


ends = st.lists(st.tuples(st.sampled_from(["ok", "error", "neutral", "lost"]), st.integers(0, 20_000)), max_size=80)
rules = st.builds(
    BreakerRules,
    consecutive_failures=st.integers(1, 6),
    error_rate=st.floats(0.1, 1.0),
    minimum_calls=st.integers(1, 10),
    window_s=st.floats(1, 100),
    open_s=st.floats(1, 30),
    probes=st.integers(1, 3),
)


@given(rules, ends)
def test_what_holds_of_every_history(rules: BreakerRules, history: list[tuple[str, int]]) -> None:
    breaker, now_ms, opened_ms, failures = CLOSED, 0, None, 0
    for end, passed_ms in history:
        now_ms += passed_ms
        before = seen_at(breaker, rules, now_ms).state
        # It is open for exactly as long as the rules say, and never without a failure.
        assert (before == "open") == (opened_ms is not None and now_ms - opened_ms < round(rules.open_s * 1000))
        if not admits(breaker, rules, now_ms):
            assert before != "closed"
            continue
        breaker = began(breaker, rules, now_ms)
        assert len(breaker.probes_ms) <= rules.probes
        if end == "ok":
            breaker, failures = succeeded(breaker, rules, now_ms), 0
            assert breaker.state in ("closed", "half_open")
        elif end == "error":
            breaker, failures = failed(breaker, rules, now_ms), failures + 1
            must_open = failures >= rules.consecutive_failures or before == "half_open"
            assert breaker.state == "open" or not must_open
        elif end == "neutral":
            breaker = released(breaker, rules, now_ms)
            assert breaker.state == before
        if breaker.state == "open":
            opened_ms, failures = now_ms, 0
        elif breaker.state == "closed":
            opened_ms = None
        assert len(breaker.slices) <= 10
        assert all(0 <= one.failures <= one.calls for one in breaker.slices)


@given(rules, st.lists(st.sampled_from(["error", "lost"]), max_size=50), st.integers(0, 10**6))
def test_whatever_happened_it_closes_again_once_the_upstream_is_back(
    rules: BreakerRules, history: list[str], now_ms: int
) -> None:
    breaker = CLOSED
    for end in history:
        breaker = began(breaker, rules, now_ms)
        breaker = failed(breaker, rules, now_ms) if end == "error" else breaker
        now_ms += 100
    now_ms += round(rules.open_s * 1000)
    for _ in range(rules.probes):
        assert admits(breaker, rules, now_ms)
        breaker = succeeded(began(breaker, rules, now_ms), rules, now_ms)
        now_ms += 1
    assert breaker.state == "closed"


def test_each_model_and_region_has_its_own() -> None:
    breakers = Breakers(RULES)
    for _ in range(3):
        breakers.failed(KEY, 0)
    other = BreakerKey("bedrock/a", "eu-west-1")
    breakers.succeeded(other, 0)
    assert breakers.states(1) == {other: "closed", KEY: "open"}
    assert breakers.states(15_000)[KEY] == "half_open"
    assert (breakers.admits(KEY, 1), breakers.admits(other, 1)) == (False, True)


def test_a_call_may_be_made_anyway() -> None:
    breakers = Breakers(RULES)
    for _ in range(3):
        breakers.failed(KEY, 0)
    assert not breakers.admit(KEY, 1)
    assert breakers.admit(KEY, 1, anyway=True)
    assert breakers.states(1) == {KEY: "open"}


def test_no_more_than_the_probes_get_through_at_once() -> None:
    breakers = Breakers(RULES)
    for _ in range(3):
        breakers.failed(KEY, 0)
    admitted: list[bool] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        admitted.append(breakers.admit(KEY, 15_000))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(admitted) == [False] * 6 + [True] * 2
    breakers.released(KEY, 15_001)
    assert breakers.admit(KEY, 15_001)


@given(rules, ends)
def test_the_holder_counts_as_the_functions_do(rules: BreakerRules, history: list[tuple[str, int]]) -> None:
    holder, breaker, now_ms = Breakers(rules), CLOSED, 0
    for end, passed_ms in history:
        now_ms += passed_ms // 7  # many ends within one slice of the window
        if end == "ok":
            holder.succeeded(KEY, now_ms)
            breaker = succeeded(breaker, rules, now_ms)
        elif end == "error":
            holder.failed(KEY, now_ms)
            breaker = failed(breaker, rules, now_ms)
        elif end == "neutral":
            holder.released(KEY, now_ms)
            breaker = released(breaker, rules, now_ms)
        assert holder.admits(KEY, now_ms) == admits(breaker, rules, now_ms)
    assert holder.states(now_ms).get(KEY, "closed") == seen_at(breaker, rules, now_ms).state
    # What was counted shows where a failure is held against it.
    holder.failed(KEY, now_ms)
    assert holder.states(now_ms)[KEY] == seen_at(failed(breaker, rules, now_ms), rules, now_ms).state
