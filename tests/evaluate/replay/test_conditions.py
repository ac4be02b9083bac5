import pytest

from tests.evaluate.replay.traces import CAPABLE, CATALOG, CHEAP, PAIR, small
from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4, PAIR_5_5, Pair
from turnout.core.catalog import UnknownModelError
from turnout.evaluate.replay.conditions import Catalogs, conditions


def test_models_count_in_the_tokens_of_the_trace() -> None:
    held = conditions(load_catalog(), PAIR_5_5, "entries")
    assert {model.id: model.tokenizer_ratio for model in held.catalog.models} == dict.fromkeys(PAIR_5_5, 1.0)
    assert {model.cache.lookback_blocks for model in held.catalog.models} == {20}


def test_blocks_are_looked_back_for_without_end() -> None:
    held = conditions(load_catalog(), PAIR_4, "blocks", ttls=["5m"])
    assert {model.cache.lookback_blocks for model in held.catalog.models} == {10**6}
    assert {model.cache.ttls for model in held.catalog.models} == {("5m",)}


def test_a_ttl_that_a_model_does_not_offer_leaves_its_first() -> None:
    held = conditions(CATALOG, PAIR, "blocks", ttls=[])
    assert {model.cache.ttls for model in held.catalog.models} == {("5m",)}


def test_the_core_is_told_of_no_floor_where_the_prompt_must_reach_it() -> None:
    catalogs = Catalogs(conditions(load_catalog(), PAIR_4, "blocks", convention="reference"))
    modes = [
        [
            (catalogs.for_prompt(tokens)[model].cache.mode, catalogs.for_prompt(tokens)[model].cache.floor_tokens)
            for model in PAIR_4
        ]
        for tokens in (1023, 1024, 4096)
    ]
    none, all_ = ("none", 0), ("explicit", 0)
    assert modes == [[none, none], [none, all_], [all_, all_]]


def test_the_core_is_told_the_real_floors_otherwise() -> None:
    held = small(floor=7)
    assert Catalogs(held).for_prompt(3) is held.catalog


def test_conditions_are_known_by_their_content() -> None:
    assert small().content_hash == small().content_hash
    assert small().content_hash != small("reference").content_hash


def test_mistakes() -> None:
    with pytest.raises(UnknownModelError, match="nearest"):
        conditions(CATALOG, Pair(CHEAP, CAPABLE + "!"), "blocks")
    with pytest.raises(ValueError, match="between 0 and 1, got 2"):
        conditions(CATALOG, PAIR, "blocks", lost=2)
