from __future__ import annotations

import io
import json

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from turnout.core.cost import Cost
from turnout.core.price import flat_price
from turnout.core.usage import Usage
from turnout.trace.views.compare import compare, compare_typed
from turnout.trace.views.documents import to_json
from turnout.trace.views.exactness import Exactness
from turnout.trace.views.metrics import RunMetrics, TurnMetrics, totals_of
from turnout.trace.views.tables import comparison_table, metrics_table, summary_table
from turnout.trace.views.typed import typed_totals

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
    answer_exactness=Exactness(exact_calls=2, reported=2),
    classifier_exactness=Exactness(exact_calls=1, reported=1),
    expected_pico=16_000_000_000,
    latency_ms=9350.0,
    classifier_ms=310.5,
    decision_ms=0.25,
)
FAILED = TurnMetrics(
    turn_id="2",
    query_id="Hello",
    status="failed",
    model="bedrock/global.small",
    answer_exactness=Exactness(failed_calls=1, none=1),
)
# An abandoned call: 500 tokens were sent for 0.0015 $ at the least, and it may have cost 0.0450 $.
CUT = TurnMetrics(
    turn_id="3",
    query_id="Long",
    status="cancelled",
    model="bedrock/global.large",
    calls=1,
    answer_usage=Usage(input_tokens=500),
    answer_cost=Cost(input_pico=1_500_000_000),
    answer_exactness=Exactness(bounded_calls=1, estimated=1, low_pico=1_500_000_000, high_pico=45_000_000_000),
)
SILENT = TurnMetrics(
    turn_id="4",
    query_id="Silent",
    status="answered",
    model="bedrock/global.small",
    calls=1,
    answer_exactness=Exactness(open_calls=1, none=1),
)


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
        "mean latency": ["9.35 s"],
        "mean classifier time": ["310.50 ms"],
        "mean decision time": ["0.25 ms"],
        "answered by": ["global.large 1 (100 %)"],
        "decided for": ["cheapest_below_bar 1 (100 %)"],
        "expected cost of answers": ["0.016000 $, actual 0.016080 $ (+0.5 %)"],
    }


def test_a_total_of_reported_calls_says_quietly_that_it_is_exact() -> None:
    table = metrics_table(_run(ANSWERED))
    assert str(table.caption) == "exact: all 3 calls reported their usage, priced by the catalog"
    for one in (table, summary_table(_run(ANSWERED))):
        assert not any("part" in name for name in _rows(one))


def test_failed_calls_are_named_and_taken_as_not_billed() -> None:
    assert str(metrics_table(_run(ANSWERED, FAILED)).caption) == (
        "exact for 3 calls that reported usage, priced by the catalog; 1 failed call reported none, taken as not billed"
    )


def test_exact_and_bounded_parts_stand_apart() -> None:
    table = metrics_table(_run(ANSWERED, CUT))
    assert _cells(table, 1)[:5] == ["Long", "global.large (cancelled)", "–", "–", "0.001500 to 0.045000"]
    rows = _rows(table)
    assert rows["total (2), mean latency"][3] == "0.018005 to 0.061505"
    assert rows["exact part, calls: 3"][3] == "0.016505"
    assert rows["bounded part, calls: 1"][3] == "0.001500 to 0.045000"
    assert str(table.caption) == "bounded: 1 call (usage estimated 1)"
    with_failed = str(metrics_table(_run(ANSWERED, CUT, FAILED)).caption)
    assert with_failed.endswith("1 failed call reported none, taken as not billed")
    summary = summary_table(_run(ANSWERED, CUT, FAILED))
    assert summary.caption is None
    assert {
        name: text for name, [text] in _rows(summary).items() if "part" in name or name in ("cost", "failed calls")
    } == {
        "cost": "0.018005 to 0.061505 $",
        "exact part": "0.016505 $, 3 calls: reported, priced by the catalog",
        "bounded part": "0.001500 to 0.045000 $, 1 call (usage estimated 1)",
        "failed calls": "1 failed call reported none, taken as not billed",
    }


def test_a_cost_without_an_upper_bound_claims_none() -> None:
    rows = _rows(summary_table(_run(ANSWERED, SILENT, CUT)))
    assert rows["cost"] == ["at least 0.018005 $"]
    assert rows["bounded part"] == [
        "at least 0.001500 $, 2 calls (usage estimated 1, none 1), 1 of them without an upper bound"
    ]
    assert _cells(metrics_table(_run(SILENT)), 0)[4] == "at least 0.000000"


def test_an_expectation_is_held_against_settled_costs_only() -> None:
    cut = msgspec.structs.replace(CUT, status="answered", expected_pico=1)
    totals = totals_of([ANSWERED, cut])
    assert (totals.answered, totals.expected_turns, totals.expected_pico) == (2, 1, 16_000_000_000)


def test_the_change_of_costs_with_bounds_is_an_interval() -> None:
    before = msgspec.structs.replace(CUT, status="answered")
    after = msgspec.structs.replace(ANSWERED, query_id="Long")
    table = comparison_table(compare(_run(before, name="v3"), _run(after), classifier_price=flat_price("1", "5")))
    rows = _rows(table)
    # 0.016505 less 0.045 at the most and less 0.0015 at the least.
    assert rows["cost $, as run"] == [
        "0.001500 to 0.045000",
        "0.016505",
        "-0.028495 to +0.015005",
        "-63.3 % to +1,000.3 %",
    ]
    assert rows["cost $, classifier repriced (*)"][2] == "-0.028495 to +0.015005"
    assert "v3: exact part 0.000000 $, 0 calls" in str(table.caption)
    assert "v4: exact: all 3 calls reported their usage" in str(table.caption)
    opened = comparison_table(compare(_run(msgspec.structs.replace(SILENT, query_id="Long"), name="v3"), _run(after)))
    assert _rows(opened)["cost $, as run"] == ["at least 0.000000", "0.016505", "at most +0.016505", "not known"]


def test_two_exact_runs_say_so_once_and_typed_totals_never() -> None:
    caption = str(comparison_table(compare(_run(ANSWERED, name="v3"), _run(ANSWERED))).caption)
    assert caption.count("exact") == 1
    assert "exact: all 6 calls reported their usage, priced by the catalog" in caption
    typed = str(comparison_table(compare_typed(typed_totals("cost=0.02"), _run(ANSWERED))).caption)
    assert "v4: exact: all 3 calls" in typed
    assert "typed in: exact" not in typed


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
