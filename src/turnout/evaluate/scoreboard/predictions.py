"""A router whose scores were saved: a file that says for each prompt how much it needs the capable model.

CSV, JSONL or Parquet. A prompt is named as in the table of outcomes: by ``dataset``, ``prompt_id``, ``prompt`` or
``conversation``, and ``tools``, all that the outcomes have; or by ``prompt_id`` alone (with ``dataset`` if there are
several), or by ``prompt`` alone. ``score`` is the score; or ``p_suffices``, the probability that the capable model
would do no better, from which calibration is judged too.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from turnout.config.extras import require
from turnout.evaluate.outcomes.content import canonical, name_key
from turnout.evaluate.outcomes.convert.wide import wide_rows
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import Batch, OutcomesError
from turnout.evaluate.scoreboard.router import Meaning

_NAMING = ("dataset", "prompt_id", "prompt", "conversation", "tools")


class SavedRouter:
    """A router whose scores were saved.

    Args:
        path: The file.
        name: The name in tables; default: the file's name without its ending.

    Attributes:
        meaning: ``gains`` where the file has ``p_suffices``.

    Raises:
        OutcomesError: The file cannot be read, names no prompts, has no score, or two scores for one prompt.
        MissingExtraError: A Parquet file, and pyarrow is not installed.
    """

    def __init__(self, path: Path, *, name: str = "") -> None:
        self.name = name or path.stem
        self.meaning: Meaning | None = None
        self._path = path
        self._columns: tuple[str, ...] | None = None
        self._scores: dict[int, float] = {}
        for where, cells in wide_rows(path):
            self._take(where, cells)
        if not self._scores:
            raise OutcomesError(f"{path}: there are no predictions")

    def scores(self, batch: Batch) -> Any:
        """The saved scores.

        Raises:
            OutcomesError: A prompt has none.
        """
        assert self._columns is not None
        columns = [getattr(batch, name) for name in self._columns]
        keys = [_key(values) for values in zip(*columns, strict=True)]
        missing = [row for row, key in enumerate(keys) if key not in self._scores]
        if missing:
            named = batch.prompt_id[missing[0]] or batch.prompt[missing[0]][:40]
            raise OutcomesError(
                f"{self._path}: no prediction for {len(missing):,} of {len(keys):,} prompts, such as {named!r}; "
                f"prompts are found by {', '.join(self._columns)}"
            )
        return require("numpy", extra=EXTRA).array([self._scores[key] for key in keys])

    def _take(self, where: str, cells: dict[str, Any]) -> None:
        if self._columns is None:
            self._columns = tuple(name for name in _NAMING if name in cells)
            if not {"prompt_id", "prompt", "conversation"} & set(self._columns):
                raise OutcomesError(f"{where}: no column 'prompt_id' or 'prompt'; there are {', '.join(cells)}")
            if "p_suffices" in cells:
                self.meaning = "gains"
            elif "score" not in cells:
                raise OutcomesError(f"{where}: no column 'score' or 'p_suffices'; there are {', '.join(cells)}")
        column = "score" if self.meaning is None else "p_suffices"
        try:
            value = float(cells.get(column))  # type: ignore[arg-type] # what is no number is told below
        except (TypeError, ValueError):
            raise OutcomesError(f"{where}, column {column}: must be a number, got {cells.get(column)!r}") from None
        if not math.isfinite(value):
            raise OutcomesError(f"{where}, column {column}: must be a number, got {value:g}")
        if self.meaning is not None and not 0.0 <= value <= 1.0:
            raise OutcomesError(f"{where}, column {column}: must be between 0 and 1, got {value:g}")
        score = value if self.meaning is None else 1.0 - value
        key = _key(tuple(_text(name, cells.get(name), where) for name in self._columns))
        if self._scores.setdefault(key, score) != score:
            raise OutcomesError(f"{where}: another prediction for the same prompt came before")


def _key(values: tuple[str | None, ...]) -> int:
    return name_key(*(value or "" for value in values))


def _text(name: str, cell: Any, where: str) -> str:
    if cell is None or cell == "":
        return ""
    if name in ("conversation", "tools"):
        try:
            return canonical(cell) if isinstance(cell, str) else msgspec.json.encode(cell).decode()
        except msgspec.MsgspecError as error:
            raise OutcomesError(f"{where}, column {name}: must be JSON: {error}") from error
    return str(cell)
