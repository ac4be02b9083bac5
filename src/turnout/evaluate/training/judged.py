"""How well a model ranks prompts that it had not seen, with intervals for its card; and the power of the price."""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.classify.assess import Figure
from turnout.classify.learned.model import Predicted, Price
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA, LeftOut, Pair
from turnout.evaluate.scoreboard.folds import within_folds
from turnout.evaluate.scoreboard.metrics import apgr_bins, bin_points, spent_share
from turnout.evaluate.scoreboard.resampling import draws_for, figure
from turnout.evaluate.scoreboard.sweep import curves, order_of
from turnout.evaluate.training.answers import Answers

RESAMPLES = 400
"""Draws of the intervals."""

POWERS = (0.0, 0.5, 1.0)
"""Powers of the cost that are tried for the ranking by USD."""

_KEEPS = (0.9, 0.95, 0.98, 0.99)


class PairCard(msgspec.Struct, frozen=True, kw_only=True):
    """A cheaper candidate beside the most capable one, on prompts that the fits had not seen.

    Attributes:
        cheap: The cheaper candidate.
        capable: The most capable one.
        cheap_score: Its mean score.
        capable_score: The same for the most capable one.
        apgr: The average performance gap recovered, RouteLLM's bins.
        saved_95: Share of USD (of calls where costs are not known) that the curve saves at 95 % of the capable quality.
        saved_98: The same at 98 %.
        apgr_random: What blind routing has.
    """

    cheap: str
    capable: str
    cheap_score: float
    capable_score: float
    apgr: Figure | None
    saved_95: Figure | None
    saved_98: Figure | None
    apgr_random: float = 0.5


def chosen_power(answers: Answers, unseen: Predicted) -> float:
    """The power of the cost whose ranking saves most USD, on the mean of a few shares of quality and all pairs.

    Args:
        answers: The prompts that ``unseen`` is of; their costs are known.
        unseen: What fits say of them that had not seen their groups.
    """
    np = require("numpy", extra=EXTRA)
    saved = []
    for power in POWERS:
        said = unseen._replace(price=Price(power, unseen.price.unit))
        spent = []
        for place in range(len(answers.candidates) - 1):
            drawn = curves(_pair(np, answers, place), order_of(said.need("usd", place)))
            spent += [float(spent_share(drawn, keep)[0]) for keep in _KEEPS]
        saved.append(-sum(spent))
    return POWERS[int(np.argmax(saved))]


def judged(answers: Answers, unseen: Predicted, folds: Any) -> tuple[PairCard, ...]:
    """Each cheaper candidate beside the most capable one.

    Args:
        answers: The prompts that ``unseen`` is of.
        unseen: What fits say of them that had not seen their groups.
        folds: The fold of each prompt: what one fit had not seen. As on the scoreboard, prompts are put in one order
            by their places within their folds.
    """
    np = require("numpy", extra=EXTRA)
    found = []
    for place, name in enumerate(answers.candidates[:-1]):
        pair = _pair(np, answers, place)
        by_calls = within_folds(unseen.need("call", place), folds)
        by_usd = within_folds(unseen.need("usd", place), folds) if pair.costs_known else by_calls
        orders = order_of(by_calls), order_of(by_usd)
        points = bin_points(orders[0])
        values: list[list[Any]] = [[], [], []]
        draws = draws_for([pair], resamples=RESAMPLES)
        for (weights,) in [(None,), *draws.chunks()]:
            calls, usd = curves(pair, orders[0], weights), curves(pair, orders[1], weights)
            values[0].append(apgr_bins(calls, points))
            values[1].append(1.0 - spent_share(usd, 0.95))
            values[2].append(1.0 - spent_share(usd, 0.98))
        figures = [figure(float(one[0][0]), np.concatenate(one[1:])) for one in values]
        found.append(
            PairCard(
                cheap=name,
                capable=answers.candidates[-1],
                cheap_score=float(pair.cheap_scores.mean()),
                capable_score=float(pair.capable_scores.mean()),
                apgr=figures[0],
                saved_95=figures[1],
                saved_98=figures[2],
            )
        )
    return tuple(found)


def _pair(np: Any, answers: Answers, place: int) -> Pair:
    return Pair(
        cheap=answers.candidates[place],
        capable=answers.candidates[-1],
        keys=answers.keys,
        groups=answers.groups,
        weights=answers.weights,
        cheap_scores=answers.scores[:, place],
        capable_scores=answers.scores[:, -1],
        cheap_usd=answers.costs[:, place],
        capable_usd=answers.costs[:, -1],
        categories=np.zeros(len(answers), np.int64),
        category_names=(),
        group_keys=answers.group_keys,
        left_out=LeftOut(only_cheap=0, only_capable=0, repeated=0, other_models=0),
    )
