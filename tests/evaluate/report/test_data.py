from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.report.conftest import MakeReport
from tests.evaluate.report.runs import ALONE, run_of
from turnout.evaluate.report.data import MOST_RUNS, Report, read_report, short_names
from turnout.trace.errors import LedgerError
from turnout.trace.store.ledger import Ledger


def test_two_runs_are_compared(two: Report) -> None:
    assert [run.run.name for run in two.runs] == ["demo-v3", "demo-v4"]
    assert [run.short for run in two.runs] == ["v3", "v4"]
    assert two.comparison is not None
    assert (two.comparison.before, two.comparison.after) == ("demo-v3", "demo-v4")
    assert [run.not_routing is None for run in two.runs] == [True, False]
    assert two.simulated


def test_one_run_or_three_are_not_compared(report_of: MakeReport) -> None:
    assert report_of(run_of("a")).comparison is None
    assert report_of(run_of("a"), run_of("b"), run_of("c", ALONE)).comparison is None


def test_one_simulated_run_makes_the_report_one_of_simulated_models(report_of: MakeReport) -> None:
    report = report_of(run_of("a", simulated=False), run_of("b"))
    assert ([run.simulated for run in report.runs], report.simulated) == ([False, True], True)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "1 to 6 runs, got 0"),
        ([f"{number}" for number in range(MOST_RUNS + 1)], "got 7"),
        (["a", "a"], "stands twice"),
        (["a", "b"], "unknown run 'b'"),
        (["empty"], "has no events"),
    ],
)
def test_what_cannot_be_reported(tmp_path: Path, runs: list[str], message: str) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(run_of("a"))
        ledger.describe("empty", note="nothing yet")
        with pytest.raises(LedgerError, match=message):
            read_report(ledger, runs, names={}, made_ms=0)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["alone"], ["this run"]),
        (["2026-demo-v3", "2026-demo-v4"], ["v3", "v4"]),
        (["demo-4.5-v3", "demo-4.5-v4", "demo-5.5-v4"], ["4.5-v3", "4.5-v4", "5.5-v4"]),
        (["monday", "tuesday"], ["monday", "tuesday"]),
        (["run-", "run-2"], ["run-", "run-2"]),
        (["run", "run-2"], ["run", "run-2"]),
    ],
)
def test_names_are_cut_to_what_tells_them_apart(names: list[str], short: list[str]) -> None:
    assert short_names(names) == short


def test_a_model_without_a_name_is_known_by_its_id(two: Report) -> None:
    assert two.name("bedrock/global.anthropic.claude-haiku-4-5") == "Claude Haiku 4.5"
    assert two.name("bedrock/other") == "other"
    assert two.name("bare") == "bare"
