from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.train_default import differing, main
from turnout.classify.learned.model import minilm_vectors
from turnout.classify.learned.packaged import packaged_artefact
from turnout.evaluate.training.default import (
    MOST_WRONG,
    cautious,
    learned_from,
    packaged_vectors,
    train_default,
    vectors_of,
)


def test_the_packaged_default_is_what_its_command_makes(tmp_path: Path) -> None:
    train_default(tmp_path / "made")
    assert differing(tmp_path / "made", packaged_artefact()) == []


def test_a_changed_artefact_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert differing(packaged_artefact(), tmp_path) == ["model.json", "numbers.safetensors", "MODEL_CARD.md"]
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == "up to date\n"


def test_no_held_out_query_is_learned_from() -> None:
    assert len(learned_from()) == 226
    assert {query.split for query in learned_from()} == {"examples", "calibration"}


def test_the_packaged_vectors_are_those_of_minilm() -> None:
    queries = learned_from()[::20]
    texts = [query.text for query in queries]
    exact = minilm_vectors()(texts)
    assert np.abs(vectors_of(texts, minilm_vectors()) / 8_192 - exact).max() < 0.5 / 8_192 + 1e-6
    assert (packaged_vectors(learned_from())(texts) * exact).sum(axis=1).min() > 0.999999


def test_caution_leaves_few_wrong() -> None:
    draw = np.random.default_rng(2)
    simple = draw.uniform(size=400) < 0.5
    odds = np.where(simple, 1.0, -1.0) + 1.5 * draw.standard_normal(400)
    caution = cautious(1.0 / (1.0 + np.exp(-odds)), simple)
    called = odds >= caution * (1 + 1e-3)
    assert 0.0 < caution < odds.max()
    assert (~simple[called]).mean() <= MOST_WRONG
    # What is always right needs none; what says nothing calls nothing simple.
    assert cautious(np.where(simple, 0.9, 0.1), simple) <= np.log(9.0) * (1 + 1e-4)
    assert cautious(np.full(4, 0.6), np.zeros(4, bool)) > np.log(0.6 / 0.4)
