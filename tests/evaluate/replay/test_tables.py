import msgspec
from rich.console import Console
from rich.table import Table

from tests.evaluate.replay.test_comparison import compared
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.grid import Cell
from turnout.evaluate.replay.tables import bound_table, comparison_table, grid_table, legend, sensitivity_table


def text(table: Table) -> str:
    console = Console(width=220, no_color=True)
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
    assert "FAILS" not in text(grid_table([msgspec.structs.replace(cell, ratio=1.0, broken=0)], {"c": "C", "d": "D"}))
    assert "FAILS" in text(grid_table([msgspec.structs.replace(cell, ratio=1.0, broken=1)], {"c": "C", "d": "D"}))


def test_how_the_bound_was_kept() -> None:
    one = compared(0.5, "capable", "manage", bound=SpendBound(epsilon=0.05, kappa_pico=10**12))
    table = bound_table(one)
    assert table is not None
    assert "S + D at most 1.05 R + $1.0" in text(table)
    shown = row(table, "manage")
    assert shown[-1] == "yes"
    bound = one.outcomes[1].bound
    assert bound is not None
    assert shown[2] == f"{bound.alone_pico / 1e12:.5f}"
    failed = msgspec.structs.replace(one.outcomes[1], bound=msgspec.structs.replace(bound, broken=2))
    table = bound_table(msgspec.structs.replace(one, outcomes=(failed,)))
    assert table is not None
    assert row(table, "manage")[-1] == "NO"
    assert bound_table(compared(0.5, "capable")) is None
