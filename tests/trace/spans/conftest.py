from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trace.otel import fresh_tracing
from turnout.trace.spans.context import activate
from turnout.trace.spans.recorder import SpanRecorder


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_tracing(monkeypatch):
        yield


@pytest.fixture
def spans(fresh: None) -> Iterator[SpanRecorder]:
    """A recorder of spans that every router of the process uses."""
    with SpanRecorder([]) as recorder:
        activate(recorder)
        yield recorder
