"""Where a replay's verdicts come from: drawn from a seeded model of difficulty, read from a file, or classified.

Drawn verdicts: each turn is truly simple with the chance ``share``. With a correlation above 0 the turns of a session
are alike: each session draws a share of its own from a Beta distribution with mean ``share`` and variance
``correlation · share · (1 − share)``, which makes that figure the correlation of any two turns of a session. The share
over all sessions stays as it is.

What a policy is shown is the truth, or with the chance ``1 − accuracy`` its opposite. Whether a complex turn was served
by the cheap model is judged by the truth.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from turnout.classify.protocol import Classifier
from turnout.core.verdict import Complexity, Failure, Verdict
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.files import Advance, read_lines
from turnout.evaluate.replay.requests import ReplayRequest

SIMPLE = Verdict(classifier="drawn", label="simple", p_simple=1.0)
COMPLEX = Verdict(classifier="drawn", label="complex", p_simple=0.0)


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict for each call of a trace.

    Attributes:
        shown: What a policy is shown.
        simple: Whether the call is truly simple.
        name: Where they come from, in words.
    """

    shown: tuple[Verdict, ...]
    simple: tuple[bool, ...]
    name: str


class Difficulty(msgspec.Struct, frozen=True, kw_only=True):
    """A seeded model of difficulty.

    Attributes:
        share: The share of turns that are simple.
        correlation: How alike the turns of one session are: 0, independent, to below 1.
        accuracy: The share of turns whose shown verdict is the truth.
        seed: Of all draws.

    Raises:
        ValueError: A share is out of range.
    """

    share: float = 0.6
    correlation: float = 0.0
    accuracy: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("share", "accuracy"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if not 0.0 <= self.correlation < 1.0:
            raise ValueError(f"correlation must be 0 or more and below 1, got {self.correlation}")


def draw(requests: Sequence[ReplayRequest], difficulty: Difficulty) -> Verdicts:
    """Verdicts drawn from a model of difficulty; the same seed gives the same, whatever the models are.

    Independent draws come from one generator in the order of the turns, so that others can make them again in one
    line: ``random.Random(seed).random() < share``.
    """
    drawn = random.Random(difficulty.seed)
    mistaken = random.Random(f"{difficulty.seed} mistaken")
    shares: dict[str, float] = {}
    turns: dict[tuple[str, str], tuple[bool, bool]] = {}
    shown, simple = [], []
    for request in requests:
        turn = request.session, request.turn
        if turn not in turns:
            truth = drawn.random() < _share_of(request.session, difficulty, shares)
            right = difficulty.accuracy == 1.0 or mistaken.random() < difficulty.accuracy
            turns[turn] = truth, truth == right
        truth, said = turns[turn]
        simple.append(truth)
        shown.append(SIMPLE if said else COMPLEX)
    name = f"drawn: {difficulty.share:.0%} simple, correlation {difficulty.correlation:g}, seed {difficulty.seed}"
    if difficulty.accuracy != 1.0:
        name += f", {difficulty.accuracy:.0%} right"
    return Verdicts(shown=tuple(shown), simple=tuple(simple), name=name)


def recorded(requests: Sequence[ReplayRequest]) -> Verdicts:
    """The verdicts that the trace itself holds; a call without one counts as complex, and so does a failure."""
    shown = [_settled(request.verdict) for request in requests]
    return Verdicts(shown=tuple(shown), simple=tuple([one.label == "simple" for one in shown]), name="recorded")


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: Literal["simple", "complex"]
    truth: Literal["simple", "complex"] | None = None


def from_file(path: Path, requests: Sequence[ReplayRequest], advance: Advance = lambda lines: None) -> Verdicts:
    """Verdicts of a file of JSON lines, one for each call of the trace, in its order.

    A line is ``{"label": "simple"}`` or ``{"label": "complex"}``; with ``"truth"`` beside it where the label may be
    wrong.

    Raises:
        TraceError: The file cannot be read, a line is none, or there are not as many as calls.
    """
    labels: list[tuple[Complexity, Complexity]] = []
    for _, line in read_lines(path, _Line, advance):
        labels.append((line.label, line.truth or line.label))
    if len(labels) != len(requests):
        raise TraceError(f"{path} has {len(labels):,} verdicts for {len(requests):,} calls: one a call is needed")
    said: Mapping[Complexity, Verdict] = {"simple": SIMPLE, "complex": COMPLEX}
    return Verdicts(
        shown=tuple([said[label] for label, _ in labels]),
        simple=tuple([truth == "simple" for _, truth in labels]),
        name=f"file {path.name}",
    )


def classified(
    requests: Sequence[ReplayRequest], classifier: Classifier, advance: Advance = lambda calls: None
) -> Verdicts:
    """Verdicts that a classifier gives on the text of each turn; they count as the truth, which nobody knows.

    Raises:
        TraceError: The trace has no text.
    """
    if any(request.conversation is None for request in requests):
        raise TraceError("the trace has no text that a classifier could read: draw verdicts or give a file of them")
    shown = asyncio.run(_classify(requests, classifier, advance))
    return Verdicts(
        shown=tuple(shown),
        simple=tuple([one.label == "simple" for one in shown]),
        name=f"classifier {classifier.name}",
    )


async def _classify(requests: Sequence[ReplayRequest], classifier: Classifier, advance: Advance) -> list[Verdict]:
    turns: dict[tuple[str, str], Verdict] = {}
    shown = []
    for request in requests:
        advance(1)
        turn = request.session, request.turn
        if turn not in turns:
            assert request.conversation is not None, "it was looked for before"
            turns[turn] = _settled(await classifier.classify(request.conversation))
        shown.append(turns[turn])
    return shown


def _settled(verdict: Verdict | None) -> Verdict:
    if verdict is None:
        return COMPLEX
    if verdict.failure is not None:
        return Verdict(classifier=verdict.classifier, failure=Failure(verdict.failure.kind))
    return verdict


def _share_of(session: str, difficulty: Difficulty, shares: dict[str, float]) -> float:
    share, correlation = difficulty.share, difficulty.correlation
    if correlation == 0.0 or share in (0.0, 1.0):
        return share
    own = shares.get(session)
    if own is None:
        weight = (1 - correlation) / correlation
        generator = random.Random(f"{difficulty.seed} {session}")
        own = shares[session] = generator.betavariate(share * weight, (1 - share) * weight)
    return own
