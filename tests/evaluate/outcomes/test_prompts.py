from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, batch_of, file_of
from turnout.evaluate.outcomes import prompts as module
from turnout.evaluate.outcomes.content import row_keys
from turnout.evaluate.outcomes.prompts import Prompts, places_of

WORDS = [f"prompt {number}" for number in range(30)]
KEYS = np.sort(np.array(row_keys(batch_of(*(answers(word, 0, 1)[0] for word in WORDS))), np.uint64))


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    once = [row for word in WORDS for row in answers(word, 0, 1)]
    return Prompts(file_of(tmp_path / "t.jsonl", *once, *once, *answers("unknown", 0, 1)), KEYS, "cheap")


@pytest.mark.parametrize("kept", [0, 100])
def test_each_once_with_its_place_however_often_they_are_read(
    prompts: Prompts, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(module, "KEPT_PROMPTS", kept)
    for _ in range(2):
        found = list(prompts.batches())
        assert sorted(np.concatenate([places for _, places in found]).tolist()) == list(range(30))
        assert sorted(prompt for batch, _ in found for prompt in batch.prompt) == sorted(WORDS)
        assert all(KEYS[places].tolist() == row_keys(batch) for batch, places in found)


def test_only_some(prompts: Prompts) -> None:
    found = list(prompts.batches([3, 7]))
    assert sorted(np.concatenate([places for _, places in found]).tolist()) == [3, 7]
    assert sum(len(batch) for batch, _ in found) == 2
    assert list(prompts.batches([])) == []


def test_a_prompt_that_is_not_among_them_has_no_place() -> None:
    batch = batch_of(*answers(WORDS[0], 0, 1), *answers("unknown", 0, 1))
    one, same, *others = places_of(KEYS, batch).tolist()
    assert one == same >= 0
    assert others == [-1, -1]
