from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from turnout.evaluate.outcomes.convert import FORMATS
from turnout.evaluate.outcomes.table import OutcomesError

QUESTIONS: list[dict[str, Any]] = [
    {"question_id": 81, "category": "writing", "turns": ["Write a poem.", "Shorter."], "reference": []},
    {"question_id": 82, "category": "math", "turns": ["2 + 2?", "And 3?"]},
]
JUDGEMENTS: list[dict[str, Any]] = [
    {"question_id": 81, "model": "weak", "judge": ["gpt-4", "single-v1"], "score": 6, "turn": 1, "tstamp": 1.5},
    {"question_id": 81, "model": "weak", "judge": ["gpt-4", "single-v1-multi-turn"], "score": 5, "turn": 2},
    {"question_id": 81, "model": "strong", "score": 10, "turn": 1},
    {"question_id": 81, "model": "strong", "score": -1, "turn": 2},
    {"question_id": 82, "model": "strong", "score": 9.5, "turn": 1},
    {"question_id": 82, "model": "weak", "score": -1, "turn": 1},
]


def file_of(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def rows(*paths: Path) -> list[tuple[Any, ...]]:
    wanted = ("dataset", "prompt_id", "category", "prompt", "model", "score")
    found: list[tuple[Any, ...]] = []
    for batch in FORMATS["mtbench"].read(paths):
        columns = dict(batch.columns())
        found.extend(zip(*(columns[name] for name in wanted), strict=True))
    return found


@pytest.mark.parametrize("swapped", [False, True])
def test_questions_and_judgements_become_rows(tmp_path: Path, swapped: bool) -> None:
    files = [file_of(tmp_path / "q.jsonl", *QUESTIONS), file_of(tmp_path / "j.jsonl", *JUDGEMENTS)]
    assert rows(*(reversed(files) if swapped else files)) == [
        ("mt-bench", "81", "writing", "Write a poem.", "weak", 0.55),
        ("mt-bench", "81", "writing", "Write a poem.", "strong", 1.0),
        ("mt-bench", "82", "math", "2 + 2?", "strong", 0.95),
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (QUESTIONS, r"no judgements \(judgements.jsonl\) in .*: name both files"),
        (JUDGEMENTS, r"no questions \(question.jsonl\)"),
        ([*QUESTIONS, {"question_id": 9, "model": "m", "score": 3}], "line 3: no question has the id 9"),
        ([{"id": 1}], "line 1: no member 'question_id'; there are id"),
        ([{"question_id": 1}], "line 1: neither a question"),
        ([{"question_id": 1, "turns": "text"}], "line 1: 'turns' must be a list of texts"),
        ([{"question_id": 1, "turns": []}], "must be a list of texts"),
        ([*QUESTIONS, {"question_id": 81, "model": "m", "score": 11}], "line 3: 'score' must be a number from 0 to 10"),
        ([*QUESTIONS, {"question_id": 81, "model": "m", "score": "8"}], "got '8'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, lines: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(OutcomesError, match=said):
        rows(file_of(tmp_path / "x.jsonl", *lines))
