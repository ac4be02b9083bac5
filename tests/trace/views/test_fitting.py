from __future__ import annotations

import io

import pytest
from rich.console import Console

from turnout.trace.views.fitting import FittingTable

FIGURES = ("0.004500 to 0.320000", "1,234,567")


def table() -> FittingTable:
    made = FittingTable(title="costs", caption="all of them")
    made.add_column("query", overflow="fold")
    made.add_column("model", overflow="fold")
    made.add_column("cost $", justify="right")
    made.add_column("cache read tokens", justify="right")
    made.add_row("What is your return policy?", "Claude Haiku 4.5", *FIGURES)
    made.add_row("", "", "", "0")
    return made


def shown(width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table())
    return out.getvalue()


@pytest.mark.parametrize("width", [200, 100, 70, 69, 62, 61, 40, 30])
def test_no_figure_is_cut_or_folded_and_no_line_is_too_long(width: int) -> None:
    text = shown(width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    assert FIGURES[1] in text
    assert FIGURES[0] in " ".join(text.split())
    assert ("│" in text) == (width >= 62)
    assert "all of them" in text


def test_headings_are_folded_before_the_table_is_given_up() -> None:
    assert "cache read tokens" in shown(100)
    assert "cache read tokens" not in shown(69)
    assert "│" in shown(69)


def test_rows_become_lines_where_nothing_else_fits() -> None:
    words = " ".join(shown(40).split())
    assert "│" not in words
    assert "What is your return policy?: model Claude Haiku 4.5 · cost $ 0.004500 to 0.320000" in words
    assert words.endswith("· cache read tokens 1,234,567 cache read tokens 0 all of them")


def test_a_table_is_shown_the_same_again() -> None:
    made, out = table(), io.StringIO()
    for width in (200, 40, 200):
        Console(file=out, width=width).print(made)
        out.write("=")
    first, _, third, _ = out.getvalue().split("=")
    assert first == third
