import json
import random
from collections import defaultdict
from pathlib import Path

import pytest

from tests.evaluate.replay.traces import call, mooncake, tau_bench
from turnout.classify.length import LengthClassifier
from turnout.core.verdict import Failure, Verdict
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.requests import ReplayRequest
from turnout.evaluate.replay.verdicts import Difficulty, classified, draw, from_file, recorded


def test_independent_draws_can_be_made_again_in_one_line() -> None:
    requests = mooncake()[0].requests
    generator = random.Random(7)
    assert draw(requests, Difficulty(seed=7)).simple == tuple([generator.random() < 0.6 for _ in requests])


def test_a_turn_has_one_verdict() -> None:
    requests = [call("ab", number, turn="one") for number in range(20)]
    assert len(set(draw(requests, Difficulty(share=0.5)).simple)) == 1


def test_all_and_none() -> None:
    requests = mooncake()[0].requests
    assert set(draw(requests, Difficulty(share=1.0, correlation=0.7)).simple) == {True}
    assert set(draw(requests, Difficulty(share=0.0, correlation=0.7)).simple) == {False}


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7])
def test_the_share_holds_and_turns_of_a_session_are_as_alike_as_was_asked(correlation: float) -> None:
    """Over 4,000 sessions of two turns; the tolerances are four standard errors of an independent draw and more."""
    requests = [call("ab", 2 * number + turn, session=str(number)) for number in range(4000) for turn in range(2)]
    drawn = draw(requests, Difficulty(share=0.4, correlation=correlation, seed=3)).simple
    assert sum(drawn) / len(drawn) == pytest.approx(0.4, abs=0.03)
    pairs: dict[str, list[bool]] = defaultdict(list)
    for request, simple in zip(requests, drawn, strict=True):
        pairs[request.session].append(simple)
    both = sum(all(pair) for pair in pairs.values()) / len(pairs)
    # P(both simple) = share² + correlation · share · (1 − share).
    assert both == pytest.approx(0.16 + correlation * 0.24, abs=0.035)


def test_mistakes_are_shown_and_not_true() -> None:
    requests = [call("ab", number) for number in range(4000)]
    right = draw(requests, Difficulty(seed=1))
    wrong = draw(requests, Difficulty(seed=1, accuracy=0.8))
    assert wrong.simple == right.simple
    agree = sum(shown.label == "simple" for shown in wrong.shown)
    same = sum((shown.label == "simple") == simple for shown, simple in zip(wrong.shown, wrong.simple, strict=True))
    assert same / len(requests) == pytest.approx(0.8, abs=0.03)
    # 0.6 · 0.8 + 0.4 · 0.2
    assert agree / len(requests) == pytest.approx(0.56, abs=0.035)
    assert "80% right" in wrong.name


@pytest.mark.parametrize("wrong", [{"share": 1.1}, {"accuracy": -0.1}, {"correlation": 1.0}])
def test_shares_are_shares(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Difficulty(**wrong)  # type: ignore[arg-type]  # mypy cannot tell the keys of the dict.


def with_verdict(verdict: Verdict | None) -> ReplayRequest:
    return ReplayRequest(session="s", turn="t", at_ms=0, segments=(), whole=-1, output_tokens=1, verdict=verdict)


def test_recorded_verdicts_are_taken_and_a_missing_one_is_complex() -> None:
    simple = Verdict(classifier="c", label="simple", p_simple=0.9)
    failed = Verdict(classifier="c", failure=Failure("timeout"))
    taken = recorded([with_verdict(simple), with_verdict(None), with_verdict(failed)])
    assert taken.simple == (True, False, False)
    assert taken.shown[0] == simple
    assert taken.shown[2].failure is not None


def test_a_file_of_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    lines = [{"label": "simple"}, {"label": "complex"}, {"label": "simple", "truth": "complex"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    requests = [call("ab", number) for number in range(3)]
    taken = from_file(path, requests)
    assert taken.simple == (True, False, False)
    assert [one.label for one in taken.shown] == ["simple", "complex", "simple"]
    with pytest.raises(TraceError, match="has 3 verdicts for 2 calls"):
        from_file(path, requests[:2])
    path.write_text('{"label": "easy"}\n')
    with pytest.raises(TraceError, match=r"line 1: Invalid enum value 'easy'"):
        from_file(path, requests)


def test_a_classifier_reads_the_text_of_each_turn() -> None:
    requests = tau_bench()[0].requests
    judged = classified(requests, LengthClassifier())
    by_turn: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for request, verdict in zip(requests, judged.shown, strict=True):
        by_turn[request.session, request.turn].add(verdict.label)
    assert {len(labels) for labels in by_turn.values()} == {1}
    assert {verdict.classifier for verdict in judged.shown} == {LengthClassifier().name}
    with pytest.raises(TraceError, match="no text"):
        classified(mooncake()[0].requests, LengthClassifier())
