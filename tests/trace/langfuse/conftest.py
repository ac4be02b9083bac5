"""A double of each kind, the settings that point at it, and a wait that passes without waiting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testing.langfuse.fixtures import clock, double, old_double, shared_double, shared_old_double
from turnout.testing.langfuse import LangfuseDouble, ManualClock
from turnout.trace.langfuse import LangfuseReader, LangfuseSettings, langfuse_settings

__all__ = ["clock", "double", "old_double", "shared_double", "shared_old_double"]


class Passing:
    """Lets a wait pass at once, by moving the clock of double and reader; cancels after a number of waits if told to.

    Attributes:
        waits: The seconds that were waited.
    """

    def __init__(self, clock: ManualClock, *, cancel_after: int | None = None) -> None:
        self.waits: list[float] = []
        self._clock = clock
        self._cancel_after = cancel_after

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self._clock.advance(timeout)
        return self._cancel_after is not None and len(self.waits) > self._cancel_after


def settings_of(double: LangfuseDouble) -> LangfuseSettings:
    """The settings that an application beside the double has."""
    found = langfuse_settings(double.environment)
    assert found is not None
    return found


@pytest.fixture
def settings(double: LangfuseDouble) -> LangfuseSettings:
    return settings_of(double)


@pytest.fixture
def old_settings(old_double: LangfuseDouble) -> LangfuseSettings:
    return settings_of(old_double)


@pytest.fixture
def reader(settings: LangfuseSettings, clock: ManualClock) -> Iterator[LangfuseReader]:
    with LangfuseReader(settings, clock=clock) as reader:
        yield reader


@pytest.fixture
def old_reader(old_settings: LangfuseSettings, clock: ManualClock) -> Iterator[LangfuseReader]:
    with LangfuseReader(old_settings, clock=clock) as reader:
        yield reader


@pytest.fixture
def passing(clock: ManualClock) -> Passing:
    return Passing(clock)
