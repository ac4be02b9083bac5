"""The one internal form of a conversation: Converse content blocks, as Strands and Amazon Bedrock write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

Block = Mapping[str, Any]
"""A content block: a mapping with one of ``text``, ``toolUse``, ``toolResult``, ``image``, ``cachePoint`` and so on."""

Message = Mapping[str, Any]
"""A mapping with ``role`` (``user`` or ``assistant``) and ``content``, a list of blocks."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """System, tools and messages of one call for a completion: what a classifier reads."""

    messages: Sequence[Message]
    system: Sequence[Block] = ()
    tools: Sequence[Block] = ()

    @property
    def query(self) -> str:
        """The newest user turn: its text blocks, joined by line ends; empty if no user turn has text."""
        for message in reversed(self.messages):
            if message["role"] == "user" and (text := _text_of(message)).strip():
                return text
        return ""

    def turns(self) -> Iterator[tuple[Literal["user", "assistant"], str]]:
        """The conversation as people see it: role and text of each message that has text; no tool results."""
        for message in self.messages:
            if (text := _text_of(message)).strip():
                yield message["role"], text


def _text_of(message: Message) -> str:
    return "\n".join([block["text"] for block in message["content"] if isinstance(block.get("text"), str)])


def conversation_of(query: str) -> Conversation:
    """A conversation of one user turn."""
    return Conversation(messages=[{"role": "user", "content": [{"text": query}]}])
