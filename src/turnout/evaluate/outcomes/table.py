"""The table of outcomes: one row is one model's graded answer to one prompt. ``docs/outcomes.md`` has it for people.

A `Batch` holds some rows as columns, Python lists all of the same length. What scores prompts works on batches, so that
a table larger than memory is never held as a whole, and so that scoring is a function that any engine can map.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "json", "number", "count"]
"""What a column holds; a count is a whole number."""


class OutcomesError(ValueError):
    """A table of outcomes cannot be read, or not used as asked: one line with the place and the nearest right thing."""


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        name: Its name in every format.
        kind: What it holds.
        meaning: In words, for people.
        required: Whether every row needs a value.
        low: The least number that is allowed.
        high: The highest number that is allowed.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    low: float = 0.0
    high: float = math.inf


COLUMNS: tuple[Column, ...] = (
    Column("dataset", "text", "where the prompt comes from"),
    Column("prompt_id", "text", "the prompt's name in its dataset; empty: the prompt is named by its content"),
    Column("prompt", "text", "the prompt; with a conversation: its newest user turn"),
    Column("conversation", "json", "the conversation: a list of messages, or an object with system, tools, messages"),
    Column("tools", "json", "a list of the tools that were offered, or one tool"),
    Column("category", "text", "a category that is known before the prompt is answered"),
    Column("group", "text", "rows of one group are never split; empty: rows of the same prompt are a group"),
    Column("model", "text", "which model answered", required=True),
    Column("score", "number", "the grade of the answer", required=True, high=1.0),
    Column("input_tokens", "count", "tokens of the prompt, in the model's own tokens"),
    Column("output_tokens", "count", "tokens of the answer"),
    Column("cost_usd", "number", "what the answer cost in USD"),
    Column("propensity", "number", "the probability with which this answer was sampled; empty: 1", high=1.0),
    Column("split", "text", "train, test, or any other name of a part"),
)
"""All columns; those that a file lacks are empty."""

NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
"""The columns' names."""

_BY_NAME = {column.name: column for column in COLUMNS}
_NEAR = 0.8


@dataclass(slots=True, kw_only=True)
class Batch:
    """Some rows of the table, as columns of one length.

    Texts that are missing are empty, JSON that is missing is none, numbers that are missing are none. ``prompt`` is
    never empty: a conversation without one has its newest user turn there.
    """

    dataset: list[str] = field(default_factory=list)
    prompt_id: list[str] = field(default_factory=list)
    prompt: list[str] = field(default_factory=list)
    conversation: list[str | None] = field(default_factory=list)
    tools: list[str | None] = field(default_factory=list)
    category: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    input_tokens: list[int | None] = field(default_factory=list)
    output_tokens: list[int | None] = field(default_factory=list)
    cost_usd: list[float | None] = field(default_factory=list)
    propensity: list[float] = field(default_factory=list)
    split: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many rows."""
        return len(self.model)

    def take(self, rows: Iterable[int]) -> Batch:
        """These rows, in this order."""
        chosen = list(rows)
        return Batch(**{name: [column[row] for row in chosen] for name, column in self.columns()})

    def columns(self) -> list[tuple[str, list[Any]]]:
        """Each column's name and values, in the order of `COLUMNS`."""
        return [(one.name, getattr(self, one.name)) for one in fields(self)]

    def append(self, row: dict[str, Any]) -> None:
        """Add a row that `checked_row` gave."""
        for name in NAMES:
            getattr(self, name).append(row[name])


def checked_header(names: Sequence[str], where: str) -> list[str]:
    """The columns of a file that are not ours: they are read over.

    Raises:
        OutcomesError: A column stands there twice, one that every row needs is missing, or a name is nearly one of ours
            that is missing.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OutcomesError(f"{where}: column {twice[0]!r} stands there twice")
    others = [name for name in names if name not in _BY_NAME]
    absent = [name for name in NAMES if name not in names]
    for name in others:
        near = difflib.get_close_matches(name.strip().lower().replace(" ", "_"), absent, n=1, cutoff=_NEAR)
        if near:
            raise OutcomesError(f"{where}: unknown column {name!r}; rename it to {near[0]!r} if that is what it holds")
    for column in COLUMNS:
        if column.required and column.name in absent:
            raise OutcomesError(f"{where}: no column {column.name!r}; there are {', '.join(names) or 'none'}")
    if "prompt" in absent and "conversation" in absent:
        raise OutcomesError(f"{where}: no column 'prompt' nor 'conversation'; there are {', '.join(names)}")
    return others


def number_problem(column: Column, value: float | None) -> str | None:
    """What is wrong with a number, or none."""
    if value is None:
        return "is missing" if column.required else None
    if not math.isfinite(value):
        return f"must be a number, got {value}"
    if column.name == "propensity" and value == 0.0:
        return "must be above 0: an answer that could not be sampled cannot be there"
    if not column.low <= value <= column.high:
        bounds = f"between 0 and {column.high:g}" if column.high < math.inf else "0 or more"
        percent = f"; write {value / 100:g} for {value:g} %" if column.high == 1.0 and 1.0 < value <= 100.0 else ""
        return f"must be {bounds}, got {value:g}{percent}"
    return None


def column_named(name: str) -> Column:
    """The column of that name."""
    return _BY_NAME[name]


Locate = Callable[[str], str]
"""Gives, for a column's name, the place to name in an error: file, line, column."""
