from __future__ import annotations

import enum
import importlib
import uuid
from datetime import date, datetime, time
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from turnout.testing.bedrock import UnbuildableSchemaError, minimal_instance

jsonschema: Any = importlib.import_module("jsonschema")  # it has no type stubs


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    name: str = Field(min_length=2, max_length=12)
    weight: float = Field(gt=0, lt=0.5)
    inner: Part | None
    colour: Colour


class Everything(BaseModel):
    kind: Literal["ticket"]
    count: int = Field(ge=3, le=5)
    multiple: int = Field(multiple_of=7, gt=10)
    below: int = Field(lt=-3)
    share: float = Field(ge=0.25)
    ready: bool
    tags: list[str] = Field(min_length=2)
    pair: tuple[int, str]
    parts: list[Part] = Field(min_length=1)
    by_name: dict[str, int]
    either: int | str
    day: date
    moment: datetime
    hour: time
    key: uuid.UUID
    code: str = Field(pattern=r"^[A-Z]{2}-\d{4}$")
    anything: Any
    optional: str | None = None


def test_pydantic_models_accept_their_minimal_instance() -> None:
    built = minimal_instance(Everything.model_json_schema())
    read = Everything.model_validate(built)
    assert (read.kind, read.count, read.multiple, read.below) == ("ticket", 3, 14, -4)
    assert read.tags == ["simulated", "simulated"]
    assert read.parts[0].inner is None
    assert "optional" not in built


@pytest.mark.parametrize(
    ("schema", "instance"),
    [
        ({}, "simulated"),
        ({"type": "string", "maxLength": 3}, "sim"),
        ({"type": "string", "minLength": 12}, "simulatedxxx"),
        ({"type": "string", "format": "email"}, "simulated@example.com"),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 7}, 7),
        ({"type": ["null", "integer"]}, 0),
        ({"type": "null"}, None),
        ({"type": "number", "minimum": 2.5}, 2.5),
        ({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, 1.5),
        ({"type": "integer", "maximum": -1}, -1),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 1}, [False]),
        ({"type": "array"}, []),
        ({"type": "object"}, {}),
        ({"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"a": 0}),
        ({"type": "object", "minProperties": 1, "properties": {"a": {"type": "null"}}}, {"a": None}),
        ({"type": "object", "minProperties": 1}, {"simulated_0": "simulated"}),
        ({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 4}]}, 4),
        (
            {
                "allOf": [
                    {"$ref": "#/$defs/base"},
                    {"properties": {"b": {"const": 2}}, "required": ["b"], "type": "object"},
                ],
                "$defs": {"base": {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}},
            },
            {"a": 1, "b": 2},
        ),
    ],
)
def test_by_rule(schema: dict[str, Any], instance: Any) -> None:
    assert minimal_instance(schema) == instance
    jsonschema.validate(instance, schema)


def test_bounds_that_a_client_moved_into_the_description() -> None:
    schema = {"type": "integer", "description": "How many.\n\n{minimum: 3, maximum: 5}"}
    assert minimal_instance(schema) == 3
    assert minimal_instance({**schema, "minimum": 4}) == 4
    assert minimal_instance({"type": "array", "description": "{minItems: 1}"}) == ["simulated"]
    assert minimal_instance({"type": "integer", "description": "from {low} to {high: 5} and more"}) == 0


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "string", "pattern": "^zebra$"}, r"\$: no string is known that matches"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "requires itself"),
        ({"$ref": "#/$defs/b"}, "is not in the schema"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number fits"),
        ({"type": "array", "minItems": 2, "uniqueItems": True}, "unique items"),
        ({"anyOf": [{"type": "string", "pattern": "^zebra$"}]}, "no string is known"),
        ({"type": "object", "required": ["a"], "properties": {"a": {"pattern": "^zebra$"}}}, r"\$\.a: no string"),
    ],
)
def test_what_cannot_be_built_is_said(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(UnbuildableSchemaError, match=message):
        minimal_instance(schema)


def _leaves() -> st.SearchStrategy[dict[str, Any]]:
    bounds = st.tuples(st.integers(-50, 50), st.integers(0, 40))
    return st.one_of(
        st.builds(lambda low: {"type": "string", "minLength": low, "maxLength": low + 3}, st.integers(0, 20)),
        bounds.map(lambda pair: {"type": "integer", "minimum": pair[0], "maximum": pair[0] + pair[1]}),
        bounds.map(lambda pair: {"type": "number", "exclusiveMinimum": pair[0], "maximum": pair[0] + pair[1] + 1}),
        st.integers(1, 9).map(lambda step: {"type": "integer", "multipleOf": step, "minimum": 3}),
        st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"enum": ["x", 1]}, {"const": {"a": 1}}, {}]),
    )


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3)),
        st.builds(
            lambda properties, least: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties)[:least],
                "additionalProperties": False,
            },
            st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
            st.integers(0, 4),
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
    )


@given(st.recursive(_leaves(), _containers, max_leaves=8))
def test_instances_satisfy_their_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(minimal_instance(schema), schema)
