"""The scoreboard on a million graded answers: rows read, inspected and scored in a second, and the memory used.

Run it with ``python -m benchmarks.bench_scoreboard [--rows N] [--format csv]``. The answers are made up: two models, a
prompt of some 60 words each, three categories. Writing, inspecting and evaluating are processes of their own, so that
each peak of memory is that of its work. Evaluating is `turnout evaluate` with its baselines, the keyword rules among
them, and a router under test that looks at the text; with intervals from as many draws as such a table gets. Parquet
needs the extra ``parquet``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from turnout.evaluate.outcomes.files import source_of, write
from turnout.evaluate.outcomes.inspecting import inspect
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.scoreboard.board import Plan, Wanted, judgements, measured
from turnout.evaluate.scoreboard.naming import FunctionRouter

ROWS = 1_000_000
PROMPTS_AT_ONCE = 4_096
WORDS = 60
CATEGORIES = {"greeting": 0.02, "lookup": 0.15, "proof": 0.7}

Figures = list[tuple[str, str]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many rows (default: a million)")
    parser.add_argument("--format", default="jsonl", choices=("csv", "jsonl", "parquet"), help="of the file")
    wanted = parser.parse_args()
    print(f"{wanted.rows:,} rows of two models in {wanted.format}, prompts of {WORDS} words", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"outcomes.{wanted.format}"
        for work in (make, look, evaluate):
            for name, figure in alone(work, path, wanted.rows):
                print(f"{name:<52}{figure:>20}", flush=True)


def alone(work: Callable[[Path, int], Figures], path: Path, rows: int) -> Figures:
    """Do work in a process of its own; its peak of memory is the last figure."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_with_peak, work, path, rows).result()


def make(path: Path, rows: int) -> Figures:
    """Write the table."""
    began = time.perf_counter()
    written = write(_batches(rows // 2), path)
    seconds = time.perf_counter() - began
    return [
        ("rows made and written in a second", f"{written / seconds:,.0f}"),
        ("file", f"{path.stat().st_size / 1e6:,.0f} MB"),
    ]


def look(path: Path, rows: int) -> Figures:
    """Inspect it."""
    began = time.perf_counter()
    found = inspect(source_of([path]))
    seconds = time.perf_counter() - began
    assert found.rows == rows // 2 * 2
    return [("rows inspected in a second", f"{found.rows / seconds:,.0f}")]


def evaluate(path: Path, rows: int) -> Figures:
    """Judge the baselines and one router, and measure them."""
    plan = Plan(
        source=source_of([path]),
        pairs=[Wanted(cheap="small", capable="large")],
        routers=[FunctionRouter(proofs, name="proofs")],
    )
    began = time.perf_counter()
    done = judgements(plan)
    judged = time.perf_counter()
    board = measured(plan, done)
    ended = time.perf_counter()
    (one,) = done
    speeds = {name: rows / seconds for name, seconds in one.seconds.items()}
    return [
        *((f"rows judged in a second, {name}", f"{speed:,.0f}") for name, speed in speeds.items()),
        ("aligning and judging all of them", f"{judged - began:,.1f} s"),
        (f"figures and intervals of {board.resamples} draws", f"{ended - judged:,.1f} s"),
        ("rows evaluated in a second, all in all", f"{rows / (ended - began):,.0f}"),
    ]


def proofs(batch: Batch) -> Any:
    """A router that looks for a word, and then at the length."""
    return [10.0 * ("proof" in prompt) + len(prompt) / 1_000 for prompt in batch.prompt]


def _batches(prompts: int) -> Iterator[Batch]:
    draw = random.Random(20261123)
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(20_000)]
    for start in range(0, prompts, PROMPTS_AT_ONCE):
        batch = Batch()
        for number in range(start, min(start + PROMPTS_AT_ONCE, prompts)):
            category = list(CATEGORIES)[number % 3]
            prompt = f"{category} {number} {' '.join(draw.choices(vocabulary, k=WORDS))}"
            for model, score, usd in (
                ("small", float(draw.random() > CATEGORIES[category]), 0.0004),
                ("large", float(draw.random() > 0.05), 0.005),
            ):
                batch.append(
                    {
                        "dataset": "made up",
                        "prompt_id": str(number),
                        "prompt": prompt,
                        "conversation": None,
                        "tools": None,
                        "category": category,
                        "group": "",
                        "model": model,
                        "score": score,
                        "input_tokens": 80,
                        "output_tokens": 100,
                        "cost_usd": usd,
                        "propensity": 1.0,
                        "split": "",
                    }
                )
        yield batch


def _with_peak(work: Callable[[Path, int], Figures], path: Path, rows: int) -> Figures:
    figures = work(path, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*figures, (f"peak memory of {work.__name__}", f"{peak:,.0f} MB")]


if __name__ == "__main__":
    main()
