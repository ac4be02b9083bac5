from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.evaluate.calibration.worlds import graded
from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.calibration.prompts import MOST_ASIDE, known_to, set_aside
from turnout.evaluate.calibration.prompts import rows_of as seen
from turnout.evaluate.outcomes.content import group_key, text_key
from turnout.evaluate.outcomes.prompts import Prompts
from turnout.evaluate.training.answers import read_answers

PAIR = ["cheap", "capable"]


def test_prompts_are_seen_as_requests_without_a_category(tmp_path: Path) -> None:
    source = file_of(tmp_path / "t.jsonl", *answers("one", 1, 1, category="c"))
    ((batch, _),) = Prompts(source, read_answers(source, PAIR).keys, "cheap").batches()
    assert [(row.text, row.category) for row in seen(batch)] == [("one", "")]


def test_what_a_classifier_was_trained_on_is_known_by_text_and_by_group(tmp_path: Path) -> None:
    rows = [*answers("one", 1, 1, group="g"), *answers("two", 1, 1, group="g"), *answers("three", 1, 1)]
    source = file_of(tmp_path / "t.jsonl", *rows)
    answers_ = read_answers(source, PAIR)
    prompts = Prompts(source, answers_.keys, "cheap")

    def known(*keys: int) -> set[str]:
        found = known_to(prompts, np.unique(np.array(keys, np.uint64)), answers_)
        return {batch.prompt[row] for batch, places in prompts.batches() for row in np.flatnonzero(found[places])}

    assert known() == set()
    assert known(text_key("four", None)) == set()
    assert known(text_key("three", None)) == {"three"}
    # Its group's other prompt was trained on with it.
    assert known(text_key("one", None)) == known(group_key("g")) == {"one", "two"}


def test_a_tenth_is_set_aside_and_always_the_same(tmp_path: Path) -> None:
    source = graded(tmp_path / "t.jsonl", 900)
    answers_ = read_answers(source, PAIR)
    chosen = set_aside(answers_, needed=False)
    assert chosen.sum() == 90
    part = answers_.take(np.arange(0, 900, 2))
    again = set_aside(part, needed=False)
    both = set(part.group_keys[again].tolist())
    assert len(both - set(answers_.group_keys[chosen].tolist())) < len(both) / 2
    assert set_aside(answers_, needed=True).sum() <= MOST_ASIDE


def test_where_there_are_few_nothing_is_set_aside_unless_it_must_be(tmp_path: Path) -> None:
    few = read_answers(graded(tmp_path / "t.jsonl", 100), PAIR)
    assert set_aside(few, needed=False).sum() == 0
    assert set_aside(few, needed=True).sum() == 10
    assert set_aside(few.take([0]), needed=True).sum() == 0
