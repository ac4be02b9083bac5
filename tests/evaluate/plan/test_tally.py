from __future__ import annotations

from typing import Any

import pytest

from turnout.evaluate.plan.costs import NOTHING, Spend
from turnout.evaluate.plan.player import Served
from turnout.evaluate.plan.tally import Cell, Change, Changes, Distinct, Tally, bucket_of


def served(model: str | None, pico: int = 0, **changes: Any) -> Served:
    return Served(model=model, reason="why", spend=Spend(pico, pico, pico, pico))._replace(**changes)


def test_sums_are_sums() -> None:
    tally = Tally()
    for one in (
        served("a", 5, p=0.5, verdict_p=0.5),
        served("b", 7, switched=True, p=1.0),
        served("a", 1, spend=Spend(1, 0, 9, 0), kept=True, unjudged=True),
        served(None, spend=NOTHING),
    ):
        tally.add(one)
    assert (tally.decisions, tally.spend) == (4, Spend(13, 12, 21, 12))
    assert (tally.by_model["a"], tally.by_model[None], tally.spend_by_model["a"]) == (2, 1, 6)
    assert (tally.switches, tally.refused, tally.estimated, tally.kept, tally.unjudged) == (1, 1, 1, 1, 1)
    assert (tally.p_sum, tally.p_spread, tally.p_known) == (1.5, 0.25, 2)
    assert tally.cells == {Cell("a", 2): 1, Cell("b", None): 1, Cell("a", None): 1}
    assert tally.share("a") == 0.5
    assert Tally().share("a") == 0.0


@pytest.mark.parametrize(("p", "bucket"), [(None, None), (0.0, 0), (0.19, 0), (0.2, 1), (0.99, 4), (1.0, 4)])
def test_probabilities_are_sorted_into_classes(p: float | None, bucket: int | None) -> None:
    assert bucket_of(p) == bucket


def test_changes_count_decisions_sessions_and_money() -> None:
    changes = Changes()
    changes.add(("r", "s"), served("a", 5), served("a", 9))
    assert (changes.decisions, changes.sessions) == (0, 0)
    changes.add(("r", "s"), served("a", 5), served("b", 2))
    changes.add(("r", "s"), served("a", 5), served("b", 1))
    changes.add(("r", "t"), served("a", 5), served(None))
    assert (changes.decisions, changes.sessions) == (3, 2)
    assert changes.routes[Change("a", "b", "why", "why")] == 2
    assert changes.spend_pico[Change("a", "b", "why", "why")] == -7


def test_names_that_come_again_after_many_others_count_once() -> None:
    distinct = Distinct()
    for _ in range(2):
        for number in range(25_000):
            distinct.add(("run", str(number)))
    assert distinct.count() == 25_000
