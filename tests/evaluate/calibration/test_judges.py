from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.classify.learned.models import model_of
from tests.evaluate.calibration.worlds import fails, judge, ranks
from tests.evaluate.outcomes.tables import answers, batch_of
from turnout.classify.examples import LabelledExample
from turnout.classify.keyword import KeywordClassifier
from turnout.classify.learned.artefact import save
from turnout.classify.learned.classifier import LearnedClassifier
from turnout.core.verdict import Failure, Verdict
from turnout.evaluate.calibration.judges import NEVER, ArtefactJudge, ClassifierJudge, Judge
from turnout.evaluate.outcomes.content import conversations, text_key
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.messages.conversation import Conversation, conversation_of

BATCH = batch_of(*answers("one two three", 1, 1), *answers("word " * 30, 1, 1))


class Says:
    """A classifier with the verdicts that it is given."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.name = "says"
        self._verdicts = list(verdicts)

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        return self._verdicts.pop(0)


class TestArtefact:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        save(model_of(), tmp_path / "router", trained={"table_names": ["s", "m", "l"]}, card="")
        return tmp_path / "router"

    async def test_it_says_what_the_classifier_says_of_the_same_requests(self, folder: Path) -> None:
        found: Judge = ArtefactJudge(folder, ["s", "m", "l"])
        assert (found.basis, found.probability, found.embeds) == ("outcome", True, False)
        assert found.names == ["small", "middle", "large"]
        classifier = LearnedClassifier(folder)
        said = found.suffices(BATCH)
        for row, conversation in enumerate(conversations(BATCH)):
            verdict = await classifier.classify(conversation)
            assert said[row].tolist() == pytest.approx([verdict.p_suffices[name] for name in ("small", "middle")])

    def test_some_of_its_candidates_with_the_most_capable_one(self, folder: Path) -> None:
        found = ArtefactJudge(folder, ["middle", "large"])
        assert found.names == ["middle", "large"]
        assert found.suffices(BATCH).shape == (4, 1)

    @pytest.mark.parametrize("candidates", [["s", "m"], ["m", "s", "l"], ["s", "unknown", "l"]])
    def test_other_candidates_are_refused(self, folder: Path, candidates: list[str]) -> None:
        with pytest.raises(OutcomesError, match="was trained for s -> m -> l"):
            ArtefactJudge(folder, candidates)

    def test_a_request_without_a_query_clears_nothing(self, folder: Path) -> None:
        silent = batch_of(
            {"conversation": '[{"role":"assistant","content":"Hello"}]', "model": "s", "score": 1.0, "prompt": "x"}
        )
        assert ArtefactJudge(folder, ["s", "l"]).suffices(silent).tolist() == [[NEVER]]


class TestClassifier:
    def test_p_simple_counts_for_every_candidate(self) -> None:
        found = ClassifierJudge(KeywordClassifier(), identity={"kind": "keyword"}, names=["a", "b", "c"])
        said = found.suffices(BATCH)
        assert said.shape == (4, 2)
        assert (said[:, 0] == said[:, 1]).all()
        assert found.basis == "label"

    def test_verdicts_on_outcomes_and_failures(self) -> None:
        verdicts = [
            Verdict(classifier="says", label="simple", basis="outcome", p_suffices={"a": 0.7, "b": 0.9}),
            Verdict(classifier="says", failure=Failure("timeout")),
            Verdict(classifier="says", label="simple", basis="outcome", p_suffices={"b": 0.8}),
        ]
        found = ClassifierJudge(Says(*verdicts), identity={}, names=["a", "b", "c"])
        assert found.suffices(BATCH.take([0, 1, 2])).tolist() == [[0.7, 0.9], [NEVER, NEVER], [NEVER, 0.8]]
        assert (found.basis, found.failures) == ("outcome", 1)

    def test_it_was_trained_on_its_examples(self) -> None:
        found = ClassifierJudge(
            Says(), identity={}, names=["a", "b"], examples=[LabelledExample("one two three", "simple")]
        )
        assert np.array(found.trained_on()).tolist() == [text_key("one two three", None)]


def test_a_router_of_the_scoreboard() -> None:
    probable, ranked = judge(fails), judge(ranks)
    batch = batch_of(*answers("greet you", 1, 1), *answers("prove it", 0, 1))
    assert probable.suffices(batch)[:, 0].tolist() == [pytest.approx(1 - score) for score in fails(batch)]
    assert ranked.suffices(batch)[:, 0].tolist() == [-score for score in ranks(batch)]
    assert (probable.probability, ranked.probability, ranked.trained_on()) == (True, False, None)
    assert ranked.identity == {"kind": "router", "router": "worlds:ranks"}


def test_a_conversation_of_the_test_is_one_turn() -> None:
    # What judges see of a prompt is what a door makes of it.
    assert conversations(BATCH)[0] == conversation_of("one two three")
