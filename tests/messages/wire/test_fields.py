"""Members are taken by type, and what nobody took is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnout.messages.wire.fields import Fields, Notes, fields_of, plain, wrong_type
from turnout.messages.wire.malformed import MalformedBodyError


def test_what_is_left_is_named_by_path() -> None:
    notes = Notes()
    value = {"a": 1, "b": {"c": "x", "d": 1}, "e": None, "f": [{"g": 1}], "h": 2}
    fields = Fields(value, "messages.0", notes)
    assert fields.take("a", int) == 1
    assert fields.take("missing", str) is None
    inner = fields.inner("b")
    assert inner is not None
    assert inner.need("c", str) == "x"
    inner.rest()
    assert [one.take("g", int) for one in fields.items("f")] == [1]
    assert list(fields.items("missing")) == []
    assert fields.inner("missing") is None
    fields.rest("other")
    assert notes.untranslatable == ["messages.0.b.d", "messages.0.h"]
    assert value == {"a": 1, "b": {"c": "x", "d": 1}, "e": None, "f": [{"g": 1}], "h": 2}
    notes.edit("x", "a.b")
    assert notes.edits == ["x:a.b"]


def test_harmless_members_are_not_named() -> None:
    notes = Notes()
    Fields({"a": 1, "b": 2}, "", notes).rest("a")
    assert notes.untranslatable == ["b"]


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (True, int, "a must be a whole number, got true or false"),
        (1.5, int, "a must be a whole number, got a number"),
        ("1", float, "a must be a number, got a text"),
        (True, float, "a must be a number, got true or false"),
        (1, bool, "a must be true or false, got a whole number"),
        ([], dict, "a must be an object, got a list"),
        ({}, list, "a must be a list, got an object"),
        (1, str, "a must be a text, got a whole number"),
    ],
)
def test_another_type_is_refused_without_telling_the_value(value: Any, kind: type, problem: str) -> None:
    with pytest.raises(MalformedBodyError, match=f"^{problem}$"):
        Fields({"a": value}, "", Notes()).take("a", kind)


def test_numbers_without_a_point_are_numbers() -> None:
    assert Fields({"a": 1}, "", Notes()).take("a", float) == 1


def test_what_must_be_there() -> None:
    with pytest.raises(MalformedBodyError, match=r"^x\.a is missing$"):
        Fields({"a": None}, "x", Notes()).need("a", str)
    with pytest.raises(MalformedBodyError, match=r"^x\.1 must be an object, got null$"):
        list(fields_of([{}, None], "x", Notes()))
    assert str(wrong_type(b"", str, "x")) == "x must be a text, got bytes"


def test_raw_json_is_decoded_wherever_it_is() -> None:
    value = {"a": [msgspec.Raw(b"1"), {"b": msgspec.Raw(b'{"c":2}')}], "d": "x"}
    assert plain(value) == {"a": [1, {"b": {"c": 2}}], "d": "x"}
    settled = {"a": [1], "b": ({"c": 2},)}
    assert plain(settled) is settled
    with pytest.raises(MalformedBodyError, match="holds JSON that cannot be read"):
        plain(msgspec.Raw(b"1e999"))
