from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.testing.bedrock import block_tokens, text_tokens
from turnout.testing.bedrock.tokens import longest_within


@pytest.mark.parametrize(
    ("characters", "ratio", "tokens"),
    [
        (0, 1.0, 0),
        (1, 1.0, 1),
        (4, 1.0, 1),
        (5, 1.0, 2),
        (4096, 1.0, 1024),
        (40, 1.3, 13),
        (44, 1.3, 15),
        (4000, 1.3, 1300),
    ],
)
def test_text_by_hand(characters: int, ratio: float, tokens: int) -> None:
    # ceil(ratio * ceil(characters / 4)); 1.3 * 11 = 14.3 -> 15.
    assert text_tokens("x" * characters, ratio) == tokens


def test_blocks_by_hand() -> None:
    assert block_tokens({"cachePoint": {"type": "default"}}) == 0
    assert block_tokens({"text": "12345678"}) == 2
    # name 6 characters, {"city":"Bern"} 15: ceil(21 / 4) = 6
    assert block_tokens({"toolUse": {"toolUseId": "t1", "name": "lookup", "input": {"city": "Bern"}}}) == 6
    # text 8 and {"a":1} 7 characters: ceil(15 / 4) = 4; an image more is 1,500
    result = [{"text": "12345678"}, {"json": {"a": 1}}]
    assert block_tokens({"toolResult": {"toolUseId": "t1", "content": result}}) == 4
    image = {"image": {"format": "png", "source": {"bytes": "AAAA"}}}
    assert block_tokens({"toolResult": {"toolUseId": "t1", "content": [*result, image]}}) == 1504
    assert block_tokens(image) == 1500
    # {"toolSpec":{"name":"f","inputSchema":{"json":{}}}} is 51 characters
    assert block_tokens({"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}) == 13


@given(st.text(max_size=300), st.integers(0, 120), st.sampled_from([1.0, 1.3, 1.25, 0.9]))
def test_the_longest_beginning_fits_and_one_token_more_would_not(text: str, limit: int, ratio: float) -> None:
    cut = longest_within(text, limit, ratio)
    assert text.startswith(cut)
    assert text_tokens(cut, ratio) <= limit
    assert cut == text or text_tokens(cut + "xxxx", ratio) > limit
