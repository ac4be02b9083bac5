"""Hashes of a prompt's prefixes: equal prefixes have equal hashes, and no hash tells its text.

Hashes are keyed, so that whoever reads a ledger cannot test guesses of a prompt against them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from turnout.core.cache import Ttl
from turnout.core.request import Segment
from turnout.messages.conversation import Block, Conversation
from turnout.messages.count import canonical_json, count_block

_DIGEST_BYTES = 16
_MOST_HEADS = 64
_Kind = Literal["tools", "system", "message"]


class PrefixHasher:
    """Cuts conversations into segments, with a hash of the prompt up to each.

    Args:
        key: Keys the hashes; two hashers agree only if their keys do. Default: a random key, so that hashes mean
            something in this process alone.

    Raises:
        ValueError: The key is empty or longer than 64 bytes.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._heads: dict[int, tuple[Sequence[Block], hashlib.blake2b, tuple[Segment, ...]]] = {}
        if not 1 <= len(self._key) <= 64:
            raise ValueError(f"a key for prefix hashes has 1 to 64 bytes, got {len(self._key)}")
        # It has read the key: to copy it takes less time than to read that again.
        self._keyed = hashlib.blake2b(key=self._key, digest_size=_DIGEST_BYTES)

    def segments(self, conversation: Conversation) -> tuple[Segment, ...]:
        """One segment for each block, in the order that caches see; a cache point marks the block before it."""
        tools = conversation.tools
        digest, segments = self._head(tools) if tools else (self._digest(), [])
        self._extend(digest, segments, _after_tools(conversation))
        return tuple(segments)

    def _digest(self) -> hashlib.blake2b:
        return self._keyed.copy()

    def _head(self, tools: Sequence[Block]) -> tuple[hashlib.blake2b, list[Segment]]:
        """Digest and segments of the tools; of a tuple, which never changes, they are remembered."""
        known = self._heads.get(id(tools))
        if known is not None and known[0] is tools:
            return known[1].copy(), list(known[2])
        digest, segments = self._digest(), list[Segment]()
        self._extend(digest, segments, (("tools", "", block) for block in tools))
        if type(tools) is tuple:
            while len(self._heads) >= _MOST_HEADS:
                self._heads.pop(next(iter(self._heads)), None)
            self._heads[id(tools)] = tools, digest.copy(), tuple(segments)
        return digest, segments

    def _extend(
        self, digest: hashlib.blake2b, segments: list[Segment], blocks: Iterable[tuple[_Kind, str, Block]]
    ) -> None:
        for kind, role, block in blocks:
            point = block.get("cachePoint")
            if point is not None:
                if segments:
                    last = segments[-1]
                    segments[-1] = Segment(
                        kind=last.kind, tokens=last.tokens, prefix_hash=last.prefix_hash, marker=_ttl(point)
                    )
                continue
            digest.update(b"%b%b\n" % (_PREFIXES.get((kind, role)) or _prefix(kind, role), canonical_json(block)))
            segments.append(Segment(kind=kind, tokens=count_block(block), prefix_hash=digest.hexdigest()))

    def opening(self, conversation: Conversation) -> str:
        """A session id where the door was given none: the hash of the history up to and with the first user turn."""
        return self._history(conversation, 1)

    def turn(self, conversation: Conversation) -> str:
        """What tells a turn from others: the hash of the history up to and with the newest turn of a person."""
        return self._history(conversation, None)

    def _history(self, conversation: Conversation, user_turns: int | None) -> str:
        """The hash up to the last of so many messages of a person, or of all of them."""
        end, seen = 0, 0
        for index, message in enumerate(conversation.messages):
            if is_human(message["role"], message["content"]):
                end, seen = index + 1, seen + 1
                if seen == user_turns:
                    break
        digest = self._digest()
        # Role and content alone: agents note things of their own beside them.
        history = [[message["role"], message["content"]] for message in conversation.messages[:end]]
        digest.update(canonical_json(history))
        return digest.hexdigest()


def is_human(role: str, content: list[Block]) -> bool:
    """Whether a message is what a person said, and not the results of tools."""
    if role != "user":
        return False
    if len(content) == 1:  # nearly always, and it is asked several times for each request
        return "toolResult" not in content[0]
    return not any("toolResult" in block for block in content)


def _prefix(kind: str, role: str) -> bytes:
    return f"{kind}/{role}:".encode()


_PREFIXES: dict[tuple[str, str], bytes] = {
    one: _prefix(*one) for one in (("tools", ""), ("system", ""), ("message", "user"), ("message", "assistant"))
}


def _after_tools(conversation: Conversation) -> Iterator[tuple[_Kind, str, Block]]:
    for block in conversation.system:
        yield "system", "", block
    for message in conversation.messages:
        for block in message["content"]:
            yield "message", message["role"], block


def _ttl(point: Block) -> Ttl:
    return "1h" if point.get("ttl") == "1h" else "5m"
