"""The classifier by example."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import msgspec
import pytest

from turnout.classify.calibrate import Calibration
from turnout.classify.embedding import EmbeddingClassifier, Learned
from turnout.classify.examples import LabelledExample, LabelledSetError, load_queries, of_split
from turnout.classify.logistic import Head
from turnout.classify.protocol import Classifier
from turnout.messages.conversation import Conversation, conversation_of
from turnout.upstream.local.cache import cache_folder

SIMPLE = (
    "Which colours does the lamp come in?",
    "What does the kettle weigh?",
    "Is the mug dishwasher safe?",
    "When does the store in Bath open?",
    "How much is express delivery?",
    "Where do I find the serial number?",
)
COMPLEX = (
    "The lamp flickers only when the kettle boils, so which of the two is broken?",
    "I was charged for three mugs, got two and one is cracked: what now?",
    "Is the small oven or the large one cheaper to run for a family that bakes twice a week?",
    "The update failed halfway and now neither the app nor the remote connects. Why?",
    "If I cancel half the order after the sale, which discount is left and what do I owe?",
    "My claim was refused because of water, but the seal was already open on delivery.",
)
EXAMPLES = tuple(
    example
    for pair in zip(SIMPLE, COMPLEX, strict=True)
    for example in (LabelledExample(pair[0], "simple"), LabelledExample(pair[1], "complex"))
)


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


async def test_it_learns_from_the_users_examples(cache_home: Path) -> None:
    classifier = EmbeddingClassifier(EXAMPLES)
    assert isinstance(classifier, Classifier)
    simple = await classifier.classify(conversation_of("What does the oven weigh?"))
    hard = await classifier.classify(conversation_of("The kettle was replaced, yet it fails again: who pays now?"))
    assert (simple.label, hard.label) == ("simple", "complex")
    assert simple.classifier == "embedding"
    assert simple.basis == "label"
    assert simple.calls == ()


async def test_examples_from_a_file_are_the_same_as_from_a_list(tmp_path: Path, cache_home: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b"\n".join(map(msgspec.json.encode, EXAMPLES)))
    query = conversation_of("How much is the mug?")
    from_file = await EmbeddingClassifier(file).classify(query)
    from_list = await EmbeddingClassifier(EXAMPLES).classify(query)
    assert from_file.p_simple == from_list.p_simple


async def test_the_share_corrects_the_probability(cache_home: Path) -> None:
    query = conversation_of("How much is the mug?")
    at_half = (await EmbeddingClassifier(EXAMPLES, simple_share=0.5).classify(query)).p_simple
    at_most = (await EmbeddingClassifier(EXAMPLES, simple_share=0.9).classify(query)).p_simple
    assert at_half is not None
    assert at_most == pytest.approx(at_half * 9 / (at_half * 9 + 1 - at_half))


def test_a_calibration_set_of_ones_own(cache_home: Path) -> None:
    classifier = EmbeddingClassifier(EXAMPLES[:4], calibration=EXAMPLES[4:])
    learned = classifier.load()[1]
    assert learned.calibration.set_share == 0.5
    assert learned.calibration != EmbeddingClassifier(EXAMPLES[:4], calibration=EXAMPLES[6:]).load()[1].calibration


def test_the_packaged_queries_fit_by_default() -> None:
    classifier = EmbeddingClassifier()
    # Not a measure of quality: it has seen these. It shows that the head was fitted to them.
    seen = of_split(load_queries(), "examples")[:60]
    scores = classifier.scores([query.text for query in seen])
    right = sum((score > 0.0) == (query.label == "simple") for score, query in zip(scores, seen, strict=True))
    assert right / len(seen) > 0.85


def test_what_was_learned_is_kept(cache_home: Path) -> None:
    learned = EmbeddingClassifier(EXAMPLES).load()[1]
    (file,) = (cache_home / "heads").iterdir()
    # A mark in the file that fitting would not give shows that the file is what is read.
    marked = msgspec.structs.replace(learned, calibration=Calibration(slope=0.125))
    file.write_bytes(msgspec.json.encode(marked))
    assert EmbeddingClassifier(EXAMPLES).load()[1] == marked
    assert EmbeddingClassifier(EXAMPLES, l2=2.0).load()[1].calibration.slope != 0.125


@pytest.mark.parametrize("damage", ["empty", "no json", "another key", "short", "not finite"])
def test_a_damaged_cache_is_left_aside(cache_home: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    learned = EmbeddingClassifier(EXAMPLES).load()[1]
    (file,) = (cache_home / "heads").iterdir()
    contents = {
        "empty": b"",
        "no json": b"\xff",
        "another key": msgspec.json.encode(msgspec.structs.replace(learned, key="0" * 64)),
        "short": msgspec.json.encode(msgspec.structs.replace(learned, head=Head((1.0,), 0.0))),
        "not finite": msgspec.json.encode(learned).replace(b'"intercept":', b'"intercept":1e999,"x":', 1),
    }
    file.write_bytes(contents[damage])
    with caplog.at_level(logging.WARNING):
        assert EmbeddingClassifier(EXAMPLES).load()[1] == learned
    assert "the cached head is damaged" in caplog.text
    assert msgspec.json.decode(file.read_bytes(), type=Learned) == learned


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert len(EmbeddingClassifier(EXAMPLES).scores(["a", "b"])) == 2
    assert "cannot write the cache" in caplog.text


async def test_a_conversation_without_user_text_has_no_label() -> None:
    verdict = await EmbeddingClassifier(EXAMPLES).classify(Conversation(messages=[]))
    assert verdict.failure is not None


async def test_verdicts_asked_for_at_once_load_once(cache_home: Path) -> None:
    classifier = EmbeddingClassifier(EXAMPLES)
    query = conversation_of("How much is the mug?")
    verdicts = await asyncio.gather(*(classifier.classify(query) for _ in range(8)))
    assert len({verdict.p_simple for verdict in verdicts}) == 1


def test_examples_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(LabelledSetError, match="examples: no query is labelled 'complex'"):
        EmbeddingClassifier(EXAMPLES[:1])
    with pytest.raises(LabelledSetError, match="calibration: no query is labelled 'simple'"):
        EmbeddingClassifier(EXAMPLES, calibration=EXAMPLES[1:2])
    with pytest.raises(ValueError, match="5 examples of each label are needed, got 2"):
        EmbeddingClassifier(EXAMPLES[:4])
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"text": "a"}))
    with pytest.raises(LabelledSetError, match=r"mine.jsonl, line 1"):
        EmbeddingClassifier(file)


@pytest.mark.parametrize(("name", "value"), [("simple_share", 0.0), ("simple_share", 1.0), ("l2", 0.0)])
def test_values_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        EmbeddingClassifier(EXAMPLES, **{name: value})  # type: ignore[arg-type]  # mypy takes any keyword for each
