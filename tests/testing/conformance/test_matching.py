from typing import Any

import pytest

from turnout.testing.conformance.matching import cache_points, difference, without_points

TARGET = {"tool_id": "[a-z]{1,4}"}


@pytest.mark.parametrize(
    ("expected", "sent", "found"),
    [
        ({"a": [1, "x"]}, {"a": [1, "x"]}, None),
        ({"a": [1, "x"]}, {"a": [1, "y"]}, "a.1: 'x' expected, got 'y'"),
        ({"a": 1}, {"b": 1}, "history: keys ['a'] expected, got ['b']"),
        ([1], [1, 2], ": 1 expected, got 2"),
        ("$contains:error", "An Error occurred", None),
        ("$contains:error", "fine", ": a text with 'error' expected, got 'fine'"),
        ("$matches:[a-c]+", "abc", None),
        ("$matches:[a-c]+", "abd", ": 'abd' does not match [a-c]+"),
        ("$id:x", "abcd", None),
        ("$id:x", "ABCD", ": the id 'ABCD' does not match [a-z]{1,4}"),
        ("$id:x", 3, ": a text expected, got 3"),
        (["$id:x", "$id:x"], ["a", "b"], ".1: the id 'a' expected, as of the call, got 'b'"),
        (["$id:x", "$id:y"], ["a", "a"], ".1: the id 'a' stands for two calls"),
        (b"ab", b"ab", None),
        (b"ab", b"ac", ": b'ab' expected, got b'ac'"),
    ],
)
def test_the_first_difference_is_named(expected: Any, sent: Any, found: str | None) -> None:
    assert difference(expected, sent, TARGET, {}) == found


def test_cache_points_are_told_apart_from_blocks() -> None:
    point = {"cachePoint": {"type": "default"}}
    long = {"cachePoint": {"type": "default", "ttl": "1h"}}
    history = {
        "system": [{"text": "s"}, long],
        "messages": [{"role": "user", "content": [point, {"text": "a"}, point, {"text": "b"}], "metadata": {}}],
    }
    assert [(path, ttl) for path, ttl, _ in cache_points(history)] == [
        ("system.0", "1h"),
        ("messages.0.content", "5m"),
        ("messages.0.content.0", "5m"),
    ]
    assert without_points(history) == {
        "tools": [],
        "system": [{"text": "s"}],
        "messages": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}],
    }
