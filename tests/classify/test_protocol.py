"""What every classifier that Turnout builds keeps to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.classify.says import Says
from turnout.classify.configured import KINDS, configured_classifier
from turnout.classify.length import LengthClassifier
from turnout.classify.protocol import Classifier
from turnout.config import load_catalog, load_settings
from turnout.core.verdict import ClassifierCall, Verdict
from turnout.messages.conversation import Conversation, conversation_of


@pytest.fixture(scope="module", params=[*KINDS, "length"])
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A classifier of each kind."""
    if request.param == "length":
        return LengthClassifier()
    file = tmp_path_factory.mktemp("settings") / "turnout.toml"
    file.write_text("")
    built = configured_classifier(load_settings(file), load_catalog(), kind=request.param, model_for=Says)
    assert built is not None
    return built


def test_it_has_a_name_and_classifies(classifier: Classifier) -> None:
    assert isinstance(classifier, Classifier)
    assert classifier.name


async def test_it_lets_the_protocol_grow_and_its_verdict_has_every_call_that_it_told_of(classifier: Classifier) -> None:
    told: list[ClassifierCall] = []
    verdict = await classifier.classify(
        conversation_of("Compare both laptops for video work, please."), on_call=told.append, argument_of_tomorrow=1
    )
    assert verdict.failure is None
    assert verdict.classifier.startswith(classifier.name.partition("/")[0])
    assert set(told) <= set(verdict.calls)


def test_what_only_looks_like_a_classifier_is_none() -> None:
    class Nameless:
        async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
            raise NotImplementedError

    class Named:
        name = "named"

    assert not isinstance(Nameless(), Classifier)
    assert not isinstance(Named(), Classifier)
