from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.evaluate.outcomes.tables import answers, batch_of, file_of, pair_of
from turnout.classify.keyword import KeywordClassifier
from turnout.evaluate.outcomes.pair import aligned
from turnout.evaluate.scoreboard.baselines import (
    CategoryRouter,
    KeywordRouter,
    LengthRouter,
    RandomRouter,
    oracle_by_calls,
    oracle_by_usd,
)
from turnout.evaluate.scoreboard.router import Examples, Texts

BATCH = batch_of(*answers("Where is my parcel?", 1, 1)[:1], *answers("a b c d e f", 1, 1)[:1])


def test_what_needs_no_training() -> None:
    assert RandomRouter().scores(BATCH).tolist() == [0.0, 0.0]
    assert LengthRouter().scores(BATCH).tolist() == [4.0, 6.0]
    score = KeywordClassifier().score
    assert KeywordRouter().scores(BATCH).tolist() == [-score(prompt) for prompt in BATCH.prompt]


def test_the_category_s_mean_gain_by_hand(tmp_path: Path) -> None:
    rows = [
        *answers("a", 0, 1, dataset="d", category="x"),
        *answers("b", 1, 1, dataset="d", category="x"),
        *answers("c", 1, 0, dataset="d", category="y"),
    ]
    source = file_of(tmp_path / "t.csv", *rows)
    texts = Texts(source, aligned(source, "cheap", "capable"))
    scores = CategoryRouter().fit(Examples(texts, np.arange(3)))
    unseen = answers("d", 1, 0, dataset="d", category="z")[0]
    assert scores(batch_of(rows[0], rows[2], rows[4], unseen)).tolist() == [0.5, 0.5, -1.0, 0.0]


def test_oracles_by_hand() -> None:
    # gains: 1 for 9 USD, 1 for 3, none and saves 1, loses 1 and saves 5, none for 2
    pair = pair_of([0, 0, 1, 1, 1], [1, 1, 1, 0, 1], usd=([1, 1, 2, 6, 1], [10, 4, 1, 1, 3]))
    assert np.argsort(-oracle_by_calls(pair)).tolist() == [1, 0, 2, 4, 3]
    assert np.argsort(-oracle_by_usd(pair)).tolist() == [2, 1, 0, 4, 3]
