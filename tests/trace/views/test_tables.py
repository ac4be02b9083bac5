from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from rich.console import Console
from rich.table import Table

from turnout.core.cost import Cost
from turnout.core.price import flat_price
from turnout.core.usage import Usage
from turnout.trace.views.compare import Change, compare
from turnout.trace.views.metrics import RunMetrics, TurnMetrics, totals_of
from turnout.trace.views.tables import comparison_table, metrics_table, percent, summary_table, to_json, usd

ANSWERED = TurnMetrics(
    turn_id="1",
    query_id="Technical Support",
    status="answered",
    model="bedrock/global.large",
    reason="cheapest_below_bar",
    label="complex",
    classified=True,
    calls=2,
    answer_usage=Usage(
        input_tokens=917,
        cache_read_tokens=1743,
        cache_write_5m_tokens=1000,
        cache_write_1h_tokens=743,
        output_tokens=418,
    ),
    answer_cost=Cost(input_pico=16_080_150_000),
    classifier_usage=Usage(input_tokens=400, output_tokens=5),
    classifier_cost=Cost(input_pico=425_000_000),
    high_pico=16_505_150_000,
    expected_pico=16_000_000_000,
    latency_ms=9350.0,
    classifier_ms=310.5,
    decision_ms=0.25,
)
FAILED = TurnMetrics(turn_id="2", query_id="Hello", status="failed", model="bedrock/global.small", unreported_calls=1)


def _run(*turns: TurnMetrics, name: str = "v4") -> RunMetrics:
    return RunMetrics(run=name, turns=turns, totals=totals_of(turns))


def _simulated(run: RunMetrics) -> RunMetrics:
    turns = [
        TurnMetrics(
            turn_id=turn.turn_id,
            query_id=turn.query_id,
            status=turn.status,
            model=turn.model,
            answer_cost=turn.answer_cost,
            classifier_ms=turn.classifier_ms,
            simulated=True,
        )
        for turn in run.turns
    ]
    return _run(*turns, name=run.run)


def _shown(table: Table, width: int = 200) -> str:
    file = io.StringIO()
    Console(width=width, file=file).print(table)
    return file.getvalue()


def _cells(table: Table, row: int) -> list[str]:
    return [str(list(column.cells)[row]) for column in table.columns]


def _rows(table: Table) -> dict[str, list[str]]:
    return {cells[0]: cells[1:] for cells in (_cells(table, row) for row in range(table.row_count))}


def test_a_turn_is_a_row_of_classifier_and_answer_together() -> None:
    table = metrics_table(_run(ANSWERED, FAILED), names={"bedrock/global.small": "Small 4.5"})
    assert [str(column.header) for column in table.columns] == [
        "query",
        "model",
        "reason",
        "latency s",
        "cost $",
        "input",
        "output",
        "cache read",
        "cache write",
    ]
    assert _cells(table, 0) == [
        "Technical Support",
        "global.large",
        "cheapest_below_bar",
        "9.35",
        "0.016505",
        "1,317",
        "423",
        "1,743",
        "1,743",
    ]
    assert _cells(table, 1) == ["Hello", "Small 4.5 (failed)", "–", "–", "0.000000", "0", "0", "0", "0"]
    assert _cells(table, 2) == ["total (2), mean latency", "", "", "9.35", "0.016505", "1,317", "423", "1,743", "1,743"]


def test_the_summary_says_what_stands_behind_the_totals() -> None:
    rows = _rows(summary_table(_run(ANSWERED, FAILED)))
    assert rows == {
        "turns answered": ["1 of 2"],
        "not answered": ["Hello (failed)"],
        "cost": ["0.016505 $"],
        "of which classifier": ["0.000425 $"],
        "not reported in full": ["calls: 1; the cost is at most 0.016505 $"],
        "mean latency": ["9.35 s"],
        "mean classifier time": ["310.50 ms"],
        "mean decision time": ["0.25 ms"],
        "answered by": ["global.large 1 (100 %)"],
        "decided for": ["cheapest_below_bar 1 (100 %)"],
        "expected cost of answers": ["0.016000 $, actual 0.016080 $ (+0.5 %)"],
    }


def test_an_empty_run_has_tables_too() -> None:
    assert _rows(metrics_table(_run())) == {"total (0), mean latency": ["", "", "–", "0.000000", "0", "0", "0", "0"]}
    assert _rows(summary_table(_run()))["answered by"] == ["–"]
    assert json.dumps(to_json(_run()))


def test_a_comparison_has_signed_changes_and_both_lines_of_cost() -> None:
    before = TurnMetrics(
        turn_id="0",
        query_id="Technical Support",
        status="answered",
        model="bedrock/global.large",
        latency_ms=10_000.0,
        answer_usage=Usage(input_tokens=800, output_tokens=418),
        answer_cost=Cost(input_pico=20_000_000_000),
    )
    comparison = compare(
        _run(before, name="v3"),
        _run(ANSWERED, FAILED),
        classifier_price=flat_price("0.1", "0.5"),
        classifier_name="Haiku 5.5",
    )
    table = comparison_table(comparison)
    assert [str(column.header) for column in table.columns] == ["figure", "v3", "v4", "change", "change %"]
    assert _rows(table) == {
        "cost $, as run": ["0.020000", "0.016505", "-0.003495", "-17.5 %"],
        "cost $, classifier repriced (*)": ["0.020000", "0.016123", "-0.003877", "-19.4 %"],
        "mean latency s": ["10.00", "9.35", "-0.65", "-6.5 %"],
        "input": ["800", "1,317", "+517", "+64.6 %"],
        "output": ["418", "423", "+5", "+1.2 %"],
        "cache read": ["0", "1,743", "+1,743", "n/a"],
        "cache write": ["0", "1,743", "+1,743", "n/a"],
    }
    shown = _shown(table)
    assert "1 query, fewer than 10" in shown
    assert "(*) each query that was classified is charged 400 prompt and 5 output tokens" in shown
    assert "only in v4: Hello" in shown


def test_an_interval_stands_below_the_comparison() -> None:
    turns = [
        TurnMetrics(turn_id=str(number), query_id=str(number), status="answered", answer_cost=Cost(input_pico=10**9))
        for number in range(10)
    ]
    comparison = compare(_run(*turns, name="a"), _run(*turns, name="b"))
    shown = " ".join(_shown(comparison_table(comparison)).split())
    assert "mean change of cost by query: 0.000000 $, 0.95 interval 0.000000 to 0.000000 $" in shown


def test_many_names_are_cut_short() -> None:
    turns = [TurnMetrics(turn_id=str(number), status="failed") for number in range(8)]
    [cell] = _rows(summary_table(_run(*turns)))["not answered"]
    assert cell.endswith("4 (failed) and 3 more")


@pytest.mark.parametrize("forced", [False, True])
def test_everything_from_simulated_models_says_so_and_hides_latency(forced: bool) -> None:
    run = _run(ANSWERED) if forced else _simulated(_run(ANSWERED))
    comparison = compare(run, run)
    for table in (
        metrics_table(run, simulated=forced),
        summary_table(run, simulated=forced),
        comparison_table(comparison, simulated=forced),
    ):
        assert str(table.title).startswith("simulated models")
        shown = _shown(table)
        assert shown.startswith("simulated models")
        assert "n/a (simulated)" in shown
        assert "9.35" not in shown
    run_json, comparison_json = to_json(run, simulated=forced), to_json(comparison, simulated=forced)
    assert run_json["simulated"] is True
    assert all(turn["simulated"] is True and turn["latency_s"] is None for turn in run_json["turns"])
    assert run_json["totals"]["mean_latency_s"] is None
    assert comparison_json["simulated"] is True
    assert comparison_json["mean_latency_s"] is None


def test_the_label_cannot_be_taken_away() -> None:
    run = _simulated(_run(ANSWERED))
    assert str(metrics_table(run, simulated=False).title).startswith("simulated models")
    assert to_json(run, simulated=False)["simulated"] is True


def test_real_models_carry_no_label() -> None:
    assert str(metrics_table(_run(ANSWERED)).title) == "v4: metrics"
    assert to_json(_run(ANSWERED))["simulated"] is False


def test_the_time_of_a_real_classifier_is_shown_beside_simulated_answers() -> None:
    rows = _rows(summary_table(_simulated(_run(ANSWERED))))
    assert rows["mean latency"] == ["n/a (simulated)"]
    assert to_json(_simulated(_run(ANSWERED)))["turns"][0]["classifier_s"] == 0.3105


def test_names_are_shown_as_they_are_but_for_control_characters() -> None:
    turn = TurnMetrics(turn_id="1", query_id="[red]a[/] :warning: \x1b[31m\nb", status="failed")
    shown = _shown(metrics_table(_run(turn, name="[bold]run[/]")))
    assert "[red]a[/] :warning: �[31m�b" in shown
    assert "[bold]run[/]: metrics" in shown


def test_a_run_is_json_with_exact_money() -> None:
    value = json.loads(json.dumps(to_json(_run(ANSWERED, FAILED), names={"bedrock/global.large": "Large"})))
    assert value["run"] == "v4"
    turn = value["turns"][0]
    assert turn["cost"] == {"usd": "0.016505150000", "pico_usd": 16_505_150_000}
    assert turn["classifier_cost"]["pico_usd"] == 425_000_000
    assert turn["expected_answer_cost"]["pico_usd"] == 16_000_000_000
    assert (turn["model"], turn["model_name"]) == ("bedrock/global.large", "Large")
    assert turn["tokens"] == {"input": 1317, "output": 423, "cache_read": 1743, "cache_write": 1743}
    assert turn["latency_s"] == 9.35
    assert value["turns"][1]["latency_s"] is None
    assert value["totals"]["answered"] == 1
    assert value["totals"]["unanswered"] == [{"name": "Hello", "status": "failed"}]
    assert value["totals"]["cost"] == {"usd": "0.016505150000", "pico_usd": 16_505_150_000}
    assert value["totals"]["reasons"] == {"cheapest_below_bar": 1}
    assert value["totals"]["expected"]["absolute_error"]["pico_usd"] == 80_150_000


def test_a_comparison_is_json_with_rounded_percentages_only() -> None:
    comparison = compare(
        _run(ANSWERED, name="a"), _run(ANSWERED, FAILED, name="b"), classifier_price=flat_price("1", "5")
    )
    value = json.loads(json.dumps(to_json(comparison)))
    assert value["cost_usd"] == {
        "before": "0.016505150000",
        "after": "0.016505150000",
        "change": "0.000000000000",
        "change_percent": "0.0000",
    }
    assert value["cost_usd_classifier_repriced"]["after"] == "0.016505150000"
    assert value["tokens"]["cache_write"]["before"] == "1743"
    assert value["queries"] == [
        {
            "query_id": "Technical Support",
            "before": {"usd": "0.016505150000", "pico_usd": 16_505_150_000},
            "after": {"usd": "0.016505150000", "pico_usd": 16_505_150_000},
            "models": ["bedrock/global.large", "bedrock/global.large"],
        }
    ]
    assert value["unmatched_after"] == ["Hello"]
    assert value["interval"] is None


@pytest.mark.parametrize(
    ("amount", "digits", "shown"),
    [
        ("0.0000005", 6, "0.000000"),  # half to even
        ("0.0000015", 6, "0.000002"),
        ("1234.5", 2, "1,234.50"),
        ("-0.0000001", 6, "0.000000"),
    ],
)
def test_money_is_rounded_where_it_is_shown(amount: str, digits: int, shown: str) -> None:
    assert usd(Decimal(amount), digits) == shown


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [("43.8", "36.9", "-15.8 %"), ("1", "3.061", "+206.1 %"), ("1", "0.99999", "0.0 %"), ("0", "1", "n/a")],
)
def test_a_percentage_has_its_sign(before: str, after: str, shown: str) -> None:
    assert percent(Change(Decimal(before), Decimal(after))) == shown
