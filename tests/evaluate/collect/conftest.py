"""One double for a file's tests, and settings that call it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evaluate.collect.support import answering, settings_at, started
from turnout.config import Settings
from turnout.testing.completions import OpenAIDouble


@pytest.fixture(scope="module")
def running() -> Iterator[OpenAIDouble]:
    double = started()
    yield double
    double.stop()


@pytest.fixture
def double(running: OpenAIDouble) -> OpenAIDouble:
    running.responder = answering
    running.faults.clear()
    running.calls.clear()
    return running


@pytest.fixture
def settings(double: OpenAIDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return settings_at(tmp_path, double.url, monkeypatch)
