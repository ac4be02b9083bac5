from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.cost import Cost
from turnout.core.price import flat_price
from turnout.core.usage import Usage
from turnout.trace.events import new_id
from turnout.trace.views.compare import Change, compare, compare_typed
from turnout.trace.views.exactness import Between, Exactness
from turnout.trace.views.metrics import RunMetrics, TurnMetrics, TurnStatus, totals_of
from turnout.trace.views.typed import TYPED_IN, typed_totals

HAIKU = flat_price("1", "5", cache_read="0.1", cache_write_5m="1.25")


def _turn(
    query: str,
    pico: int = 0,
    *,
    usage: Usage | None = None,
    classifier_pico: int = 0,
    classified: bool = False,
    latency_ms: float | None = 1000.0,
    status: TurnStatus = "answered",
    simulated: bool = False,
) -> TurnMetrics:
    return TurnMetrics(
        turn_id=new_id(),
        query_id=query,
        status=status,
        model="bedrock/small",
        classified=classified,
        answer_usage=usage or Usage(),
        answer_cost=Cost(input_pico=pico),
        classifier_cost=Cost(input_pico=classifier_pico),
        latency_ms=None if simulated else latency_ms,
        simulated=simulated,
    )


def _run(name: str, turns: Sequence[TurnMetrics]) -> RunMetrics:
    return RunMetrics(run=name, turns=tuple(turns), totals=totals_of(turns))


def _percent(change: Change) -> str:
    assert change.percent is not None
    return f"{change.percent:.1f}"


def test_the_printed_changes_of_the_reference_system_are_reproduced() -> None:
    # v3 $0.0438, 8.10 s, 4,228 in, 1,795 out; v4 $0.0369 (five rows to four decimals), 12,944 in, 1,768 out.
    before = _turn("q", 43_800_000_000, usage=Usage(input_tokens=4228, output_tokens=1795), latency_ms=8100)
    after = _turn(
        "q",
        36_900_000_000,
        usage=Usage(input_tokens=12_944, output_tokens=1768, cache_read_tokens=5229, cache_write_5m_tokens=1743),
        latency_ms=5594,
    )
    comparison = compare(_run("v3", [before]), _run("v4", [after]))
    assert comparison.cost == Change(Decimal("0.0438"), Decimal("0.0369"))
    assert comparison.latency == Change(Decimal("8.1"), Decimal("5.594"))
    assert _percent(comparison.cost) == "-15.8"
    assert _percent(comparison.latency) == "-30.9"
    assert _percent(comparison.input) == "206.1"
    assert _percent(comparison.output) == "-1.5"
    assert comparison.cache_read.difference == 5229
    assert comparison.cache_write.percent is None
    assert comparison.basis == "matched"


def test_nothing_to_something_has_no_percentage_and_nothing_to_nothing_has_none_of_it() -> None:
    assert Change(Decimal(0), Decimal(5)).percent is None
    assert Change(Decimal(0), Decimal(0)).percent == 0
    assert Change(Decimal(5), Decimal(0)).percent == -100


@given(st.integers(1, 10**18), st.integers(0, 10**18))
def test_a_percentage_has_the_sign_of_the_difference_and_gives_it_back(before: int, after: int) -> None:
    change = Change(Decimal(before), Decimal(after))
    assert change.percent is not None
    assert (change.percent > 0) == (after > before)
    assert (change.percent == 0) == (after == before)
    assert round(change.percent * before / 100) == after - before


def test_the_classifier_is_part_of_the_cost_as_run() -> None:
    comparison = compare(_run("a", [_turn("q", 100)]), _run("b", [_turn("q", 60, classifier_pico=50, classified=True)]))
    assert comparison.cost.difference == Decimal("10E-12")
    assert comparison.repriced is None
    assert comparison.assumption == ""


def test_the_classifier_is_priced_as_if_another_model_had_done_it() -> None:
    # 400 prompt tokens at 1 USD and 5 output tokens at 5 USD per million are 0.000425 USD for each classified query.
    before = [_turn("q1", 10**9), _turn("q2", 10**9)]
    after = [
        _turn("q1", 10**9, classifier_pico=7, classified=True),
        _turn("q2", 10**9, classified=True),
        _turn("not asked", 10**9),
    ]
    comparison = compare(
        _run("a", [*before, _turn("not asked", 10**9)]),
        _run("b", after),
        classifier_price=HAIKU,
        classifier_name="Claude Haiku 4.5",
    )
    assert comparison.cost == Change(Decimal("0.003"), Decimal("0.003000000007"))
    assert comparison.repriced == Change(Decimal("0.003"), Decimal("0.00385"))
    assert comparison.assumption == (
        "each query that was classified is charged 400 prompt and 5 output tokens of the classifier at the price of "
        "Claude Haiku 4.5, in place of what its classifier cost"
    )


def test_another_classifier_prompt_may_be_assumed() -> None:
    comparison = compare(
        _run("a", [_turn("q", 0)]),
        _run("b", [_turn("q", 0, classified=True)]),
        classifier_price=HAIKU,
        classifier_usage=Usage(input_tokens=1000, cache_read_tokens=1000, output_tokens=1),
    )
    assert comparison.repriced is not None
    assert comparison.repriced.after == Decimal("0.001105")
    assert "2,000 prompt and 1 output" in comparison.assumption


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True), (True, True)])
def test_simulated_models_have_no_change_of_latency(before: bool, after: bool) -> None:
    comparison = compare(_run("a", [_turn("q", simulated=before)]), _run("b", [_turn("q", simulated=after)]))
    assert comparison.simulated
    assert comparison.latency is None


def test_a_simulated_turn_outside_the_matched_ones_counts_too() -> None:
    comparison = compare(_run("a", [_turn("q"), _turn("r", simulated=True)]), _run("b", [_turn("q")]))
    assert comparison.simulated
    assert comparison.latency is None


def test_turns_are_matched_by_query_and_the_rest_is_named() -> None:
    comparison = compare(
        _run("a", [_turn("q1", 1), _turn("only a", 10), _turn("q2", 2), _turn("broken", 4)]),
        _run("b", [_turn("q2", 20), _turn("q1", 30), _turn("only b", 500), _turn("broken", 5, status="failed")]),
    )
    assert [(pair.query_id, pair.change_pico) for pair in comparison.pairs] == [("q1", 29), ("q2", 18)]
    assert comparison.unmatched_before == ("only a",)
    assert comparison.unmatched_after == ("only b",)
    assert comparison.unanswered == ("broken",)
    assert comparison.cost == Change(Decimal("3E-12"), Decimal("50E-12"))


def test_repetitions_are_matched_in_their_order() -> None:
    first, second, third = _turn("q", 1), _turn("q", 2), _turn("q", 3)
    comparison = compare(_run("a", [first, second]), _run("b", [_turn("q", 10), _turn("q", 20), third]))
    assert [(pair.before.cost_pico, pair.after.cost_pico) for pair in comparison.pairs] == [(1, 10), (2, 20)]
    assert comparison.unmatched_after == ("q",)


def test_runs_without_a_common_query_are_compared_by_their_totals() -> None:
    comparison = compare(_run("a", [_turn("", 1), _turn("", 2)]), _run("b", [_turn("", 5)]))
    assert comparison.basis == "totals"
    assert comparison.cost == Change(Decimal("3E-12"), Decimal("5E-12"))
    assert comparison.pairs == ()
    assert len(comparison.unmatched_before) == 2
    assert "no named query in common" in comparison.note


def test_no_query_that_both_answered_leaves_nothing_to_compare() -> None:
    comparison = compare(_run("a", [_turn("q", 5, status="failed")]), _run("b", [_turn("q", 5)]))
    assert comparison.cost == Change(Decimal(0), Decimal(0))
    assert comparison.note == "no query was answered in both runs: there is nothing to compare"


def test_empty_runs_can_be_compared() -> None:
    comparison = compare(_run("a", []), _run("b", []))
    assert comparison.cost.percent == 0
    assert comparison.latency is None
    assert comparison.interval is None


def _pair_of_runs(changes: Sequence[int]) -> tuple[RunMetrics, RunMetrics]:
    before = [_turn(f"q{number}", 10**9) for number in range(len(changes))]
    after = [_turn(f"q{number}", 10**9 + change) for number, change in enumerate(changes)]
    return _run("a", before), _run("b", after)


def test_fewer_than_ten_queries_have_no_interval() -> None:
    comparison = compare(*_pair_of_runs([1] * 9))
    assert comparison.interval is None
    assert comparison.note.startswith("9 queries, fewer than 10")


def test_repetitions_do_not_make_a_sample_larger() -> None:
    turns = [_turn("q", 5) for _ in range(20)]
    comparison = compare(_run("a", turns), _run("b", turns))
    assert len(comparison.pairs) == 20
    assert comparison.interval is None
    assert comparison.note.startswith("1 query, fewer")


def test_an_interval_is_around_the_mean_and_depends_on_the_seed_alone() -> None:
    before, after = _pair_of_runs([-(10**8) * number for number in range(20)])
    interval = compare(before, after).interval
    assert interval is not None
    assert interval.method == "bootstrap"
    assert interval.queries == 20
    assert interval.mean == Decimal("-0.00095")
    # By the normal approximation: 5.77 * 1.96 / sqrt(20) * 0.0001 = 0.00025 USD on either side.
    assert Decimal("-0.00130") < interval.low < Decimal("-0.00110")
    assert Decimal("-0.00080") < interval.high < Decimal("-0.00060")
    assert compare(before, after).interval == interval
    assert compare(before, after, seed=1).interval != interval


def test_equal_changes_have_an_interval_without_width() -> None:
    interval = compare(*_pair_of_runs([-500] * 10)).interval
    assert interval is not None
    assert interval.low == interval.mean == interval.high == Decimal("-500E-12")


def test_many_queries_have_the_interval_of_the_normal_approximation() -> None:
    # Half of 1,200 changes are 0 and half are 2e9 pico: mean 0.001, deviation 0.001, so 1.96 * 0.001 / sqrt(1200).
    interval = compare(*_pair_of_runs([0, 2 * 10**9] * 600)).interval
    assert interval is not None
    assert interval.method == "normal"
    assert interval.mean == Decimal("0.001")
    assert f"{interval.high - interval.mean:.7f}" == "0.0000566"
    assert interval.high - interval.mean == interval.mean - interval.low


def _cut(query: str, low: int, high: int | None) -> TurnMetrics:
    """A turn of one call that is not exact; none: without an upper bound."""
    exactness = Exactness(open_calls=1, low_pico=low, high_pico=low)
    if high is not None:
        exactness = Exactness(bounded_calls=1, low_pico=low, high_pico=high)
    return msgspec.structs.replace(_turn(query, low), answer_exactness=exactness)


def test_a_change_between_exact_costs_has_no_bounds() -> None:
    comparison = compare(_run("a", [_turn("q", 5)]), _run("b", [_turn("q", 7)]), classifier_price=HAIKU)
    assert (comparison.bounds, comparison.repriced_bounds) == (None, None)


def test_a_change_of_bounded_costs_lies_between_two_ends() -> None:
    before = _run("a", [_turn("exact", 100), _cut("cut", 10, 40)])
    after = _run("b", [_cut("exact", 50, 60), _turn("cut", 20)])
    bounds = compare(before, after).bounds
    assert bounds is not None
    # 110 to 140 before, 70 to 80 after.
    assert bounds.before == Between(Decimal("110E-12"), Decimal("140E-12"))
    assert bounds.after == Between(Decimal("70E-12"), Decimal("80E-12"))
    assert bounds.difference == Between(Decimal("-70E-12"), Decimal("-30E-12"))
    assert bounds.percent.low == -50
    assert bounds.percent.high is not None
    assert f"{bounds.percent.high:.4f}" == "-27.2727"
    assert (compare(before, after).exact, compare(before, before).exactness_after.inexact_calls) == (False, 1)


def test_only_the_queries_that_count_bound_the_change() -> None:
    comparison = compare(_run("a", [_turn("q", 5)]), _run("b", [_turn("q", 7), _cut("only b", 1, 9)]))
    assert (comparison.bounds, comparison.exactness_after.inexact_calls) == (None, 0)


def test_a_typed_cost_has_no_width_and_is_never_exact() -> None:
    comparison = compare_typed(typed_totals("cost=1"), _run("b", [_cut("q", 10**12, 3 * 10**12)]))
    assert comparison.bounds is not None
    assert comparison.bounds.difference == Between(Decimal(0), Decimal(2))
    assert (comparison.exact, comparison.exactness_before) == (False, None)
    assert not compare_typed(typed_totals("cost=1"), _run("b", [_turn("q")])).exact


def test_the_interval_takes_the_bounds_in() -> None:
    before = [_turn(f"q{number}", 10**9) for number in range(12)]
    exact = [_turn(f"q{number}", 10**9 + number) for number in range(12)]
    cut = [_cut(f"q{number}", 10**9 + number, 3 * 10**9) for number in range(12)]
    narrow, wide = (compare(_run("a", before), _run("b", after)).interval for after in (exact, cut))
    assert narrow is not None
    assert wide is not None
    assert (wide.low, wide.mean) == (narrow.low, narrow.mean)
    assert wide.high == Decimal("0.002")
    opened = compare(_run("a", before), _run("b", [*cut[:11], _cut("q11", 1, None)]))
    assert opened.interval is None
    assert opened.note == "12 queries: no interval, since costs have no upper bound"


def test_the_reference_system_before_typed_in() -> None:
    # v3 as the lab prints it: $0.0438, 8.10 s, 4,228 in, 1,795 out; v4 $0.0369, 5.594 s, 12,944 in, 1,768 out.
    after = _turn("q", 36_900_000_000, usage=Usage(input_tokens=12_944, output_tokens=1768), latency_ms=5594)
    typed = typed_totals("cost=0.0438,latency=8.10,input=4228,output=1795")
    comparison = compare_typed(typed, _run("v4", [after]))
    assert (comparison.before, comparison.basis, comparison.simulated) == (TYPED_IN, "typed", False)
    assert _percent(comparison.cost) == "-15.8"
    assert comparison.latency is not None
    assert _percent(comparison.latency) == "-30.9"
    assert _percent(comparison.input) == "206.1"
    assert _percent(comparison.output) == "-1.5"
    assert comparison.cache_read == Change(None, Decimal(0))
    assert (comparison.cache_read.difference, comparison.cache_read.percent) == (None, None)
    assert "typed in" in comparison.note
    assert (comparison.pairs, comparison.interval, comparison.repriced) == ((), None, None)


def test_typed_in_is_held_against_all_turns_and_says_what_was_not_answered() -> None:
    after = _run("v4", [_turn("a", 3), _turn("b", 4, status="failed")])
    comparison = compare_typed(typed_totals("cost=0"), after)
    assert comparison.cost == Change(Decimal("0E-12"), Decimal("7E-12"))
    assert comparison.unanswered == ("b",)


def test_the_classifier_of_the_run_is_repriced_beside_a_typed_cost() -> None:
    after = _run("v4", [_turn("a", 10**9, classifier_pico=5, classified=True)])
    comparison = compare_typed(typed_totals("cost=0.002"), after, classifier_price=HAIKU, classifier_name="Haiku")
    # 400 prompt tokens at 1 and 5 output tokens at 5 USD a million are 425 millionths.
    assert comparison.repriced == Change(Decimal("0.002000000000"), Decimal("0.001425000000"))
    assert "typed in is left as it is" in comparison.assumption


def test_the_latency_of_simulated_models_is_none_beside_a_typed_one() -> None:
    comparison = compare_typed(typed_totals("cost=1,latency=5"), _run("v4", [_turn("a", 1, simulated=True)]))
    assert (comparison.latency, comparison.simulated) == (None, True)
