"""A double of each kind for all tests, found as new by each, its exchanges checked after each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.testing.langfuse.contract import check
from turnout.testing.bedrock import ManualClock
from turnout.testing.langfuse import LangfuseDouble


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


@pytest.fixture
def http(double: LangfuseDouble) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=double.url, auth=(double.public_key, double.secret_key)) as client:
        yield client


@pytest.fixture
def old_http(old_double: LangfuseDouble) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=old_double.url, auth=(old_double.public_key, old_double.secret_key)) as client:
        yield client


@pytest.fixture
def api(double: LangfuseDouble) -> Iterator[Any]:
    """The SDK's client of the API, which is generated from Langfuse's own definition."""
    from langfuse.api import LangfuseAPI

    with httpx.Client() as client:
        yield LangfuseAPI(
            base_url=double.url, username=double.public_key, password=double.secret_key, httpx_client=client
        )
