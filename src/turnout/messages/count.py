"""Reference tokens of a content block: the counter that every estimate is made in.

The counter is *characters / 4*: of the text, and of canonical JSON for tools and tool calls. No vendor publishes a
tokenizer for current Claude models, so a model's own tokens are a learned ratio of these, corrected by the usage that
its provider reports.

Known limitations: an image counts as 1,600 tokens (the most that Claude takes for one, after scaling it down) and a
document as a quarter of its bytes; both are rough.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from turnout.messages.conversation import Block

NAME = "characters/4"
"""The counter's name in tables and docs."""

_IMAGE_TOKENS = 1600


def count_block(block: Block) -> int:
    """Reference tokens of one content block; a cache point has none."""
    if len(block) == 1 and type(text := block.get("text")) is str:
        return count_text(text)  # nearly every block: matching patterns takes longer
    match block:
        case {"cachePoint": _}:
            return 0
        case {"text": str(text)}:
            return count_text(text)
        case {"image": _}:
            return _IMAGE_TOKENS
        case {"document": {"source": {"bytes": bytes(data)}}}:
            return math.ceil(len(data) / 4)
        case {"toolResult": {"content": list(content)}}:
            return sum(count_block(item) for item in content) + 10
        case {"reasoningContent": {"reasoningText": {"text": str(text)}}}:
            return count_text(text)
        case _:
            return count_text(canonical_json(block).decode("utf-8", "replace"))


def count_text(text: str) -> int:
    """Reference tokens of a text."""
    return (len(text) + 3) // 4


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no blanks, so that equal values hash alike; bytes are written as base64."""
    return _CANONICAL.encode(value)


_CANONICAL = msgspec.json.Encoder(order="deterministic", enc_hook=str)
