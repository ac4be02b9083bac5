from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from turnout.evaluate.outcomes.rows import checked_row, csv_rows, jsonl_rows
from turnout.evaluate.outcomes.table import OutcomesError

ROW: dict[str, Any] = {"prompt": "p", "model": "m", "score": 1}


def test_texts_and_values_are_read_alike() -> None:
    typed = {**ROW, "score": 0.5, "input_tokens": 3, "tools": [{"name": "f"}], "cost_usd": 1e-4, "propensity": 0.5}
    texts = {**ROW, "score": " 0.5 ", "input_tokens": "3.0", "tools": '[ {"name":"f"} ]', "cost_usd": "0.0001"}
    texts |= {"propensity": ".5", "output_tokens": ""}
    assert checked_row(typed, "w") == checked_row(texts, "w")
    assert checked_row(ROW, "w")["propensity"] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": "good"}, "w, column score: must be a number, got 'good'"),
        ({"score": "True"}, "w, column score: must be a number, got 'True'; write 1"),
        ({"score": False}, "w, column score: must be a number, got False; write 0"),
        ({"score": 55}, "w, column score: must be between 0 and 1, got 55; write 0.55 for 55 %"),
        ({"score": None}, "w, column score: is missing"),
        ({"input_tokens": 1.5}, "w, column input_tokens: must be a whole number, got 1.5"),
        ({"cost_usd": []}, "w, column cost_usd: must be a number, got []"),
        ({"model": ""}, "w, column model: is empty"),
        ({"model": ["m"]}, "w, column model: must be a text, got ['m']"),
        ({"prompt": ""}, "w, column prompt: is empty, and there is no conversation"),
        ({"conversation": "[]"}, "w, column conversation: must be a JSON list of messages"),
        ({"tools": "f"}, "w, column tools: must be a JSON list of tools"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(OutcomesError, match=re.escape(message)):
        checked_row({**ROW, **change}, "w")


class TestCsv:
    def test_lines_count_as_an_editor_counts_them(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text('\ufeffprompt,model,score\n"two\nlines",m,1\n\nnext,m,0\n', encoding="utf-8")
        assert [(line, cells["prompt"]) for line, cells in csv_rows(path)] == [(3, "two\nlines"), (5, "next")]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (b"", "the file is empty"),
            (b"prompt,model,score\na,m\n", "line 2: 2 cells, but the header names 3"),
            (b"prompt,model,scor\na,m,1\n", "line 1: unknown column 'scor'; rename it to 'score'"),
            (b'prompt,model,score\n"a"b,m,1\n', "line 2: this is no CSV"),
            (b"prompt,model,score\n\xff,m,1\n", "not UTF-8"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, text: bytes, message: str) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(text)
        with pytest.raises(OutcomesError, match=re.escape(message)):
            list(csv_rows(path))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OutcomesError, match="cannot read"):
            list(csv_rows(tmp_path / "none.csv"))


class TestJsonl:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"prompt":"a","model":"m","score":1}\n[]\n', "line 2: this is no JSON object"),
            ('\n{"prompt":"a","modle":"m","score":1}\n', "line 2: unknown column 'modle'; rename it to 'model'"),
            ('{"prompt":"a"', "line 1: this is no JSON object"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(OutcomesError, match=re.escape(message)):
            list(jsonl_rows(path))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OutcomesError, match="cannot read"):
            list(jsonl_rows(tmp_path / "none.jsonl"))
