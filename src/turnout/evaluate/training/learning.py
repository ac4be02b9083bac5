"""From graded answers to a model: targets, penalties, head, calibration, all chosen inside the data that is given.

Nothing has to be set. Folds never split a group (prompts of the same text). What is done, in this order:

1. Up to `MOST_SELECTED` prompts, drawn by group, are looked at; means, frequencies and widths of features are theirs.
2. Scores are smoothed by other models' answers to the same prompts, where there are some (`smoothing`).
3. Penalties of the ridge and shares of smoothing are weighted by five folds, and averaged over; trees are grown on the
   same folds; the head is selected.
4. The ridge is fitted on all prompts, in batches where they are more; trees on the prompts that were looked at.
5. Calibration is fitted on predictions for prompts that had not been seen.

Where the costs of all answers are known, a ridge on their logarithms is fitted in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from turnout.classify.blas import one_blas_thread
from turnout.classify.learned.features import Embed, FeatureMap, fitted_map, looked_at, rounded
from turnout.classify.learned.likeness import fitted_likeness
from turnout.classify.learned.model import Calibration, Head, LearnedModel, Predicted, Price
from turnout.classify.learned.rows import Row
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.folds import folds_of
from turnout.evaluate.training.answers import Answers
from turnout.evaluate.training.ensembles import TREES, fit_trees
from turnout.evaluate.training.judged import chosen_power
from turnout.evaluate.training.looking import Looked
from turnout.evaluate.training.ridge import PENALTIES, Chosen, Fit, Sums, fit, least_error, unseen_predictions
from turnout.evaluate.training.selection import SIMPLEST_FIRST, Selected, calibrated, select
from turnout.evaluate.training.smoothing import Mixture, averaged, expectations, mixed

MOST_SELECTED = 20_000
"""On so many prompts at the most penalties and heads are chosen, and trees are grown."""

FEWEST_GROUPS = 20
"""With fewer different prompts nothing is learned."""

FOLDS = 5

_BATCH = 512

Step = Callable[[str], None]
"""Is told what is done now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be learned, beyond the data.

    Attributes:
        heads: Which heads are compared.
        categories: Whether categories are used, where the table has them.
        seed: Of folds, of the draw of prompts, of random features and of trees.
    """

    heads: tuple[Head, ...] = SIMPLEST_FIRST
    categories: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """A model, and what is known of it.

    Attributes:
        model: The model.
        places: Which prompts of the answers were looked at for selection, ascending.
        unseen: What the model says of those prompts, each by fits that had not seen its group.
        folds: The fold of each of those prompts: what one fit had not seen.
        selected: Which head was selected, and how the others did.
        penalties: Of the ridge for scores, the one in the middle of what is averaged over, and, if known, for costs.
        others: How many other models' answers smoothed the scores.
        share: Which share of the targets is what those answers make expected, on average.
    """

    model: LearnedModel
    places: Any
    unseen: Predicted
    folds: Any
    selected: Selected
    penalties: tuple[float, ...]
    others: int
    share: float


def drawn_places(answers: Answers, *, seed: int, most: int = MOST_SELECTED) -> Any:
    """Which prompts are looked at for selection: all, or whole groups until there are about ``most``."""
    np = require("numpy", extra=EXTRA)
    if len(answers) <= most:
        return np.arange(len(answers))
    parts = folds_of(answers.group_keys, answers.groups, -(-len(answers) // most), seed=seed)
    return np.flatnonzero(parts == 0)


def learn(
    answers: Answers,
    looked: Looked,
    places: Any,
    *,
    embed: Embed | None,
    choice: Choice | None = None,
    rest: Callable[[], Iterator[tuple[Any, Sequence[Row]]]] | None = None,
    step: Step = lambda what: None,
) -> Learned:
    """Learn from graded answers.

    Args:
        answers: The grades.
        looked: What was looked at in the prompts at ``places``, in their order.
        places: Which prompts of the answers these are.
        embed: What gave their vectors; none: the mode ``ngrams``.
        choice: What is to be learned.
        rest: Gives all prompts in batches with their places; needed where ``places`` are not all.
        step: Is told what is done now.

    Raises:
        OutcomesError: There are too few different prompts, or a candidate's scores are all the same as the next one's.
        MissingExtraError: A head needs scikit-learn, which is not installed.
    """
    np = require("numpy", extra=EXTRA)
    choice = choice or Choice()
    _check(np, answers)
    weights = answers.weights / answers.weights.mean()
    folds = folds_of(answers.group_keys, answers.groups, FOLDS, seed=choice.seed + 1)
    step("smoothing scores")
    expected = expectations(answers.scores, answers.other_scores, weights, folds)
    costs = np.log(answers.costs) if answers.costs_known else np.empty((len(answers), 0))

    step("making features")
    raw = looked.take(np.arange(len(places)))
    features = fitted_map(raw, seed=choice.seed, prompts=len(answers), categories=choice.categories)
    with one_blas_thread():
        wide, plain = features.wide(raw), features.plain(raw)
    own = weights[places] / weights[places].mean()
    inside = _some_folds(np, folds[places])
    likeness, centres = fitted_likeness(raw, inside, seed=choice.seed)

    step("weighing penalties")
    scores = answers.scores[places]
    ridge = _chosen(np, wide, scores, None if expected is None else expected[places], costs[places], own, inside)
    targets = mixed(answers.scores, expected, ridge.scores.share)
    unseen = _unseen_heads(np, ridge, plain, targets[places], own, inside, choice, step)
    selected = select(unseen, scores, own, _numbered(np, answers.groups[places]))

    step("fitting on all prompts")
    kinds = [answers.scores, *([] if expected is None else [expected]), costs]
    fits = _fits(np, features, wide, np.hstack(kinds), weights, places, embed, rest)
    fitted = ridge.of(fits, scores.shape[1])
    kind = TREES.get(selected.head)
    said = unseen[selected.head]
    model = LearnedModel(
        candidates=answers.candidates,
        features=features,
        head=selected.head,
        weights=rounded(fitted.weights).astype(np.float32),
        intercepts=rounded(fitted.intercepts),
        calibrations=_calibrations(scores, said, own),
        price=Price(0.0, float(rounded(np.exp(costs[:, -1].mean()))) if costs.shape[1] else 1.0),
        likeness=likeness,
        centres=centres,
        trees=None if kind is None else fit_trees(kind, plain, targets[places], own, seed=choice.seed),
        embed=embed,
    )
    said_of_all = model.predicted(said if ridge.costs is None else np.hstack([said, ridge.costs.unseen]))
    if ridge.costs is not None:
        model.price = Price(chosen_power(answers.take(places), said_of_all), model.price.unit)
    return Learned(
        model=model,
        places=places,
        unseen=said_of_all._replace(price=model.price),
        folds=inside,
        selected=selected,
        penalties=ridge.penalties,
        others=0 if expected is None else len(answers.others),
        share=ridge.scores.share,
    )


class _Ridge(NamedTuple):
    """What was chosen for the ridge: penalties, shares of expectations, and what it says of unseen prompts."""

    scores: Mixture
    costs: Chosen | None

    @property
    def penalties(self) -> tuple[float, ...]:
        return (self.scores.penalty,) if self.costs is None else (self.scores.penalty, self.costs.penalty)

    def of(self, fits: Sequence[Fit], candidates: int) -> Fit:
        """What was chosen of fits with each of `PENALTIES`: on scores, on expectations if any, and on costs if known.

        Args:
            fits: The fits; targets stand side by side.
            candidates: How many targets scores, and expectations, are.
        """
        np = require("numpy", extra=EXTRA)
        weights = np.zeros((len(fits[0].weights), candidates))
        intercepts = np.zeros(candidates)
        for one, parts in zip(fits, self.scores.parts, strict=True):
            for start, part in zip((0, candidates), parts.tolist(), strict=True):
                if part > 0.0:
                    weights += part * one.weights[:, start : start + candidates]
                    intercepts += part * one.intercepts[start : start + candidates]
        if self.costs is None:
            return Fit(weights, intercepts)
        of_costs = fits[PENALTIES.index(self.costs.penalty)]
        return Fit(
            np.hstack([weights, of_costs.weights[:, -candidates:]]),
            np.concatenate([intercepts, of_costs.intercepts[-candidates:]]),
        )


def _chosen(np: Any, wide: Any, scores: Any, expected: Any, costs: Any, weights: Any, folds: Any) -> _Ridge:
    """Penalties and shares; all targets are fitted at once, since the dear part of fitting is the same for all."""
    many = scores.shape[1]
    kinds = [scores, *([] if expected is None else [expected]), costs]
    unseen = unseen_predictions(wide, np.hstack(kinds), weights, folds)
    of_expected = None if expected is None else unseen[:, :, many : 2 * many]
    of_costs = unseen[:, :, unseen.shape[2] - costs.shape[1] :]
    return _Ridge(
        averaged(scores, unseen[:, :, :many], of_expected, weights),
        least_error(of_costs, costs, weights) if costs.shape[1] else None,
    )


def _unseen_heads(
    np: Any, ridge: _Ridge, plain: Any, targets: Any, weights: Any, folds: Any, choice: Choice, step: Step
) -> dict[Head, Any]:
    """For each head that is compared, what it says of each prompt by fits that had not seen its group."""
    unseen: dict[Head, Any] = {}
    for head in choice.heads:
        kind = TREES.get(head)
        if kind is None:
            unseen[head] = ridge.scores.unseen
            continue
        step(f"growing trees: {kind}")
        grown = np.empty_like(targets)
        for fold in np.unique(folds):
            inside = folds == fold
            trees = fit_trees(kind, plain[~inside], targets[~inside], weights[~inside], seed=choice.seed)
            grown[inside] = trees.predict(plain[inside])
        unseen[head] = (ridge.scores.unseen + grown) / 2.0
    return unseen


def _check(np: Any, answers: Answers) -> None:
    if len(answers.group_keys) < FEWEST_GROUPS:
        raise OutcomesError(
            f"{len(answers.group_keys)} different prompts were answered by all candidates; {FEWEST_GROUPS} are needed "
            "to learn anything, and a few hundred to learn something useful"
        )
    for cheap, capable, gains in zip(
        answers.candidates, answers.candidates[1:], np.diff(answers.scores, axis=1).T, strict=False
    ):
        if not gains.any():
            raise OutcomesError(f"{cheap!r} and {capable!r} score the same on every prompt: there is nothing to learn")


def _some_folds(np: Any, folds: Any) -> Any:
    """The folds of the prompts that were drawn, at least two."""
    numbers = _numbered(np, folds)
    return numbers if numbers.max() > 0 else np.arange(len(numbers)) % 2


def _numbered(np: Any, values: Any) -> Any:
    return np.unique(values, return_inverse=True)[1]


def _fits(
    np: Any,
    features: FeatureMap,
    wide: Any,
    targets: Any,
    weights: Any,
    places: Any,
    embed: Embed | None,
    rest: Callable[[], Iterator[tuple[Any, Sequence[Row]]]] | None,
) -> list[Fit]:
    """The ridge on all prompts, with each of `PENALTIES`."""
    if len(places) == len(targets):
        return fit(wide, targets, weights, PENALTIES)
    if rest is None:
        raise ValueError("the other prompts' texts are needed to fit on all")
    sums = Sums(features.width, targets.shape[1])
    for where, rows in rest():
        for start in range(0, len(rows), _BATCH):
            part = where[start : start + _BATCH]
            raw = looked_at(rows[start : start + _BATCH], embed)
            sums.add(features.wide(raw), targets[part], weights[part])
    return [sums.solved(penalty) for penalty in PENALTIES]


def _calibrations(scores: Any, said: Any, weights: Any) -> list[Calibration]:
    """For each candidate but the most capable one: from the gain that is predicted to what came."""
    gains, came = said[:, -1:] - said[:, :-1], scores[:, -1:] - scores[:, :-1]
    return [calibrated(gains[:, one], came[:, one].clip(0.0), weights) for one in range(gains.shape[1])]
