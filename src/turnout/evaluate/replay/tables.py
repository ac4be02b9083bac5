"""Comparisons, grids and verifications as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from turnout.core.cost import pico_to_usd
from turnout.evaluate.replay.compared import POLICIES
from turnout.evaluate.replay.comparison import SIMULATED, Comparison
from turnout.evaluate.replay.grid import MOST_RATIO, Cell

_NONE = "–"


def comparison_table(comparison: Comparison) -> Table:
    """A row for each policy, and what no policy can fall below."""
    cheap, capable = comparison.names[comparison.cheap], comparison.names[comparison.capable]
    table = _table(
        f"{SIMULATED}: {comparison.trace}, {cheap} / {capable}, {comparison.verdicts}, {comparison.convention}",
        "policy",
        "cost $",
        "first 30 min $",
        "rest $",
        "cache hits",
        "on cheap",
        "switches",
        "unsafe",
        "below bar",
    )
    for outcome in comparison.outcomes:
        whole = outcome.whole
        table.add_row(
            outcome.policy,
            _usd(whole.cost_pico),
            _usd(outcome.fitted.cost_pico),
            _usd(outcome.rest.cost_pico),
            f"{whole.hit_share:.1%}",
            f"{whole.cheap_share:.1%}",
            f"{whole.switches:,}",
            f"{whole.unsafe_switches:,}",
            f"{whole.below_bar:,}",
        )
    table.add_section()
    for name, pico in (
        ("best single model", comparison.best_single_pico),
        ("lower bound", comparison.lower_bound_pico),
    ):
        if pico is not None:
            table.add_row(name, _usd(pico), *[_NONE] * 7)
    return table


def bound_table(comparison: Comparison) -> Table | None:
    """A row for each policy whose spending was bound; none where none was."""
    bounds = [(one, one.bound) for one in comparison.outcomes if one.bound is not None]
    if not bounds:
        return None
    bound, best = bounds[0][1].bound, comparison.best_single_pico
    table = _table(
        f"spend bound: S + D at most {1 + bound.epsilon:g} R + ${_usd(bound.kappa_pico)}, checked after every call",
        "policy",
        "spent S $",
        "reference R $",
        "S / R",
        "debt D $",
        "highest D $",
        "smallest slack $",
        "apart $",
        "kept on reference",
        "of best single",
        "bound held",
    )
    for outcome, one in bounds:
        account = one.account
        table.add_row(
            outcome.policy,
            _usd(account.spent_pico),
            _usd(account.reference_pico),
            f"{account.spent_pico / account.reference_pico:.3f}" if account.reference_pico else _NONE,
            _usd(account.debt_pico),
            _usd(one.most_debt_pico),
            _usd(one.smallest_slack_pico),
            _usd(account.apart_pico),
            f"{one.kept:,}",
            f"{outcome.whole.cost_pico / best:.3f}" if best else _NONE,
            "yes" if one.held else "NO",
        )
    return table


def legend(comparison: Comparison) -> Text:
    """What the policies do and what was assumed, below the table."""
    lines = [f"{one.policy}: {POLICIES[one.policy]}" for one in comparison.outcomes]
    return Text("\n".join([*lines, "", *(f"- {note}" for note in comparison.notes)]))


def sensitivity_table(comparisons: Sequence[Comparison]) -> Table:
    """The whole trace's cost of each policy (rows) in each comparison (columns)."""
    headings = [
        f"{one.names[one.cheap]} / {one.names[one.capable]}, {one.verdicts}, {one.convention}" for one in comparisons
    ]
    table = _table(f"{SIMULATED}: {comparisons[0].trace}, cost $", "policy", *headings)
    for name in dict.fromkeys(outcome.policy for one in comparisons for outcome in one.outcomes):
        found = [one.outcome(name) for one in comparisons]
        table.add_row(name, *(_NONE if outcome is None else _usd(outcome.whole.cost_pico) for outcome in found))
    return table


def grid_table(cells: Sequence[Cell], names: dict[str, str]) -> Table:
    """A row for each cell of a grid."""
    failed = sum(not cell.passes for cell in cells)
    table = _table(
        f"{SIMULATED}: manage against the best simple policy; {len(cells) - failed} of {len(cells)} cells at most "
        f"{MOST_RATIO} times",
        "pair",
        "simple",
        "correlation",
        "seeds",
        "manage $",
        "best simple",
        "its $",
        "ratio",
        "after 30 min",
        "worst seed",
        "unsafe",
        "bound held",
        "",
    )
    for cell in cells:
        table.add_row(
            f"{names[cell.cheap]} / {names[cell.capable]}",
            f"{cell.share:.0%}",
            _NONE if cell.correlation is None else f"{cell.correlation:g}",
            str(cell.seeds),
            f"{cell.plan_usd:.2f}",
            cell.best,
            f"{cell.best_usd:.2f}",
            f"{cell.ratio:.3f}",
            f"{cell.rest_ratio:.3f}",
            f"{cell.worst_ratio:.3f}",
            f"{cell.unsafe_switches:,}",
            _NONE if cell.broken is None else ("no" if cell.broken else "yes"),
            "" if cell.passes else "FAILS",
        )
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left", overflow="fold")
    return table


def _usd(pico: int) -> str:
    usd = pico_to_usd(pico)
    # Cents are enough for a trace that costs dollars; one that costs cents needs more.
    return f"{usd:,.2f}" if usd >= 10 else f"{usd:,.5f}"
