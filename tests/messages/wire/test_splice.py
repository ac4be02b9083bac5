"""Splices: what is edited changes, every other byte stays; what is no JSON object is refused with its place."""

from __future__ import annotations

import contextlib
import json
import random
import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.splice import Body, lone_surrogate

NUMBERS = st.sampled_from(
    ["0", "-0", "7", "1.0", "1.50", "-2.5e3", "1E+400", "1e-999", "0.1000000000000000000001", "9" * 40, str(2**63)]
)
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\{}[]:,/\n\u2028\U0001f600'), max_size=8)
Node = tuple[str, Any]
"""A value to write: ``raw`` JSON, a ``text``, a ``list`` of nodes, or an ``object`` of pairs whose keys may repeat."""

NODES: st.SearchStrategy[Node] = st.recursive(
    st.tuples(st.just("raw"), st.sampled_from(["null", "true", "false"]) | NUMBERS) | st.tuples(st.just("text"), TEXTS),
    lambda inner: (
        st.tuples(st.just("list"), st.lists(inner, max_size=3))
        | st.tuples(st.just("object"), st.lists(st.tuples(st.sampled_from(["a", "b", '"', ""]), inner), max_size=3))
    ),
    max_leaves=5,
)
SEEDS = st.integers(0, 2**32)
"""How a value is written: blanks, and which characters are escaped."""


class Pen:
    """Writes JSON in one of the many ways that it can be written."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def blanks(self) -> bytes:
        return "".join(self._random.choices(" \t\n\r", k=self._random.choice((0, 0, 0, 1, 3)))).encode()

    def text(self, text: str) -> bytes:
        written = []
        for character in text:
            plain = json.dumps(character, ensure_ascii=False)[1:-1]
            written.append(escaped(character) if self._random.random() < 0.3 else plain)
        return ('"' + "".join(written) + '"').encode()

    def members(self, members: list[tuple[str, bytes]]) -> bytes:
        held = [self.blanks() + self.text(key) + self.blanks() + b":" + self.blanks() + value for key, value in members]
        return b"{" + (b",".join(one + self.blanks() for one in held) or self.blanks()) + b"}"

    def value(self, node: Node) -> bytes:
        kind, held = node
        if kind == "raw":
            return str(held).encode()
        if kind == "text":
            return self.text(held)
        if kind == "list":
            items = [self.blanks() + self.value(item) + self.blanks() for item in held]
            return b"[" + (b",".join(items) or self.blanks()) + b"]"
        return self.members([(key, self.value(item)) for key, item in held])


def escaped(character: str) -> str:
    encoded = character.encode("utf-16-be")
    halves = [int.from_bytes(encoded[place : place + 2]) for place in range(0, len(encoded), 2)]
    return "".join(f"\\u{half:04x}" for half in halves)


VALUES = st.builds(lambda seed, node: Pen(seed).value(node), SEEDS, NODES)


def body_of(seed: int, held: dict[str, Node]) -> tuple[bytes, list[tuple[str, bytes]]]:
    pen = Pen(seed)
    members = [(name, pen.value(node)) for name, node in held.items()]
    return pen.blanks() + pen.members(members) + pen.blanks(), members


BODIES = st.builds(body_of, SEEDS, st.dictionaries(TEXTS, NODES, max_size=4))
"""A body, and its members as they were written."""


def loaded(data: bytes) -> dict[str, Any]:
    """The members in their order, numbers kept as written."""
    value = json.loads(data, parse_int=str, parse_float=str)
    assert isinstance(value, dict)
    return value


@given(BODIES)
def test_without_an_edit_the_very_bytes_come_back(drawn: tuple[bytes, list[tuple[str, bytes]]]) -> None:
    data, members = drawn
    body = Body(data)
    assert body.edited() is data
    assert [(name, bytes(raw)) for name, raw in body.raws.items()] == members
    for name, value in members:
        span = body.span(name)
        assert data[span.start : span.end] == value
        assert data[span.key : span.key + 1] == b'"'
        assert name in body


@given(BODIES, st.data())
def test_a_replaced_value_changes_and_no_byte_beside_it(
    drawn: tuple[bytes, list[tuple[str, bytes]]], data: st.DataObject
) -> None:
    before, members = drawn
    chosen = data.draw(st.lists(st.sampled_from(members), unique_by=lambda one: one[0]) if members else st.just([]))
    new = {name: data.draw(VALUES) for name, _ in chosen}
    body = Body(before)
    after = body.edited(replace=new)
    expected, done = b"", 0
    for span, value in sorted((body.span(name), value) for name, value in new.items()):
        expected += before[done : span.start] + value
        done = span.end
    assert after == expected + before[done:]
    assert loaded(after) == {
        **loaded(before),
        **{name: json.loads(v, parse_int=str, parse_float=str) for name, v in new.items()},
    }


@given(BODIES, st.data())
def test_any_edits_together_do_what_a_model_of_them_does(
    drawn: tuple[bytes, list[tuple[str, bytes]]], data: st.DataObject
) -> None:
    before, members = drawn
    there = [name for name, _ in members]
    gone = data.draw(st.sets(st.sampled_from(there)) if there else st.just(set()))
    left = [name for name in there if name not in gone]
    new = {name: data.draw(VALUES) for name in data.draw(st.sets(st.sampled_from(left)) if left else st.just(set()))}
    added = data.draw(st.dictionaries(TEXTS.filter(lambda name: name not in there), VALUES, max_size=3))
    body = Body(before)
    after = body.edited(replace=new, insert=added, delete=gone)
    model = {name: value for name, value in members if name not in gone} | new | added
    assert {name: bytes(raw) for name, raw in Body(after).raws.items()} == model
    assert list(loaded(after)) == list(model)
    # What stands before the first member and after the last one is the same.
    if members:
        places = [body.span(name) for name in there]
        assert after.startswith(before[: places[0].key])
        assert after.endswith(before[places[-1].end :])


def test_what_a_deletion_takes_along() -> None:
    body = Body(b' { "a" : 1 ,\n "b":2 , "c":3 } ')
    assert body.edited(delete=["a"]) == b' { "b":2 , "c":3 } '
    assert body.edited(delete=["b"]) == b' { "a" : 1 , "c":3 } '
    assert body.edited(delete=["c"]) == b' { "a" : 1 ,\n "b":2 } '
    assert body.edited(delete=["a", "b", "c"]) == b" {  } "
    assert body.edited(delete=["a", "b", "c"], insert={"d": b"4"}) == b' { "d":4 } '
    assert Body(b"{ }").edited(insert={"d": b"4", 'e"': b"5"}) == b'{"d":4,"e\\"":5 }'


def test_edits_that_cannot_be() -> None:
    body = Body(b'{"a":1}')
    with pytest.raises(KeyError, match="no top-level member 'b'"):
        body.edited(replace={"b": b"1"})
    with pytest.raises(KeyError, match="no top-level member 'b'"):
        body.edited(delete=["b"])
    with pytest.raises(KeyError, match="a top-level member 'a' already"):
        body.edited(insert={"a": b"1"})
    with pytest.raises(ValueError, match="'a' is both replaced and deleted"):
        body.edited(replace={"a": b"1"}, delete=["a"])
    for value in (b"", b"1,", b"{", b'"\xff', b"[" * 100_000 + b"]" * 100_000):
        with pytest.raises(ValueError, match="the new value of 'a' is no JSON"):
            body.edited(replace={"a": value})


@pytest.mark.parametrize(
    ("data", "offset", "problem"),
    [
        (b"", 0, "ends too early"),
        (b" \n", 2, "ends too early"),
        (b'{"a":[1', 7, "ends too early"),
        (b'{"a":[1,,2]}', 8, "invalid character"),
        (b'{"a":01}', 6, "invalid number"),
        (b'{"a":NaN}', 5, "invalid character"),
        (b'{"a":1,}', 7, "trailing comma"),
        (b'{"a" 1}', 5, "expected ':'"),
        (b'{"a":1} x', 8, "trailing characters"),
        (b'{"a":1}{', 7, "trailing characters"),
        (b'{"a":"\x01"}', 6, "invalid character"),
        (b'{"a":"\\x"}', 7, "invalid escaped character"),
        (b'\xef\xbb\xbf{"a":1}', 0, "invalid character"),
        (b' ["a"]', 1, "not a JSON object"),
        (b'"a"', 0, "not a JSON object"),
        (b'{"a":"\xff"}', 6, "not UTF-8"),
        (b'{"a":"\\ud800"}', 6, "half of a surrogate pair"),
        (b'{"a":["\\\\\\udc00"]}', 9, "half of a surrogate pair"),
        (b'{"a":1,"a":1}', 7, "the key 'a' more than once"),
        (b'{"a":1,"a":22}', 1, "the key 'a' more than once"),
        (b'{"a":1,"b":2,"a":1}', 13, "the key 'a' more than once"),
        (b'{"a":1,"b":2,"a":3}', 1, "the key 'a' more than once"),
        (b'{"a":12,"a":1}', 1, "the key 'a' more than once"),
        (b'{"a":1,"\\u0061":2}', 1, "the key 'a' more than once"),
    ],
)
def test_what_is_no_body_is_refused_with_its_place(data: bytes, offset: int, problem: str) -> None:
    with pytest.raises(MalformedBodyError, match=re.escape(problem)) as caught:
        Body(data)
    assert caught.value.offset == offset
    assert f"(byte {offset})" in str(caught.value)


@given(BODIES, st.data())
def test_a_key_that_stands_twice_is_found_wherever_it_stands(
    drawn: tuple[bytes, list[tuple[str, bytes]]], data: st.DataObject
) -> None:
    _, members = drawn
    name, value = data.draw(st.tuples(TEXTS, VALUES))
    members = [one for one in members if one[0] != name]
    members.insert(data.draw(st.integers(0, len(members))), (name, value))
    members.insert(data.draw(st.integers(0, len(members))), (name, data.draw(VALUES)))
    written = b",".join(json.dumps(key).encode() + b":" + held for key, held in members)
    with pytest.raises(MalformedBodyError, match="more than once") as caught:
        Body(b"{" + written + b"}")
    assert caught.value.offset is not None


def nested(levels: int, kind: str, inner: bytes) -> bytes:
    """Objects and lists in each other, the innermost with this inside."""
    data = inner
    for level in range(levels):
        held = b'{"k":' + data + b"}" if data else b"{}"
        listed = b"[" + data + b"]"
        data = held if kind == "objects" or (kind == "both" and level % 2) else listed
    return data


@pytest.mark.parametrize("kind", ["objects", "lists", "both"])
@pytest.mark.parametrize("inner", [b"", b"1", b'"[{\\"[["'])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_nesting_up_to_the_limit_and_no_deeper(kind: str, inner: bytes, limit: int) -> None:
    pad = b'"pad":"' + b"x[{" * 4000 + b'",'
    for start in (b'{"a":', b"{" + pad + b'"a":'):
        Body(start + nested(limit - 1, kind, inner) + b"}" if limit > 1 else start + b"1}", max_depth=limit)
        with pytest.raises(MalformedBodyError, match=f"deeper than {limit} levels, in 'a'") as caught:
            Body(start + nested(limit, kind, inner) + b"}", max_depth=limit)
        assert caught.value.offset == len(start)


def test_nesting_that_no_parser_bears_is_refused_too() -> None:
    # How deep msgspec can go depends on the version of Python.
    for data in (b'{"a":' + b"[" * 100_000, b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a":' * 5000):
        with pytest.raises(MalformedBodyError, match=r"nested (too deeply|deeper than 100 levels)|too early") as caught:
            Body(data)
        assert caught.value.offset is not None
    with pytest.raises(MalformedBodyError, match="nested deeper than 0 levels") as caught:
        Body(b" {}", max_depth=0)
    assert caught.value.offset == 1


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0dD8cC1ea. \n', max_size=40).map(str.encode))
@example(b'{"":\\ud800}')
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        json.loads(data.decode())
        data = b"!" + data  # now it is none
    with pytest.raises(MalformedBodyError) as caught:
        Body(data)
    assert caught.value.offset is not None
    assert 0 <= caught.value.offset <= len(data)


@given(st.builds(lambda seed, text: Pen(seed).text(text), SEEDS, TEXTS))
def test_whole_surrogate_pairs_are_no_halves(data: bytes) -> None:
    assert lone_surrogate(data) is None
    assert msgspec.json.decode(data) == json.loads(data)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.booleans(), st.data())
def test_a_compact_body_is_edited_like_any_other(held: dict[str, bytes], twice: bool, data: st.DataObject) -> None:
    members = [(name, value.strip()) for name, value in held.items()]
    if twice and members:
        members.append(data.draw(st.sampled_from(members)))
    written = b"{" + b",".join(msgspec.json.encode(name) + b":" + value for name, value in members) + b"}"
    if len(dict(members)) < len(members):
        with pytest.raises(MalformedBodyError, match="more than once"):
            Body(written)
        return
    compact, wide = Body(written), Body(written[:-1] + b" }")
    for name, value in members:
        span = compact.span(name)
        assert written[span.start : span.end] == value
        assert compact.span(name) == wide.span(name)
        assert compact.edited(replace={name: b"1"}) + b"" == wide.edited(replace={name: b"1"})[:-2] + b"}"
