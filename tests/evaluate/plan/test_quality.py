from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.evaluate.plan.world import CAPABLE, CATALOG, CHEAP, World, side
from turnout.evaluate.outcomes.files import source_of
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.plan.costs import NOTHING
from turnout.evaluate.plan.planning import make_plan
from turnout.evaluate.plan.player import Served
from turnout.evaluate.plan.quality import Grades, by_verdicts
from turnout.evaluate.plan.tally import Tally
from turnout.trace.store.ledger import Ledger

MODELS = [CATALOG[CHEAP], CATALOG[CAPABLE]]


def graded(path: Path, rows: list[tuple[str, str, float]], propensity: float = 1.0) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt_id", "prompt", "model", "score", "propensity"])
        writer.writerows(
            [prompt_id, f"prompt {place}", model, score, propensity]
            for place, (prompt_id, model, score) in enumerate(rows)
        )
    return path


def tally(*served: tuple[str | None, float | None]) -> Tally:
    found = Tally()
    for model, p in served:
        found.add(Served(model=model, reason="r", spend=NOTHING, p=p, verdict_p=p))
    return found


def test_the_mean_of_the_verdicts_is_the_classifiers_own_estimate() -> None:
    found = by_verdicts(tally((CHEAP, 0.8), (CAPABLE, 1.0), (CHEAP, 0.6), (CHEAP, None)))
    assert found.source == "classifier"
    assert found.known == 3
    assert found.value == pytest.approx(0.8)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < 0.8 < found.high <= 1


def test_without_verdicts_nothing_is_known() -> None:
    found = by_verdicts(tally((CHEAP, None), (None, None)))
    assert (found.source, found.value, found.low) == ("none", None, None)


def test_grades_weigh_by_the_share_that_each_model_serves(tmp_path: Path) -> None:
    rows = (
        [("", CHEAP, 0.5)] * 40 + [("", CHEAP, 0.7)] * 40 + [("", "Claude Sonnet 4.6", 0.9)] * 20 + [("", "gpt", 1.0)]
    )
    grades = Grades(source_of([graded(tmp_path / "graded.csv", rows)]), MODELS)
    assert grades.others == 1
    found = grades.quality(tally((CHEAP, 0.5), (CHEAP, 0.9), (CHEAP, None), (CAPABLE, 0.1)))
    assert found.source == "outcomes"
    assert found.value == pytest.approx(0.75 * 0.6 + 0.25 * 0.9)
    assert found.grades == 100
    # By hand: the variance of a score is 0.01 on the cheap model, and the least that is taken on the other.
    half = 1.96 * (0.75**2 * 0.01 / 80 + 0.25**2 * 1e-4 / 20) ** 0.5
    assert found.high == pytest.approx(found.value + half)


def test_a_model_that_serves_and_nobody_graded_is_named(tmp_path: Path) -> None:
    grades = Grades(source_of([graded(tmp_path / "graded.csv", [("", CHEAP, 1.0)])]), MODELS)
    found = grades.quality(tally((CHEAP, 0.5), (CAPABLE, 0.1)))
    assert (found.value, found.missing) == (None, (CAPABLE,))


def test_grades_of_no_model_that_routes_are_an_error(tmp_path: Path) -> None:
    source = source_of([graded(tmp_path / "graded.csv", [("", "Claude Haiku 4", 1.0)])])
    with pytest.raises(OutcomesError, match="no row grades a model that routes: unknown model 'Claude Haiku 4'; the n"):
        Grades(source, MODELS)


def test_grades_of_the_ledgers_own_answers_tell_easy_queries_from_hard_ones(tmp_path: Path) -> None:
    """The cheap model is right where its verdict says so: a higher bar is worth more than the mean of grades says."""
    path = World(sessions=150, seed=3).write(tmp_path / "ledger.db")
    rows: dict[str, list[tuple[str, str, float]]] = {"by turn": [], "apart": []}
    with Ledger(path) as ledger:
        for event in ledger.decisions():
            verdict = event.given.verdict
            assert verdict is not None
            assert verdict.p_simple is not None
            score = 1.0 if verdict.p_simple >= 0.8 else 0.2
            rows["by turn"] += [(event.turn_id, CHEAP, score), (event.turn_id, CAPABLE, 0.9)]
            rows["apart"] += [("", CHEAP, score), ("", CAPABLE, 0.9)]
        values = {}
        for name, listed in rows.items():
            source = source_of([graded(tmp_path / f"{name}.csv", listed, 0.5)])
            bar = side().policy
            strict = side(type(bar)(candidates=bar.candidates, markers="fill", adapt=True, simple_bar=0.8))
            values[name] = make_plan(ledger, side(), strict, days=30, outcomes=source).new.quality.value
    truth = values["by turn"]
    assert truth is not None
    assert values["apart"] is not None
    assert truth == pytest.approx(0.92, abs=0.03)
    assert values["apart"] < truth - 0.05
