from collections.abc import Iterator

import pytest

from tests.doors.strands.support import RULES, Events
from turnout.testing.bedrock import BedrockDouble


@pytest.fixture
def double() -> Iterator[BedrockDouble]:
    with BedrockDouble(RULES) as running:
        yield running


@pytest.fixture
def events() -> Events:
    return Events()
