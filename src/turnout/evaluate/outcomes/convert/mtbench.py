"""MT-Bench as RouteLLM keeps it: a file of questions, and one of a judge's grades for each model and turn.

The layout is that of ``routellm/evals/mt_bench/question.jsonl`` and ``judgements.jsonl`` of lm-sys/RouteLLM, as its
``routellm/evals/benchmarks.py`` reads them (2024, read 2026-11-23): a question has ``question_id``, ``category`` and
``turns``, a list of texts; a judgement has ``question_id``, ``model`` and ``score``, from 1 to 10. These are FastChat's
files too (``gpt-4_single.jsonl``), where a score of -1 says that the judge gave none.

A row is a model's answer to a question: the prompt is the first turn, by which RouteLLM routes, and the score the mean
over the turns, by ten. So ratios of scores stay what they are: 95 % of a model's quality is 95 % of its mean grade.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from turnout.evaluate.outcomes.convert.rows import in_batches
from turnout.evaluate.outcomes.convert.wide import json_lines
from turnout.evaluate.outcomes.table import Batch, OutcomesError

_MOST = 10
_NO_SCORE = -1


def batches(paths: Sequence[Path]) -> Iterator[Batch]:
    """The questions and judgements of these files, in any order, as a table of outcomes.

    Raises:
        OutcomesError: A file cannot be read, a line is neither, or a judgement is of a question that is not there.
    """
    questions: dict[Any, dict[str, Any]] = {}
    grades: dict[tuple[Any, str], list[float]] = {}
    first: dict[tuple[Any, str], str] = {}
    for path in paths:
        for where, members in json_lines(path):
            number = members.get("question_id")
            if number is None:
                raise OutcomesError(f"{where}: no member 'question_id'; there are {', '.join(members) or 'none'}")
            if "turns" in members:
                questions[number] = _question(where, members)
            elif "model" in members and "score" in members:
                key = number, str(members["model"])
                first.setdefault(key, where)
                if members["score"] != _NO_SCORE:
                    grades.setdefault(key, []).append(_score(where, members["score"]))
            else:
                raise OutcomesError(f"{where}: neither a question ('turns') nor a judgement ('model' and 'score')")
    if not questions or not grades:
        lacking = "questions (question.jsonl)" if not questions else "judgements (judgements.jsonl)"
        raise OutcomesError(f"no {lacking} in {', '.join(map(str, paths))}: name both files")
    return in_batches(_rows(questions, grades, first))


def _rows(
    questions: dict[Any, dict[str, Any]], grades: dict[tuple[Any, str], list[float]], first: dict[tuple[Any, str], str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, scores in grades.items():
        number, model = key
        if number not in questions:
            raise OutcomesError(f"{first[key]}: no question has the id {number!r}")
        yield first[key], {**questions[number], "model": model, "score": sum(scores) / len(scores) / _MOST}


def _question(where: str, members: dict[str, Any]) -> dict[str, Any]:
    turns = members["turns"]
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        raise OutcomesError(f"{where}: 'turns' must be a list of texts")
    return {
        "dataset": "mt-bench",
        "prompt_id": str(members["question_id"]),
        "category": str(members.get("category") or ""),
        "prompt": turns[0],
    }


def _score(where: str, score: Any) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= _MOST:
        raise OutcomesError(
            f"{where}: 'score' must be a number from 0 to {_MOST}, or {_NO_SCORE} for none, got {score!r}"
        )
    return float(score)
