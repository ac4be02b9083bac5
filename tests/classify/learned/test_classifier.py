from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.classify.learned.models import model_of
from turnout.classify.learned.artefact import ArtefactError, save
from turnout.classify.learned.classifier import LearnedClassifier
from turnout.classify.protocol import Classifier
from turnout.messages.conversation import Conversation, conversation_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(model_of(), tmp_path / "router", trained={}, card="")
    return tmp_path / "router"


def test_a_verdict_of_outcomes(folder: Path) -> None:
    classifier = LearnedClassifier(folder)
    assert isinstance(classifier, Classifier)
    easy = asyncio.run(classifier.classify(conversation_of("word")))
    hard = asyncio.run(classifier.classify(conversation_of("word " * 200)))
    assert (easy.basis, easy.classifier, easy.failure) == ("outcome", "learned", None)
    assert easy.p_suffices.keys() == {"small", "middle", "large"}
    assert easy.p_suffices["small"] > hard.p_suffices["small"]
    assert hard.p_suffices["large"] == 1.0
    assert (easy.label, hard.label) == ("simple", "complex")


def test_verdicts_may_call_candidates_otherwise(folder: Path) -> None:
    renamed = LearnedClassifier(folder, names={"small": "bedrock/small", "unknown": "x"})
    plain, other = (asyncio.run(one.classify(conversation_of("word"))) for one in (LearnedClassifier(folder), renamed))
    assert list(other.p_suffices) == ["bedrock/small", "middle", "large"]
    assert list(other.p_suffices.values()) == list(plain.p_suffices.values())


def test_no_query_is_a_failure(folder: Path) -> None:
    verdict = asyncio.run(LearnedClassifier(folder).classify(Conversation(messages=[])))
    assert verdict.failure is not None
    assert verdict.failure.kind == "error"


def test_a_wrong_folder_is_known_at_once(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError):
        LearnedClassifier(tmp_path)
