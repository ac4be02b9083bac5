"""Converse content blocks as the packaged model reads them: text alone, calls of tools and their results too."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from turnout.messages.conversation import Block
from turnout.upstream.local.smollm import LocalModelError


def text_of(content: Iterable[Block]) -> str:
    """The blocks of a message, or of a system prompt, as one text; cache points and reasoning are left out.

    Raises:
        LocalModelError: A block cannot be shown, such as an image.
    """
    return "\n".join(text for block in content if (text := _block_text(block)))


def _block_text(block: Block) -> str:
    match block:
        case {"text": str(text)}:
            return text
        case {"toolUse": {"name": str(name), "input": arguments}}:
            return f"[{name}: {msgspec.json.encode(arguments).decode()}]"
        case {"toolResult": {"content": list(items)}}:
            return text_of(items)
        case {"json": value}:
            return msgspec.json.encode(value).decode()
        case {"cachePoint": _} | {"reasoningContent": _}:
            return ""
    raise LocalModelError(f"the local model cannot read a block of kind {', '.join(block)!r}")
