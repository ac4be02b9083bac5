"""The form between protocols: an answer as a sequence of parts, in the order of Converse's event stream.

Blocks follow each other: each begins, has its deltas and ends before the next one begins, and they are numbered from 0
without gaps. What no client could send back is not in it: thinking that no provider has signed, citations, media that
a model has made.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from turnout.core.usage import Usage

BlockKind = Literal["text", "tool", "thinking", "redacted"]
"""What a block of an answer holds: text, a tool call, signed thinking, or thinking that only its provider reads."""


class BlockStart(msgspec.Struct, frozen=True):
    """A block begins; the id and the name are those of a tool call."""

    index: int
    kind: BlockKind
    tool_id: str = ""
    name: str = ""


class BlockDelta(msgspec.Struct, frozen=True):
    """A piece of a block.

    Attributes:
        index: The block's number.
        text: Text, thinking, a piece of a tool's arguments as JSON, or the signature; of redacted thinking the base64.
        signature: Whether it is the signature of thinking.
    """

    index: int
    text: str
    signature: bool = False


class BlockStop(msgspec.Struct, frozen=True):
    """A block ends."""

    index: int


class Finish(msgspec.Struct, frozen=True):
    """The answer is complete.

    Attributes:
        reason: Why, in the ledger's words: ``end_turn``, ``tool_use``, ``max_tokens``, ``stop_sequence``,
            ``content_filtered``, ``guardrail_intervened``, ``model_context_window_exceeded``,
            ``malformed_model_output`` or ``malformed_tool_use``.
        stop_sequence: The text that ended it, where the provider tells.
    """

    reason: str
    stop_sequence: str | None = None


class Alive(msgspec.Struct, frozen=True):
    """Nothing new, but the provider is at work."""


Part = BlockStart | BlockDelta | BlockStop | Finish | Alive
"""What a stream brings."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says of itself beside its content.

    Attributes:
        id: What is made its id, with the protocol's own prefix.
        model: The model that has answered, as its provider calls it.
        created_s: When, in seconds since 1970.
        wants_usage: Whether the client asked for usage in a stream.
        keeps_thinking: Whether thinking is passed on to a client that can send it back: Claude's, which is signed.
    """

    id: str
    model: str
    created_s: int
    wants_usage: bool = True
    keeps_thinking: bool = False


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A block of a whole answer.

    Attributes:
        kind: What it holds.
        text: Its text, the thinking, or the base64 of redacted thinking.
        signature: That of thinking.
        tool_id: A tool call's id.
        name: The tool's name.
        arguments: What it is called with.
    """

    kind: BlockKind
    text: str = ""
    signature: str = ""
    tool_id: str = ""
    name: str = ""
    arguments: dict[str, Any] | None = None


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    blocks: tuple[Block, ...]
    finish: Finish
    usage: Usage | None = None
