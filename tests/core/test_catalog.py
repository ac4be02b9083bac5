"""Catalogs: models by id, with the nearest known one in every refusal."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.price_table import HAIKU_4_5, HAIKU_5_5, PLAIN, SONNET_4_6
from tests.core.strategies import catalogs
from turnout.core.catalog import Capabilities, Catalog, UnknownModelError, unknown
from turnout.core.price import flat_price
from turnout.core.request import Needs

CATALOG = Catalog.of([SONNET_4_6, PLAIN, HAIKU_4_5])


def test_models_are_ordered_by_id_and_found_by_it() -> None:
    assert [model.id for model in CATALOG.models] == [HAIKU_4_5.id, SONNET_4_6.id, PLAIN.id]
    assert CATALOG[SONNET_4_6.id] is SONNET_4_6
    assert SONNET_4_6.id in CATALOG
    assert HAIKU_5_5.id not in CATALOG
    assert 5 not in CATALOG


def test_an_unknown_model_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownModelError) as raised:
        CATALOG["bedrock/global.anthropic.claude-sonet-4-6"]
    assert str(raised.value) == (
        "unknown model 'bedrock/global.anthropic.claude-sonet-4-6'; "
        "the nearest known one is 'bedrock/global.anthropic.claude-sonnet-4-6'"
    )


def test_an_empty_catalog_knows_no_nearest_model() -> None:
    with pytest.raises(UnknownModelError, match="unknown model 'm': none is configured"):
        Catalog.of([])["m"]


@given(st.text(), st.lists(st.text(min_size=1), min_size=1))
def test_some_known_name_is_always_the_nearest(name: str, known: list[str]) -> None:
    message = unknown("model", name, known)
    assert message in {f"unknown model {name!r}; the nearest known one is {one!r}" for one in known}


def test_a_model_may_not_be_in_a_catalog_twice() -> None:
    with pytest.raises(ValueError, match=f"the model '{PLAIN.id}' is in the catalog twice"):
        Catalog.of([PLAIN, HAIKU_4_5, PLAIN])


def test_a_catalog_can_be_cut_down_to_what_a_decision_needs() -> None:
    assert CATALOG.only([PLAIN.id, HAIKU_4_5.id]) == Catalog.of([HAIKU_4_5, PLAIN])
    with pytest.raises(UnknownModelError, match="nearest"):
        CATALOG.only([HAIKU_5_5.id])


def test_the_hash_is_of_the_content_and_not_of_the_order() -> None:
    same = Catalog.of([HAIKU_4_5, SONNET_4_6, PLAIN])
    assert same.content_hash == CATALOG.content_hash
    dearer = msgspec.structs.replace(PLAIN, price=flat_price("1", "2.000001"))
    assert Catalog.of([HAIKU_4_5, SONNET_4_6, dearer]).content_hash != CATALOG.content_hash


def test_what_a_request_may_need_a_model_may_have() -> None:
    assert Capabilities.__struct_fields__[: len(Needs.__struct_fields__)] == Needs.__struct_fields__


def test_a_model_of_which_nothing_is_stated_takes_text_and_tools_and_no_more() -> None:
    stated = msgspec.to_builtins(Capabilities())
    assert {name for name, able in stated.items() if able} == {
        "tools",
        "forced_tool_choice",
        "structured_output",
        "streaming",
    }


@settings(max_examples=50)
@given(catalogs())
def test_a_catalog_survives_storage_with_its_hash(catalog: Catalog) -> None:
    stored = msgspec.json.decode(msgspec.json.encode(catalog), type=Catalog)
    assert stored == catalog
    assert stored.content_hash == catalog.content_hash
