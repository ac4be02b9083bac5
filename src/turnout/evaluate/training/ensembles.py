"""Trees by scikit-learn, turned into the plain arrays that `turnout.classify.learned.trees` works on.

Two kinds: extremely randomised trees, averaged (P. Geurts et al., 2006), and gradient boosting with subsampling
(J. Friedman, 2002), one model a target. They look at structure, tools and category, not at texts. Nothing is tuned: the
figures below are usual ones, set once.
"""

from __future__ import annotations

from typing import Any, Literal

from turnout.classify.learned.features import rounded
from turnout.classify.learned.model import Head
from turnout.classify.learned.trees import Trees
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA

TRAIN_EXTRA = "train"
"""The extra that brings scikit-learn."""

Kind = Literal["forest", "boosted"]

TREES: dict[Head, Kind] = {"linear+forest": "forest", "linear+boosted": "boosted"}
"""Which trees stand beside the ridge, by head."""

_FOREST = {"n_estimators": 150, "max_features": 0.3, "n_jobs": 1}
_BOOSTED = {"n_estimators": 150, "learning_rate": 0.04, "max_depth": 3, "subsample": 0.5, "max_features": 0.3}
_LEAST_IN_LEAF = {"forest": 4, "boosted": 8}
_LEAST_SHARE = 1 / 1_000


def fit_trees(kind: Kind, table: Any, targets: Any, weights: Any, *, seed: int) -> Trees:
    """Fit trees for all targets.

    Args:
        kind: Which.
        table: Shape (rows, columns), float32.
        targets: Shape (rows, targets).
        weights: Of the rows.
        seed: Of what is random in them.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    ensemble = require("sklearn.ensemble", extra=TRAIN_EXTRA)
    # Larger sets get larger leaves, so that the artefact does not grow with them.
    leaf = max(_LEAST_IN_LEAF[kind], int(len(table) * _LEAST_SHARE))
    if kind == "forest":
        model = ensemble.ExtraTreesRegressor(**_FOREST, min_samples_leaf=leaf, random_state=seed)
        model.fit(table, targets if targets.shape[1] > 1 else targets[:, 0], sample_weight=weights)
        grown = [(one.tree_, slice(None), 1.0 / len(model.estimators_)) for one in model.estimators_]
        return _arrays(grown, targets.shape[1], [0.0] * targets.shape[1])
    grown, base = [], []
    for target in range(targets.shape[1]):
        model = ensemble.GradientBoostingRegressor(**_BOOSTED, min_samples_leaf=leaf, random_state=seed)
        model.fit(table, targets[:, target], sample_weight=weights)
        base.append(float(model.init_.predict(table[:1])[0]))
        rate = float(model.learning_rate)
        grown += [(one.tree_, slice(target, target + 1), rate) for one in model.estimators_[:, 0]]
    return _arrays(grown, targets.shape[1], base)


def _arrays(grown: list[tuple[Any, slice, float]], targets: int, base: list[float]) -> Trees:
    np = require("numpy", extra=EXTRA)
    parts: dict[str, list[Any]] = {"features": [], "thresholds": [], "lefts": [], "rights": [], "values": []}
    roots, depth, start = [], 0, 0
    for tree, columns, scale in grown:
        nodes = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        parts["features"].append(np.where(leaf, 0, tree.feature))
        parts["thresholds"].append(tree.threshold)
        parts["lefts"].append(np.where(leaf, nodes, tree.children_left) + start)
        parts["rights"].append(np.where(leaf, nodes, tree.children_right) + start)
        values = np.zeros((tree.node_count, targets))
        values[:, columns] = tree.value[:, :, 0] * scale
        parts["values"].append(np.where(leaf[:, None], values, 0.0))
        roots.append(start)
        depth = max(depth, tree.max_depth)
        start += tree.node_count
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return Trees(
        features=joined["features"].astype(np.int32),
        thresholds=joined["thresholds"].astype(np.float64),
        lefts=joined["lefts"].astype(np.int32),
        rights=joined["rights"].astype(np.int32),
        values=rounded(joined["values"]).astype(np.float32),
        roots=np.array(roots, np.int32),
        base=rounded(base),
        depth=np.array([depth], np.int32),
    )
