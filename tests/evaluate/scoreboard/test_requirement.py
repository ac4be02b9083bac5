from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.board import Board, Plan, Wanted, scoreboard
from turnout.evaluate.scoreboard.naming import FunctionRouter
from turnout.evaluate.scoreboard.requirement import Requirement, held, requirement_of


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    rows = [row for number in range(40) for row in answers("x" * (number + 1), float(number < 20), 1.0)]
    source = file_of(tmp_path_factory.mktemp("t") / "t.csv", *rows)
    router = FunctionRouter(lambda batch: [float(len(prompt)) for prompt in batch.prompt], name="chars")
    return scoreboard(
        Plan(source=source, pairs=[Wanted(cheap="cheap", capable="capable")], routers=[router], resamples=50)
    )


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("apgr>=0.62", ("", "apgr", "value", ">=", 0.62)),
        (" tfidf:saved_95.low > .2 ", ("tfidf", "saved_95", "low", ">", 0.2)),
        ("my.mod:fn:ece.high<0.1", ("my.mod:fn", "ece", "high", "<", 0.1)),
    ],
)
def test_what_is_meant(text: str, meant: tuple[str, str, str, str, float]) -> None:
    assert requirement_of(text) == Requirement(text, *meant)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apgr=0.6", "cannot read the requirement 'apgr=0.6'; write it as 'apgr>=0.62'"),
        ("agpr>=0.6", "unknown figure 'agpr'; the nearest known one is 'apgr'"),
        ("apgr>=much", "'much' is no number"),
    ],
)
def test_what_cannot_be_meant(text: str, message: str) -> None:
    with pytest.raises(OutcomesError, match=re.escape(message)):
        requirement_of(text)


@pytest.mark.parametrize(
    ("text", "router", "fulfilled"),
    [
        ("apgr>0.7", "chars", True),
        ("apgr>=0.9", "chars", False),
        ("random:apgr<=0.5", "random", True),
        ("cpt50<=30", "chars", True),
        ("ece<1", "chars", False),
        ("apgr.low>0.99", "chars", False),
    ],
)
def test_it_is_held_against_the_routers_under_test(board: Board, text: str, router: str, fulfilled: bool) -> None:
    (found,) = held(board, [requirement_of(text)])
    assert (found.router, found.fulfilled) == (router, fulfilled)
    assert (found.found is None) is text.startswith("ece")


def test_a_router_that_is_not_there(board: Board) -> None:
    with pytest.raises(OutcomesError, match="unknown router 'char'; the nearest known one is 'chars'"):
        held(board, [requirement_of("char:apgr>0.5")])


def test_a_requirement_of_routers_under_test_wants_one(tmp_path: Path) -> None:
    source = file_of(
        tmp_path / "t.csv", *(row for number in range(10) for row in answers(f"p {number}", number % 2, 1))
    )
    bare = scoreboard(Plan(source=source, pairs=[Wanted(cheap="cheap", capable="capable")], routers=[], resamples=20))
    with pytest.raises(OutcomesError, match=r"'apgr>=0\.1': no router is under test: name one by --router"):
        held(bare, [requirement_of("apgr>=0.1")])
    assert held(bare, [requirement_of("random:apgr>=0.1")])[0].fulfilled
