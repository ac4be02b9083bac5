"""A bar for work that takes a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from turnout.cli.common import progress_console


@contextmanager
def progress(what: str, total: int = 0) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal; gives the function that is told of progress.

    Args:
        what: What is done.
        total: Of how much; 0: nobody knows, and there is a count and no bar.
    """
    shown = progress_console()
    columns: tuple[ProgressColumn, ...] = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    if not total:
        columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn())
    described = TextColumn("{task.description}")
    with Progress(described, *columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task(what, total=total or None)
        yield lambda done: bar.advance(task, done)
