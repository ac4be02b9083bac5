"""Ridge regression for several targets and several penalties at once, and the penalty chosen by grouped folds.

The loss is the weighted sum of squared errors plus the penalty times the squared length of the weights; the intercept
is not penalised. Features and targets are centred, then one symmetric eigenvalue problem, of the smaller of rows and
columns, serves all penalties and targets: exact, deterministic, no step size, no seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from turnout.classify.blas import one_blas_thread
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""The penalties that are tried."""


class Fit(NamedTuple):
    """A fitted ridge: predictions are ``table @ weights + intercepts``."""

    weights: Any
    intercepts: Any

    def predict(self, table: Any) -> Any:
        """Predictions for each row: shape (rows, targets)."""
        with one_blas_thread():
            return table @ self.weights + self.intercepts


class Chosen(NamedTuple):
    """What grouped cross-validation says of the penalties.

    Attributes:
        penalty: The one with the least error.
        unseen: Its prediction for each row, by a fit that had not seen the row's group: shape (rows, targets).
    """

    penalty: float
    unseen: Any


def fit(table: Any, targets: Any, weights: Any, penalties: Sequence[float]) -> list[Fit]:
    """Fit a ridge for each penalty.

    Args:
        table: Shape (rows, columns), float32 or float64.
        targets: Shape (rows, targets).
        weights: Of the rows, of mean 1.
        penalties: Each above 0.
    """
    np = require("numpy", extra=EXTRA)
    with one_blas_thread():
        total = weights.sum()
        table_mean = (weights @ table) / total
        target_mean = (weights @ targets) / total
        roots = np.sqrt(weights)[:, None]
        x = np.subtract(table, table_mean, dtype=np.float64)
        x *= roots
        y = (targets - target_mean) * roots
        if len(x) <= x.shape[1]:
            values, vectors = np.linalg.eigh(x @ x.T)
            inner, back = vectors.T @ y, x.T
        else:
            values, vectors = np.linalg.eigh(x.T @ x)
            inner, back = vectors.T @ (x.T @ y), None
        values = np.maximum(values, 0.0)
        fits = []
        for penalty in penalties:
            found = vectors @ (inner / (values + penalty)[:, None])
            if back is not None:
                found = back @ found
            fits.append(Fit(found, target_mean - table_mean @ found))
        return fits


def choose(
    table: Any, kinds: Sequence[Any], weights: Any, folds: Any, penalties: Sequence[float] = PENALTIES
) -> list[Chosen]:
    """Choose penalties with the least weighted squared error on rows of folds that a fit had not seen.

    Args:
        table: Shape (rows, columns).
        kinds: Targets, each of shape (rows, targets); each gets a penalty of its own. The dear part of fitting is done
            once for all.
        weights: Of the rows.
        folds: The fold of each row.
        penalties: What to choose from.
    """
    np = require("numpy", extra=EXTRA)
    unseen = unseen_predictions(table, np.hstack(kinds), weights, folds, penalties)
    found, start = [], 0
    for kind in kinds:
        found.append(least_error(unseen[:, :, start : start + kind.shape[1]], kind, weights, penalties))
        start += kind.shape[1]
    return found


def least_error(unseen: Any, targets: Any, weights: Any, penalties: Sequence[float] = PENALTIES) -> Chosen:
    """The penalty with the least weighted squared error.

    Args:
        unseen: For each penalty the predictions: shape (penalties, rows, targets).
        targets: Shape (rows, targets).
        weights: Of the rows.
        penalties: As many.
    """
    np = require("numpy", extra=EXTRA)
    best = int(np.argmin([float((weights[:, None] * (one - targets) ** 2).sum()) for one in unseen]))
    return Chosen(penalties[best], unseen[best])


def unseen_predictions(
    table: Any, targets: Any, weights: Any, folds: Any, penalties: Sequence[float] = PENALTIES
) -> Any:
    """For each penalty, predictions for rows by fits that had not seen their fold: shape (penalties, rows, targets).

    Where rows are fewer than columns, their scalar products are computed once, and every fold is fitted on a part of
    them: the same numbers, several times as fast.

    Args:
        table: Shape (rows, columns).
        targets: Shape (rows, targets).
        weights: Of the rows.
        folds: The fold of each row.
        penalties: As of `fit`.
    """
    np = require("numpy", extra=EXTRA)
    unseen = np.empty((len(penalties), *targets.shape))
    products = None
    if len(table) <= table.shape[1]:
        with one_blas_thread():
            exact = table.astype(np.float64)
            products = exact @ exact.T
    for fold in np.unique(folds):
        inside = folds == fold
        if products is not None:
            unseen[:, inside] = _by_products(np, products, targets, weights, inside, penalties)
            continue
        fits = fit(table[~inside], targets[~inside], weights[~inside], penalties)
        for index, one in enumerate(fits):
            unseen[index, inside] = one.predict(table[inside])
    return unseen


def _by_products(np: Any, products: Any, targets: Any, weights: Any, inside: Any, penalties: Sequence[float]) -> Any:
    """What `fit` on the rows outside predicts for those inside, from scalar products alone."""
    outside = ~inside
    own, total = weights[outside], weights[outside].sum()
    with one_blas_thread():
        among = products[np.ix_(outside, outside)]
        towards = products[np.ix_(inside, outside)]
        to_mean = among @ own / total  # of each row with the mean row
        mean_squared = float(own @ to_mean / total)
        roots = np.sqrt(own)
        centred = (among - to_mean - to_mean[:, None] + mean_squared) * roots * roots[:, None]
        values, vectors = np.linalg.eigh(centred)
        values = np.maximum(values, 0.0)
        target_mean = own @ targets[outside] / total
        inner = vectors.T @ ((targets[outside] - target_mean) * roots[:, None])
        crossed = (towards - to_mean - (towards @ own / total)[:, None] + mean_squared) * roots
        back = crossed @ vectors
        return np.stack([back @ (inner / (values + penalty)[:, None]) + target_mean for penalty in penalties])


class Sums:
    """The same ridge from sums over batches, for tables that do not fit in memory.

    Args:
        columns: Of the table.
        targets: How many.
    """

    def __init__(self, columns: int, targets: int) -> None:
        np = require("numpy", extra=EXTRA)
        self._gram = np.zeros((columns, columns))
        self._cross = np.zeros((columns, targets))
        self._table, self._targets, self._total = np.zeros(columns), np.zeros(targets), 0.0

    def add(self, table: Any, targets: Any, weights: Any) -> None:
        """Take a batch in; ``table`` is best float32, whose products are made at twice the speed."""
        np = require("numpy", extra=EXTRA)
        with one_blas_thread():
            rooted = table * np.sqrt(weights).astype(table.dtype)[:, None]
            self._gram += rooted.T @ rooted
            self._cross += table.T @ (targets * weights[:, None])
            self._table += weights @ table
            self._targets += weights @ targets
            self._total += float(weights.sum())

    def solved(self, penalty: float) -> Fit:
        """The ridge of all batches."""
        np = require("numpy", extra=EXTRA)
        with one_blas_thread():
            table_mean, target_mean = self._table / self._total, self._targets / self._total
            gram = self._gram - self._total * np.outer(table_mean, table_mean)
            gram[np.diag_indices_from(gram)] += penalty
            found = np.linalg.solve(gram, self._cross - self._total * np.outer(table_mean, target_mean))
        return Fit(found, target_mean - table_mean @ found)
