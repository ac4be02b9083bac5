"""One line of what was looked at."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "note", "missing", "wrong"]
"""``note``: it works, but may not be what was meant. ``missing`` and ``wrong``: requests will fail because of it."""


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and in one line what that means; never a key."""

    what: str
    state: State
    detail: str

    @property
    def stops(self) -> bool:
        """Whether requests will fail because of it."""
        return self.state in ("missing", "wrong")
