"""The grid: a plan against simple habits, over shares of simple turns, how alike a session's turns are, seeds, prices.

A cell is one share, correlation and pair of models, a mean over seeds. Results go into a file of JSON lines as they
come, so that a grid that was stopped goes on where it was. A line counts only for the very same trace, conditions and
rules: its fingerprint holds a hash of the code that decides.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import statistics
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import msgspec

import turnout
from turnout.config.pairs import Pair
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.arrivals import Arrival, arrivals_of
from turnout.evaluate.replay.compared import SIMPLE_POLICIES, policy_named
from turnout.evaluate.replay.conditions import Conditions
from turnout.evaluate.replay.engine import replay
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.files import Advance
from turnout.evaluate.replay.outcome import Outcome
from turnout.evaluate.replay.requests import Trace
from turnout.evaluate.replay.verdicts import Difficulty, draw

PLAN = "manage"
"""The policy that is held against the simple ones."""

MOST_RATIO = 1.02
"""The most that the plan's mean cost may be, in times of the best simple policy's, in every cell."""

SHARES = tuple(round(0.1 * step, 1) for step in range(11))
CORRELATIONS = (0.0, 0.3, 0.7)
SEEDS = 20

_RULES = ("core", "sessions", "evaluate/replay")

_WITHOUT_VERDICTS = frozenset({"capable", "capable-never"})
"""The simple policies that never look at a verdict: they cost the same in every run of a pair."""


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the grid: a pair of models, a share, a correlation, a seed."""

    cheap: str
    capable: str
    share: float
    correlation: float
    seed: int


class SpotResult(msgspec.Struct, frozen=True, kw_only=True):
    """What each policy cost there.

    Attributes:
        fingerprint: Of trace, conditions and rules.
        spot: Where.
        whole_pico: For each policy what the whole trace cost, in pico-USD.
        rest_pico: For each policy what it cost after the first half hour.
        unsafe_switches: Those of the plan.
        held: Whether the plan kept the spend bound; none where its spending was not bound.
    """

    fingerprint: str
    spot: Spot
    whole_pico: dict[str, int]
    rest_pico: dict[str, int]
    unsafe_switches: int = 0
    held: bool | None = None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of the grid, a mean over seeds.

    Attributes:
        cheap: Catalog id of the cheap model.
        capable: Catalog id of the capable model.
        share: The share of turns that are simple.
        correlation: How alike the turns of a session are; none where it makes no difference.
        seeds: Over how many seeds.
        plan_usd: The plan's mean cost.
        best: The simple policy with the lowest mean cost.
        best_usd: That cost.
        ratio: The plan's mean cost in times of the best simple policy's.
        rest_ratio: The same after the first half hour, against the simple policy that is best there.
        worst_ratio: The highest ratio of a single seed.
        unsafe_switches: Those of the plan, over all seeds.
        broken: In how many seeds the plan did not keep the spend bound; none where its spending was not bound.
    """

    cheap: str
    capable: str
    share: float
    correlation: float | None
    seeds: int
    plan_usd: float
    best: str
    best_usd: float
    ratio: float
    rest_ratio: float
    worst_ratio: float
    unsafe_switches: int
    broken: int | None = None

    @property
    def passes(self) -> bool:
        """Whether the plan may cost that much, switched safely, and never broke the spend bound."""
        return self.ratio <= MOST_RATIO and not self.unsafe_switches and not self.broken


def spots(pairs: Iterable[Pair], shares: Sequence[float], correlations: Sequence[float], seeds: int) -> list[Spot]:
    """All runs of a grid. Where all turns or none are simple, correlation and seed make no difference: one run."""
    found = []
    for pair, share in itertools.product(pairs, shares):
        alike = share in (0.0, 1.0)
        for correlation, seed in itertools.product([0.0] if alike else correlations, range(1 if alike else seeds)):
            found.append(Spot(cheap=pair.cheap, capable=pair.capable, share=share, correlation=correlation, seed=seed))
    return found


def fingerprint(trace: Trace, conditions: Conditions, bound: SpendBound | None = None) -> str:
    """What results must agree in to stand beside each other: trace, conditions, bound, and the code that decides."""
    digest = hashlib.sha256(f"{trace.content} {len(trace.requests)} {conditions.content_hash} {bound}".encode())
    source = Path(turnout.__file__).parent
    for path in sorted(path for room in _RULES for path in (source / room).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run_grid(
    trace: Trace,
    conditions: Sequence[Conditions],
    wanted: Sequence[Spot],
    path: Path,
    *,
    bound: SpendBound | None = None,
    jobs: int = 1,
    advance: Advance = lambda spots: None,
) -> list[SpotResult]:
    """Run what the file does not hold yet, and give all that was wanted.

    Args:
        trace: The calls.
        conditions: One for each pair.
        wanted: The runs.
        path: The file of results; made where there is none, and added to.
        bound: How much the plan may spend; none: its spending is not bound.
        jobs: How many processes.
        advance: Is told of each run, also of those that the file held.

    Raises:
        TraceError: The file cannot be read or written, or is none of results.
    """
    by_pair = {(one.cheap, one.capable): one for one in conditions}
    prints = {pair: fingerprint(trace, one, bound) for pair, one in by_pair.items()}
    found = {
        result.spot: result
        for result in _read(path)
        if prints.get((result.spot.cheap, result.spot.capable)) == result.fingerprint
    }
    # Seed by seed: a grid that is stopped says something of every cell.
    missing = sorted([spot for spot in wanted if spot not in found], key=lambda spot: spot.seed)
    advance(len(wanted) - len(missing))
    try:
        with path.open("ab") as file:
            for result in _results(trace, conditions, missing, prints, bound, jobs):
                file.write(msgspec.json.encode(result) + b"\n")
                file.flush()
                found[result.spot] = result
                advance(1)
    except OSError as error:
        raise TraceError(f"{path} cannot be written ({error.strerror or error})") from error
    return [found[spot] for spot in wanted]


def cells(results: Sequence[SpotResult]) -> list[Cell]:
    """The cells of these results, in their order."""
    groups: dict[tuple[str, str, float, float], list[SpotResult]] = {}
    for result in results:
        spot = result.spot
        groups.setdefault((spot.cheap, spot.capable, spot.share, spot.correlation), []).append(result)
    made = []
    for (cheap, capable, share, correlation), group in groups.items():
        best, best_usd = _best([result.whole_pico for result in group])
        _, rest_usd = _best([result.rest_pico for result in group])
        plan_usd = _mean_usd([result.whole_pico for result in group], PLAN)
        made.append(
            Cell(
                cheap=cheap,
                capable=capable,
                share=share,
                correlation=None if share in (0.0, 1.0) else correlation,
                seeds=len(group),
                plan_usd=plan_usd,
                best=best,
                best_usd=best_usd,
                ratio=plan_usd / best_usd,
                rest_ratio=_mean_usd([result.rest_pico for result in group], PLAN) / rest_usd if rest_usd else 0.0,
                worst_ratio=max(
                    result.whole_pico[PLAN] / min(result.whole_pico[name] for name in SIMPLE_POLICIES)
                    for result in group
                ),
                unsafe_switches=sum(result.unsafe_switches for result in group),
                broken=_broken([result.held for result in group]),
            )
        )
    return made


def run_spot(
    arrivals: Sequence[Arrival],
    conditions: Conditions,
    spot: Spot,
    known: str,
    bound: SpendBound | None = None,
    *,
    kept: dict[str, Outcome] | None = None,
) -> SpotResult:
    """One run of the grid: the plan and every simple policy.

    ``kept`` holds, from run to run of one pair, what the policies make of the trace that never look at a verdict.
    """
    difficulty = Difficulty(share=spot.share, correlation=spot.correlation, seed=spot.seed)
    verdicts = draw([arrival.request for arrival in arrivals], difficulty)
    outcomes = {} if kept is None else dict(kept)
    for name in (PLAN, *SIMPLE_POLICIES):
        if name not in outcomes:
            policy = policy_named(name, arrivals, verdicts, conditions, bound=bound)
            outcomes[name] = replay(arrivals, verdicts, policy, conditions)
    if kept is not None:
        kept.update({name: outcomes[name] for name in _WITHOUT_VERDICTS})
    bounded = outcomes[PLAN].bound
    return SpotResult(
        fingerprint=known,
        spot=spot,
        whole_pico={name: outcome.whole.cost_pico for name, outcome in outcomes.items()},
        rest_pico={name: outcome.rest.cost_pico for name, outcome in outcomes.items()},
        unsafe_switches=outcomes[PLAN].whole.unsafe_switches,
        held=None if bounded is None else bounded.held,
    )


def _broken(held: Sequence[bool | None]) -> int | None:
    known = [one for one in held if one is not None]
    return known.count(False) if known else None


def _best(costs: Sequence[dict[str, int]]) -> tuple[str, float]:
    means = {name: _mean_usd(costs, name) for name in SIMPLE_POLICIES}
    best = min(means, key=lambda name: means[name])
    return best, means[best]


def _mean_usd(costs: Sequence[dict[str, int]], name: str) -> float:
    return statistics.fmean(cost[name] for cost in costs) / 1e12


def _read(path: Path) -> list[SpotResult]:
    """What a file holds; a last line that a stopped grid left unfinished is cut off."""
    if not path.exists():
        return []
    decoder = msgspec.json.Decoder(SpotResult)
    found: list[SpotResult] = []
    try:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                found.append(decoder.decode(line))
            except msgspec.MsgspecError as error:
                raise TraceError(f"{path}, line {number} is no result of a grid: {error}") from error
        if len(whole) < len(data):
            path.write_bytes(whole)
    except OSError as error:
        raise TraceError(f"{path} cannot be read ({error.strerror or error})") from error
    return found


# What a process of the pool works on; set once when it starts, since a trace is too large to send for every run.
_work: dict[str, _Work] = {}


class _Work(NamedTuple):
    arrivals: Sequence[Arrival]
    conditions: dict[tuple[str, str], Conditions]
    prints: dict[tuple[str, str], str]
    bound: SpendBound | None
    kept: dict[tuple[str, str], dict[str, Outcome]]


def _start(
    trace: Trace, conditions: Sequence[Conditions], prints: dict[tuple[str, str], str], bound: SpendBound | None
) -> None:
    by_pair = {(one.cheap, one.capable): one for one in conditions}
    _work["all"] = _Work(arrivals_of(trace.requests), by_pair, prints, bound, {pair: {} for pair in by_pair})


def _run(spot: Spot) -> SpotResult:
    work = _work["all"]
    pair = spot.cheap, spot.capable
    return run_spot(work.arrivals, work.conditions[pair], spot, work.prints[pair], work.bound, kept=work.kept[pair])


def _results(
    trace: Trace,
    conditions: Sequence[Conditions],
    missing: Sequence[Spot],
    prints: dict[tuple[str, str], str],
    bound: SpendBound | None,
    jobs: int,
) -> Iterator[SpotResult]:
    if jobs <= 1:
        _start(trace, conditions, prints, bound)
        yield from map(_run, missing)
        return
    if not missing:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (trace, conditions, prints, bound)) as pool:
        futures = [pool.submit(_run, spot) for spot in missing]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
