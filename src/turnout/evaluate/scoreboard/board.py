"""The scoreboard: every router on every pair, with intervals, beside the baselines, and how they differ."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec

from turnout.classify.assess import Figure
from turnout.config.extras import require
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA, LeftOut, Pair, aligned
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.baselines import (
    CategoryRouter,
    KeywordRouter,
    LengthRouter,
    RandomRouter,
    oracle_by_calls,
    oracle_by_usd,
)
from turnout.evaluate.scoreboard.figures import AREA, GAP, METRIC_NAMES, METRICS, Measured
from turnout.evaluate.scoreboard.judging import KEEPS, Judged, Kind, Split, judge, without_groups_of
from turnout.evaluate.scoreboard.resampling import Difference, difference, draws_for, figure
from turnout.evaluate.scoreboard.router import Progress, Router, Texts, TrainedRouter
from turnout.evaluate.scoreboard.sweep import cheapest_cut

BEST_SINGLE = "best single model"
ORACLE = "oracle"

Working = Callable[[str, int], AbstractContextManager[Progress]]
"""Shows work of a number of prompts; gives the function that is told of progress."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of models to compare routers on.

    Attributes:
        cheap: The cheap model.
        capable: The capable model.
        dataset: Only prompts of this dataset, or, where the table names none, of the file of this name; empty: of all.
    """

    cheap: str
    capable: str
    dataset: str = ""

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.cheap} -> {self.capable}" + (f" on {self.dataset}" if self.dataset else "")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A router's line in the table of a pair.

    Attributes:
        router: Its name.
        kind: ``router``, ``baseline``, or ``bound`` for what no router can reach.
        figures: By the names of `METRICS`; none where a figure is not defined.
        thresholds: For 95 and 98 the thresholds that were chosen, one a fold, each with the share sent at it.
        seconds: Time to train, score and choose.
        prompts_per_second: Prompts scored in a second, training left in.
    """

    router: str
    kind: Kind
    figures: dict[str, Figure | None]
    thresholds: dict[str, list[tuple[float, float]]] = {}
    seconds: float = 0.0
    prompts_per_second: float = 0.0


class PairBoard(msgspec.Struct, frozen=True, kw_only=True):
    """The table of a pair.

    Attributes:
        pair: The models.
        prompts: How many prompts both answered.
        groups: How many groups they are, which are drawn and split as wholes.
        cheap_score: The cheap model's mean score.
        capable_score: The capable model's.
        cheap_usd: The cheap model's mean cost in USD; none where it is not known of every answer.
        capable_usd: The capable model's.
        left_out: What of the table is not in it.
        lines: A line a router.
        differences: What each router under test has more than the reference; by router and metric.
        notes: What people should know.
    """

    pair: Wanted
    prompts: int
    groups: int
    cheap_score: float
    capable_score: float
    cheap_usd: float | None
    capable_usd: float | None
    left_out: LeftOut
    lines: list[Line]
    differences: dict[str, dict[str, Difference | None]]
    notes: list[str]


class Pooled(msgspec.Struct, frozen=True, kw_only=True):
    """All pairs together.

    Attributes:
        medians: By router and metric, the median over the pairs.
        differences: By router and metric, the mean over the pairs of what it has more than the reference.
        by_gap: By router, what APGR it has more than the reference, each pair weighted by the gap between its models'
            scores. APGR divides by the gap: where that is small, it is mostly luck, and in the plain mean it counts
            as much as any other.
    """

    medians: dict[str, dict[str, float | None]]
    differences: dict[str, dict[str, Difference | None]]
    by_gap: dict[str, Difference | None]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """The whole scoreboard.

    Attributes:
        outcomes: The files' names.
        split: How thresholds were chosen and routers trained, in words.
        reference: Whom differences are against.
        resamples: How many draws the intervals are of.
        seed: Of folds.
        pairs: A table a pair.
        pooled: All pairs together, where there are several.
    """

    outcomes: str
    split: str
    reference: str
    resamples: int
    seed: int
    pairs: list[PairBoard]
    pooled: Pooled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to compare, and how.

    Attributes:
        source: The table.
        pairs: The pairs.
        routers: The routers under test.
        reference: The router or baseline that the others are compared with; empty: ``tfidf`` if it
            is there, else random.
        folds: Into how many folds prompts are split, without a training file.
        inner_folds: Into how many folds training prompts are, to choose thresholds.
        seed: Of folds.
        train: A table to train and choose thresholds on, instead of folds.
        call_usd: What a call costs where a table does not say: of the cheap and of the capable model.
        resamples: How many draws; default: as `draws_for`.
    """

    source: Source
    pairs: Sequence[Wanted]
    routers: Sequence[Router | TrainedRouter]
    reference: str = ""
    folds: int = 5
    inner_folds: int = 4
    seed: int = 0
    train: Source | None = None
    call_usd: tuple[float, float] | None = None
    resamples: int | None = None


@dataclass(slots=True)
class Judgements:
    """A pair, what every router did on it, and how long that took."""

    wanted: Wanted
    pair: Pair
    judged: list[Judged]
    seconds: dict[str, float]
    notes: list[str]


def no_progress(what: str, total: int) -> AbstractContextManager[Progress]:
    """Shows nothing."""
    del what, total
    return nullcontext(lambda prompts: None)


def scoreboard(plan: Plan, *, working: Working = no_progress) -> Board:
    """Judge every router on every pair, and measure it.

    Args:
        plan: What to compare.
        working: Shows progress.

    Raises:
        OutcomesError: The table lacks a model, or has too few prompts.
        ValueError: A router's scores are not what they should be.
        MissingExtraError: numpy, or what a router needs, is not installed.
    """
    return measured(plan, judgements(plan, working=working), working=working)


def judgements(plan: Plan, *, working: Working = no_progress) -> list[Judgements]:
    """What every router does on every pair.

    Raises:
        OutcomesError: The table lacks a model, or has too few prompts.
        ValueError: A router's scores are not what they should be.
    """
    done = []
    for wanted in plan.pairs:
        source = plan.source._replace(
            models=frozenset({wanted.cheap, wanted.capable}),
            datasets=frozenset({wanted.dataset}) if wanted.dataset else plan.source.datasets,
        )
        try:
            with working(f"reading {wanted.title}", 0) as progress:
                pair = aligned(source, wanted.cheap, wanted.capable, call_usd=plan.call_usd, progress=progress)
        except OutcomesError as error:
            raise _with_known_models(plan.source, wanted, error) from error
        notes = (
            [] if pair.costs_known else ["costs are not known of every answer: saved is in calls to the capable model"]
        )
        texts = Texts(source, pair)
        train = None
        if plan.train is not None:
            train_source = plan.train._replace(models=source.models, datasets=source.datasets)
            train_pair = aligned(train_source, wanted.cheap, wanted.capable, call_usd=plan.call_usd)
            try:
                train_pair, common = without_groups_of(train_pair, pair)
            except ValueError as error:
                raise OutcomesError(f"{plan.train.named()}: {error}") from error
            if common:
                notes.append(
                    f"{common:,} prompts of the training file are in the outcomes too: they were not trained on"
                )
            train = Texts(train_source, train_pair)
            notes += _unknown_categories(texts, train)
        split = Split(folds=plan.folds, inner_folds=plan.inner_folds, seed=plan.seed, train=train)
        done.append(_judged(plan, wanted, pair, texts, split, notes, working))
    return done


def _judged(
    plan: Plan, wanted: Wanted, pair: Pair, texts: Texts, split: Split, notes: list[str], working: Working
) -> Judgements:
    baselines: list[Router | TrainedRouter] = [RandomRouter(), LengthRouter(), KeywordRouter()]
    if len(pair.category_names) > 1 and len(set(pair.categories.tolist())) > 1:
        baselines.append(CategoryRouter())
    else:
        notes.append("no category tells prompts apart: there is no line for the known category")
    notes += [note for router in plan.routers if (note := getattr(router, "note", ""))]
    names = [router.name for router in plan.routers]
    own = [(router, "router") for router in plan.routers]
    lines: list[tuple[Router | TrainedRouter, Any]] = [(one, "baseline") for one in baselines if one.name not in names]
    found = Judgements(wanted, pair, [], {}, notes)
    try:
        for router, kind in [*lines, *own]:
            began = time.perf_counter()
            with working(f"{router.name}, {wanted.title}", 0) as progress:
                found.judged.append(judge(router, texts, split, kind=kind, progress=progress))
            found.seconds[router.name] = time.perf_counter() - began
    except ValueError as error:
        raise OutcomesError(f"{router.name} on {wanted.title}: {error}") from error
    found.judged += [_best_single(pair), _oracle(pair)]
    return found


def measured(plan: Plan, done: Sequence[Judgements], *, working: Working = no_progress) -> Board:
    """The figures of what the routers did, with intervals and differences.

    Args:
        plan: As for `judgements`.
        done: What that gave.
        working: Shows progress.
    """
    np = require("numpy", extra=EXTRA)
    draws = draws_for([one.pair for one in done], resamples=plan.resamples)
    ready = [[(judged.name, Measured(judged, one.pair)) for judged in one.judged] for one in done]
    points = [{name: _single(measure.figures()) for name, measure in one} for one in ready]
    parts: list[dict[str, dict[str, list[Any]]]] = [
        {name: {metric: [] for metric in (*METRIC_NAMES, AREA, GAP)} for name, _ in one} for one in ready
    ]
    with working("intervals", draws.resamples) as progress:
        for chunk in draws.chunks():
            for drawn, one, collected in zip(chunk, ready, parts, strict=True):
                for name, measure in one:
                    for metric, values in measure.figures(drawn).items():
                        collected[name][metric].append(values)
            progress(len(chunk[0]))
    resampled = [
        {name: {metric: np.concatenate(values) for metric, values in found.items()} for name, found in one.items()}
        for one in parts
    ]
    reference = reference_of(plan, done)
    boards = [
        _pair_board(one, reference, point, draw) for one, point, draw in zip(done, points, resampled, strict=True)
    ]
    return Board(
        outcomes=plan.source.named(),
        split=_split_in_words(plan),
        reference=reference,
        resamples=draws.resamples,
        seed=plan.seed,
        pairs=boards,
        pooled=_pooled(np, boards, reference, points, resampled) if len(boards) > 1 else None,
    )


def reference_of(plan: Plan, done: Sequence[Judgements]) -> str:
    """Whom routers are compared with.

    Raises:
        OutcomesError: The plan names a router that is not there.
    """
    names = [judged.name for judged in done[0].judged]
    if plan.reference and plan.reference not in names:
        raise OutcomesError(f"no router {plan.reference!r} to compare with; there are {', '.join(names)}")
    return plan.reference or ("tfidf" if "tfidf" in names else RandomRouter.name)


def _pair_board(one: Judgements, reference: str, points: Any, resampled: Any) -> PairBoard:
    pair = one.pair
    lines = []
    for judged in one.judged:
        name = judged.name
        seconds = one.seconds.get(name, 0.0)
        lines.append(
            Line(
                router=name,
                kind=judged.kind,
                figures={metric: figure(points[name][metric], resampled[name][metric]) for metric in METRIC_NAMES},
                thresholds={
                    f"{round(100 * keep)}": [(cut.at, cut.share_at) for cut in cuts]
                    for keep, cuts in judged.cuts.items()
                },
                seconds=seconds,
                prompts_per_second=len(pair) / seconds if seconds > 0.0 else 0.0,
            )
        )
    known = pair.costs_known
    mean = _weighted_mean(pair)
    return PairBoard(
        pair=one.wanted,
        prompts=len(pair),
        groups=len(pair.group_keys),
        cheap_score=mean(pair.cheap_scores),
        capable_score=mean(pair.capable_scores),
        cheap_usd=mean(pair.cheap_usd) if known else None,
        capable_usd=mean(pair.capable_usd) if known else None,
        left_out=pair.left_out,
        lines=lines,
        differences={
            judged.name: {
                metric.name: difference(
                    points[judged.name][metric.name] - points[reference][metric.name],
                    resampled[judged.name][metric.name] - resampled[reference][metric.name],
                )
                for metric in METRICS
            }
            for judged in one.judged
            if judged.kind != "bound" and judged.name != reference
        },
        notes=one.notes,
    )


def _pooled(np: Any, boards: Sequence[PairBoard], reference: str, points: Any, resampled: Any) -> Pooled:
    names = [line.router for line in boards[0].lines if all(line.router in one for one in points)]
    medians: dict[str, dict[str, float | None]] = {}
    differences: dict[str, dict[str, Difference | None]] = {}
    by_gap: dict[str, Difference | None] = {}
    for name in names:
        medians[name] = {}
        for metric in METRIC_NAMES:
            values = np.array([one[name][metric] for one in points])
            known = values[np.isfinite(values)]
            medians[name][metric] = float(np.median(known)) if len(known) else None
    for line in boards[0].lines:
        name = line.router
        if name == reference or line.kind == "bound" or name not in medians:
            continue
        differences[name] = {}
        for metric in METRIC_NAMES:
            value = np.mean([one[name][metric] - one[reference][metric] for one in points])
            drawn = np.mean([one[name][metric] - one[reference][metric] for one in resampled], axis=0)
            differences[name][metric] = difference(float(value), drawn)
        by_gap[name] = difference(
            float(_more_by_gap(np, points, name, reference)), _more_by_gap(np, resampled, name, reference)
        )
    return Pooled(medians=medians, differences=differences, by_gap=by_gap)


def _more_by_gap(np: Any, found: Sequence[Mapping[str, Mapping[str, Any]]], name: str, reference: str) -> Any:
    """The sum over pairs of what a router's area has more than the reference's, over the sum of the gaps."""
    more = np.sum([one[name][AREA] - one[reference][AREA] for one in found], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return more / np.sum([one[name][GAP] for one in found], axis=0)


def _best_single(pair: Pair) -> Judged:
    """The cheaper of the two models that keeps the quality, on everything."""
    np = require("numpy", extra=EXTRA)
    mean = _weighted_mean(pair)
    nothing, all_of_it = np.zeros(len(pair)), np.ones(len(pair))
    cheap_score, capable_score = mean(pair.cheap_scores), mean(pair.capable_scores)
    sent = {keep: nothing if cheap_score >= keep * capable_score else all_of_it for keep in KEEPS}
    return Judged(name=BEST_SINGLE, kind="baseline", scores=nothing, sent=sent, ranks=False)


def _oracle(pair: Pair) -> Judged:
    by_calls = oracle_by_calls(pair)
    by_usd = oracle_by_usd(pair) if pair.costs_known else by_calls
    sent = {keep: cheapest_cut(pair, by_usd, keep).on_capable(by_usd) for keep in KEEPS}
    return Judged(name=ORACLE, kind="bound", scores=by_calls, usd_scores=by_usd, sent=sent)


def _weighted_mean(pair: Pair) -> Callable[[Any], float]:
    return lambda values: float((values * pair.weights).sum() / pair.weights.sum())


def _single(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value[0]) for name, value in values.items()}


def _split_in_words(plan: Plan) -> str:
    if plan.train is not None:
        return f"trained and thresholds chosen on {plan.train.named()} ({plan.inner_folds} inner folds)"
    return f"{plan.folds} folds, thresholds chosen on the others ({plan.inner_folds} inner folds)"


def _unknown_categories(texts: Texts, train: Texts) -> list[str]:
    """What is to be known where prompts lack the categories that a router may have learned from."""
    known = {category for batch, _ in train.batches() for category in batch.category if category}
    lacking = sum(category not in known for batch, _ in texts.batches() for category in batch.category)
    if not known or not lacking:
        return []
    return [
        f"{lacking:,} prompts have no category that the training file knows: the scores and thresholds of a router "
        "that learned from categories are not for such (learned-text has none)"
    ]


def _with_known_models(source: Source, wanted: Wanted, error: OutcomesError) -> OutcomesError:
    """The error with the nearest model that the table has: the table was read for two models only."""
    from turnout.core.catalog import unknown

    known: set[str] = set()
    datasets: set[str] = set()
    for path in source.paths:
        for batch in Source((path,)).batches():
            known.update(batch.model)
            datasets.update(name or path.name for name in batch.dataset)
    if wanted.dataset and wanted.dataset not in datasets:
        if datasets <= {path.name for path in source.paths}:
            return OutcomesError(
                f"{source.named()}: its rows name no dataset, so none is {wanted.dataset!r}; "
                "they go by their file's name"
            )
        return OutcomesError(f"{source.named()}: {unknown('dataset', wanted.dataset, datasets)}")
    for model in (wanted.cheap, wanted.capable):
        if model not in known:
            return OutcomesError(f"{source.named()}: {unknown('model', model, known)}")
    return error
