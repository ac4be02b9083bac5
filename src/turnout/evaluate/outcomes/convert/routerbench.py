"""RouterBench's wide table: a prompt a row, and for each model its grade, its answer and its cost.

The layout is that of ``routerbench_0shot.pkl`` and ``routerbench_5shot.pkl`` (data set withmartian/routerbench,
2024-03) as the code of withmartian/routerbench makes and reads it (``convertors/common.py``, ``utils.py``; read
2026-11-23):
``sample_id``, ``prompt``, ``eval_name``; for each model a column of its name with the grade, ``MODEL|model_response``
and ``MODEL|total_cost`` (USD); and ``oracle_model_to_route_to``. The models are those with a column
``MODEL|model_response``, as in its code, or ``MODEL|total_cost``. The data set comes as pickles, which are not read
here: they can run any code. ``eval_name`` is the category; answers' texts are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from turnout.evaluate.outcomes.convert.rows import grade, in_batches
from turnout.evaluate.outcomes.convert.wide import wide_rows
from turnout.evaluate.outcomes.table import Batch, OutcomesError

_RESPONSE = "|model_response"
_COST = "|total_cost"


def batches(paths: Sequence[Path]) -> Iterator[Batch]:
    """The files' rows as a table of outcomes.

    Raises:
        OutcomesError: A file cannot be read, lacks a column, or has a grade that is none.
    """
    return in_batches(row for path in paths for row in _rows(path))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, cells in wide_rows(path):
        for name in ("sample_id", "prompt", "eval_name"):
            if name not in cells:
                raise OutcomesError(f"{where}: no column {name!r}; there are {', '.join(map(str, cells))}")
        models = dict.fromkeys(
            name.removesuffix(ending) for name in cells for ending in (_RESPONSE, _COST) if name.endswith(ending)
        )
        if not models:
            raise OutcomesError(f"{where}: no column that ends in {_RESPONSE!r} or {_COST!r}, so there is no model")
        for model in models:
            if model not in cells:
                raise OutcomesError(f"{where}: no column {model!r} with the model's grade")
            if _missing(cells[model]):
                continue  # not answered
            cost = cells.get(model + _COST)
            yield (
                f"{where}, column {model!r}",
                {
                    "dataset": "routerbench",
                    "prompt_id": cells["sample_id"],
                    "prompt": cells["prompt"],
                    "category": cells["eval_name"],
                    "model": model,
                    "score": grade(cells[model]),
                    "cost_usd": None if _missing(cost) else cost,
                },
            )


def _missing(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))
