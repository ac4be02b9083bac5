from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.outcomes.tables import answers, batch_of, file_of
from tests.evaluate.training.graded import rows_of
from turnout.classify.keyword import KeywordClassifier
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.board import Plan, Wanted, scoreboard
from turnout.evaluate.scoreboard.classifiers import ClassifierRouter
from turnout.evaluate.scoreboard.naming import OWN, router_of
from turnout.evaluate.scoreboard.router import Router, TrainedRouter, meaning_of
from turnout.evaluate.scoreboard.served import ServedRouter
from turnout.evaluate.training.training import train

BATCH = batch_of(*answers("one two", 1, 1))
MODULE = """
class Trained:
    def fit(self, examples):
        return lambda batch: [0.0] * len(batch)

def scores(batch):
    return [len(prompt) for prompt in batch.prompt]

scores.meaning = "fails"

def fails(batch):
    return 1 / 0

class Unmade:
    def __init__(self, needed): ...
    def scores(self, batch): ...

class FailsToFit:
    def fit(self, examples):
        raise KeyError("no such thing")

class FailsToScore:
    def fit(self, examples):
        return fails
NUMBER = 3
"""


def named(written: str, **more: Any) -> Any:
    return router_of(written, cheap="cheap", capable="capable", **more)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"router_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize("name", sorted(OWN))
def test_the_scoreboard_s_own(name: str) -> None:
    assert named(name).name == name
    assert isinstance(named(name), (Router, TrainedRouter))
    renamed = named(f"mine={name}")
    assert renamed.name == "mine"
    assert isinstance(renamed, TrainedRouter) is isinstance(named(name), TrainedRouter)


def test_a_function_and_a_class_of_a_module(module: str) -> None:
    function = named(f"{module}:scores")
    assert function.name == f"{module}:scores"
    assert (function.scores(BATCH), meaning_of(function)) == ([7, 7], "fails")
    trained = named(f"own={module}:Trained")
    assert trained.name == "own"
    assert isinstance(trained, TrainedRouter)
    assert not isinstance(trained, Router)


def test_what_the_user_s_code_raises_is_told_with_its_place(module: str) -> None:
    place = re.escape(f"ZeroDivisionError: division by zero ({module}.py, line 12)")
    with pytest.raises(OutcomesError, match=place):
        named(f"{module}:fails").scores(BATCH)
    with pytest.raises(OutcomesError, match="KeyError: 'no such thing'"):
        named(f"{module}:FailsToFit").fit(BATCH)
    with pytest.raises(OutcomesError, match=place):
        named(f"{module}:FailsToScore").fit(BATCH)(BATCH)


def test_urls_files_and_classifiers(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("prompt,score\na,1\n", encoding="utf-8")
    assert isinstance(named("http://127.0.0.1:1/x?a=b"), ServedRouter)
    assert named("far=http://127.0.0.1:1").name == "far"
    assert named(str(tmp_path / "p.csv")).name == "p"
    found = named("rules", classifier=lambda name: KeywordClassifier(name=name), classifiers=("rules",))
    assert isinstance(found, ClassifierRouter)
    assert found.name == "rules"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "tfdif",
            "unknown router 'tfdif'; the nearest known one is 'tfidf'; or give module:function, a URL, or a file",
        ),
        ("no_such_module:scores", "the router 'no_such_module:scores': there is no module 'no_such_module'"),
        ("{module}:score", "unknown name 'score'; the nearest known one is 'scores'"),
        ("{module}:Unmade", "cannot be made: TypeError: "),
        ("{module}:NUMBER", "is neither a function nor has it 'scores' or 'fit'"),
        ("nowhere.csv", "cannot read nowhere.csv"),
    ],
)
def test_what_is_no_router(module: str, written: str, message: str) -> None:
    with pytest.raises(OutcomesError, match=re.escape(message)):
        named(written.format(module=module))


@pytest.mark.parametrize("categories", [True, False])
def test_an_artefact_that_knows_categories_says_so(tmp_path: Path, categories: bool) -> None:
    rows = [{**row, "category": row["prompt"].split()[0]} for row in rows_of(80)]
    source = file_of(tmp_path / "t.csv", *rows)
    train(source, ["cheap", "capable"], tmp_path / "router", features="ngrams", categories=categories)
    found = named(str(tmp_path / "router"))
    assert (found.name, meaning_of(found), isinstance(found, Router)) == ("router", "gains", True)
    plan = Plan(source=source, pairs=[Wanted(cheap="cheap", capable="capable")], routers=[found], resamples=20)
    (one,) = scoreboard(plan).pairs
    said = [note for note in one.notes if note.startswith("router was trained with categories")]
    assert len(said) == categories
