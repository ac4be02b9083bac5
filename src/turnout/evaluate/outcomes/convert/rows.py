"""What the converters share: rows of our table out of members, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from turnout.evaluate.outcomes.files import ROWS_AT_ONCE
from turnout.evaluate.outcomes.rows import checked_row
from turnout.evaluate.outcomes.table import Batch

_GRADES = {"true": 1.0, "false": 0.0}


def in_batches(rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[Batch]:
    """Batches of rows, each given as its place and its cells by our columns' names.

    Raises:
        OutcomesError: A value is not what its column holds.
    """
    batch = Batch()
    for where, cells in rows:
        batch.append(checked_row(cells, where))
        if len(batch) >= ROWS_AT_ONCE:
            yield batch
            batch = Batch()
    if len(batch):
        yield batch


def grade(cell: Any) -> Any:
    """A grade as a number: true and false are 1 and 0; anything else is left for the check of the row."""
    if isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, str):
        return _GRADES.get(cell.strip().lower(), cell)
    return cell
