from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.trace.errors import LedgerError
from turnout.trace.views.typed import TypedTotals, typed_totals


def test_the_totals_of_the_reference_system() -> None:
    assert typed_totals("cost=0.0438,latency=8.10,input=4228,output=1795") == TypedTotals(
        cost_pico=43_800_000_000, latency_s=Decimal("8.10"), input_tokens=4_228, output_tokens=1_795
    )


def test_the_cost_is_enough_and_spaces_do_not_matter() -> None:
    assert typed_totals(" cost = 1 ") == TypedTotals(cost_pico=10**12)
    assert typed_totals("cache_read=5,cost=.5,cache_write=6") == TypedTotals(
        cost_pico=5 * 10**11, cache_read_tokens=5, cache_write_tokens=6
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no name=figure"),
        ("cost", "no name=figure"),
        ("cost=0.04,input=4,228", "'228' in the typed totals is no name=figure"),
        ("cots=1", "the nearest known one is 'cost'"),
        ("cost=1,cost=2", "cost stands twice"),
        ("input=1", "hold no cost"),
        ("cost=", "'' is no figure for cost"),
        ("cost=-1", "'-1' is no figure"),
        ("cost=nan", "'nan' is no figure"),
        ("cost=1e400", "'1e400' is no figure"),
        ("cost=9999999999999999", "is no figure"),
        ("cost=١", "is no figure"),
        ("cost=1,output=1.5", "1.5 is no whole number"),
        ("cost=0.0000000000001", "cannot be kept"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(text: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message) as caught:
        typed_totals(text)
    assert "\n" not in str(caught.value)


@given(st.decimals(0, 10**6, places=12), st.integers(0, 10**12))
def test_figures_are_kept_exactly(cost: Decimal, tokens: int) -> None:
    read = typed_totals(f"cost={cost:f},input={tokens}")
    assert (Decimal(read.cost_pico).scaleb(-12), read.input_tokens) == (cost, tokens)


@given(st.text(max_size=30))
def test_no_text_is_more_than_a_mistake(text: str) -> None:
    with pytest.raises(LedgerError):
        typed_totals(text)
