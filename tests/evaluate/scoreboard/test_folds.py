from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.evaluate.scoreboard.folds import folds_of, within_folds


@given(st.lists(st.integers(0, 20), min_size=30, max_size=200), st.integers(2, 5), st.integers(0, 3))
def test_no_group_is_split_and_folds_are_about_equal(numbers: list[int], folds: int, seed: int) -> None:
    keys, groups = np.unique(np.array(numbers, np.uint64), return_inverse=True)
    if len(keys) < folds:
        return
    found = folds_of(keys, groups, folds, seed=seed)
    for group in range(len(keys)):
        assert len(set(found[groups == group].tolist())) == 1
    largest = np.bincount(groups).max()
    assert np.bincount(found, minlength=folds).max() <= len(numbers) / folds + largest


def test_the_order_of_the_table_does_not_count() -> None:
    keys = np.array([50, 10, 30, 20, 40], np.uint64)
    turned = folds_of(keys[::-1], np.arange(5), 2)[::-1]
    assert folds_of(keys, np.arange(5), 2).tolist() == turned.tolist()


def test_the_seed_counts() -> None:
    keys, groups = np.arange(50, dtype=np.uint64), np.arange(50)
    assert folds_of(keys, groups, 5, seed=1).tolist() != folds_of(keys, groups, 5, seed=2).tolist()


@pytest.mark.parametrize(
    ("groups", "folds", "message"), [(5, 1, "two folds are needed"), (2, 3, "2 different prompts")]
)
def test_folds_that_cannot_be_made(groups: int, folds: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        folds_of(np.arange(groups, dtype=np.uint64), np.arange(groups), folds)


def test_places_within_folds_know_nothing_of_levels() -> None:
    scores, folds = np.array([1.0, 3.0, 3.0, 9.0, 10.0, 30.0, 20.0, 20.0]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = within_folds(scores, folds)
    assert found.tolist() == [0.125, 0.5, 0.5, 0.875, 0.125, 0.875, 0.5, 0.5]
    moved = np.where(folds == 1, 100.0 * scores - 7.0, scores)
    assert within_folds(moved, folds).tolist() == found.tolist()


def test_what_tells_nothing_apart_stays_so() -> None:
    assert within_folds(np.array([0.2, 0.2, 0.7, 0.7, 0.7]), np.array([0, 0, 1, 1, 1])).tolist() == [0.5] * 5
