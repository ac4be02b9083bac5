from __future__ import annotations

import pytest

from turnout.config import DEFAULT_PAIR, PAIR_4, PAIR_5_5, Pair, load_catalog
from turnout.core.policy import Candidate


def test_the_default_is_the_pair_of_the_reference_system() -> None:
    assert DEFAULT_PAIR is PAIR_4
    assert PAIR_4.candidates == (
        Candidate("bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0", 0),
        Candidate("bedrock/global.anthropic.claude-sonnet-4-6", 1),
    )


@pytest.mark.parametrize("pair", [PAIR_4, PAIR_5_5])
def test_pairs_are_in_the_catalog_and_the_cheap_one_is_cheaper(pair: Pair) -> None:
    catalog = load_catalog()
    cheap, capable = (catalog[model].price.tiers[0] for model in pair)
    assert cheap.input < capable.input
    assert cheap.output < capable.output
