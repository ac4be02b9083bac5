from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from tests.evaluate.outcomes.tables import answers, batch_of
from turnout.evaluate.outcomes.table import (
    COLUMNS,
    NAMES,
    OutcomesError,
    checked_header,
    column_named,
    number_problem,
)

DOCS = Path(__file__).parents[3] / "docs" / "outcomes.md"


def test_the_page_names_every_column_with_its_kind() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (text|JSON|number|whole number)[ ,]", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    )
    kinds = {"text": "text", "json": "JSON", "number": "number", "count": "whole number"}
    assert rows == [(column.name, kinds[column.kind]) for column in COLUMNS]


class TestBatch:
    def test_rows_are_taken_in_the_order_asked_for(self) -> None:
        batch = batch_of(*answers("a", 0, 1), *answers("b", 1, 1))
        taken = batch.take([3, 0])
        assert (taken.prompt, taken.model, taken.score) == (["b", "a"], ["capable", "cheap"], [1.0, 0.0])
        assert len(taken) == 2

    def test_every_column_is_there(self) -> None:
        assert [name for name, _ in batch_of().columns()] == list(NAMES)


class TestHeader:
    def test_columns_that_are_not_ours_are_given_back(self) -> None:
        assert checked_header(["prompt", "model", "score", "judge"], "f") == ["judge"]

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["prompt", "model", "score", "score"], "f: column 'score' stands there twice"),
            (["prompt", "Model", "score"], "f: unknown column 'Model'; rename it to 'model' if that is what it holds"),
            (["prompt", "model", "scores"], "f: unknown column 'scores'; rename it to 'score'"),
            (["prompt", "score"], "f: no column 'model'; there are prompt, score"),
            (["model", "score"], "f: no column 'prompt' nor 'conversation'"),
        ],
    )
    def test_what_is_wrong_is_named(self, names: list[str], message: str) -> None:
        with pytest.raises(OutcomesError, match=re.escape(message)):
            checked_header(names, "f")


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("score", 0.0, None),
        ("score", 1.0, None),
        ("score", None, "is missing"),
        ("score", 87.0, "must be between 0 and 1, got 87; write 0.87 for 87 %"),
        ("score", -0.1, "must be between 0 and 1, got -0.1"),
        ("score", math.nan, "must be a number, got nan"),
        ("cost_usd", None, None),
        ("cost_usd", -1.0, "must be 0 or more, got -1"),
        ("propensity", 0.0, "must be above 0: an answer that could not be sampled cannot be there"),
        ("propensity", 1.5, "must be between 0 and 1, got 1.5; write 0.015 for 1.5 %"),
    ],
)
def test_numbers(column: str, value: float | None, problem: str | None) -> None:
    assert number_problem(column_named(column), value) == problem
