"""How long a planned decision takes: what a session of some turns costs to price on each candidate, ahead of its end.

Run it with ``python -m benchmarks.bench_plan``. A session's newest turn is decided: all before it is warm on every
other candidate, and every prefix may come back. Each figure is the median of single calls in microseconds, after a
warm-up. The floor is to encode the decision's input as JSON, which is done for every decision that is recorded; what a
decision costs is given in times of it. Times of a machine that does other work at the same time are too high.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.bench_decide import NOW_MS, example, median_us
from turnout.core.cache import TTL_MS, CacheEntry, CacheState
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.horizon import Horizon
from turnout.core.policy import Policy
from turnout.core.request import Request, Segment
from turnout.sessions.horizon import HorizonLearner, Prefixes

CANDIDATES = (2, 8)
TURNS = (1, 30, 300)
MARKERS: tuple[Literal["user", "manage"], ...] = ("user", "manage")
HEAD_TOKENS = 2_000
MESSAGE_TOKENS = 120


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Medians in microseconds for one session.

    Attributes:
        candidates: How many models are priced.
        turns: The session's turns, the one at hand included.
        markers: Whose cache points: the request's own, or planned ones.
        decide_us: One decision.
        expect_us: To look up what is expected to come after the call.
        learn_us: To learn from the call.
        floor_us: To encode the decision's input.
    """

    candidates: int
    turns: int
    markers: Literal["user", "manage"]
    decide_us: float
    expect_us: float
    learn_us: float
    floor_us: float

    @property
    def ratio(self) -> float:
        """A decision in times of the floor."""
        return self.decide_us / self.floor_us


def request_of(turns: int) -> Request:
    """The call of a session's newest turn: tools, system, and a query and an answer for each turn before it."""
    segments = [
        Segment(kind="tools", tokens=HEAD_TOKENS // 2, prefix_hash="tools"),
        Segment(kind="system", tokens=HEAD_TOKENS // 2, prefix_hash="system", marker="5m"),
    ]
    segments += [
        Segment(kind="message", tokens=MESSAGE_TOKENS, prefix_hash=f"{index:032x}") for index in range(2 * turns - 1)
    ]
    segments[-1] = msgspec.structs.replace(segments[-1], marker="5m")
    return Request(session_id="s", segments=tuple(segments), max_output_tokens=1024)


def learned(turns: int, models: list[str]) -> HorizonLearner:
    """A learner that saw the session's turns before the one at hand, a minute apart."""
    learner = HorizonLearner()
    for turn in range(1, turns):
        prefixes = Prefixes.of(request_of(turn))
        learner.called(prefixes, models[turn % len(models)], NOW_MS - (turns - turn) * 60_000)
    return learner


def planned(
    candidates: int, turns: int, markers: Literal["user", "manage"], horizon: Horizon | None = None
) -> DecisionInput:
    """The newest turn of a session; what was sent before is warm on every other candidate."""
    given = example(candidates, 1)
    models = [candidate.model for candidate in given.policy.candidates]
    request = request_of(turns)
    if horizon is None:
        horizon = learned(turns, models).horizon(Prefixes.of(request), models, NOW_MS)
    sent = request.segments[1 : len(request.segments) - 2 : 2] or request.segments[1:2]
    warm = CacheState(
        tuple(
            CacheEntry(prefix_hash=one.prefix_hash, ttl="5m", expires_ms=NOW_MS + TTL_MS["5m"] - 60_000) for one in sent
        )
    )
    return msgspec.structs.replace(
        given,
        request=request,
        policy=Policy(candidates=given.policy.candidates, horizon="session", markers=markers),
        caches=dict.fromkeys(models[::2], warm),
        horizon=horizon,
    )


def measure(candidates: int, turns: int, markers: Literal["user", "manage"], *, seconds: float = 0.3) -> Timing:
    """Time one session, spending about that many seconds on each figure."""
    request = request_of(turns)
    models = [candidate.model for candidate in example(candidates, 1).policy.candidates]
    learner = learned(turns, models)
    given = planned(candidates, turns, markers, learner.horizon(Prefixes.of(request), models, NOW_MS))
    return Timing(
        candidates=candidates,
        turns=turns,
        markers=markers,
        decide_us=median_us(lambda: decide(given), seconds=seconds),
        expect_us=median_us(lambda: learner.horizon(Prefixes.of(request), models, NOW_MS), seconds=seconds),
        learn_us=median_us(lambda: learner.called(Prefixes.of(request), models[0], NOW_MS), seconds=seconds),
        floor_us=median_us(lambda: msgspec.json.encode(given, order="deterministic"), seconds=seconds),
    )


def main() -> None:
    """Measure every session and print a table."""
    table = Table(title="one planned decision: medians in µs; the floor is to encode its input", title_justify="left")
    for heading in ("markers", "models", "turns", "decide", "expect", "learn", "floor", "times floor"):
        table.add_column(heading, justify="left" if heading == "markers" else "right", no_wrap=True)
    for markers in MARKERS:
        for candidates in CANDIDATES:
            for turns in TURNS:
                timing = measure(candidates, turns, markers)
                table.add_row(
                    markers,
                    str(candidates),
                    str(turns),
                    f"{timing.decide_us:.0f}",
                    f"{timing.expect_us:.0f}",
                    f"{timing.learn_us:.0f}",
                    f"{timing.floor_us:.0f}",
                    f"{timing.ratio:.1f}",
                )
    Console().print(table)


if __name__ == "__main__":
    main()
