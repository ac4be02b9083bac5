from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from turnout.config.errors import ConfigError
from turnout.config.fact_types import FACT_TYPES, converted
from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Model


def test_every_attribute_of_a_model_that_is_no_name_is_a_fact() -> None:
    names = {field.name for field in msgspec.structs.fields(Model)}
    own = names - {"id", "provider", "model_id", "name", "cache", "capabilities"}
    members = {f"cache.{name}" for name in CacheRules.__struct_fields__}
    members |= {f"capabilities.{name}" for name in Capabilities.__struct_fields__}
    assert set(FACT_TYPES) == own | members


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("context_window", 200_000, 200_000),
        ("tokenizer_ratio", Decimal("1.3"), 1.3),
        ("tokenizer_ratio", 1, 1.0),
        ("rejected_parameters", ["temperature"], ("temperature",)),
        ("rejected_parameters", [], ()),
        ("cache.ttls", ["5m", "1h"], ("5m", "1h")),
        ("cache.floor_tokens", 0, 0),
        ("cache.renewed_by_read", False, False),
        ("capabilities.vision", True, True),
    ],
)
def test_values_come_in_the_types_of_the_core(name: str, value: Any, result: Any) -> None:
    assert converted(name, value, "f: k") == result
    assert type(converted(name, value, "f: k")) is type(result)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("context_window", "many", "must be a whole number"),
        ("context_window", True, "must be a whole number"),
        ("context_window", Decimal("1.5"), "must be a whole number"),
        ("context_window", 0, "must be above 0"),
        ("max_output_tokens", [1], "must be a whole number"),
        ("tokenizer_ratio", "1.3", "must be a number"),
        ("tokenizer_ratio", 0, "must be above 0"),
        ("tokenizer_ratio", Decimal("NaN"), "must be above 0"),
        ("tokenizer_ratio", Decimal("Infinity"), "must be above 0"),
        ("rejected_parameters", "temperature", "must be a list of texts"),
        ("rejected_parameters", [1], "must be a list of texts"),
        ("cache.mode", "automatic", "must be one of 'explicit', 'implicit', 'none'"),
        ("cache.ttls", ["1d"], "must be a list of '5m' or '1h'"),
        ("cache.ttls", [], "must name at least one duration"),
        ("cache.floor_tokens", -1, "must be at least 0"),
        ("cache.step_tokens", 0, "must be above 0"),
        ("capabilities.vision", "yes", "must be true or false"),
        ("capabilities.vision", 1, "must be true or false"),
    ],
)
def test_values_of_another_kind_say_what_is_wanted(name: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        converted(name, value, "mine.toml: models.x.fact")
    assert str(caught.value) == f"mine.toml: models.x.fact: {message}"
