"""A small table of outcomes in which it can be seen who fails where."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.evaluate.outcomes.tables import file_of
from turnout.evaluate.outcomes.files import Source

WORDS = ["apple", "river", "stone", "cloud", "paper", "green", "window", "silver", "garden", "table"]
MODELS = ("cheap", "capable", "other a", "other b", "other c")


def rows_of(count: int = 120, *, seed: int = 3, **common: Any) -> list[dict[str, Any]]:
    """Greetings, which everybody answers, and proofs, which the cheap model and the others mostly fail at."""
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        kind = ("greet", "prove")[number % 2]
        prompt = f"{kind} " + " ".join(draw.choices(WORDS, k=6)) + f" {number}"
        for model in MODELS:
            fails = 0.05 if kind == "greet" or model == "capable" else 0.8
            usd = 0.02 if model == "capable" else 0.001
            rows.append(
                {
                    "prompt": prompt,
                    "model": model,
                    "score": float(draw.random() >= fails),
                    "cost_usd": usd * (1 + number % 3),
                    **common,
                }
            )
    return rows


def graded(path: Path, count: int = 120, **common: Any) -> Source:
    """The table as a file."""
    return file_of(path, *rows_of(count, **common))
