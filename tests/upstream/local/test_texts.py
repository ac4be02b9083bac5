from __future__ import annotations

from typing import Any

import pytest

from turnout.upstream.local.smollm import LocalModelError
from turnout.upstream.local.texts import text_of


def test_blocks_as_one_text() -> None:
    blocks: list[dict[str, Any]] = [
        {"text": "Look it up."},
        {"cachePoint": {"type": "default"}},
        {"toolUse": {"toolUseId": "t", "name": "weather", "input": {"city": "Bern"}}},
        {"toolResult": {"toolUseId": "t", "content": [{"text": "sun"}, {"json": {"c": 20}}]}},
        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
    ]
    assert text_of(blocks) == 'Look it up.\n[weather: {"city":"Bern"}]\nsun\n{"c":20}'
    assert text_of([]) == ""


@pytest.mark.parametrize("blocks", [[{"image": {}}], [{"toolResult": {"content": [{"image": {}}]}}]])
def test_what_it_cannot_be_shown_is_named(blocks: list[dict[str, Any]]) -> None:
    with pytest.raises(LocalModelError, match="cannot read a block of kind 'image'"):
        text_of(blocks)
