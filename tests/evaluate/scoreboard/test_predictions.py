from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.evaluate.outcomes.tables import answers, batch_of
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.predictions import SavedRouter

BATCH = batch_of(
    answers("a", 1, 1, prompt_id="1", tools='[{"n": 1}]')[0], answers("b", 1, 1, prompt_id="2", tools="[]")[0]
)


def saved(path: Path, text: str) -> SavedRouter:
    path.write_text(text, encoding="utf-8")
    return SavedRouter(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "prompt_id,score\n2,0.5\n1,-3\n"),
        ("p.csv", "prompt,score,other\nb,0.5,x\na,-3,y\n"),
        (
            "p.jsonl",
            '{"prompt_id":1,"prompt":"a","tools":[{"n":1}],"score":-3}\n{"prompt_id":2,"prompt":"b","tools":[],"score":0.5}\n',
        ),
    ],
)
def test_prompts_are_found_by_what_the_file_names(tmp_path: Path, name: str, text: str) -> None:
    router = saved(tmp_path / name, text)
    assert router.scores(BATCH).tolist() == [-3.0, 0.5]
    assert (router.name, router.meaning) == ("p", None)


def test_probabilities_are_turned_round(tmp_path: Path) -> None:
    router = saved(tmp_path / "p.csv", "prompt,p_suffices\na,0.25\nb,1\n")
    assert router.scores(BATCH).tolist() == [0.75, 0.0]
    assert router.meaning == "gains"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt,score\na,1\n", "no prediction for 1 of 2 prompts, such as '2'; prompts are found by prompt"),
        ("prompt,score\na,1\na,2\n", "line 3: another prediction for the same prompt came before"),
        ("prompt,score\na,high\n", "line 2, column score: must be a number, got 'high'"),
        ("prompt,score\na,nan\n", "line 2, column score: must be a number, got nan"),
        ("prompt,p_suffices\na,inf\n", "line 2, column p_suffices: must be a number, got inf"),
        ("prompt,p_suffices\na,1.5\n", "line 2, column p_suffices: must be between 0 and 1, got 1.5"),
        ("prompt,value\na,1\n", "no column 'score' or 'p_suffices'; there are prompt, value"),
        ("text,score\na,1\n", "no column 'prompt_id' or 'prompt'"),
        ("prompt,score\n", "there are no predictions"),
        ("prompt,tools,score\na,{,1\n", "line 2, column tools: must be JSON"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OutcomesError, match=re.escape(message)):
        saved(tmp_path / "p.csv", text).scores(BATCH)
