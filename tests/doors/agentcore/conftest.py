from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from tests.doors.strands.support import RULES, Events
from tests.trace.otel import fresh_tracing
from turnout.testing.bedrock import BedrockDouble

with warnings.catch_warnings():
    # bedrock-agentcore declares a model in a way that pydantic 2 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bedrock_agentcore.runtime.app  # noqa: F401  # loaded here so that the warning is not raised later

# It would otherwise add one that prints every request, in a way that Python 3.12 deprecates.
logging.getLogger("bedrock_agentcore.app").addHandler(logging.NullHandler())


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_tracing(monkeypatch):
        yield


@pytest.fixture
def double() -> Iterator[BedrockDouble]:
    with BedrockDouble(RULES) as running:
        yield running


@pytest.fixture
def events() -> Events:
    return Events()
