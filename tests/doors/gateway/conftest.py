"""The doubles, once a file, and a gateway before them with six candidates, two of each provider."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from tests.doors.gateway.access.conftest import certificate
from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Served, Upstreams, served, settings_text, upstreams

__all__ = ["certificate", "doubles", "gateway", "running"]


@pytest.fixture(scope="module")
def doubles() -> Iterator[Upstreams]:
    # What is there by now need not be gone through after each test (see below), which took longer than most tests.
    gc.collect()
    gc.freeze()
    with upstreams() as found:
        yield found


@pytest.fixture(scope="module")
def running(doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    candidates = (OPENAI[0], ANTHROPIC[0], BEDROCK[0], OPENAI[1], ANTHROPIC[1], BEDROCK[1])
    extra = "[gateway]\ntranslate = false"
    with served(tmp_path_factory.mktemp("gateway"), settings_text(doubles, *candidates, extra=extra)) as found:
        yield found


@pytest.fixture
def gateway(running: Served, doubles: Upstreams) -> Iterator[Served]:
    doubles.clear()
    running.events.events.clear()
    yield running
    # Clients leave the connection of a stream that broke or was left to the garbage collector: here, and not in the
    # middle of a later test, which would be blamed for it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
