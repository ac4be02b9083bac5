from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from tests.trace.langfuse.conftest import Passing
from turnout.testing.clock import ManualClock
from turnout.trace.langfuse.errors import WaitCancelledError
from turnout.trace.langfuse.waiting import Patience, Waiting


@pytest.fixture
def own_clock() -> ManualClock:
    return ManualClock()


def looks(waiting: Waiting, at_least_s: float = 0.0) -> int:
    while waiting.next_look(at_least_s):
        pass
    return waiting.looks


def test_the_defaults_are_the_reference_systems() -> None:
    assert Patience() == Patience(wait_seconds=5, max_retries=5, timeout_seconds=120)


def test_a_wait_before_each_look(own_clock: ManualClock) -> None:
    passing = Passing(own_clock)
    assert looks(Waiting(Patience(), passing, own_clock)) == 6
    assert passing.waits == [5.0] * 6


def test_the_first_look_at_once(own_clock: ManualClock) -> None:
    passing = Passing(own_clock)
    assert looks(Waiting(Patience(max_retries=2), passing, own_clock, at_once=True)) == 3
    assert passing.waits == [0.0, 5.0, 5.0]


def test_no_look_begins_after_the_time(own_clock: ManualClock) -> None:
    passing = Passing(own_clock)
    waiting = Waiting(Patience(wait_seconds=5, max_retries=100, timeout_seconds=12), passing, own_clock)
    assert looks(waiting) == 2
    assert waiting.remaining_s == 2.0
    own_clock.advance(5)
    assert waiting.remaining_s == 0.0


def test_the_first_look_is_made_even_if_the_time_is_short(own_clock: ManualClock) -> None:
    passing = Passing(own_clock)
    assert looks(Waiting(Patience(wait_seconds=5, timeout_seconds=3), passing, own_clock)) == 1
    assert passing.waits == [3.0]


def test_what_was_asked_for_is_waited_or_no_look_follows(own_clock: ManualClock) -> None:
    passing = Passing(own_clock)
    waiting = Waiting(Patience(wait_seconds=1, max_retries=9, timeout_seconds=20), passing, own_clock)
    assert waiting.next_look()
    assert waiting.next_look(8.0)
    assert not waiting.next_look(60.0)
    assert passing.waits == [1.0, 8.0]


def test_cancelled(own_clock: ManualClock) -> None:
    waiting = Waiting(Patience(), Passing(own_clock, cancel_after=1), own_clock)
    assert waiting.next_look()
    with pytest.raises(WaitCancelledError):
        waiting.next_look()


def test_cancelled_by_an_event_of_another_thread() -> None:
    cancel = threading.Event()
    threading.Timer(0.02, cancel.set).start()
    with pytest.raises(WaitCancelledError):
        Waiting(Patience(wait_seconds=60), cancel).next_look()


def test_without_a_cancel_time_passes_by_itself() -> None:
    assert looks(Waiting(Patience(wait_seconds=0.001, max_retries=2))) == 3


@pytest.mark.parametrize("name", ["wait_seconds", "max_retries", "timeout_seconds"])
@pytest.mark.parametrize("value", [-1, math.inf, math.nan])
def test_what_is_no_patience(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Patience(**{name: value})
