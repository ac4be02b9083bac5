from __future__ import annotations

from typing import Any

import pytest

from tests.evaluate.outcomes.tables import answers, batch_of
from turnout.classify.keyword import KeywordClassifier
from turnout.core.verdict import Failure, Verdict
from turnout.evaluate.scoreboard.classifiers import ClassifierRouter
from turnout.messages.conversation import Conversation

BATCH = batch_of(*answers("Where is my parcel?", 1, 1)[:1], *answers("Why was I charged twice?", 1, 1)[:1])


class Outcomes:
    """Says P(suffices) by the length of the query."""

    name = "outcomes"

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        if len(conversation.query) > 20:
            return Verdict(classifier=self.name, failure=Failure("timeout"))
        return Verdict(
            classifier=self.name, label="simple", basis="outcome", p_suffices={"cheap": 0.75, "capable": 1.0}
        )


def test_labels_rank() -> None:
    router = ClassifierRouter(KeywordClassifier())
    easy, hard = router.scores(BATCH)
    assert (router.name, router.meaning, router.failures) == ("keyword", None, 0)
    assert 0.0 < easy < hard < 1.0


def test_outcomes_are_probabilities_and_failures_need_the_capable_model() -> None:
    router = ClassifierRouter(Outcomes(), name="mine", cheap="cheap")
    assert router.scores(BATCH).tolist() == [0.25, 1.0]
    assert (router.name, router.meaning, router.failures) == ("mine", "gains", 1)


def test_a_verdict_that_does_not_know_the_cheap_model() -> None:
    with pytest.raises(ValueError, match="has no p for 'haiku', only for cheap, capable"):
        ClassifierRouter(Outcomes(), cheap="haiku").scores(BATCH)
