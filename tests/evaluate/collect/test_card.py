from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.collect.support import ALL
from tests.evaluate.collect.test_writing import IDENTITY, ONE, TWO
from turnout.evaluate.collect.card import card_of, card_path, read_card
from turnout.evaluate.collect.choosing import Sample
from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.sampling import Sampling, strata_of
from turnout.evaluate.collect.state import Grade, State


def test_means_are_weighted(tmp_path: Path) -> None:
    state = State(tmp_path / "s", IDENTITY)
    state.graded(ONE.key, Grade(cheap=0.0, capable=1.0))
    state.graded(TWO.key, Grade(cheap=1.0, capable=0.0))
    sampling = Sampling(strata=strata_of("0.5=0.1,1=0.5"))
    with state:
        card = card_of(Sample(requests=[ONE, TWO], population=12), sampling, state)
    # Weights 10 and 2.
    assert card.cheap_score == pytest.approx(2 / 12)
    assert card.capable_score == pytest.approx(10 / 12)
    assert (card.sampled, card.population, card.graded, card.agreement) == (2, 12, 2, None)
    assert card.least_propensity == 0.1


def test_nothing_graded_has_no_mean(tmp_path: Path) -> None:
    with State(tmp_path / "s", IDENTITY) as state:
        card = card_of(Sample(requests=[ONE]), ALL, state)
    assert (card.cheap_score, card.capable_score, card.pending) == (None, None, 1)


def test_a_table_that_no_collection_made_has_none(tmp_path: Path) -> None:
    assert read_card(tmp_path / "graded.csv") is None


def test_a_damaged_card_is_told(tmp_path: Path) -> None:
    out = tmp_path / "graded.csv"
    card_path(out).write_text('{"cheap": "small"}', encoding="utf-8")
    with pytest.raises(CollectError, match=r"graded\.csv\.card\.json is no card of a collection: .*capable"):
        read_card(out)
