"""A table that loses no figure in a narrow terminal: where its columns do not fit, each row becomes a few lines.

Rich would cut figures off with an ellipsis, and a cost of ``0.…`` is none.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

_NARROWEST_TEXT = 10
"""A column of words is folded down to that."""

_LONGEST_HEADING = 12
"""A heading is folded where it is longer; the cells below it never are."""


class FittingTable(Table):
    """A table whose columns of figures (those that are justified to the right) are never cut off or folded."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table; with words folded, then headings too, where it must be; else its rows as lines."""
        room = options.max_width - 3 * len(self.columns) - 1
        words = [column for column in self.columns if column.justify != "right"]
        figures = [column for column in self.columns if column.justify == "right"]
        for heading in (_natural, _folded):
            if sum(map(_folded, words)) + sum(map(heading, figures)) <= room:
                for column in figures:
                    column.width, column.overflow = heading(column), "fold"
                yield from super().__rich_console__(console, options)
                return
        yield from self._lines()

    def _lines(self) -> RenderResult:
        if self.title is not None:
            yield Text(str(self.title), style="italic")
        headings = [str(column.header) for column in self.columns]
        for first, *rest in zip(*(map(str, column.cells) for column in self.columns), strict=True):
            pairs = [f"{heading} {cell}" for heading, cell in zip(headings[1:], rest, strict=True) if cell]
            line = Text(first, style="bold")
            yield line.append(f"{': ' if first else ''}{' · '.join(pairs)}", style="not bold")
        if self.caption is not None:
            yield Text(str(self.caption), style="dim italic")


def _cells(column: Column) -> int:
    return max((cell_len(line) for cell in column.cells for line in str(cell).split("\n")), default=0)


def _natural(column: Column) -> int:
    return max(_cells(column), cell_len(str(column.header)))


def _folded(column: Column) -> int:
    longest_word = max(map(cell_len, str(column.header).split()), default=0)
    if column.justify == "right" or column.no_wrap:
        return max(_cells(column), min(longest_word, _LONGEST_HEADING))
    return min(_natural(column), _NARROWEST_TEXT)
