from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluate.report.runs import ALONE, run_of
from turnout.evaluate.report.data import Report, read_report
from turnout.trace.events import Event
from turnout.trace.store.ledger import Ledger

MADE_MS = 1_795_392_000_000
NAMES = {
    "bedrock/global.anthropic.claude-haiku-4-5": "Claude Haiku 4.5",
    "bedrock/global.anthropic.claude-sonnet-4-6": "Claude Sonnet 4.6",
}

MakeReport = Callable[..., Report]


@pytest.fixture
def report_of(tmp_path: Path) -> MakeReport:
    """Writes events and reports on their runs, in the order in which the runs come."""

    def make(*runs: list[Event]) -> Report:
        with Ledger(tmp_path / "ledger.db") as ledger:
            for events in runs:
                ledger.append(events)
            names = list(dict.fromkeys(event.run for events in runs for event in events))
            return read_report(ledger, names, names=NAMES, made_ms=MADE_MS)

    return make


@pytest.fixture
def two(report_of: MakeReport) -> Report:
    """The capable model alone, and routed; simulated."""
    return report_of(run_of("demo-v3", ALONE), run_of("demo-v4"))


@pytest.fixture
def real(report_of: MakeReport) -> Report:
    """The same with real models, as far as anyone can tell."""
    return report_of(run_of("demo-v3", ALONE, simulated=False), run_of("demo-v4", simulated=False))
