from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.evaluate.training.ridge import Sums, choose, fit, unseen_predictions

SHAPES = st.tuples(st.integers(2, 12), st.integers(1, 12), st.integers(0, 10_000))


def problem(rows: int, columns: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.standard_normal((rows, columns)), draw.standard_normal((rows, 2)), draw.uniform(0.5, 2.0, rows)


@settings(deadline=None)
@given(shape=SHAPES, penalty=st.sampled_from([0.1, 1.0, 30.0]))
def test_it_is_the_minimum(shape: tuple[int, int, int], penalty: float) -> None:
    table, targets, weights = problem(*shape)
    (found,) = fit(table, targets, weights, [penalty])
    error = weights[:, None] * (targets - found.predict(table))
    # The gradient of the loss is zero: by the weights and by the intercepts.
    assert np.allclose(table.T @ error, penalty * found.weights, atol=1e-8)
    assert np.allclose(error.sum(axis=0), 0.0, atol=1e-8)


@settings(deadline=None)
@given(shape=SHAPES)
def test_sums_over_batches_are_the_same(shape: tuple[int, int, int]) -> None:
    table, targets, weights = problem(*shape)
    sums = Sums(table.shape[1], 2)
    for part in np.array_split(np.arange(len(table)), 3):
        sums.add(table[part], targets[part], weights[part])
    found, (expected,) = sums.solved(2.0), fit(table, targets, weights, [2.0])
    assert np.allclose(found.weights, expected.weights, atol=1e-8)
    assert np.allclose(found.intercepts, expected.intercepts, atol=1e-8)


@pytest.mark.parametrize(("noise", "penalty"), [(0.01, 0.01), (30.0, 1_000.0)])
def test_more_noise_wants_more_penalty(noise: float, penalty: float) -> None:
    draw = np.random.default_rng(1)
    table = draw.standard_normal((200, 20))
    targets = table @ draw.standard_normal((20, 1)) + noise * draw.standard_normal((200, 1))
    (found,) = choose(table, [targets], np.ones(200), np.arange(200) % 5, [0.01, 1.0, 1_000.0])
    assert found.penalty == penalty


def test_each_kind_of_target_has_its_own_penalty() -> None:
    draw = np.random.default_rng(1)
    table = draw.standard_normal((200, 20))
    clear, noise = table @ draw.standard_normal((20, 1)), draw.standard_normal((200, 2))
    folds, penalties = np.arange(200) % 5, [0.01, 1_000.0]
    both = choose(table, [clear, noise], np.ones(200), folds, penalties)
    assert [one.penalty for one in both] == penalties
    alone = choose(table, [noise], np.ones(200), folds, penalties)[0]
    assert np.allclose(both[1].unseen, alone.unseen)


def test_what_is_unseen_does_not_know_its_fold() -> None:
    draw = np.random.default_rng(1)
    table, folds = draw.standard_normal((60, 4)), np.arange(60) % 3
    targets = draw.standard_normal((60, 1))
    before = choose(table, [targets], np.ones(60), folds, [1.0])[0].unseen
    changed = np.where((folds == 1)[:, None], targets + 100.0 * draw.standard_normal((60, 1)), targets)
    after = choose(table, [changed], np.ones(60), folds, [1.0])[0].unseen
    assert np.array_equal(before[folds == 1], after[folds == 1])
    assert not np.allclose(before[folds == 0], after[folds == 0])


@settings(deadline=None, max_examples=25)
@given(shape=SHAPES)
def test_scalar_products_alone_give_the_same(shape: tuple[int, int, int]) -> None:
    table, targets, weights = problem(max(shape[0], 6), 20, shape[2])  # more columns than rows
    folds = np.arange(len(table)) % 3
    found = unseen_predictions(table, targets, weights, folds, [0.5, 20.0])
    for fold in range(3):
        inside = folds == fold
        for place, one in enumerate(fit(table[~inside], targets[~inside], weights[~inside], [0.5, 20.0])):
            assert np.allclose(found[place, inside], one.predict(table[inside]), atol=1e-8)
