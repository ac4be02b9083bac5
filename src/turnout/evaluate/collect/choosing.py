"""From a file of requests and the ledger to the sample that is answered again, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from turnout.evaluate.collect.facts import Fact, facts_of, with_fact
from turnout.evaluate.collect.requests import Request, read_requests
from turnout.evaluate.collect.sampling import Sampling
from turnout.trace.store.ledger import Ledger


@dataclass(slots=True)
class Sample:
    """What was read, and what is to be answered again.

    Attributes:
        read: Rows of the file.
        left_out: How many were left out, by the reason.
        population: How many could be in the sample.
        strata: For each stratum its name, how many requests fall in it, and how many of them are in the sample.
        requests: Those in the sample, in the order in which they are taken.
        in_ledger: How many of them the ledger knows.
        answers: How many bring the answer that was served.
        others: Columns of the file that were read over.
    """

    read: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    population: int = 0
    strata: dict[str, list[int]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    in_ledger: int = 0
    answers: int = 0
    others: set[str] = field(default_factory=set)


def sample_of(
    path: Path,
    sampling: Sampling,
    *,
    cheap: str,
    lacks: Callable[[Request], str | None] = lambda request: None,
    ledger: Ledger | None = None,
    run: str | None = None,
    resolve: Callable[[str], str] = lambda name: name,
) -> Sample:
    """Read the requests and sample those that the cheap model served, or that nobody has served yet.

    The file is read twice where there is a ledger; only the sample stays in memory.

    Args:
        path: The file.
        sampling: The shares.
        cheap: Catalog id of the cheap model.
        lacks: What the judge needs and a request lacks (`Judge.lacks`).
        ledger: Knows what served them; none: the file alone does.
        run: Only calls of this run.
        resolve: From other spellings of a model to its catalog id.

    Raises:
        CollectError: The file cannot be read, or a value is not what its column holds.
        LedgerError: The ledger cannot be read.
    """
    facts: dict[str, Fact] = {}
    if ledger is not None:
        facts = facts_of(ledger, {request.id for _, request in read_requests(path)}, run=run, cheap=cheap)
    sample = Sample()
    for name in _names(sampling):
        sample.strata[name] = [0, 0]
    seen: set[str] = set()
    for _, given in read_requests(path, sample.others):
        sample.read += 1
        fact = facts.get(given.id)
        request = given if fact is None or fact.ambiguous else with_fact(given, fact)
        if request.model:
            request = msgspec.structs.replace(request, model=resolve(request.model))
        why = "the same id again" if request.id in seen else _unfit(request, fact, cheap) or lacks(request)
        seen.add(request.id)
        if why is not None:
            sample.left_out[why] += 1
            continue
        sample.population += 1
        stratum = sample.strata[_name(sampling, request.p)]
        stratum[0] += 1
        if sampling.taken(request.id, request.p):
            stratum[1] += 1
            sample.in_ledger += fact is not None
            sample.answers += request.answer is not None
            sample.requests.append(request)
    sample.requests.sort(key=lambda request: sampling.order(request.id, request.p))
    return sample


def _unfit(request: Request, fact: Fact | None, cheap: str) -> str | None:
    """Why a request cannot be answered again and compared; none: it can."""
    if fact is not None and fact.simulated:
        return "served by a simulated model"
    if fact is not None and fact.ambiguous and not request.model:
        return "an id of several turns, or of several models' answers"
    if request.model and request.model != cheap:
        return f"served by {request.model}"
    if request.answer is not None and not request.model:
        return "an answer of nobody knows which model: neither 'model' nor an id that the ledger has"
    if request.incomplete:
        return f"its text is not whole: {request.incomplete}"
    if request.in_tool_loop:
        return "in the middle of a tool loop, where the model stays"
    return None


def _names(sampling: Sampling) -> list[str]:
    low = 0.0
    names: list[str] = []
    for stratum in sampling.strata:
        names.append(f"p {'from' if not names else 'above'} {low:g} to {stratum.upto:g}")
        low = stratum.upto
    return [*names, "without p" if names else "all"]


def _name(sampling: Sampling, p: float | None) -> str:
    names = _names(sampling)
    return names[-1] if p is None or not sampling.strata else names[sampling.stratum(p)]
