from __future__ import annotations

import asyncio

import pytest

from turnout.classify.examples import load_queries, of_split
from turnout.classify.learned.artefact import CARD, read_manifest
from turnout.classify.learned.classifier import LearnedClassifier
from turnout.classify.learned.packaged import packaged_artefact
from turnout.core.verdict import Verdict
from turnout.messages.conversation import conversation_of


def verdict(text: str, simple_share: float = 0.65) -> Verdict:
    return asyncio.run(LearnedClassifier(simple_share=simple_share).classify(conversation_of(text)))


def test_it_says_what_it_knows() -> None:
    manifest = read_manifest(packaged_artefact())
    assert (manifest.basis, manifest.turnout) == ("label", "packaged")
    assert manifest.trained["prompts"] == 226
    card = (packaged_artefact() / CARD).read_text(encoding="utf-8")
    assert "It is no universal router" in card
    assert manifest.trained["data_sha256"] in card
    assert "python -m scripts.train_default" in card


def test_its_verdicts_are_of_labels() -> None:
    found = verdict("How long is the warranty on a toaster?")
    assert (found.basis, found.p_suffices, found.label) == ("label", {}, "simple")
    assert found.p_simple is not None
    assert found.p_simple >= 0.5


def test_what_it_does_not_know_is_not_simple() -> None:
    found = verdict("Prove that every continuous function on a compact interval is uniformly continuous.")
    assert (found.label, found.p_simple) == ("complex", 0.0)


def test_it_is_never_bolder_than_its_labels() -> None:
    query = "How long is the warranty on a toaster?"
    even, more, fewer = (verdict(query, share).p_simple for share in (0.5, 0.9, 0.2))
    assert even is not None
    assert fewer is not None
    assert even == more
    assert fewer < even


def test_of_queries_called_simple_few_are_not() -> None:
    classifier = LearnedClassifier()
    queries = of_split(load_queries(), "held_out")

    async def labels() -> list[str | None]:
        return [(await classifier.classify(conversation_of(query.text))).label for query in queries]

    said = asyncio.run(labels())
    simple = [query.label for query, label in zip(queries, said, strict=True) if label == "simple"]
    assert len(simple) >= 10
    # One in ten was asked for on queries of training; these are others, and few.
    assert simple.count("complex") / len(simple) <= 0.2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(ValueError, match="simple_share must be above 0"):
        LearnedClassifier(simple_share=share)
