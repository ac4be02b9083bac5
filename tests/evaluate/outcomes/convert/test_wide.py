from __future__ import annotations

import re
from pathlib import Path

import pytest

from turnout.evaluate.outcomes.convert.wide import json_lines, wide_rows
from turnout.evaluate.outcomes.table import OutcomesError


def test_rows_are_named_by_their_place(tmp_path: Path) -> None:
    table, lines = tmp_path / "t.csv", tmp_path / "t.jsonl"
    table.write_bytes('\ufeffid,"a b"\n1,"x\ny"\n2,\n'.encode())
    assert list(wide_rows(table)) == [
        (f"{table}, line 3", {"id": "1", "a b": "x\ny"}),
        (f"{table}, line 4", {"id": "2", "a b": ""}),
    ]
    lines.write_text('{"id": 1}\n\n{"id": [2]}\n')
    assert list(wide_rows(lines)) == [(f"{lines}, line 1", {"id": 1}), (f"{lines}, line 3", {"id": [2]})]


def test_parquet_too(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"id": [1, 2], "a b": ["x", None]}), path)
    assert list(wide_rows(path)) == [
        (f"{path}, row 1", {"id": 1, "a b": "x"}),
        (f"{path}, row 2", {"id": 2, "a b": None}),
    ]
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(OutcomesError, match=re.escape(f"cannot read {path} as Parquet: ")):
        list(wide_rows(path))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.pkl", b"", "a pickle can run any code when it is read, so it is not read here"),
        ("t.txt", b"", "the name must end in .csv, .jsonl or .parquet"),
        ("t.csv", b"a\n\xff\xfe\n", "this is no CSV in UTF-8"),
        ("t.csv", b'a\n"x"y\n', "this is no CSV in UTF-8"),
        ("t.csv", b"a\n1,2\n", "line 2: more cells than the header names columns"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2: this is no JSON object"),
        ("t.jsonl", b"[1]\n", "line 1: this is no JSON object"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(OutcomesError, match=re.escape(message)) as raised:
        list(wide_rows(path))
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutcomesError, match="No such file or directory"):
        list(wide_rows(tmp_path / name))
    with pytest.raises(OutcomesError, match="No such file or directory"):
        list(json_lines(tmp_path / name))
