from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.calibration.bars import bars_on
from turnout.evaluate.calibration.figures import Measured
from turnout.evaluate.training.answers import Answers, read_answers

SAID = np.array([[0.9], [0.9], [0.2], [0.2]])


@pytest.fixture
def four(tmp_path: Path) -> Answers:
    rows = [row for number in range(4) for row in answers(f"p{number}", float(number % 2), 1.0)]
    found = read_answers(file_of(tmp_path / "t.jsonl", *rows), ["cheap", "capable"])
    return dataclasses.replace(found, scores=np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))


def test_by_hand(four: Answers) -> None:
    found = Measured(bars_on(SAID, four.scores, [0.5]), four, np.ones(4)).under(0.5)
    assert [share.value for share in found.shares] == [0.5, 0.5]
    assert found.shares[0].low < 0.5 < found.shares[0].high
    # Two at 0.001 and two at 0.01 USD, against four at 0.01.
    assert found.usd is not None
    assert found.usd.value == pytest.approx(0.0055)
    assert found.capable_usd is not None
    assert found.capable_usd.value == pytest.approx(0.01)
    assert found.capable_usd.low == pytest.approx(0.01)
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(0.55)
    # Served: 0, 1, 1, 0; the capable model: 1, 1, 1, 0.
    assert found.kept is not None
    assert found.kept.value == pytest.approx(2 / 3)


def test_always_capable_keeps_all_and_costs_all(four: Answers) -> None:
    found = Measured(bars_on(SAID, four.scores, [0.5]), four, np.ones(4)).under(None)
    assert [share.value for share in found.shares] == [0.0, 1.0]
    assert found.kept is not None
    assert found.ratio is not None
    assert (found.kept.value, found.kept.low, found.ratio.high) == (1.0, 1.0, 1.0)


def test_weights_count(four: Answers) -> None:
    found = Measured(bars_on(SAID, four.scores, [0.5]), four, np.array([3.0, 3.0, 1.0, 1.0])).under(0.5)
    assert found.shares[0].value == 0.75


def test_costs_that_are_not_known(four: Answers) -> None:
    unknown = dataclasses.replace(four, costs=np.full((4, 2), np.nan))
    measured = Measured(bars_on(SAID, four.scores, [0.5]), unknown, np.ones(4))
    found = measured.under(0.5)
    assert not measured.costs_known
    assert (found.usd, found.capable_usd, found.ratio) == (None, None, None)
