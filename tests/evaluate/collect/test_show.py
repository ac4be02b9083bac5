from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.collect.support import ALL
from turnout.evaluate.collect.agreement import agreement_of
from turnout.evaluate.collect.card import card_of
from turnout.evaluate.collect.choosing import Sample
from turnout.evaluate.collect.collecting import Ended
from turnout.evaluate.collect.judges.llm import grade_of
from turnout.evaluate.collect.session import Collected
from turnout.evaluate.collect.show import agreement_sentences, sentences, usd
from turnout.evaluate.collect.state import Grade, Identity, State


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Ended("budget", 1, 0), "raise --budget to go on"),
        (Ended("stopped", 1, 0), "the same command goes on from here"),
        (Ended("failing", 1, 10, "large: AuthenticationError"), "the last: large: AuthenticationError"),
    ],
)
def test_how_a_run_ended(tmp_path: Path, ended: Ended, words: str) -> None:
    identity = Identity(cheap="small", capable="large", judge="exact", seed="s", max_output=1)
    with State(tmp_path / "s", identity) as state:
        card = card_of(Sample(), ALL, state)
    why, written, after = sentences(Collected(ended, 2, card), Path("out.csv"))
    assert words in why
    assert written.startswith("2 outcomes written to out.csv")
    assert after == "turnout outcomes inspect out.csv --pair small,large"
    assert len(sentences(Collected(Ended("done", 1, 0), 2, card), Path("out.csv"))) == 2


def test_a_judge_that_nobody_needed() -> None:
    found = agreement_of([Grade(cheap=1.0, capable=1.0)])
    assert agreement_sentences(found) == ["The judge was asked about no two different answers."]


def test_a_judge_that_agrees_is_not_warned_of() -> None:
    [said] = agreement_sentences(agreement_of([grade_of("cheap", "cheap"), grade_of("tie", "tie")]))
    assert "100.0% of 2 requests" in said
    assert "kappa 1.00" in said
    assert "Of its preferences 50.0%" in said


def test_money() -> None:
    assert usd(1_234_500_000_000) == "1.2345"
