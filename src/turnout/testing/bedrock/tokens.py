"""The double's own token counter.

A block is ``ceil(characters / 4)`` tokens, a usual rule of thumb for English, times the model's ratio and rounded up:
``ceil(ratio * ceil(characters / 4))``. Characters are those of the text, or of the canonical JSON of tools and of tool
inputs and results. An image is 1,500 tokens. Counts are additive over blocks. Real counts differ: no message overhead
is counted, and no tokenizer is run.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

CHARACTERS_PER_TOKEN = 4
IMAGE_TOKENS = 1500

Block = Mapping[str, Any]


def text_tokens(text: str, ratio: float = 1.0) -> int:
    """The tokens of a text for a model of that ratio."""
    return scaled(math.ceil(len(text) / CHARACTERS_PER_TOKEN), ratio)


def block_tokens(block: Block, ratio: float = 1.0) -> int:
    """The tokens of a content block, a system block or a tool; a cache point has none."""
    if "cachePoint" in block:
        return 0
    images, characters = _measure(block)
    return scaled(images * IMAGE_TOKENS + math.ceil(characters / CHARACTERS_PER_TOKEN), ratio)


def longest_within(text: str, tokens: int, ratio: float = 1.0) -> str:
    """The longest beginning of a text that is at most ``tokens`` tokens."""
    if tokens <= 0:
        return ""
    return text[: CHARACTERS_PER_TOKEN * math.floor(tokens / _exact(ratio))]


def scaled(reference_tokens: int, ratio: float) -> int:
    """Tokens of a model for tokens of the double's counter."""
    return math.ceil(reference_tokens * _exact(ratio))


def canonical(value: object) -> str:
    """JSON without spaces, in the order that it came in: reordered keys are another prompt, as they really are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@functools.cache
def _exact(ratio: float) -> Fraction:
    # 1.3 as a float is a little more than 13/10, and a ceiling would show it.
    return Fraction(str(ratio))


def _measure(block: Block) -> tuple[int, int]:
    """The images in a block, and the characters of the rest."""
    if isinstance(text := block.get("text"), str):
        return 0, len(text)
    if "image" in block:
        return 1, 0
    if tool_use := block.get("toolUse"):
        return 0, len(tool_use["name"]) + len(canonical(tool_use["input"]))
    if tool_result := block.get("toolResult"):
        parts = [_measure(part) for part in tool_result["content"]]
        return sum(images for images, _ in parts), sum(characters for _, characters in parts)
    if "json" in block:
        return 0, len(canonical(block["json"]))
    return 0, len(canonical(block))
