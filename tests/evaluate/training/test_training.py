from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.evaluate.training.graded import graded
from turnout.classify.learned.artefact import CARD, MODEL, NUMBERS, load
from turnout.classify.learned.classifier import LearnedClassifier
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.training.training import train
from turnout.messages.conversation import conversation_of


def test_from_a_table_to_a_verdict(tmp_path: Path) -> None:
    seen: list[str] = []

    @contextmanager
    def working(what: str, total: int) -> Iterator[Callable[[int], None]]:
        seen.append(what)
        yield lambda done: None

    source = graded(tmp_path / "t.jsonl")
    found = train(
        source, ["cheap", "capable"], tmp_path / "router", names=["a", "b"], features="ngrams", working=working
    )
    assert seen[0] == "reading outcomes"
    assert "learning" in seen
    assert found.facts["prompts"] == 120
    assert found.facts["others"] == 3
    assert found.facts["command"].startswith("turnout train t.jsonl --models cheap,capable --as a,b")
    (pair,) = found.pairs
    assert pair.apgr is not None
    assert pair.apgr.low > 0.5
    classifier = LearnedClassifier(tmp_path / "router")
    easy, hard = (
        asyncio.run(classifier.classify(conversation_of(f"{word} stone river"))) for word in ("greet", "prove")
    )
    assert easy.p_suffices["a"] > hard.p_suffices["a"]
    assert easy.p_suffices["b"] == 1.0


def test_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    source = graded(tmp_path / "t.csv")
    for folder in ("one", "two"):
        train(source, ["cheap", "capable"], tmp_path / folder, features="ngrams")
    for name in (MODEL, NUMBERS, CARD):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_who_is_interrupted_finds_no_empty_folder(tmp_path: Path) -> None:
    @contextmanager
    def working(what: str, total: int) -> Iterator[Callable[[int], None]]:
        if what == "learning":
            raise KeyboardInterrupt
        yield lambda done: None

    source = graded(tmp_path / "t.csv")
    (kept := tmp_path / "kept").mkdir()
    for folder in (tmp_path / "router", kept):
        with pytest.raises(KeyboardInterrupt):
            train(source, ["cheap", "capable"], folder, features="ngrams", working=working)
    assert not (tmp_path / "router").exists()
    assert kept.exists()


def test_more_than_two_candidates(tmp_path: Path) -> None:
    found = train(graded(tmp_path / "t.csv"), ["cheap", "other a", "capable"], tmp_path / "router", features="ngrams")
    assert [(one.cheap, one.capable) for one in found.pairs] == [("cheap", "capable"), ("other a", "capable")]
    assert load(tmp_path / "router")[0].candidates == ("cheap", "other a", "capable")


def test_the_card_says_what_it_is(tmp_path: Path) -> None:
    found = train(graded(tmp_path / "t.csv"), ["cheap", "capable"], tmp_path / "router", features="ngrams")
    text = (tmp_path / "router" / CARD).read_text(encoding="utf-8")
    assert found.facts["data_sha256"] in text
    assert "turnout train t.csv --models cheap,capable --features ngrams --seed 0 --to ARTEFACT" in text
    assert "scores were smoothed" in text


def test_names_must_fit(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match="2 different names are needed, one a candidate, got a"):
        train(graded(tmp_path / "t.csv"), ["cheap", "capable"], tmp_path / "router", names=["a"], features="ngrams")
