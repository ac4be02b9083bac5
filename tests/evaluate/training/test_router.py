from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.training.graded import graded
from turnout.evaluate.outcomes.pair import aligned
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.judging import Split, judge
from turnout.evaluate.scoreboard.naming import router_of
from turnout.evaluate.scoreboard.router import Examples, Router, Texts, TrainedRouter, scored
from turnout.evaluate.training.router import ArtefactRouter, LearnedRouter
from turnout.evaluate.training.training import train


def texts_of(path: Path, count: int = 120) -> Texts:
    source = graded(path, count)
    return Texts(source, aligned(source, "cheap", "capable"))


def test_it_learns_from_the_prompts_it_is_given_and_no_others(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv")
    router = LearnedRouter(embedding=False)
    assert isinstance(router, TrainedRouter)
    half = np.arange(0, 120, 2)
    scorer = router.fit(Examples(texts, half))
    gains = texts.pair.capable_scores - texts.pair.cheap_scores
    rest = np.setdiff1d(np.arange(120), half)
    assert np.corrcoef(scored(scorer, texts)[rest], gains[rest])[0, 1] > 0.5
    # The grades of the other half, its other models' included, have no part in it.
    again = LearnedRouter(embedding=False).fit(Examples(texts, half))
    assert np.array_equal(scorer.model.weights, again.model.weights)
    assert len(Examples(texts, half).pair) == 60


def test_figures_in_usd_rank_by_scores_of_their_own(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv")
    judged = judge(LearnedRouter(embedding=False), texts, Split(folds=3, inner_folds=2))
    assert judged.usd_scores is not None
    assert np.isfinite(judged.usd_scores).all()
    assert judged.meaning == "gains"
    gains = texts.pair.capable_scores - texts.pair.cheap_scores
    assert np.corrcoef(judged.scores, gains)[0, 1] > 0.5


def test_an_artefact_on_the_scoreboard(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "t.csv")
    train(graded(tmp_path / "train.csv", 80), ["cheap", "capable"], tmp_path / "router", features="ngrams")
    router = router_of(str(tmp_path / "router"), cheap="cheap", capable="capable")
    assert isinstance(router, Router)
    assert router.name == "router"
    judged = judge(router, texts, Split(folds=3, inner_folds=2))
    assert judged.usd_scores is not None
    gains = texts.pair.capable_scores - texts.pair.cheap_scores
    assert np.corrcoef(judged.scores, gains)[0, 1] > 0.5


def test_an_artefact_of_other_candidates(tmp_path: Path) -> None:
    train(graded(tmp_path / "t.csv", 80), ["cheap", "capable"], tmp_path / "router", features="ngrams")
    with pytest.raises(OutcomesError, match="was trained for cheap -> capable"):
        ArtefactRouter(tmp_path / "router", cheap="cheap", capable="other a")


@pytest.mark.parametrize("name", ["learned", "learned-text", "learned-ngrams"])
def test_names(name: str) -> None:
    assert router_of(name, cheap="cheap", capable="capable").name == name
