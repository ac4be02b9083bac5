"""A router's scores and thresholds on prompts that it was not trained on, and thresholds not chosen on.

k-fold: for each fold a router that learns is trained on the others, which are themselves cut into inner folds: the
threshold is chosen on the scores that models trained on the other inner folds give. So no grade of a fold has a part in
its scores or its threshold. What the models of different folds say is put on one scale before prompts are put in one
order: see `turnout.evaluate.scoreboard.folds.within_folds`. A router that says ``few_parameters`` has its threshold
chosen on the scores that it gives to its own training prompts: it cannot learn them by heart, and its few values are
the same again.

Train file: the same, with that file as the training part and all prompts as the fold. Groups are never split; prompts
of the outcomes that are in the train file too are left out of training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA, Pair
from turnout.evaluate.scoreboard.folds import folds_of, within_folds
from turnout.evaluate.scoreboard.router import (
    Examples,
    Meaning,
    Progress,
    Router,
    Scorer,
    Texts,
    TrainedRouter,
    meaning_of,
    scored,
)
from turnout.evaluate.scoreboard.sweep import Cut, cheapest_cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEEPS: tuple[float, ...] = (0.95, 0.98)
"""The shares of the capable model's quality at which cost is reported."""

Kind = Literal["router", "baseline", "bound"]
"""What a line of the table is: under test, a baseline, or out of reach for any router."""


@dataclass(slots=True, kw_only=True)
class Judged:
    """What a router did.

    Attributes:
        name: Its name.
        kind: What it is in the table.
        scores: The score of each prompt.
        usd_scores: Scores for figures in USD, if they are others.
        meaning: What the scores say.
        sent: For each of `KEEPS` the probability with which each prompt went to the capable model, by a threshold that
            was chosen without that prompt's fold; none: there is no threshold to choose.
        cuts: The thresholds that were chosen, for each of `KEEPS`, one a fold.
        ranks: Whether scores rank prompts: not where everything goes to one model.
        folds: The fold of each prompt, where each fold was scored by a model of its own; none: one gave all scores.
    """

    name: str
    kind: Kind
    scores: NDArray[np.float64]
    usd_scores: NDArray[np.float64] | None = None
    meaning: Meaning | None = None
    sent: dict[float, NDArray[np.float64]] = field(default_factory=dict)
    cuts: dict[float, list[Cut]] = field(default_factory=dict)
    ranks: bool = True
    folds: NDArray[np.int64] | None = None

    @property
    def order_by(self) -> NDArray[np.float64]:
        """What prompts are ranked by for figures in calls."""
        return self.scores if self.folds is None else within_folds(self.scores, self.folds)

    @property
    def usd_order_by(self) -> NDArray[np.float64] | None:
        """What prompts are ranked by for figures in USD, if by something else."""
        if self.usd_scores is None or self.folds is None:
            return self.usd_scores
        return within_folds(self.usd_scores, self.folds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How prompts are split.

    Attributes:
        folds: Into how many folds; without a training file.
        inner_folds: Into how many the training part is, to choose thresholds.
        seed: Of the folds.
        train: The texts and grades of a training file, without prompts of the outcomes.
    """

    folds: int = 5
    inner_folds: int = 4
    seed: int = 0
    train: Texts | None = None


def judge(
    router: Router | TrainedRouter,
    texts: Texts,
    split: Split,
    *,
    kind: Kind = "router",
    progress: Progress = lambda prompts: None,
) -> Judged:
    """Score a pair's prompts with a router, and choose its thresholds on other prompts.

    Args:
        router: The router; one with ``fit`` is trained.
        texts: The prompts.
        split: How they are split.
        kind: What the router is in the table.
        progress: Is told how many prompts were scored.

    Raises:
        ValueError: There are too few different prompts, or the router's scores are not what they should be.
    """
    np = require("numpy", extra=EXTRA)
    judged = Judged(name=router.name, kind=kind, scores=np.full(len(texts.pair), np.nan))
    for keep in KEEPS:
        judged.sent[keep] = np.full(len(texts.pair), np.nan)
        judged.cuts[keep] = []
    parts = _Parts(router, split, judged, progress)
    if split.train is not None:
        everything = np.arange(len(split.train.pair))
        parts.take(split.train, everything, texts, np.arange(len(texts.pair)))
        return judged
    pair = texts.pair
    fold_of = folds_of(pair.group_keys, pair.groups, split.folds, seed=split.seed)
    if isinstance(router, Router):
        judged.scores = scored(router.scores, texts, progress=progress)
        judged.meaning = meaning_of(router)
        if (by_usd := _usd_scorer(router, pair)) is not None:
            judged.usd_scores = scored(by_usd, texts, progress=progress)
    else:
        judged.folds = fold_of
    for fold in range(split.folds):
        parts.take(texts, np.flatnonzero(fold_of != fold), texts, np.flatnonzero(fold_of == fold))
    return judged


@dataclass(frozen=True, slots=True)
class _Parts:
    """Trains on one part and judges on another."""

    router: Router | TrainedRouter
    split: Split
    judged: Judged
    progress: Progress

    def take(self, train: Texts, train_rows: Any, test: Texts, test_rows: Any) -> None:
        train_pair = train.pair.take(train_rows)
        if isinstance(self.router, TrainedRouter):
            scorer: Scorer = self.router.fit(Examples(train, train_rows))
            if getattr(self.router, "few_parameters", False):
                own = scored(_usd_scorer(scorer, train_pair) or scorer, train, train_rows, progress=self.progress)[
                    train_rows
                ]
            else:
                own = self._inner_scores(self.router, train, train_rows, train_pair)
            self.judged.meaning = meaning_of(scorer)
            self._fill(scorer, _usd_scorer(scorer, train_pair), test, test_rows)
        elif train is test:
            own = (self.judged.scores if self.judged.usd_scores is None else self.judged.usd_scores)[train_rows]
        else:
            scorer = self.router.scores
            by_usd = _usd_scorer(self.router, train_pair)
            own = scored(by_usd or scorer, train, train_rows, progress=self.progress)[train_rows]
            self.judged.meaning = meaning_of(self.router)
            self._fill(scorer, by_usd, test, test_rows)
        judging = self.judged.scores if self.judged.usd_scores is None else self.judged.usd_scores
        for keep in KEEPS:
            cut = cheapest_cut(train_pair, own, keep)
            self.judged.cuts[keep].append(cut)
            self.judged.sent[keep][test_rows] = cut.on_capable(judging[test_rows])

    def _fill(self, scorer: Scorer, by_usd: Scorer | None, test: Texts, rows: Any) -> None:
        self.judged.scores[rows] = scored(scorer, test, rows, progress=self.progress)[rows]
        if by_usd is not None:
            if self.judged.usd_scores is None:
                self.judged.usd_scores = self.judged.scores.copy()
            self.judged.usd_scores[rows] = scored(by_usd, test, rows, progress=self.progress)[rows]

    def _inner_scores(self, router: TrainedRouter, train: Texts, rows: Any, pair: Pair) -> Any:
        np = require("numpy", extra=EXTRA)
        folds = folds_of(pair.group_keys, pair.groups, self.split.inner_folds, seed=self.split.seed + 1)
        own = np.empty(len(rows))
        for fold in range(self.split.inner_folds):
            held_out = rows[folds == fold]
            scorer: Scorer = router.fit(Examples(train, rows[folds != fold]))
            judging = _usd_scorer(scorer, pair) or scorer
            own[folds == fold] = scored(judging, train, held_out, progress=self.progress)[held_out]
        return own


def _usd_scorer(scorer: object, pair: Pair) -> Scorer | None:
    """What ranks prompts for figures in USD, where the scorer has something of its own and costs are known."""
    found: Scorer | None = getattr(scorer, "usd_scores", None)
    return found if pair.costs_known else None


def without_groups_of(train: Pair, tested: Pair) -> tuple[Pair, int]:
    """A training pair without the groups that are tested too, and how many prompts that leaves out.

    Raises:
        ValueError: Nothing is left.
    """
    np = require("numpy", extra=EXTRA)
    common = np.isin(train.group_keys, tested.group_keys)
    kept = np.flatnonzero(~common[train.groups])
    if not len(kept):
        raise ValueError("every prompt of the training file is in the outcomes too: nothing is left to train on")
    return train.take(kept), len(train) - len(kept)


Note = Callable[[str], None]
"""Is told something that people should know."""
