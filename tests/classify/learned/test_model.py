from __future__ import annotations

import numpy as np

from tests.classify.learned.models import model_of
from turnout.classify.learned.features import looked_at
from turnout.classify.learned.model import Price
from turnout.classify.learned.rows import Row

ROWS = [Row("word " * number) for number in (1, 5, 30)]


def test_p_suffices_falls_where_the_gain_rises() -> None:
    said = model_of().predict(ROWS)
    assert (np.diff(said.need("call")) > 0).all()
    assert (np.diff(said.suffices[:, 0]) < 0).all()
    assert (said.suffices[:, 2] == 1.0).all()
    gain = said.scores[0, 2] - said.scores[0, 1]
    assert said.suffices[0, 1] == 1.0 - 1.0 / (1.0 + np.exp(-(-1.0 + 2.0 * gain)))


def test_one_request_alone_is_as_among_others() -> None:
    for trees in (False, True):
        model = model_of(trees=trees)
        together = model.predict(ROWS)
        for index, row in enumerate(ROWS):
            alone = model.predict([row])
            assert np.allclose(alone.scores[0], together.scores[index])
            assert np.allclose(alone.costs[0], together.costs[index])


def test_the_ridge_is_the_wide_table_times_its_weights() -> None:
    model = model_of()
    raw = looked_at(ROWS, None)
    expected = model.features.wide(raw) @ model.weights + model.intercepts
    assert np.allclose(model.predict(ROWS).scores, expected[:, :3], atol=1e-5)


def test_trees_are_averaged_with_the_ridge() -> None:
    ridge, both = model_of().predict(ROWS).scores, model_of(trees=True)
    assert both.trees is not None
    grown = both.trees.predict(both.features.plain(looked_at(ROWS, None)))
    assert np.allclose(both.predict(ROWS).scores, (ridge + grown) / 2.0)


def test_by_usd_gains_are_held_against_prices() -> None:
    said = model_of().predict(ROWS)
    assert np.allclose(said.costs[0], [0.001, 0.002, 0.01])
    assert np.allclose(said.need("usd", 0), said.need("call", 0) / 0.9)
    assert np.allclose(said._replace(price=Price(0.5, 0.01)).need("usd", 1), said.need("call", 1) / 0.8**0.5)
    # A cheap candidate that costs more than the capable one does not turn the order round.
    odd = said._replace(costs=said.costs[:, [2, 1, 0]])
    assert np.allclose(odd.need("usd"), said.need("call") / (0.05 * 0.1))


def test_without_costs_there_is_one_ranking() -> None:
    said = model_of(costs=False).predict(ROWS)
    assert said.costs is None
    assert np.array_equal(said.need("usd"), said.need("call"))


def test_no_requests_are_no_error() -> None:
    assert model_of().predict([]).suffices.shape == (0, 3)
