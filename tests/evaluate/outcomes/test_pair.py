from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, batch_of, file_of
from turnout.evaluate.outcomes.pair import LeftOut, aligned
from turnout.evaluate.outcomes.table import OutcomesError


def test_answers_to_the_same_prompt_are_put_together(tmp_path: Path) -> None:
    rows = [
        *answers("a", 0, 1, dataset="x", category="easy"),
        *answers("b", 1, 0.5, dataset="x", category="hard"),
        {"prompt": "c", "model": "cheap", "score": 1},
        {"prompt": "d", "model": "capable", "score": 1},
        {"prompt": "e", "model": "capable", "score": 1},
        {"prompt": "a", "model": "another", "score": 1},
    ]
    source = file_of(tmp_path / "t.jsonl", *rows)
    pair = aligned(source, "cheap", "capable")
    by_prompt = dict(zip(["a", "b"], pair.places(batch_of(rows[0], rows[2])).tolist(), strict=True))
    assert sorted(by_prompt.values()) == [0, 1]
    assert pair.cheap_scores[[by_prompt["a"], by_prompt["b"]]].tolist() == [0.0, 1.0]
    assert pair.capable_scores[[by_prompt["a"], by_prompt["b"]]].tolist() == [1.0, 0.5]
    assert pair.cheap_usd.tolist() == [0.001, 0.001]
    assert pair.costs_known
    assert pair.left_out == LeftOut(only_cheap=1, only_capable=2, repeated=0, other_models=1)
    assert sorted(pair.category_names) == ["", "", "easy", "hard"] or set(pair.category_names) >= {"x: easy", "x: hard"}
    assert pair.places(batch_of({"prompt": "unknown", "model": "cheap", "score": 0})).tolist() == [-1]


def test_repeated_answers_are_averaged_and_counted(tmp_path: Path) -> None:
    rows = [*answers("a", 0, 1), *answers("a", 1, 1), *answers("b", 1, 1)]
    pair = aligned(file_of(tmp_path / "t.csv", *rows), "cheap", "capable")
    assert sorted(pair.cheap_scores.tolist()) == [0.5, 1.0]
    assert pair.left_out.repeated == 2


def test_one_id_with_two_texts_is_two_prompts(tmp_path: Path) -> None:
    rows = [
        {"prompt": "one", "prompt_id": "7", "model": "cheap", "score": 1},
        {"prompt": "other", "prompt_id": "7", "model": "capable", "score": 1},
        *answers("same", 1, 1, prompt_id="8"),
    ]
    pair = aligned(file_of(tmp_path / "t.csv", *rows), "cheap", "capable")
    assert (len(pair), pair.left_out.only_cheap, pair.left_out.only_capable) == (1, 1, 1)


def test_the_same_text_under_two_ids_is_one_group(tmp_path: Path) -> None:
    rows = [*answers("a", 0, 1, prompt_id="1"), *answers("a", 0, 1, prompt_id="2"), *answers("b", 0, 1, prompt_id="3")]
    pair = aligned(file_of(tmp_path / "t.csv", *rows), "cheap", "capable")
    assert (len(pair), len(pair.group_keys)) == (3, 2)
    part = pair.take(np.flatnonzero(pair.groups == pair.groups[0]))
    assert set(part.groups.tolist()) == {0}
    assert part.group_keys.tolist() == [pair.group_keys[pair.groups[0]]]


def test_weights_and_costs(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "model": "cheap", "score": 1},
        {"prompt": "a", "model": "capable", "score": 1, "propensity": 0.1, "cost_usd": 0.5},
    ]
    source = file_of(tmp_path / "t.csv", *rows)
    pair = aligned(source, "cheap", "capable")
    assert pair.weights.tolist() == [10.0]
    assert not pair.costs_known
    filled = aligned(source, "cheap", "capable", call_usd=(0.01, 0.2))
    assert (filled.cheap_usd.tolist(), filled.capable_usd.tolist()) == ([0.01], [0.5])


def test_one_draw_decides_for_both_answers(tmp_path: Path) -> None:
    # As `turnout collect` writes them: both rows have the share of the request's stratum.
    rows = [*answers("a", 1, 1, propensity=0.05), *answers("b", 0, 1, propensity=0.4), *answers("c", 0, 1)]
    pair = aligned(file_of(tmp_path / "t.csv", *rows), "cheap", "capable")
    assert sorted(pair.weights.tolist()) == [1.0, 2.5, 20.0]


@pytest.mark.parametrize(
    ("cheap", "capable", "message"),
    [
        ("cheap", "capabel", "no answer of 'capabel'; unknown model 'capabel'; the nearest known one is 'capable'"),
        ("cheap", "cheap", "a pair is two models"),
        ("cheap", "lonely", "no prompt was answered by both"),
    ],
)
def test_a_pair_that_is_none(tmp_path: Path, cheap: str, capable: str, message: str) -> None:
    source = file_of(tmp_path / "t.csv", *answers("a", 0, 1), {"prompt": "z", "model": "lonely", "score": 1})
    with pytest.raises(OutcomesError, match=message):
        aligned(source, cheap, capable)
