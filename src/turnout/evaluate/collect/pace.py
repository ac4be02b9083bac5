"""How fast calls follow each other."""

from __future__ import annotations

import asyncio


class Pace:
    """Lets calls go at even distances, at most so many a minute.

    Args:
        per_minute: The most calls a minute; none: as fast as they come.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._gap_s = 60.0 / per_minute if per_minute else 0.0
        self._next_s = 0.0

    async def turn(self) -> None:
        """Wait until the next call may go."""
        if not self._gap_s:
            return
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        # Taken before the wait, so that of two that wait each gets a place of its own.
        place_s = max(now_s, self._next_s)
        self._next_s = place_s + self._gap_s
        await asyncio.sleep(place_s - now_s)
