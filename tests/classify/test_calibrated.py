from __future__ import annotations

import random
from typing import Any

from turnout.classify.calibrated import CalibratedClassifier
from turnout.classify.keyword import KeywordClassifier
from turnout.classify.learned.rows import Row
from turnout.classify.likeness import Likeness, references_of
from turnout.classify.protocol import Classifier, PricedClassifier
from turnout.core.usage import Usage
from turnout.core.verdict import Failure, Verdict
from turnout.messages.conversation import Conversation, conversation_of


def likeness() -> Likeness:
    draw = random.Random(1)
    words = ["where", "is", "my", "order", "and", "when", "will", "it", "come"]
    rows = [Row(" ".join(draw.choices(words, k=8))) for _ in range(60)]
    references = references_of(rows, space="ngrams", share=0.05)
    assert references is not None
    return Likeness(references)


class Priced:
    """A classifier that fails, and says what it may cost."""

    name = "priced"

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        return Verdict(classifier=self.name, failure=Failure("timeout"))

    def most_usage(self, conversation: Conversation) -> list[tuple[str, Usage]]:
        return [("m", Usage(input_tokens=5))]


async def test_the_verdict_also_says_how_unlike_the_request_is() -> None:
    plain = KeywordClassifier()
    found = CalibratedClassifier(plain, likeness())
    assert isinstance(found, Classifier)
    assert found.name == "keyword"
    near, far = conversation_of("when will my order come and where is"), conversation_of("Докажите теорему {}();")
    said = await found.classify(near)
    assert said.p_simple == (await plain.classify(near)).p_simple
    assert not said.unlike
    assert (await found.classify(far)).unlike


async def test_a_failure_stays_as_it_is_and_prices_are_the_classifiers() -> None:
    found = CalibratedClassifier(Priced(), likeness())
    conversation = conversation_of("where is it")
    assert (await found.classify(conversation)).unlikeness is None
    assert isinstance(found, PricedClassifier)
    assert list(found.most_usage(conversation)) == [("m", Usage(input_tokens=5))]
    assert list(CalibratedClassifier(KeywordClassifier(), likeness()).most_usage(conversation)) == []
