"""One double and one boto3 client for all tests of the double; each test finds them as new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from turnout.testing.bedrock import BedrockDouble, ManualClock, RuleResponder


@pytest.fixture(scope="session")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def shared_double(clock: ManualClock) -> Iterator[BedrockDouble]:
    with BedrockDouble(clock=clock) as double:
        yield double


@pytest.fixture(scope="session")
def shared_client(shared_double: BedrockDouble) -> Iterator[Any]:
    client = shared_double.client()
    yield client
    client.close()


@pytest.fixture
def double(shared_double: BedrockDouble) -> BedrockDouble:
    shared_double.responder = RuleResponder()
    shared_double.faults.clear()
    shared_double.calls.clear()
    shared_double.caches.clear()
    return shared_double


@pytest.fixture
def client(double: BedrockDouble, shared_client: Any) -> Any:
    return shared_client
