from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.scoreboard.test_board import table
from turnout.evaluate.scoreboard.board import Judgements, Plan, Wanted, judgements
from turnout.evaluate.scoreboard.naming import FunctionRouter
from turnout.evaluate.scoreboard.plot import POINTS, draw, line_of


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> list[Judgements]:
    source = table(tmp_path_factory.mktemp("t") / "t.csv")
    router = FunctionRouter(lambda batch: [float(len(prompt)) for prompt in batch.prompt], name="$chars$")
    return judgements(Plan(source=source, pairs=[Wanted(cheap="cheap", capable="capable")], routers=[router]))


def test_a_line_goes_from_one_model_to_the_other(done: list[Judgements]) -> None:
    (one,) = done
    by_name = {judged.name: judged for judged in one.judged}
    across, up, low, high = line_of(one, by_name["$chars$"])
    assert len(across) == len(up) == POINTS
    assert (across[0], across[-1]) == pytest.approx((1.0, 10.0))
    assert (up[0], up[-1]) == pytest.approx((2 / 3, 1.0))
    assert ((low <= up) & (up <= high)).all()
    assert (high - low).max() > 0.0
    _, _, flat_low, flat_high = line_of(one, by_name["random"])
    assert np.array_equal(flat_low, flat_high)


@pytest.mark.parametrize(("ending", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_a_file_is_written(done: list[Judgements], tmp_path: Path, ending: str, magic: bytes) -> None:
    draw(done, tmp_path / f"c{ending}")
    assert (tmp_path / f"c{ending}").read_bytes().startswith(magic)


def test_the_same_curves_are_the_same_file(done: list[Judgements], tmp_path: Path) -> None:
    draw(done, tmp_path / "a.svg")
    draw(done, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
