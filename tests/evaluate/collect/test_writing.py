from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.collect.support import ALL, CHEAP
from turnout.evaluate.collect.card import card_path, read_card
from turnout.evaluate.collect.choosing import Sample
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Answered, Grade, Identity, State
from turnout.evaluate.collect.writing import write_outcomes
from turnout.evaluate.outcomes.files import read_batches
from turnout.evaluate.outcomes.table import Batch

IDENTITY = Identity(cheap="small", capable="large", judge="exact", seed="s", max_output=10)
ONE = Request(id="1", prompt="a", conversation='[{"role":"user","content":"a"}]', group="g", p=0.1, answer="x")
TWO = Request(id="2", prompt="b", p=0.9, cost_usd=0.5)


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "s", IDENTITY)
    state.graded(ONE.key, Grade(cheap=0.0, capable=1.0))
    state.graded(TWO.key, Grade(cheap=1.0, capable=0.0))
    state.answered(ONE.key, "capable", Answered(text="y", input_tokens=3, output_tokens=4, pico=1_000_000))
    state.answered(TWO.key, "capable", Answered(text="y", input_tokens=0, output_tokens=0))
    return state


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_two_rows_a_request(state: State, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    with state:
        assert write_outcomes(out, Sample(requests=[ONE, TWO]), ALL, state, CHEAP.price) == 4
    [batch] = read_batches(out)
    assert isinstance(batch, Batch)
    assert batch.model == ["small", "large", "small", "large"]
    assert batch.score == [0.0, 1.0, 1.0, 0.0]
    assert batch.group == ["g", "g", "", ""]
    assert batch.conversation[:2] == [ONE.conversation] * 2
    assert batch.cost_usd == [None, 1e-6, 0.5, None]
    assert batch.input_tokens == [None, 3, None, None]  # what was not reported is not known
    card = read_card(out)
    assert card is not None
    assert (card.sampled, card.graded) == (2, 2)
    assert card_path(out).stat().st_mode & 0o777 == 0o600
