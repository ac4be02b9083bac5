"""The learned classifier: training on a million graded answers, scoring as many, and the time of one verdict.

Run it with ``python -m benchmarks.bench_learned [--rows N] [--format parquet]``. The answers are made up, as those of
``bench_scoreboard``. Training is ``turnout train --features ngrams``, what ``auto`` takes for so many prompts; scoring
is ``turnout evaluate`` with the artefact it wrote, in batches, so that memory does not grow with the table but for some
numbers a prompt. Each is a process of its own, so that a peak of memory is that of its work.

A verdict's time is that of `LearnedModel.predict` on one request, without the event loop: n-grams alone with and
without tools, and of a model with MiniLM's vectors (the packaged default) what comes beside them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bench_scoreboard import Figures, alone, make
from turnout.classify.examples import load_queries
from turnout.classify.learned.artefact import load
from turnout.classify.learned.packaged import packaged_artefact
from turnout.classify.learned.rows import Row, tools_of
from turnout.evaluate.outcomes.files import source_of
from turnout.evaluate.scoreboard.board import Plan, Wanted, judgements, measured
from turnout.evaluate.training.default import learned_from, packaged_vectors
from turnout.evaluate.training.router import ArtefactRouter
from turnout.evaluate.training.training import train

ROWS = 1_000_000
VERDICTS = 2_000
TOOLS = [
    {
        "name": name,
        "description": f"{what.capitalize()} of an order, by its number.",
        "parameters": {
            "type": "object",
            "properties": {
                "order": {"type": "integer", "description": "The order's number."},
                "reason": {"type": "string", "enum": ["late", "broken", "wrong"]},
            },
            "required": ["order"],
        },
    }
    for name, what in (("track_order", "the place"), ("refund_order", "the refund"), ("change_order", "a change"))
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many rows (default: a million)")
    parser.add_argument("--format", default="jsonl", choices=("csv", "jsonl", "parquet"), help="of the file")
    wanted = parser.parse_args()
    print(f"{wanted.rows:,} rows of two models in {wanted.format}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"outcomes.{wanted.format}"
        for work in (make, learn, score, verdicts):
            for name, figure in alone(work, path, wanted.rows):
                print(f"{name:<60}{figure:>20}", flush=True)


def learn(path: Path, rows: int) -> Figures:
    """Train on the table."""
    steps: list[tuple[str, float]] = []

    @contextmanager
    def working(what: str, total: int) -> Iterator[Callable[[int], None]]:
        began = time.perf_counter()
        yield lambda done: None
        steps.append((what, time.perf_counter() - began))

    began = time.perf_counter()
    train(source_of([path]), ["small", "large"], _artefact(path), features="ngrams", working=working)
    seconds = time.perf_counter() - began
    return [
        *((f"training: {what}", f"{spent:,.1f} s") for what, spent in steps if what != "learning"),
        ("training, all of it", f"{seconds:,.1f} s"),
        ("rows trained on in a second", f"{rows / seconds:,.0f}"),
    ]


def score(path: Path, rows: int) -> Figures:
    """Judge the artefact on the table; that it was trained there says nothing of the speed."""
    plan = Plan(
        source=source_of([path]),
        pairs=[Wanted(cheap="small", capable="large")],
        routers=[ArtefactRouter(_artefact(path), cheap="small", capable="large", name="learned")],
    )
    began = time.perf_counter()
    done = judgements(plan)
    judged = time.perf_counter()
    measured(plan, done)
    ended = time.perf_counter()
    return [
        ("rows judged in a second, learned", f"{rows / done[0].seconds['learned']:,.0f}"),
        ("judging with all baselines", f"{judged - began:,.1f} s"),
        ("rows evaluated in a second, with intervals", f"{rows / (ended - began):,.0f}"),
    ]


def verdicts(path: Path, rows: int) -> Figures:
    """One request at a time."""
    del rows
    ngrams, _ = load(_artefact(path))
    queries = learned_from()
    packaged, _ = load(packaged_artefact(), embed=packaged_vectors(queries))
    texts = [query.text for query in load_queries()]
    offered = tools_of(TOOLS)
    return [
        ("a verdict on n-grams", _times(ngrams.predict, [Row(text) for text in texts])),
        ("a verdict on n-grams, three tools offered", _times(ngrams.predict, [Row(text, offered) for text in texts])),
        (
            "a verdict with MiniLM, besides the embedding",
            _times(packaged.predict, [Row(query.text) for query in queries]),
        ),
    ]


def _times(predict: Callable[[Sequence[Row]], Any], rows: Sequence[Row]) -> str:
    for row in rows:
        predict([row])
    spent = []
    for turn in range(VERDICTS):
        row = rows[turn % len(rows)]
        began = time.perf_counter()
        predict([row])
        spent.append((time.perf_counter() - began) * 1e6)
    return f"{statistics.median(spent):,.0f} us, p95 {statistics.quantiles(spent, n=20)[-1]:,.0f}"


def _artefact(path: Path) -> Path:
    return path.parent / "router"


if __name__ == "__main__":
    main()
