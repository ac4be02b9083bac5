from __future__ import annotations

import numpy as np

from turnout.classify.learned.features import fitted_map, looked_at
from turnout.classify.learned.rows import Row
from turnout.evaluate.training.looking import Looked

ROWS = [Row(f"text {number} " + "word " * (number % 5), (), f"c{number % 2}") for number in range(300)]


def test_parts_are_as_if_looked_at_alone() -> None:
    told: list[int] = []
    looked = Looked(ROWS, None, progress=told.append)
    assert (len(looked), sum(told)) == (300, 300)
    places = [270, 3, 3, 299]
    taken, alone = looked.take(places), looked_at([ROWS[place] for place in places], None)
    features = fitted_map(looked.take(range(300)), seed=0)
    assert np.array_equal(features.wide(taken), features.wide(alone))
    assert np.array_equal(features.plain(taken), features.plain(alone))


def test_vectors_go_with_their_texts() -> None:
    looked = Looked(ROWS, lambda texts: np.array([[len(text), 1.0] for text in texts]))
    assert looked.take([7, 1]).vectors[:, 0].tolist() == [len(ROWS[7].text), len(ROWS[1].text)]
