from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.messages.count import canonical_json, count_block, count_text


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"cachePoint": {"type": "default"}}, 0),
        ({"text": ""}, 0),
        ({"text": "abcd"}, 1),
        ({"text": "abcde"}, 2),
        ({"image": {"format": "png", "source": {"bytes": b"x" * 9999}}}, 1600),
        ({"document": {"source": {"bytes": b"x" * 400}}}, 100),
        ({"toolResult": {"toolUseId": "1", "content": [{"text": "abcd" * 5}]}}, 15),
        ({"reasoningContent": {"reasoningText": {"text": "abcd" * 3}}}, 3),
        # {"toolUse":{"input":{"a":1},"name":"n","toolUseId":"1"}} has 56 characters.
        ({"toolUse": {"toolUseId": "1", "name": "n", "input": {"a": 1}}}, 14),
    ],
)
def test_tokens_of_a_block(block: dict[str, Any], tokens: int) -> None:
    assert count_block(block) == tokens


@given(st.text(), st.text())
def test_a_text_never_counts_more_than_its_parts(a: str, b: str) -> None:
    assert max(count_text(a), count_text(b)) <= count_text(a + b) <= count_text(a) + count_text(b)


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": [{"d": 2, "c": b"x"}]}) == canonical_json({"a": [{"c": b"x", "d": 2}], "b": 1})
