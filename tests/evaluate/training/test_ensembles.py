from __future__ import annotations

import numpy as np
import pytest

from turnout.config.extras import require
from turnout.evaluate.training.ensembles import Kind, fit_trees

KINDS: tuple[Kind, ...] = ("forest", "boosted")


@pytest.fixture(autouse=True)
def sklearn() -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn (extra train), which is large")


def problem() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    table = draw.standard_normal((300, 4)).astype(np.float32)
    both = (table[:, 0] > 0) ^ (table[:, 1] > 0)
    return table, np.column_stack([both, table[:, 2] > 1]).astype(float)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_is_no_line(kind: Kind) -> None:
    table, targets = problem()
    found = fit_trees(kind, table[:200], targets[:200], np.ones(200), seed=0).predict(table[200:])
    assert found.shape == (100, 2)
    for target in range(2):
        assert np.corrcoef(found[:, target], targets[200:, target])[0, 1] > 0.5


def test_the_arrays_say_what_scikit_learn_says() -> None:
    ensemble = require("sklearn.ensemble", extra="train")
    table, targets = problem()
    model = ensemble.ExtraTreesRegressor(
        n_estimators=150, max_features=0.3, min_samples_leaf=4, random_state=7, n_jobs=1
    )
    model.fit(table, targets)
    found = fit_trees("forest", table, targets, np.ones(300), seed=7)
    assert np.allclose(found.predict(table), model.predict(table), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_is_the_same_trees(kind: Kind) -> None:
    table, targets = problem()
    one, same, other = (fit_trees(kind, table, targets, np.ones(300), seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.thresholds, other.thresholds)
