"""Graded answers made up so that it is known who fails where, and what says so."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.calibration.judges import RouterJudge
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.scoreboard.naming import FunctionRouter

WORDS = ["apple", "river", "stone", "cloud", "paper", "green", "window", "silver", "garden", "table"]
KINDS = {"greet": 0.01, "fetch": 0.1, "prove": 0.7}
"""How often the cheap model fails on each kind of prompt; the capable one fails on 3 in 100 of each."""


def rows_of(count: int, *, seed: int = 3, **common: Any) -> list[dict[str, Any]]:
    """Graded answers of the models "cheap" and "capable"."""
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        kind, prompt = prompt_of(draw)
        cheap, capable = float(draw.random() >= KINDS[kind]), float(draw.random() >= 0.03)
        rows += answers(prompt, cheap, capable, **common)
    return rows


def prompt_of(draw: random.Random, kinds: Sequence[str] = tuple(KINDS)) -> tuple[str, str]:
    """A prompt's kind and the prompt; no two are likely to be the same."""
    kind = draw.choice(kinds)
    return kind, f"{kind} {' '.join(draw.choices(WORDS, k=6))} {draw.randrange(10**7):07d}"


def graded(path: Path, count: int, *, seed: int = 3, **common: Any) -> Source:
    """The table as a file."""
    return file_of(path, *rows_of(count, seed=seed, **common))


def fails(batch: Batch) -> list[float]:
    """How likely the cheap model fails, all but known."""
    return [KINDS.get(prompt.split()[0], 0.5) + zlib.crc32(prompt.encode()) % 1_000 / 20_000 for prompt in batch.prompt]


fails.meaning = "fails"  # type: ignore[attr-defined]  # what the scoreboard asks a function for


def ranks(batch: Batch) -> list[float]:
    """The same order, as no probability."""
    return [100.0 * score for score in fails(batch)]


def judge(function: Any = fails) -> RouterJudge:
    """A function as what is calibrated."""
    return RouterJudge(FunctionRouter(function, name=function.__name__), f"worlds:{function.__name__}")


def population(count: int, seed: int, *, models: int = 2) -> tuple[Any, Any]:
    """What is said of each cheaper model, and all scores: harder prompts are failed by more, and judged roughly."""
    rng = np.random.default_rng(seed)
    hard = rng.beta(1.2, 2.0, count)
    scores = np.empty((count, models))
    said = np.empty((count, models - 1))
    luck = rng.random(count)
    for model in range(models):
        weak = 1.0 - model / (models - 1)
        fails_at = np.clip(0.04 + 0.1 * hard + 0.65 * weak * hard, 0.0, 1.0)
        # Half by the same luck for all: what one fails at, the others fail at more often than by chance.
        drawn = np.where(rng.random(count) < 0.5, luck, rng.random(count))
        scores[:, model] = (drawn >= fails_at).astype(float)
        if model < models - 1:
            said[:, model] = np.clip(1.0 - fails_at + rng.normal(0.0, 0.12, count), 0.0, 1.0)
    return said, scores
