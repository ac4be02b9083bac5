from rich.console import Console
from rich.table import Table

from tests.evaluate.replay.test_comparison import compared
from turnout.evaluate.replay.grid import Cell
from turnout.evaluate.replay.tables import comparison_table, grid_table, legend, sensitivity_table


def text(table: Table) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def row(table: Table, name: str) -> list[str]:
    line = next(line for line in text(table).splitlines() if line.startswith(f"│ {name} "))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_row_for_each_policy_and_the_bounds() -> None:
    one = compared(0.5, "capable", "naive")
    table = comparison_table(one)
    assert text(table).startswith("simulated provider cache: made, cheap / capable, drawn: 50% simple")
    whole = one.outcomes[0].whole
    assert row(table, "capable")[1] == f"{whole.usd:.5f}"
    assert row(table, "capable")[4] == f"{whole.hit_share:.1%}"
    assert len(row(table, "lower bound")) == 9
    assert "naive: the model of the verdict" in legend(one).plain
    assert "- convention strict" in legend(one).plain


def test_comparisons_side_by_side() -> None:
    table = sensitivity_table([compared(0.5, "capable", "naive"), compared(0.9, "capable")])
    assert len(row(table, "capable")) == 3
    assert row(table, "naive")[2] == "–"


def test_cells_that_fail_are_named() -> None:
    cell = Cell(
        cheap="c",
        capable="d",
        share=0.5,
        correlation=0.3,
        seeds=2,
        plan_usd=1.03,
        best="naive",
        best_usd=1.0,
        ratio=1.03,
        rest_ratio=1.0,
        worst_ratio=1.05,
        unsafe_switches=0,
    )
    shown = text(grid_table([cell], {"c": "C", "d": "D"}))
    assert "0 of 1 cells at most 1.02 times" in shown
    assert "FAILS" in shown
