"""Blocks that come one after another, numbered anew, whatever their numbers in the provider's stream."""

from __future__ import annotations

from turnout.messages.translation.parts import BlockDelta, BlockKind, BlockStart, BlockStop, Part
from turnout.messages.wire.malformed import MalformedStreamError


class Sequence:
    """Numbers blocks as they come; a block that was skipped leaves no gap."""

    __slots__ = ("_count", "_open", "_skipped")

    def __init__(self) -> None:
        self._count = 0
        self._open: int | None = None
        self._skipped: int | None = None

    def start(self, given: int, kind: BlockKind, tool_id: str = "", name: str = "") -> list[Part]:
        """A block begins, by the provider's number; one that is still open ends."""
        parts = self.close()
        self._open, self._skipped = given, None
        parts.append(BlockStart(self._count, kind, tool_id, name))
        return parts

    def skip(self, given: int) -> list[Part]:
        """A block begins that has no place between protocols."""
        parts = self.close()
        self._skipped = given
        return parts

    def is_open(self, given: int) -> bool:
        """Whether that block has begun and not ended, and is not skipped."""
        return self._open == given

    def delta(self, given: int, text: str, *, signature: bool = False) -> list[Part]:
        """A piece of a block.

        Raises:
            MalformedStreamError: That block is not the one that is open.
        """
        if self._open != given:
            if self._skipped == given:
                return []
            raise MalformedStreamError("a piece belongs to a block that is not open")
        return [BlockDelta(self._count, text, signature)]

    def stop(self, given: int) -> list[Part]:
        """A block ends."""
        return self.close() if self._open == given else []

    def close(self) -> list[Part]:
        """The block that is open ends, if one is."""
        self._skipped = None
        if self._open is None:
            return []
        self._open = None
        self._count += 1
        return [BlockStop(self._count - 1)]
