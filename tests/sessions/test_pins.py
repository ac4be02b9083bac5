from __future__ import annotations

import logging

import pytest

from turnout.core.catalog import UnknownModelError
from turnout.core.policy import Candidate, Policy
from turnout.sessions.pins import SessionPins

POLICY = Policy(candidates=(Candidate("cheap", 0), Candidate("capable", 1)))


def test_a_session_is_pinned_until_it_is_let_go() -> None:
    pins = SessionPins(POLICY)
    assert pins.of("s") is None
    pins.pin("s", "cheap")
    pins.pin("s", "capable")
    assert (pins.of("s"), pins.of("other")) == ("capable", None)
    pins.unpin("s")
    pins.unpin("s")
    assert pins.of("s") is None


def test_only_candidates_can_be_pinned() -> None:
    pins = SessionPins(POLICY)
    pins.pin("s", "cheap")
    with pytest.raises(UnknownModelError, match="the nearest known one is 'cheap'"):
        pins.pin("s", "cheep")
    assert pins.of("s") == "cheap"


def test_the_pin_that_was_used_longest_ago_is_forgotten_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    pins = SessionPins(POLICY, max_sessions=2)
    pins.pin("a", "cheap")
    pins.pin("b", "capable")
    assert pins.of("a") == "cheap"
    with caplog.at_level(logging.WARNING):
        pins.pin("c", "cheap")
    assert (pins.of("a"), pins.of("b"), pins.of("c")) == ("cheap", None, "cheap")
    assert "model=<capable> | too many sessions are pinned" in caplog.text
