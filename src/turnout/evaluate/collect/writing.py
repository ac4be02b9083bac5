"""The table of outcomes that a collection makes, and its card beside it.

The table holds prompts. It and the card are created with mode 0600.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from turnout.core.cost import cost_of, pico_to_usd
from turnout.core.price import Price
from turnout.core.usage import Usage
from turnout.evaluate.collect.card import card_of, write_card
from turnout.evaluate.collect.choosing import Sample
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.sampling import Sampling
from turnout.evaluate.collect.state import State
from turnout.evaluate.outcomes.convert.rows import in_batches
from turnout.evaluate.outcomes.files import write


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
    write_card(out, card_of(sample, sampling, state))
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
