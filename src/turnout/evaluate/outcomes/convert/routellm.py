"""RouteLLM's evaluation files: a prompt a row, and for each model a column that says whether its answer was right.

The layout is that of ``routellm/evals/mmlu/responses/mmlu_*.csv`` and ``routellm/evals/gsm8k/gsm8k_responses.csv`` of
lm-sys/RouteLLM (files of 2024, read 2026-11-23): ``prompt``, then one column a model, named as the model, of ``True``
and ``False``. Its code reads them in ``routellm/evals/benchmarks.py``. They have no tokens and no costs. The
file's name without ``mmlu_`` is the category of MMLU's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from turnout.evaluate.outcomes.convert.rows import grade, in_batches
from turnout.evaluate.outcomes.convert.wide import wide_rows
from turnout.evaluate.outcomes.table import Batch, OutcomesError

_TEXT = ("prompt",)
_NO_MODELS = ("category", "dataset", "answer", "question", "")


def batches(paths: Sequence[Path]) -> Iterator[Batch]:
    """The files' rows as a table of outcomes.

    Raises:
        OutcomesError: A file cannot be read, has no column ``prompt``, no model, or a grade that is none.
    """
    return in_batches(row for path in paths for row in _rows(path))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    dataset, category = path.stem, ""
    if path.stem.startswith("mmlu_"):
        dataset, category = "mmlu", path.stem.removeprefix("mmlu_")
    for where, cells in wide_rows(path):
        if "prompt" not in cells:
            raise OutcomesError(f"{where}: no column 'prompt'; there are {', '.join(map(str, cells))}")
        models = [name for name in cells if name not in (*_TEXT, *_NO_MODELS)]
        if not models:
            raise OutcomesError(f"{where}: no column of a model beside 'prompt'")
        for model in models:
            if cells[model] in (None, ""):
                continue  # not answered
            yield (
                f"{where}, column {model!r}",
                {
                    "dataset": cells.get("dataset") or dataset,
                    "category": cells.get("category") or category,
                    "prompt": cells["prompt"],
                    "model": model,
                    "score": grade(cells[model]),
                },
            )
