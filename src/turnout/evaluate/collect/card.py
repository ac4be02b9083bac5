"""A collection's card: how its outcomes were sampled and judged, and at what cost.

It lies beside the table and is what a reader of the table has to know: `turnout outcomes inspect` shows it, and
`turnout calibrate` takes from it who graded and how seldom a request could be sampled.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import msgspec

from turnout.core.cost import pico_to_usd
from turnout.evaluate.collect.agreement import Agreement, agreement_of
from turnout.evaluate.collect.choosing import Sample
from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.sampling import Sampling
from turnout.evaluate.collect.state import Grade, State

CARD_ENDING = ".card.json"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known to read a collection's outcomes.

    Attributes:
        cheap: The cheap model.
        capable: The capable model.
        judge: How answers were judged.
        seed: Keys the sample.
        share: The share of requests without stratum.
        strata: The other shares, each with the probability that its bin goes up to.
        population: How many requests could be in the sample.
        sampled: How many are.
        graded: How many of them were graded.
        failed: How many were not, by reason.
        pending: How many are still to be done.
        cheap_score: Mean score of the cheap model, each request weighted by 1 / propensity; none: nothing was graded.
        capable_score: The same of the capable model.
        agreement: What an LLM judge said in both orders; none: the judge is no model.
        calls: Calls of all runs.
        spent_usd: What they count for in the budget, exactly.
        part_of: The table that the collection made, where this is a part of it; counts are those of the whole.
    """

    cheap: str
    capable: str
    judge: str
    seed: str
    share: float
    strata: tuple[tuple[float, float], ...]
    population: int
    sampled: int
    graded: int
    failed: dict[str, int]
    pending: int
    cheap_score: float | None
    capable_score: float | None
    agreement: Agreement | None
    calls: int
    spent_usd: str
    part_of: str = ""

    @property
    def least_propensity(self) -> float:
        """The least probability with which a request could be sampled: known before any was drawn."""
        return min((self.share, *(share for _, share in self.strata)))

    def of_part(self, name: str) -> Card:
        """The card of a part of the table of that name, or of a part of a part."""
        return msgspec.structs.replace(self, part_of=self.part_of or name)


def card_path(out: Path) -> Path:
    """Where the card of a table lies."""
    return out.with_name(out.name + CARD_ENDING)


def read_card(out: Path) -> Card | None:
    """The card of a table; none: no collection made the table.

    Raises:
        CollectError: There is one, and it cannot be read.
    """
    path = card_path(out)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CollectError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CollectError(f"{path} is no card of a collection: {error}") from error


def write_card(out: Path, card: Card) -> None:
    """Write the card of a table, for its owner alone.

    Raises:
        OSError: It cannot be written.
    """
    path = card_path(out)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    part.replace(path)


def card_of(sample: Sample, sampling: Sampling, state: State) -> Card:
    """The card of what is graded so far."""
    graded = [(request, state.grades[request.key]) for request in sample.requests if request.key in state.grades]
    failed: dict[str, int] = {}
    for request in sample.requests:
        if request.key not in state.grades and (one := state.failures.get(request.key)) is not None:
            failed[one.why] = failed.get(one.why, 0) + 1
    cheap_score, capable_score = _means(graded, sampling)
    identity = state.identity
    return Card(
        cheap=identity.cheap,
        capable=identity.capable,
        judge=identity.judge,
        seed=identity.seed,
        share=sampling.share,
        strata=tuple((one.upto, one.share) for one in sampling.strata),
        population=sample.population,
        sampled=len(sample.requests),
        graded=len(graded),
        failed=dict(sorted(failed.items(), key=lambda item: (-item[1], item[0]))),
        pending=len(sample.requests) - len(graded) - sum(failed.values()),
        cheap_score=cheap_score,
        capable_score=capable_score,
        agreement=agreement_of(grade for _, grade in graded) if identity.judge.startswith("llm:") else None,
        calls=state.calls,
        spent_usd=f"{pico_to_usd(state.spent_pico):f}",
    )


def _means(graded: list[tuple[Request, Grade]], sampling: Sampling) -> tuple[float | None, float | None]:
    weights = [1.0 / sampling.propensity(request.p) for request, _ in graded]
    whole = math.fsum(weights)
    if not whole:
        return None, None
    cheap = math.fsum(weight * grade.cheap for weight, (_, grade) in zip(weights, graded, strict=True))
    capable = math.fsum(weight * grade.capable for weight, (_, grade) in zip(weights, graded, strict=True))
    return cheap / whole, capable / whole
