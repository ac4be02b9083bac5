"""Several classifiers one after the other."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from turnout.classify.calibrate import failed_verdict, label_verdict
from turnout.classify.cascade import Cascade, Stage
from turnout.classify.keyword import KeywordClassifier, KeywordRule, KeywordRules
from turnout.classify.length import LengthClassifier
from turnout.classify.protocol import Classifier
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Verdict
from turnout.messages.conversation import Conversation, conversation_of

QUERY = conversation_of("a query")


def call(model: str) -> ClassifierCall:
    return ClassifierCall(model=model, usage=Usage(input_tokens=400, output_tokens=4))


class Fixed:
    """A classifier with one answer, which counts how often it is asked."""

    def __init__(self, name: str, answer: Verdict | BaseException) -> None:
        self.name = name
        self.answer = answer
        self.asked = 0

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        self.asked += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def sure(name: str, p: float) -> Fixed:
    return Fixed(name, label_verdict(name, p, calls=(call(name),), latency_ms=1.0))


def failing(name: str) -> Fixed:
    return Fixed(name, failed_verdict(name, "timeout", "too slow", calls=(call(name),)))


@pytest.mark.parametrize(
    ("p", "asks_next"),
    [(0.0, False), (0.2, False), (0.21, True), (0.5, True), (0.79, True), (0.8, False), (1.0, False)],
)
async def test_a_later_stage_is_asked_only_in_doubt(p: float, asks_next: bool) -> None:
    first, second = sure("first", p), sure("second", 0.99)
    verdict = await Cascade([Stage(first, 0.2, 0.8), Stage(second)]).classify(QUERY)
    assert second.asked == int(asks_next)
    assert verdict.classifier == ("cascade/second" if asks_next else "cascade/first")
    assert verdict.p_simple == (0.99 if asks_next else p)
    assert [one.model for one in verdict.calls] == (["first", "second"] if asks_next else ["first"])


async def test_the_last_stage_has_the_last_word_though_it_doubts() -> None:
    verdict = await Cascade([Stage(sure("a", 0.5)), Stage(sure("b", 0.45))]).classify(QUERY)
    assert (verdict.classifier, verdict.label) == ("cascade/b", "complex")


async def test_a_failed_stage_goes_on_to_the_next_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        verdict = await Cascade([Stage(failing("a")), Stage(sure("b", 0.9))]).classify(QUERY)
    assert (verdict.classifier, verdict.label) == ("cascade/b", "simple")
    assert [one.model for one in verdict.calls] == ["a", "b"]
    assert "classifier=<a>, kind=<timeout>" in caplog.text


async def test_a_stage_that_raises_goes_on_to_the_next() -> None:
    broken = Fixed("a", RuntimeError("secret text"))
    verdict = await Cascade([Stage(broken), Stage(sure("b", 0.9))]).classify(QUERY)
    assert verdict.label == "simple"


async def test_where_the_later_stage_fails_the_doubtful_verdict_stands() -> None:
    verdict = await Cascade([Stage(sure("a", 0.6)), Stage(failing("b"))]).classify(QUERY)
    assert (verdict.classifier, verdict.label, verdict.p_simple) == ("cascade/a", "simple", 0.6)
    assert [one.model for one in verdict.calls] == ["a", "b"]


async def test_only_where_all_fail_is_there_no_label() -> None:
    broken = Fixed("b", RuntimeError("secret text"))
    verdict = await Cascade([Stage(failing("a")), Stage(broken)]).classify(QUERY)
    assert verdict.failure is not None
    assert verdict.failure.kind == "error"
    assert verdict.failure.detail == "a: timeout, too slow; b: error, RuntimeError"
    assert [one.model for one in verdict.calls] == ["a"]


def test_the_most_that_a_verdict_takes_is_that_of_every_stage() -> None:
    class Priced(Fixed):
        def most_usage(self, conversation: Conversation) -> list[tuple[str, Usage]]:
            return [("m", Usage(input_tokens=7))]

    given = sure("a", 0.5)
    stages = [Stage(given), *[Stage(Priced(name, RuntimeError())) for name in ("b", "c")]]
    assert Cascade(stages).most_usage(QUERY) == [("m", Usage(input_tokens=7))] * 2


async def test_cancellation_is_no_failure_of_a_stage() -> None:
    second = sure("b", 0.9)
    with pytest.raises(asyncio.CancelledError):
        await Cascade([Stage(Fixed("a", asyncio.CancelledError())), Stage(second)]).classify(QUERY)
    assert second.asked == 0


async def test_with_real_classifiers() -> None:
    rules = KeywordRules(rules=(KeywordRule(name="fault", weight=-4.0, words=("crashes",)),))
    keyword = KeywordClassifier(rules, simple_share=0.5)
    cascade = Cascade([Stage(keyword, 0.3, 0.7), Stage(LengthClassifier())], name="both")
    assert isinstance(cascade, Classifier)
    assert (await cascade.classify(conversation_of("it crashes"))).classifier == "both/keyword"
    assert (await cascade.classify(conversation_of("short one"))).classifier == "both/length"


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.5), (0.6, 0.5), (0.5, 1.1)])
def test_a_zone_that_cannot_be(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="zone of doubt"):
        Stage(LengthClassifier(), low, high)


def test_a_cascade_needs_a_stage() -> None:
    with pytest.raises(ValueError, match="at least one stage"):
        Cascade([])
