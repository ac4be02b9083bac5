"""Tools that were read before: an agent sends the same ones with each of its calls, byte for byte.

What is remembered is bounded in number and in size, and is told apart by its bytes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnout.messages.wire.fields import Notes

Tools = tuple[dict[str, Any], ...]

_MOST = 64
_MOST_BYTES = 128 * 1024


class RememberedTools:
    """The tools of one protocol, as Converse blocks.

    Nobody may change them: requests share them. They are a tuple, so that `turnout.messages.prefix` can tell them by
    what they are, without looking into them.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[bytes, Tools] = {}

    def read(self, raw: bytes, read: Callable[[Notes], list[dict[str, Any]]], notes: Notes) -> Tools:
        """The tools of that JSON.

        Args:
            raw: The JSON.
            read: Reads it; asked where it was not read before.
            notes: Takes what cannot be translated; tools of which something cannot are not remembered.
        """
        found = self._found.get(raw)
        if found is not None:
            return found
        own = Notes()
        tools = tuple(read(own))
        notes.untranslatable += own.untranslatable
        notes.edits += own.edits
        if not own.untranslatable and not own.edits and len(raw) <= _MOST_BYTES:
            while len(self._found) >= _MOST:
                self._found.pop(next(iter(self._found)), None)
            self._found[raw] = tools
        return tools
