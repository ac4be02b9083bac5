import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from turnout.trace.store.ledger import Ledger
from turnout.trace.views.metrics import run_metrics

CLONE = Path(__file__).parents[4]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The demonstration as a person starts it, but with few queries to assess the classifiers on."""
    command = [sys.executable, "-m", "examples.customer_support.demo", "--assess-pairs", "2", *arguments]
    return subprocess.run(command, cwd=CLONE, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One demonstration: its JSON and the folder that it wrote to."""
    folder = tmp_path_factory.mktemp("demo")
    places = ["--ledger", str(folder / "ledger.sqlite3"), "--chart", str(folder / "chart.png")]
    done = demo("--json", "--test-prompts-only", *places)
    assert done.returncode == 0, done.stderr
    return {"document": json.loads(done.stdout), "folder": folder}


def test_both_pairs_run_through_both_versions(shown: dict[str, Any]) -> None:
    runs = shown["document"]["runs"]
    assert [run["queries"] for run in runs] == ["the five test prompts"] * 2
    assert len({run["pair"] for run in runs}) == 2
    for run in runs:
        assert [turn["query"] for turn in run["turns"]] == [
            "Return Policy", "Product Info", "Technical Support", "Multi-part Question", "General Question",
        ]  # fmt: skip


def test_everything_is_labelled_simulated(shown: dict[str, Any]) -> None:
    document = shown["document"]
    assert document["simulated"] is True
    for run in document["runs"]:
        assert run["simulated"] is True
        for part in ("v3", "v4", "comparison"):
            assert run[part]["simulated"] is True
        assert run["comparison"]["mean_latency_s"] is None


def test_each_turn_says_what_was_decided_and_why(shown: dict[str, Any]) -> None:
    for run in shown["document"]["runs"]:
        for turn in run["turns"]:
            assert turn["expected_label"] in ("simple", "complex")
            assert turn["reason"] in ("cheapest_clears_bar", "cheapest_below_bar", "verdict_not_needed")
            assert len(turn["expected_cost_usd"]) == 2
            assert set(turn["verdicts"]) == {"embedding", "keyword", "llm (SmolLM2)"}
            assert turn["answer"].strip()


def test_totals_are_the_sums_of_the_ledgers_calls(shown: dict[str, Any]) -> None:
    with Ledger(shown["folder"] / "ledger.sqlite3", read_only=True) as ledger:
        for run in shown["document"]["runs"]:
            for version in ("v3", "v4"):
                name = run[version]["run"]
                total = sum(call.cost.total_pico for call in ledger.calls(run=name))
                assert run_metrics(ledger, name).totals.cost_pico == total > 0


def test_simulated_models_report_every_usage_so_that_totals_are_exact(shown: dict[str, Any]) -> None:
    for run in shown["document"]["runs"]:
        for version in ("v3", "v4"):
            exactness = run[version]["totals"]["exactness"]
            assert exactness["exact"] is True
            assert exactness["exact_calls"] == exactness["usage_sources"]["reported"] > 0
        assert (run["comparison"]["exact"], run["comparison"]["cost_usd_bounds"]) == (True, None)


def test_the_chart_is_a_picture(shown: dict[str, Any]) -> None:
    data = (shown["folder"] / "chart.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(data) > 10_000


@pytest.mark.once
def test_people_get_tables_with_the_label(tmp_path: Path) -> None:
    places = ["--ledger", str(tmp_path / "ledger.sqlite3"), "--chart", str(tmp_path / "chart.png")]
    out = demo("--pair", "4.5", "--test-prompts-only", *places).stdout
    assert out.index("simulated models: answers by rule") < out.index("held-out support queries")
    # Percentages stand only below titles that carry the label.
    for percentage in re.finditer(r"[-+]\d+\.\d %", out):
        title = out.rfind("\nsimulated models ·", 0, percentage.start())
        assert 0 < title < percentage.start()
        assert "┡" in out[title : percentage.start()]
    # The commands below the report can be pasted as they are, whatever is on the reader's PATH.
    again = [line.split() for line in out[out.index("Runs are in ") :].splitlines() if line.startswith("  ")]
    assert [command[1] for command in again] == ["metrics", "compare", "explain"]
    command = [str(CLONE / again[1][0]), *again[1][1:], "--ledger", str(tmp_path / "ledger.sqlite3")]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, timeout=60, check=True)
    assert "-v3 -> " in done.stdout


def test_places_that_cannot_be_written_are_one_line() -> None:
    done = demo("--ledger", "/dev/null/x.sqlite3")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "/dev/null/x.sqlite3" in done.stderr


def test_unknown_options_are_one_line() -> None:
    done = demo("--fast")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("turnout: No such option: --fast")
