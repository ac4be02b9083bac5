from __future__ import annotations

import numpy as np

from turnout.classify.learned.trees import Trees


def two_trees() -> Trees:
    """One splits on column 0 and then on column 1, the other is a single leaf."""
    return Trees(
        features=np.array([0, 0, 1, 0, 0, 0], np.int32),
        thresholds=np.array([0.5, 0.0, 2.0, 0.0, 0.0, 0.0]),
        lefts=np.array([1, 1, 3, 3, 4, 5], np.int32),
        rights=np.array([2, 1, 4, 3, 4, 5], np.int32),
        values=np.array([[0, 0], [1, 10], [0, 0], [2, 20], [3, 30], [0.5, 0]], np.float32),
        roots=np.array([0, 5], np.int32),
        base=np.array([100.0, 0.0]),
        depth=np.array([2], np.int32),
    )


def test_each_row_goes_down_to_its_leaf() -> None:
    table = np.array([[0.5, 9.0], [0.6, 2.0], [0.6, 2.1]], np.float32)
    assert two_trees().predict(table).tolist() == [[101.5, 10.0], [102.5, 20.0], [103.5, 30.0]]


def test_many_rows_are_taken_in_parts() -> None:
    table = np.tile(np.array([[0.0, 0.0]], np.float32), (3_000, 1))
    assert np.array_equal(np.unique(two_trees().predict(table), axis=0), [[101.5, 10.0]])
