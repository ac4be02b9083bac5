"""What is asked in the demonstration: three sets of queries."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from examples.customer_support.queries import TEST_PROMPTS
from turnout.classify.examples import load_queries, of_split
from turnout.core.verdict import Complexity

SAMPLE = Path(__file__).parent.parent / "data" / "banking77_sample.csv"
"""60 rows drawn at random from the test part of Banking77 (PolyAI, CC BY 4.0), with their row numbers there."""


class Query(NamedTuple):
    """One query; ``label`` is the expected one, or none where nobody labelled it."""

    title: str
    text: str
    label: Complexity | None


def test_prompts() -> list[Query]:
    """The five prompts of the reference system."""
    return [Query(one.title, one.prompt, one.label) for one in TEST_PROMPTS]


def held_out() -> list[Query]:
    """The held-out part of the packaged query set, which no classifier has learned from."""
    return [Query(str(one.id), one.text, one.label) for one in of_split(load_queries(), "held_out")]


def real_sample() -> list[Query]:
    """Queries that real customers of a bank wrote, as they are; nobody has labelled them simple or complex."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [Query(f"b{row['row']}", row["text"], None) for row in csv.DictReader(file)]
