"""`turnout calibrate` without its command line: from graded answers and a classifier to a bar, and what is said of it.

1. The prompts that all candidates answered are read. Those that the classifier was trained on are refused.
2. A tenth of the groups is set aside: on them it is learned which requests are unlike the others.
3. For each target of quality, bars are tested from "always capable" downwards on all other groups
   (`turnout.evaluate.guarantee.sequence`); delta is split evenly over the targets, so that all statements hold at once.
4. For each target of cost, the highest bar is taken at which the upper end of a 95 % interval is within it.
5. The bar of the first target of quality is taken where it is within all targets of cost.

**Statement** of a target of quality: `statement`. **Assumptions**: the calibration's groups were drawn from the traffic
independently, or without replacement; the classifier, the bars and the set-aside groups had no part in drawing them;
answers that were sampled count by one over their propensity, which is bounded from below by a number known beforehand.
A request counts as served by whom `turnout.evaluate.calibration.bars` says. The statement ends when traffic drifts, or
when a model, its parameters, the classifier or the scorer change. **Source**: A. N. Angelopoulos, S. Bates, E. J.
Candes, M. I. Jordan, L. Lei, Learn then Test (arXiv 2110.01052 v5, 2022), theorem 1 and section 3; the p-values':
`turnout.evaluate.guarantee.pvalues`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple

import turnout
from turnout.classify.learned.features import Embed
from turnout.classify.learned.rows import Row
from turnout.classify.likeness import Likeness, references_of
from turnout.config.calibration import DIGITS, FORMAT, CalibrationFile, Data, Kind, References, Target
from turnout.config.extras import require
from turnout.evaluate.calibration.bars import Bars, Served, bars_in_order, bars_on, grid, laid_by
from turnout.evaluate.calibration.figures import Figures, Measured
from turnout.evaluate.calibration.judges import Judge
from turnout.evaluate.calibration.prompts import known_to, rows_of, set_aside
from turnout.evaluate.guarantee.pvalues import Test
from turnout.evaluate.guarantee.sequence import Step, Units
from turnout.evaluate.guarantee.threshold import least_units, statement, units_for
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.prompts import Prompts
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.training.answers import Answers, read_answers

SAMPLE = 1_000
"""So many of the calibration's verdicts are kept, to see drift against."""

Working = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows what is worked on, of how much (0: not known); gives the function that is told of progress."""

Overlap = Literal["refuse", "leave_out", "trust"]
"""What becomes of prompts that the classifier was trained on."""


class Wanted(NamedTuple):
    """A target.

    Attributes:
        kind: What is bounded.
        value: By how much: a share of quality, a share of requests, USD a request, a share of cost.
    """

    kind: Kind
    value: float


class Plan(NamedTuple):
    """What is to be calibrated.

    Attributes:
        source: The graded answers.
        candidates: The models as the table names them, the least capable first.
        judge: The classifier.
        wanted: The targets, one at the least.
        names: The models' ids in the catalog; none: the judge's names, else the table's.
        delta: The probability with which any of the statements on quality may be wrong.
        served: Whom quality is counted for.
        test: Which p-value.
        overlap: What becomes of prompts that the classifier was trained on.
        unlike_share: The share of like requests that may be called unlike; 0: nobody looks.
        least_propensity: The least probability with which a prompt's answers can be sampled, all candidates together;
            none: the least in the table.
        call_usd: What a call of each candidate costs, for answers whose cost is not known.
    """

    source: Source
    candidates: Sequence[str]
    judge: Judge
    wanted: Sequence[Wanted]
    names: Sequence[str] | None = None
    delta: float = 0.05
    served: Served = "cheapest"
    test: Test = "betting"
    overlap: Overlap = "refuse"
    unlike_share: float = 0.02
    least_propensity: float | None = None
    call_usd: tuple[float, ...] | None = None


class Outcome(NamedTuple):
    """What came of a target of quality.

    Attributes:
        bar: The bar; none: "always capable".
        steps: The bars that were tested, each with its test; the last one failed, if any did.
        least: With fewer groups no bar at all can pass, whatever the classifier; none: no number is enough.
        more: About how many groups it takes for the bar that failed to pass; none: it fails with any number.
    """

    bar: float | None
    steps: list[tuple[float, Step]]
    least: int | None
    more: int | None


class Calibrated(NamedTuple):
    """What came of it.

    Attributes:
        file: What the router loads; its targets are in the order in which they were asked for.
        figures: For each target what its bar does to the calibration's requests.
        quality: For each target of quality what was tested, by its place.
        mean_scores: Of each candidate on the calibration's requests.
        left_out: Prompts that were left out, since the classifier was trained on them.
        overlap_known: Whether it is known on what the classifier was trained.
        conflict: Which targets cannot be met together; empty: all are.
    """

    file: CalibrationFile
    figures: list[Figures]
    quality: dict[int, Outcome]
    mean_scores: list[float]
    left_out: int
    overlap_known: bool
    conflict: str


def _silent(what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda done: None)


def calibrate(
    plan: Plan,
    *,
    created: str,
    scorer: str = "",
    parameters: str = "",
    models: dict[str, tuple[str, str]] | None = None,
    embed: Embed | None = None,
    working: Working = _silent,
) -> Calibrated:
    """Find a bar.

    Args:
        plan: What is to be calibrated.
        created: The time, for the file.
        scorer: Who graded, in the user's words.
        parameters: With which parameters the models answered, in the user's words.
        models: For the candidates that the catalog knows what they are; see `turnout.config.calibration.model_facts`.
        embed: Gives vectors instead of MiniLM.
        working: Shows progress.

    Raises:
        OutcomesError: The table cannot be read or lacks a candidate, the classifier was trained on its prompts, a
            target cannot be what it is, or costs are asked for and not known.
        MissingExtraError: An extra is not installed.
        WeightsError: MiniLM's weights are needed and not installed.
    """
    np = require("numpy", extra=EXTRA)
    _check(plan)
    with working("reading outcomes", 0) as progress:
        answers = read_answers(plan.source, plan.candidates, progress=progress)
    if plan.call_usd is not None:
        costs = np.where(np.isnan(answers.costs), np.array(plan.call_usd), answers.costs)
        answers = dataclasses.replace(answers, costs=costs)
    prompts = Prompts(plan.source, answers.keys, plan.candidates[0])
    answers, left_out, known = _disjoint(np, plan, answers, prompts)
    if left_out:
        prompts = Prompts(plan.source, answers.keys, plan.candidates[0])
    said = np.empty((len(answers), len(plan.candidates) - 1))
    with working(f"asking {plan.judge.name}", len(answers)) as progress:
        for batch, places in prompts.batches():
            for start in range(0, len(batch), _AT_ONCE):
                part = range(start, min(start + _AT_ONCE, len(batch)))
                said[places[part.start : part.stop]] = plan.judge.suffices(batch.take(part))
                progress(len(part))
    if plan.unlike_share > 0.0 or not plan.judge.probability:
        aside = set_aside(answers, needed=not plan.judge.probability)
    else:
        aside = np.zeros(len(answers.group_keys), bool)
    if not plan.judge.probability and not aside.any():
        raise OutcomesError(
            f"{plan.source.named()}: one prompt is too few: bars are laid out on some, tested on others"
        )
    references = _references(np, plan, answers, prompts, aside, embed) if plan.unlike_share > 0.0 else None
    verdicts, unlikeness = said.copy(), np.zeros(len(answers))
    if references is not None:
        likeness = Likeness(references, embed=embed)
        with working("looking for unlike requests", len(answers)) as progress:
            for batch, places in prompts.batches():
                for start in range(0, len(batch), _AT_ONCE):
                    part = range(start, min(start + _AT_ONCE, len(batch)))
                    unlikeness[places[part.start : part.stop]] = likeness.of_rows(rows_of(batch.take(part)))
                    progress(len(part))
        said[unlikeness > 1.0] = -np.inf
    kept = ~aside[answers.groups]
    on = answers.take(np.flatnonzero(kept))
    laid = grid() if plan.judge.probability else laid_by(verdicts[~kept])
    bars = bars_on(said[kept], on.scores, laid)
    with working("testing bars", 0):
        return _found(
            np,
            plan,
            bars,
            on,
            answers,
            references,
            verdicts=verdicts[kept],
            unlikeness=unlikeness[kept],
            left_out=left_out,
            overlap_known=known,
            created=created,
            scorer=scorer,
            parameters=parameters,
            models=models or {},
            aside=int(aside.sum()),
        )


_AT_ONCE = 512


def _check(plan: Plan) -> None:
    if not plan.wanted:
        raise OutcomesError("a target is needed: quality, a share of the capable model, a budget or a cost ratio")
    if not 0.0 < plan.delta < 1.0:
        raise OutcomesError(f"delta must be above 0 and below 1, got {plan.delta:g}")
    for kind, value in plan.wanted:
        most = 1.0 if kind != "budget_usd" else float("inf")
        if not 0.0 < value <= most or value == float("inf"):
            percent = f"; write {value / 100:g} for {value:g} %" if most == 1.0 and 1.0 < value <= 100.0 else ""
            raise OutcomesError(f"{kind} must be above 0{' and at most 1' * (most == 1.0)}, got {value:g}{percent}")
    if not 0.0 <= plan.unlike_share < 1.0:
        raise OutcomesError(
            f"the share that may be called unlike must be 0 or more and below 1, got {plan.unlike_share:g}"
        )
    if plan.least_propensity is not None and not 0.0 < plan.least_propensity <= 1.0:
        raise OutcomesError(f"the least propensity must be above 0 and at most 1, got {plan.least_propensity:g}")
    if plan.judge.basis == "score" and len(plan.candidates) > 2:
        raise OutcomesError("scores say how much a prompt needs one model instead of another: give two candidates")
    if len(plan.wanted) != len(set(plan.wanted)):
        raise OutcomesError("the same target is given twice")


def _disjoint(np: Any, plan: Plan, answers: Answers, prompts: Prompts) -> tuple[Answers, int, bool]:
    """The answers to prompts that the classifier was not trained on, how many are left out, and whether it is known."""
    keys = plan.judge.trained_on() if plan.overlap != "trust" else None
    if keys is None:
        return answers, 0, False
    known = known_to(prompts, keys, answers)
    count = int(known.sum())
    if not count:
        return answers, 0, True
    if plan.overlap == "refuse":
        groups = len(np.unique(answers.groups[known]))
        raise OutcomesError(
            f"{plan.source.named()}: {plan.judge.name} was trained on {groups:,} of the {len(answers.group_keys):,} "
            "different prompts: what it says of them proves nothing. Calibrate on others (turnout outcomes split parts "
            "a table before training), or leave these out (--leave-out-trained)"
        )
    if count == len(answers):
        raise OutcomesError(f"{plan.source.named()}: {plan.judge.name} was trained on every prompt: none is left")
    return answers.take(np.flatnonzero(~known)), count, True


def _references(
    np: Any, plan: Plan, answers: Answers, prompts: Prompts, aside: Any, embed: Embed | None
) -> References | None:
    """What is learned of the prompts set aside, one a group."""
    _, first = np.unique(answers.groups, return_index=True)
    wanted = np.zeros(len(answers), bool)
    wanted[first[aside]] = True
    found: dict[int, Row] = {}
    for batch, places in prompts.batches():
        rows = np.flatnonzero(wanted[places])
        if len(rows):
            found.update(zip(places[rows].tolist(), rows_of(batch.take(rows.tolist())), strict=True))
    ordered = [found[place] for place in sorted(found)]
    space: Literal["minilm", "ngrams"] = "minilm" if plan.judge.embeds else "ngrams"
    return references_of(ordered, space=space, share=plan.unlike_share, embed=embed)


def _found(
    np: Any,
    plan: Plan,
    bars: Bars,
    on: Answers,
    every: Answers,
    references: References | None,
    *,
    verdicts: Any,
    unlikeness: Any,
    left_out: int,
    overlap_known: bool,
    created: str,
    scorer: str,
    parameters: str,
    models: dict[str, tuple[str, str]],
    aside: int,
) -> Calibrated:
    least = 1.0 / float(on.weights.max()) if plan.least_propensity is None else plan.least_propensity
    weights = on.weights * least
    if weights.max() > 1.0 + 1e-6:
        raise OutcomesError(f"an answer was sampled with a probability below the least propensity, {least:g}")
    weights = np.minimum(weights, 1.0)
    units = Units(on.groups, len(on.group_keys))
    measured = Measured(bars, on, on.weights)
    split = plan.delta / max(1, sum(one.kind == "quality" for one in plan.wanted))
    targets: list[Target] = []
    quality: dict[int, Outcome] = {}
    figures: list[Figures] = []
    for place, one in enumerate(plan.wanted):
        if one.kind == "quality":
            quality[place] = outcome = _kept(np, plan, bars, weights, units, on, one.value, split)
            said = statement(one.value, split)
            targets.append(Target(kind="quality", value=one.value, delta=split, bar=outcome.bar, statement=said))
        else:
            targets.append(Target(kind=one.kind, value=one.value, bar=_within(plan, bars, measured, one)))
        figures.append(measured.under(targets[-1].bar))
    target, conflict = _taken(targets, figures)
    shown = figures[target]
    names = plan.names or plan.judge.names or plan.candidates
    drawn = _sample(np, on)
    return Calibrated(
        file=CalibrationFile(
            format=FORMAT,
            turnout=turnout.__version__,
            created=created,
            basis=plan.judge.basis,
            bar=targets[target].bar,
            target=target,
            targets=tuple(targets),
            served=plan.served,
            candidates=tuple(names),
            table_names=tuple(plan.candidates),
            verdict_names=tuple(plan.judge.names or ()),
            models=models,
            classifier=plan.judge.identity,
            scorer=scorer,
            parameters=parameters,
            data=Data(
                files=tuple(path.name for path in plan.source.paths),
                sha256=every.digest,
                prompts=len(every),
                units=len(on.group_keys),
                set_aside=aside,
            ),
            shares=shown.shares,
            usd=shown.usd,
            capable_usd=shown.capable_usd,
            kept=shown.kept,
            probabilities=_said(np, plan, verdicts[drawn], names),
            references=references,
            unlikenesses=() if references is None else tuple(np.round(unlikeness[drawn], DIGITS).tolist()),
        ),
        figures=figures,
        quality=quality,
        mean_scores=[float((column * on.weights).sum() / on.weights.sum()) for column in on.scores.T],
        left_out=left_out,
        overlap_known=overlap_known,
        conflict=conflict,
    )


def _kept(
    np: Any, plan: Plan, bars: Bars, weights: Any, units: Units, on: Answers, keep: float, delta: float
) -> Outcome:
    steps = list(bars_in_order(bars, weights, units, keep=keep, delta=delta, served=plan.served, test=plan.test))
    # A bar that nobody clears passes where there is enough to say so, and is "always capable" by another name.
    passed = [bar for bar, step in steps if step.passed and bool((bars.said >= bar).any())]
    failed = [step for _, step in steps if not step.passed]
    mean = float((weights * on.scores[:, -1]).mean())
    return Outcome(
        bar=passed[-1] if passed else None,
        steps=steps,
        least=least_units(mean, keep=keep, delta=delta),
        more=units_for(failed[0].mean_loss, failed[0].spread, keep=keep, delta=delta) if failed else None,
    )


def _within(plan: Plan, bars: Bars, measured: Measured, wanted: Wanted) -> float | None:
    """The highest bar at which the upper end of the interval is within a target of cost."""
    if wanted.kind != "capable_share" and not measured.costs_known:
        raise OutcomesError(
            f"{plan.source.named()}: {wanted.kind} needs the cost of every answer (column cost_usd): some are not known"
        )

    def upper(bar: float | None) -> float:
        found = measured.under(bar)
        of_kind = {"capable_share": found.shares[-1], "budget_usd": found.usd, "cost_ratio": found.ratio}[wanted.kind]
        return float("inf") if of_kind is None else of_kind.high

    if upper(None) <= wanted.value:
        return None
    # The lower the bar, the fewer on the most capable candidate, and the less is paid.
    ends = [float(bars.laid[end]) for end in bars.ends]
    low, high = 0, len(ends) - 1
    if upper(ends[high]) > wanted.value:
        least = measured.under(ends[high])
        of_kind = {"capable_share": least.shares[-1], "budget_usd": least.usd, "cost_ratio": least.ratio}[wanted.kind]
        reached = "nothing" if of_kind is None else f"{of_kind.value:.6g} ({of_kind.low:.6g} to {of_kind.high:.6g})"
        raise OutcomesError(f"{wanted.kind} of {wanted.value:g} cannot be kept with any bar: the least is {reached}")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if upper(ends[middle]) <= wanted.value else (middle + 1, high)
    return ends[low]


def _taken(targets: Sequence[Target], figures: Sequence[Figures]) -> tuple[int, str]:
    """Which target's bar is taken, and which targets cannot be met together."""
    qualities = [place for place, one in enumerate(targets) if one.kind == "quality"]
    costs = [place for place, one in enumerate(targets) if one.kind != "quality"]

    def height(place: int) -> float:
        bar = targets[place].bar
        return float("inf") if bar is None else bar

    if not qualities:
        return min(costs, key=height), ""
    taken = qualities[0]
    over = [targets[place] for place in costs if height(place) < height(taken)]
    if not over:
        return taken, ""
    share = figures[taken].shares[-1]
    beyond = " and ".join(f"{one.kind} of {one.value:g}" for one in over)
    return taken, (
        f"quality of {targets[taken].value:g} sends {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) to the "
        f"most capable model, which is more than {beyond} allows for sure"
    )


def _sample(np: Any, on: Answers) -> Any:
    """The places of some requests, drawn as traffic would have them."""
    weights = on.weights / on.weights.sum()
    many = int(min(SAMPLE, len(on), 1.0 / (weights**2).sum()))
    return np.sort(np.random.default_rng(0).choice(len(on), many, replace=False, p=weights))


def _said(np: Any, plan: Plan, verdicts: Any, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    if plan.judge.basis == "label":
        return {"simple": tuple(np.round(verdicts[:, 0], DIGITS).tolist())}
    return {name: tuple(np.round(column, DIGITS).tolist()) for name, column in zip(names[:-1], verdicts.T, strict=True)}
