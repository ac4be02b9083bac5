"""The table of outcomes that a collection makes, and its card: how it was sampled and judged, and at what cost.

The table holds prompts. It and the card are created with mode 0600.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from turnout.core.cost import cost_of, pico_to_usd
from turnout.core.price import Price
from turnout.core.usage import Usage
from turnout.evaluate.collect.agreement import Agreement, agreement_of
from turnout.evaluate.collect.choosing import Sample
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.sampling import Sampling
from turnout.evaluate.collect.state import Grade, State
from turnout.evaluate.outcomes.convert.rows import in_batches
from turnout.evaluate.outcomes.files import write

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


def card_path(out: Path) -> Path:
    """Where the card of a table lies."""
    return out.with_name(out.name + CARD_ENDING)


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


def write_outcomes(out: Path, sample: Sample, sampling: Sampling, state: State, cheap_price: Price) -> int:
    """Write the table of all that is graded, in the format of the file's ending, and the card beside it.

    Args:
        out: The file.
        sample: The sample.
        sampling: How it was drawn.
        state: What is graded.
        cheap_price: The cheap model's, for recorded answers of which only the tokens are known.

    Returns:
        How many rows: two a request.

    Raises:
        OutcomesError: A value is not what its column holds.
        MissingExtraError: A Parquet file, and pyarrow is not installed.
        OSError: A file cannot be written.
    """
    rows = write(in_batches(_rows(sample, sampling, state, cheap_price)), out, private=True)
    _write_private(
        card_path(out), msgspec.json.format(msgspec.json.encode(card_of(sample, sampling, state)), indent=2) + b"\n"
    )
    return rows


def _rows(sample: Sample, sampling: Sampling, state: State, cheap_price: Price) -> Iterator[tuple[str, dict[str, Any]]]:
    identity = state.identity
    for request in sample.requests:
        grade = state.grades.get(request.key)
        if grade is None:
            continue
        shared = {
            "dataset": request.dataset,
            "prompt_id": request.id,
            "prompt": request.prompt,
            "conversation": request.conversation,
            "tools": request.tools,
            "category": request.category,
            "group": request.group,
            "propensity": sampling.propensity(request.p),
            "split": request.split,
        }
        for side, model, score in (
            ("cheap", identity.cheap, grade.cheap),
            ("capable", identity.capable, grade.capable),
        ):
            took = _took(request, side, state, cheap_price)
            yield f"request {request.id}", {**shared, "model": model, "score": score, **took}


def _took(request: Request, side: str, state: State, price: Price) -> Mapping[str, Any]:
    """Tokens and cost of an answer; a recorded one of which only the tokens are known is priced without a cache."""
    answer = state.answers.get((request.key, side))
    if answer is not None:
        usd = None if answer.pico is None else float(pico_to_usd(answer.pico))
        reported = answer.pico is not None
        return {
            "input_tokens": answer.input_tokens if reported else None,
            "output_tokens": answer.output_tokens if reported else None,
            "cost_usd": usd,
        }
    usd = request.cost_usd
    if usd is None and request.input_tokens is not None and request.output_tokens is not None:
        usage = Usage(input_tokens=request.input_tokens, output_tokens=request.output_tokens)
        usd = float(cost_of(usage, price).usd)
    return {"input_tokens": request.input_tokens, "output_tokens": request.output_tokens, "cost_usd": usd}


def _means(graded: list[tuple[Request, Grade]], sampling: Sampling) -> tuple[float | None, float | None]:
    weights = [1.0 / sampling.propensity(request.p) for request, _ in graded]
    whole = math.fsum(weights)
    if not whole:
        return None, None
    cheap = math.fsum(weight * grade.cheap for weight, (_, grade) in zip(weights, graded, strict=True))
    capable = math.fsum(weight * grade.capable for weight, (_, grade) in zip(weights, graded, strict=True))
    return cheap / whole, capable / whole


def _write_private(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    part.replace(path)
