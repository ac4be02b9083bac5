"""Regression trees as plain arrays: any number of trees, each giving a value for each target, added up.

All trees of all requests go down one level at a time, as arrays, so a hundred trees take some tens of microseconds a
level and not a Python step a node. A random forest's mean and a boosted sum are the same thing here: what trees give is
scaled when they are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from turnout.config.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Trees(NamedTuple):
    """Some trees.

    Attributes:
        features: The column that each node looks at; at a leaf any.
        thresholds: A request goes left where its value is at or below it.
        lefts: The node to the left, or at a leaf the node itself.
        rights: The node to the right, likewise.
        values: What each leaf gives for each target: shape (nodes, targets).
        roots: The first node of each tree.
        base: What is added for each target.
        depth: Steps from a root to the deepest leaf: shape (1,).
    """

    features: NDArray[Any]
    thresholds: NDArray[Any]
    lefts: NDArray[Any]
    rights: NDArray[Any]
    values: NDArray[Any]
    roots: NDArray[Any]
    base: NDArray[Any]
    depth: NDArray[Any]

    def predict(self, table: Any) -> Any:
        """What the trees give for each row of a float32 table: shape (rows, targets), float64."""
        np = require("numpy", extra="embedding")
        out = np.empty((len(table), self.values.shape[1]))
        for start in range(0, len(table), _AT_ONCE):
            part = table[start : start + _AT_ONCE]
            rows = np.arange(len(part))[:, None]
            nodes = np.broadcast_to(self.roots, (len(part), len(self.roots)))
            for _ in range(int(self.depth[0])):
                left = part[rows, self.features[nodes]] <= self.thresholds[nodes]
                nodes = np.where(left, self.lefts[nodes], self.rights[nodes])
            out[start : start + _AT_ONCE] = self.values[nodes].sum(axis=1)
        return out + self.base


_AT_ONCE = 1_024
