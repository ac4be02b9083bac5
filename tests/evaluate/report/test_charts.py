from __future__ import annotations

import msgspec
import pytest

from tests.evaluate.report.conftest import MakeReport
from tests.evaluate.report.runs import ALONE, run_of
from turnout.evaluate.report.charts import MOST_BARS, MOST_POINTS, Chart, Unit, charts_of, shown
from turnout.evaluate.report.data import Report
from turnout.trace.events import CallEvent


def chart(report: Report, id: str) -> Chart:
    return next(one for one in charts_of(report) if one.id == id)


def test_simulated_runs_have_every_chart_but_that_of_latency(two: Report) -> None:
    charts = charts_of(two)
    assert [one.id for one in charts] == ["cost", "spend", "models", "cache", "reasons"]
    assert all(one.simulated for one in charts)


def test_real_runs_have_latency_too(real: Report) -> None:
    latency = chart(real, "latency")
    assert (latency.unit, latency.simulated) == ("s", False)
    assert latency.series[0].values == (1.0, 1.001, 1.002, 1.003, 1.004)


def test_cost_by_query(two: Report) -> None:
    cost = chart(two, "cost")
    assert cost.labels[0] == "Return Policy"
    capable, routed = cost.series
    assert (capable.name, routed.name) == ("v3", "v4")
    # The capable model writes 2,000 tokens at 3.75, then 20 at 3 and 100 at 15; the cheap one 2,020 at 1 and 100 at 5.
    assert capable.values[0] == pytest.approx(0.00906)
    assert routed.values[0] == pytest.approx(0.00252)


def test_queries_that_only_one_run_has_are_not_known_in_the_other(report_of: MakeReport) -> None:
    report = report_of(run_of("a", queries=("x",)), run_of("b", queries=("y",)))
    cost = chart(report, "cost")
    assert cost.labels == ("x", "y")
    assert [series.values[0] is None for series in cost.series] == [False, True]


def test_repetitions_of_a_query_are_averaged(report_of: MakeReport) -> None:
    events = run_of("a", ALONE, queries=("x", "x"))
    cost = chart(report_of(events), "cost")
    total = sum(event.cost.total_pico for event in events if isinstance(event, CallEvent))
    assert cost.labels == ("x",)
    assert len(cost.series[0].values) == 1
    assert cost.series[0].values[0] == pytest.approx(total / 2 / 10**12)


def test_turns_without_a_name_are_known_by_their_place(report_of: MakeReport) -> None:
    assert chart(report_of(run_of("b", queries=("", ""))), "cost").labels == ("turn 1", "turn 2")


def test_many_queries_are_shown_in_groups(report_of: MakeReport) -> None:
    queries = tuple(f"q{number:03}" for number in range(2 * MOST_BARS + 1))
    cost = chart(report_of(run_of("a", ALONE, queries=queries, gap_ms=1)), "cost")
    assert len(cost.labels) == -(-len(queries) // 3) <= MOST_BARS
    assert cost.labels[0] == "q000 to q002"
    assert cost.labels[-1] == "q096"
    assert (cost.title, cost.axis) == ("Mean cost per query", "queries")
    assert "mean of 3 neighbouring queries" in cost.note


def test_spend_adds_up_beside_what_not_routing_would_have_cost(two: Report) -> None:
    spend = chart(two, "spend")
    assert [(one.name, one.computed) for one in spend.series] == [
        ("v3", False),
        ("v4", False),
        ("v4, if not routed (computed)", True),
    ]
    capable, routed, alone = (one.values for one in spend.series)
    assert capable == alone
    assert capable[-1] == pytest.approx(0.01923)
    assert routed[-1] is not None
    assert "computed" in spend.note


def test_a_long_run_has_few_points_and_the_last_one(report_of: MakeReport) -> None:
    long = run_of("a", ALONE, queries=tuple(f"q{number}" for number in range(3 * MOST_POINTS + 1)), gap_ms=1)
    spend = chart(report_of(long, run_of("b", ALONE)), "spend")
    assert len(spend.labels) <= MOST_POINTS
    assert spend.labels[-1] == str(3 * MOST_POINTS + 1)
    first, second = spend.series
    total = sum(event.cost.total_pico for event in long if isinstance(event, CallEvent))
    assert first.values[-1] == pytest.approx(total / 10**12)
    assert second.values[-1] is None  # the shorter run has ended long before
    assert second.values[0] is not None


def test_costs_that_are_not_exact_are_told_in_title_note_and_a_line(report_of: MakeReport) -> None:
    report = report_of(run_of("a", ALONE), run_of("b", usage_source="estimated", cost_high_pico=10**11))
    cost, spend = chart(report, "cost"), chart(report, "spend")
    assert (cost.title, spend.title) == ("Cost per query (at least)", "Cumulative spend against not routing (at least)")
    assert "Calls without an exact cost count at their lowest (b: 5)." in cost.note
    most = next(series for series in spend.series if series.name == "b, at most")
    assert most.computed
    assert most.values[-1] == pytest.approx(0.5)
    assert [series.name for series in spend.series if "at most" in series.name] == ["b, at most"]


def test_without_an_upper_bound_there_is_no_line_for_it(report_of: MakeReport) -> None:
    spend = chart(report_of(run_of("a", usage_source="none")), "spend")
    assert spend.title.endswith("(at least)")
    assert not any("at most" in series.name for series in spend.series)


def test_shares_add_up_to_the_whole(two: Report) -> None:
    for id, names in (
        ("models", ["Claude Sonnet 4.6", "Claude Haiku 4.5"]),
        ("cache", ["read from the cache", "written to the cache", "fresh"]),
    ):
        found = chart(two, id)
        assert [series.name for series in found.series] == names
        for run in range(2):
            assert sum(series.values[run] or 0 for series in found.series) == pytest.approx(100)
    assert [series.values[1] for series in chart(two, "models").series] == [40, 60]
    # The capable model alone read the head four times of five.
    assert chart(two, "cache").series[0].values[0] == pytest.approx(100 * 8_000 / 10_110)


def test_models_with_one_name_are_told_apart_by_their_ids(report_of: MakeReport) -> None:
    report = report_of(run_of("a"))
    twins = dict.fromkeys(report.names, "Twin")
    renamed = msgspec.structs.replace(report, names=twins)
    assert [series.name for series in chart(renamed, "models").series] == sorted(twins)


def test_reasons_are_counted(two: Report) -> None:
    reasons = chart(two, "reasons")
    assert reasons.labels == ("cheapest below bar", "cheapest clears bar", "verdict not needed")
    assert [series.values for series in reasons.series] == [(0, 0, 5), (2, 3, 0)]


def test_without_decisions_there_are_no_reasons(report_of: MakeReport) -> None:
    calls = [event for event in run_of("a") if isinstance(event, CallEvent)]
    assert "reasons" not in [one.id for one in charts_of(report_of(list(calls)))]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0045, "USD", "0.004500 $"),
        (1.256, "s", "1.26 s"),
        (61.54, "%", "61.5 %"),
        (1234.0, "turns", "1,234"),
        (None, "s", "–"),
    ],
)
def test_values_in_words(value: float | None, unit: Unit, text: str) -> None:
    assert shown(value, unit) == text
