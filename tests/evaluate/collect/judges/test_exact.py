from __future__ import annotations

import pytest

from turnout.evaluate.collect.judges.exact import AgreementJudge, ExactJudge
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Grade


@pytest.mark.parametrize(
    ("answer", "strict", "loose"),
    [("Paris", 1, 1), (" Paris\n", 1, 1), ("paris.", 0, 1), ("It is Paris", 0, 0), ("", 0, 0)],
)
async def test_against_the_expected_answer(answer: str, strict: float, loose: float) -> None:
    request = Request(id="1", prompt="Capital of France?", expected="Paris")
    assert await ExactJudge().grade(request, answer, "Paris") == Grade(cheap=strict, capable=1.0)
    assert await ExactJudge(loose=True).grade(request, "Paris", answer) == Grade(cheap=1.0, capable=loose)


def test_an_expected_answer_is_needed() -> None:
    assert ExactJudge().lacks(Request(id="1", prompt="x", expected=" ")) == "no 'expected' answer"
    assert ExactJudge().lacks(Request(id="1", prompt="x", expected="y")) is None


async def test_agreement_with_the_capable_model() -> None:
    request = Request(id="1", prompt="x")
    assert AgreementJudge().lacks(request) is None
    assert await AgreementJudge().grade(request, "Spam!", "spam") == Grade(cheap=1.0, capable=1.0)
    assert await AgreementJudge().grade(request, "ham", "spam") == Grade(cheap=0.0, capable=1.0)


def test_names() -> None:
    assert [ExactJudge().name, ExactJudge(loose=True).name, AgreementJudge().name] == [
        "exact",
        "exact-loose",
        "agreement",
    ]
