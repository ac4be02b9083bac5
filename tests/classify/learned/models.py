"""A small model for tests, made without training."""

from __future__ import annotations

import numpy as np

from tests.classify.learned.test_trees import two_trees
from turnout.classify.learned.features import fitted_map, looked_at
from turnout.classify.learned.likeness import fitted_likeness
from turnout.classify.learned.model import Calibration, LearnedModel, Price
from turnout.classify.learned.rows import Row


def model_of(*, costs: bool = True, trees: bool = False) -> LearnedModel:
    """Longer texts need the capable model more; the candidates are "small", "middle", "large"."""
    raw = looked_at([Row("word " * number, turns=1 + number % 2) for number in range(1, 40)], None)
    features = fitted_map(raw, seed=0)
    targets = 6 if costs else 3
    weights = np.zeros((features.width, targets), np.float32)
    weights[features.blocks["plain"].start + features.layout.plain.index("words"), :3] = [-0.5, -0.2, 0.0]
    intercepts = np.array([0.4, 0.6, 0.8, *np.log([0.001, 0.002, 0.01])][:targets])
    grown = two_trees()
    likeness, centres = fitted_likeness(raw, np.arange(39) % 3, seed=0)
    return LearnedModel(
        candidates=("small", "middle", "large"),
        features=features,
        head="linear+forest" if trees else "linear",
        weights=weights,
        intercepts=intercepts,
        calibrations=[Calibration(3.0, -1.0), Calibration(2.0, -1.0)],
        price=Price(1.0, 0.01),
        likeness=likeness,
        centres=centres,
        trees=grown._replace(values=np.hstack([grown.values, grown.values[:, :1]]), base=np.zeros(3))
        if trees
        else None,
    )
