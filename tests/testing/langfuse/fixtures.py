"""A double of each kind for all tests of a folder, found as new by each test, its exchanges checked after each.

A folder's ``conftest.py`` imports what it wants of these.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testing.langfuse.contract import check
from turnout.testing.langfuse import LangfuseDouble, ManualClock


@pytest.fixture(scope="session")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def shared_double(clock: ManualClock) -> Iterator[LangfuseDouble]:
    with LangfuseDouble(clock=clock) as double:
        yield double


@pytest.fixture(scope="session")
def shared_old_double(clock: ManualClock) -> Iterator[LangfuseDouble]:
    with LangfuseDouble("v3", clock=clock) as double:
        yield double


@pytest.fixture
def double(shared_double: LangfuseDouble) -> Iterator[LangfuseDouble]:
    shared_double.clear()
    yield shared_double
    check(shared_double.exchanges)


@pytest.fixture
def old_double(shared_old_double: LangfuseDouble) -> Iterator[LangfuseDouble]:
    shared_old_double.clear()
    yield shared_old_double
    check(shared_old_double.exchanges)
