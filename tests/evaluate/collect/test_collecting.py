"""How a run through requests ends; from file to file: test_session.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.evaluate.collect.support import CAPABLE, CHEAP, calling
from turnout.config import Settings
from turnout.evaluate.collect.collecting import IN_A_ROW, Collector, Ended
from turnout.evaluate.collect.errors import RequestFailedError
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Grade, Identity, State
from turnout.testing.completions import OpenAIDouble

IDENTITY = Identity(cheap=CHEAP.id, capable=CAPABLE.id, judge="own", seed="s", max_output=50)
BARE = [Request(id=f"q{number}", prompt=f"Question {number}?") for number in range(30)]


class Own:
    """A judge that grades, and does something first."""

    name = "own"

    def __init__(self, first: Any = lambda request: None) -> None:
        self.first = first

    def lacks(self, request: Request) -> str | None:
        return None

    async def grade(self, request: Request, cheap: str, capable: str) -> Grade:
        self.first(request)
        return Grade(cheap=1.0, capable=1.0)


async def run(settings: Settings, state: State, requests: list[Request], judge: Own, *, stops: bool = False) -> Ended:
    async with calling(settings) as (caller, _, _):
        made = Collector(
            cheap=CHEAP, capable=CAPABLE, judge=judge, caller=caller, state=state, max_output=50, concurrency=1
        )
        if stops:
            judge.first = lambda request: made.stop()
        return await made.run(requests)


def test_a_stop_lets_the_request_at_hand_be_graded(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    with State(tmp_path / "s", IDENTITY) as state:
        assert asyncio.run(run(settings, state, BARE, Own(), stops=True)) == Ended("stopped", 1, 0)
        assert list(state.grades) == [BARE[0].key]
    assert len(double.calls) == 2


def test_a_stop_between_two_calls_buys_no_second_answer(
    settings: Settings, double: OpenAIDouble, tmp_path: Path
) -> None:
    async def stopped_early() -> Ended:
        async with calling(settings) as (caller, _, _):
            made = Collector(
                cheap=CHEAP, capable=CAPABLE, judge=Own(), caller=caller, state=state, max_output=50, concurrency=1
            )
            answered = double.responder

            def answering(request: Any) -> Any:
                made.stop()
                return answered(request)

            double.responder = answering
            return await made.run(BARE)

    with State(tmp_path / "s", IDENTITY) as state:
        assert asyncio.run(stopped_early()) == Ended("stopped", 0, 0)
        # What was bought is kept, and the next run asks for the other answer alone.
        assert list(state.answers) == [(BARE[0].key, "cheap")]
    assert len(double.calls) == 1


def test_only_failures_in_a_row_end_a_run(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    def every_other(request: Request) -> None:
        if int(request.id[1:]) % 2:
            raise RequestFailedError("the judge is ill", again=True)

    def always(request: Request) -> None:
        raise RequestFailedError("the judge is ill", again=True)

    with State(tmp_path / "s", IDENTITY) as state:
        found = asyncio.run(run(settings, state, BARE, Own(every_other)))
        assert found == Ended("done", 15, 15, "the judge is ill")
    with State(tmp_path / "t", IDENTITY) as state:
        found = asyncio.run(run(settings, state, BARE, Own(always)))
        assert found == Ended("failing", 0, IN_A_ROW, "the judge is ill")
