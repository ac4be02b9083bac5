"""L2-regularised logistic regression by Newton's method, on numpy: exact, deterministic, a few milliseconds.

The loss is the sum over the examples of the cross-entropy, plus l2 / 2 times the squared length of the weights; the
intercept is not penalised. It is strictly convex, so there is one solution and no seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from turnout.classify.blas import one_blas_thread
from turnout.config.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_STEPS = 50
_TOLERANCE = 1e-14


class Head(msgspec.Struct, frozen=True):
    """A fitted model: the log-odds of ``simple`` are ``weights`` times the vector, plus ``intercept``."""

    weights: tuple[float, ...]
    intercept: float

    def scores(self, vectors: NDArray[Any]) -> list[float]:
        """The log-odds of ``simple`` for each row of ``vectors``, of shape (rows, len(weights))."""
        np = require("numpy", extra="embedding")
        scores: list[float] = (np.asarray(vectors, np.float64) @ np.array(self.weights) + self.intercept).tolist()
        return scores


def fit_head(vectors: NDArray[Any], simple: Sequence[bool], *, l2: float) -> Head:
    """Fit a head.

    Args:
        vectors: Shape (examples, dimensions).
        simple: For each example whether its label is simple.
        l2: The penalty, above 0; the larger, the nearer the weights are to 0.

    Raises:
        ValueError: The shapes differ, a label is missing, ``l2`` is not above 0, or a vector is not finite.
        ArithmeticError: Newton's method did not converge, which was never seen.
    """
    np = require("numpy", extra="embedding")
    x: Any = np.asarray(vectors, np.float64)
    if x.ndim != 2 or x.shape[0] != len(simple):
        raise ValueError(f"vectors must have shape ({len(simple)}, dimensions), got {x.shape}")
    if not any(simple) or all(simple):
        raise ValueError("both labels are needed to fit a head")
    if not l2 > 0.0:
        raise ValueError(f"l2 must be above 0, got {l2}")
    if not np.isfinite(x).all():
        raise ValueError("vectors must be finite")
    with one_blas_thread():
        beta = _fitted(np, x, np.asarray(simple, np.float64), l2)
    return Head(tuple(beta[:-1].tolist()), float(beta[-1]))


def _fitted(np: Any, x: Any, y: Any, l2: float) -> Any:
    """The weights and, behind them, the intercept."""
    x = np.hstack([x, np.ones((len(y), 1))])
    penalty = np.full(x.shape[1], float(l2))
    penalty[-1] = 0.0
    beta = np.zeros(x.shape[1])
    loss = _loss(np, x, y, beta, penalty)
    for _ in range(_MOST_STEPS):
        p = _logistic(np, x @ beta)
        gradient = x.T @ (p - y) + penalty * beta
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        # Half of this is about how far the loss still is above its least value.
        if float(gradient @ step) < _TOLERANCE:
            return beta
        size = 1.0
        # Full steps can overshoot where the examples are nearly separable; halving always finds a lower loss.
        while (tried := _loss(np, x, y, beta - size * step, penalty)) > loss and size > 1e-10:
            size /= 2.0
        beta, loss = beta - size * step, tried
    raise ArithmeticError("logistic regression did not converge")


def _loss(np: Any, x: Any, y: Any, beta: Any, penalty: Any) -> float:
    z = x @ beta
    return float((np.logaddexp(0.0, z) - y * z).sum() + 0.5 * (penalty * beta * beta).sum())


def _logistic(np: Any, z: Any) -> Any:
    # exp of a number that is not positive cannot overflow.
    e = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0 / (1.0 + e), e / (1.0 + e))
