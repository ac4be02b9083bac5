from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, batch_of, file_of
from turnout.evaluate.outcomes.pair import aligned
from turnout.evaluate.scoreboard import tfidf
from turnout.evaluate.scoreboard.router import Examples, Texts, meaning_of
from turnout.evaluate.scoreboard.tfidf import TfidfRouter


@pytest.fixture(scope="module", autouse=True)
def sklearn() -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn (extra train), which is large")


def examples_of(path: Path, *prompts: tuple[str, float, float]) -> Examples:
    source = file_of(path, *(row for prompt, cheap, capable in prompts for row in answers(prompt, cheap, capable)))
    pair = aligned(source, "cheap", "capable")
    return Examples(Texts(source, pair), np.arange(len(pair)))


def test_it_learns_where_the_capable_model_is_better(tmp_path: Path) -> None:
    prompts = [(f"{word} number {n}", float(word == "greet"), 1.0) for n in range(30) for word in ("greet", "prove")]
    scorer = TfidfRouter().fit(examples_of(tmp_path / "t.csv", *prompts))
    assert meaning_of(scorer) == "better"
    easy, hard = scorer(batch_of(*answers("greet me", 1, 1)[:1], *answers("prove it", 1, 1)[:1]))
    assert easy < 0.3 < 0.7 < hard


@pytest.mark.parametrize(
    "prompts",
    [[("a b", 1.0, 1.0), ("c d", 1.0, 1.0)], [("a", 0.0, 1.0), ("b", 1.0, 1.0)]],
)
def test_where_there_is_nothing_to_learn_it_says_the_share(
    tmp_path: Path, prompts: list[tuple[str, float, float]]
) -> None:
    scorer = TfidfRouter().fit(examples_of(tmp_path / "t.csv", *prompts))
    share = sum(capable > cheap for _, cheap, capable in prompts) / len(prompts)
    assert scorer(batch_of(*answers("anything", 1, 1))).tolist() == [share, share]


def test_many_prompts_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfidf, "MOST_PROMPTS", 10)
    prompts = [(f"{word} number {n}", float(word == "greet"), 1.0) for n in range(30) for word in ("greet", "prove")]
    scorer = TfidfRouter().fit(examples_of(tmp_path / "t.csv", *prompts))
    assert len(scorer(batch_of(*answers("greet me", 1, 1)))) == 2
