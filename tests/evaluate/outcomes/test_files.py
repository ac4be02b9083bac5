from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.outcomes.tables import answers, batch_of, file_of
from turnout.evaluate.outcomes.files import other_columns, read_batches, source_of, write
from turnout.evaluate.outcomes.table import Batch, OutcomesError

RICH: dict[str, Any] = {
    "dataset": "d",
    "prompt_id": "1",
    "conversation": [{"role": "user", "content": 'a, "b"\nc'}],
    "tools": [{"name": "f"}],
    "category": "c",
    "group": "g",
    "model": "m",
    "score": 0.25,
    "input_tokens": 10,
    "output_tokens": 0,
    "cost_usd": 1.5e-7,
    "propensity": 0.1,
    "split": "test",
}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
class TestWriteAndRead:
    def test_nothing_is_lost(self, tmp_path: Path, ending: str) -> None:
        batch = batch_of(RICH, {"prompt": "plain", "model": "m", "score": 1})
        path = tmp_path / f"table{ending}"
        assert write([batch], path) == 2
        assert list(read_batches(path)) == [batch]
        assert [one.name for one in tmp_path.iterdir()] == [path.name]

    @given(rows=st.lists(st.tuples(texts, texts, st.floats(0, 1)), min_size=1, max_size=5))
    def test_any_text_comes_back(
        self, tmp_path_factory: pytest.TempPathFactory, ending: str, rows: list[tuple[str, str, float]]
    ) -> None:
        batch = batch_of(*({"prompt": prompt, "model": model, "score": score} for prompt, model, score in rows))
        path = tmp_path_factory.mktemp("table") / f"table{ending}"
        write([batch], path)
        assert list(read_batches(path)) == [batch]

    def test_batches_are_no_larger_than_asked_for(self, tmp_path: Path, ending: str) -> None:
        rows = [row for number in range(5) for row in answers(f"p{number}", 0, 1)]
        source = file_of(tmp_path / f"table{ending}", *rows)
        assert [len(batch) for batch in source.batches(4)] == [4, 4, 2]

    def test_only_some_models_and_datasets(self, tmp_path: Path, ending: str) -> None:
        rows = [*answers("a", 0, 1, dataset="x"), *answers("b", 0, 1, dataset="y")]
        source = file_of(tmp_path / f"table{ending}", *rows)
        chosen = source._replace(models=frozenset({"cheap"}), datasets=frozenset({"y"}))
        assert [(batch.prompt, batch.model) for batch in chosen.batches()] == [(["b"], ["cheap"])]

    def test_an_error_leaves_no_file(self, tmp_path: Path, ending: str) -> None:
        def broken() -> Any:
            yield batch_of(RICH)
            raise OutcomesError("later")

        with pytest.raises(OutcomesError, match="later"):
            write(broken(), tmp_path / f"table{ending}")
        assert not list(tmp_path.iterdir())


def test_several_files_are_one_table(tmp_path: Path) -> None:
    file_of(tmp_path / "a.csv", *answers("a", 0, 1))
    file_of(tmp_path / "b.jsonl", *answers("b", 0, 1))
    source = source_of([tmp_path / "a.csv", tmp_path / "b.jsonl"])
    assert [batch.prompt for batch in source.batches()] == [["a", "a"], ["b", "b"]]
    assert source.named() == "a.csv, b.jsonl"


def test_columns_that_are_not_ours_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,model,score,judge\np,m,1,me\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"prompt":"p","model":"m","score":1,"why":"x"}\n', encoding="utf-8")
    assert other_columns(tmp_path / "a.csv") == ["judge"]
    assert other_columns(tmp_path / "a.jsonl") == ["why"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("graded.cvs", "the name must end in .parquet, .csv, .jsonl"), ("grated.csv", "there is no file")],
)
def test_a_name_that_cannot_be_read(tmp_path: Path, name: str, message: str) -> None:
    write([Batch()], tmp_path / "graded.csv")
    with pytest.raises(OutcomesError, match=re.escape(message)) as raised:
        source_of([tmp_path / name])
    if message.startswith("there"):
        assert "the nearest known one is 'graded.csv'" in str(raised.value)


def test_no_file_at_all() -> None:
    with pytest.raises(OutcomesError, match="no file"):
        source_of([])


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_private_file_is_its_owner_s_alone(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"graded{ending}"
    before = os.umask(0o022)
    try:
        write([Batch()], path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        write([Batch()], path, private=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
