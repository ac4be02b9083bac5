"""JSON lines with a prompt each and, under ``answers``, a list of its models' graded answers.

Members of an answer are our columns (``model``, ``score``, ``input_tokens``, ``output_tokens``, ``cost_usd``,
``propensity``); members of the line are the others. What is not ours is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from turnout.evaluate.outcomes.convert.rows import grade, in_batches
from turnout.evaluate.outcomes.convert.wide import json_lines
from turnout.evaluate.outcomes.table import NAMES, Batch, OutcomesError


def batches(paths: Sequence[Path]) -> Iterator[Batch]:
    """The files' rows as a table of outcomes; without a dataset of its own a line has the file's name.

    Raises:
        OutcomesError: A file cannot be read, a line is no JSON object, or has no answers.
    """
    return in_batches(row for path in paths for row in _rows(path))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, line in json_lines(path):
        given = line.get("answers")
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise OutcomesError(f"{where}: no list of objects under 'answers'")
        common = {name: line[name] for name in NAMES if name in line}
        common.setdefault("dataset", path.stem)
        for index, one in enumerate(given):
            own = {name: one[name] for name in NAMES if name in one}
            yield f"{where}, answer {index}", {**common, **own, "score": grade(one.get("score"))}
