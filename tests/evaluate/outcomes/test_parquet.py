from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.outcomes.tables import answers, batch_of
from tests.evaluate.outcomes.test_files import RICH
from turnout.evaluate.outcomes.files import other_columns, read_batches, write
from turnout.evaluate.outcomes.table import OutcomesError


@pytest.fixture(scope="module", autouse=True)
def arrow() -> Any:
    return pytest.importorskip("pyarrow", reason="needs pyarrow (extra parquet), which is large")


@pytest.fixture(scope="module")
def parquet(arrow: Any) -> Any:
    return pytest.importorskip("pyarrow.parquet")


def test_nothing_is_lost(tmp_path: Path) -> None:
    batch = batch_of(RICH, {"prompt": "plain", "model": "m", "score": 1})
    path = tmp_path / "table.parquet"
    assert write([batch], path) == 2
    assert list(read_batches(path)) == [batch]
    assert other_columns(path) == []


def test_a_table_of_pandas_with_dictionaries_and_nan_is_read(tmp_path: Path, arrow: Any, parquet: Any) -> None:
    table = arrow.table(
        {
            "prompt": arrow.array(["a", "b"], arrow.large_string()),
            "model": arrow.array(["m", "n"]).dictionary_encode(),
            "score": arrow.array([1.0, 0.0]),
            "cost_usd": arrow.array([float("nan"), 0.5]),
            "input_tokens": arrow.array([None, 7], arrow.int32()),
            "extra": arrow.array([True, False]),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    (batch,) = read_batches(tmp_path / "t.parquet")
    assert (batch.model, batch.cost_usd, batch.input_tokens) == (["m", "n"], [None, 0.5], [None, 7])
    assert batch.propensity == [1.0, 1.0]
    assert other_columns(tmp_path / "t.parquet") == ["extra"]


def test_only_some_models_a_batch_at_a_time(tmp_path: Path) -> None:
    rows = [row for number in range(5) for row in answers(f"p{number}", 0, 1)]
    write([batch_of(*rows)], tmp_path / "t.parquet")
    batches = list(read_batches(tmp_path / "t.parquet", 4, frozenset({"capable"})))
    assert [batch.prompt for batch in batches] == [["p0", "p1"], ["p2", "p3"], ["p4"]]
    assert not list(read_batches(tmp_path / "t.parquet", 4, frozenset({"other"})))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"score": [1.0, 2.0]}, "row 2, column score: must be between 0 and 1, got 2"),
        ({"score": [1.0, None]}, "row 2, column score: is missing"),
        ({"score": ["1", "0"]}, "column score: must hold numbers, but is of type string"),
        ({"model": [1, 2]}, "column model: must hold text, but is of type int64"),
        ({"prompt": ["a", ""]}, "row 2, column prompt: is empty"),
        ({"tools": ["[]", "{"]}, "row 2, column tools: must be a JSON list"),
        ({"output_tokens": [1.0, 1.5]}, "row 2, column output_tokens: must be a whole number, got 1.5"),
        ({"promt": ["a", "b"], "prompt": None}, "unknown column 'promt'; rename it to 'prompt'"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, arrow: Any, parquet: Any, columns: dict[str, Any], message: str
) -> None:
    given = {"prompt": ["a", "b"], "model": ["m", "m"], "score": [1.0, 0.0], **columns}
    parquet.write_table(arrow.table({name: values for name, values in given.items() if values}), tmp_path / "t.parquet")
    with pytest.raises(OutcomesError, match=re.escape(message)):
        list(read_batches(tmp_path / "t.parquet"))


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("prompt")
    with pytest.raises(OutcomesError, match="as Parquet"):
        list(read_batches(tmp_path / "t.parquet"))
