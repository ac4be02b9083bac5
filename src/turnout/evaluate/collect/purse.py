"""The budget of a collection: the highest cost of a call is set aside before it is made, so that it is never exceeded.

Known limitation: that of `turnout.core.bounds`: a prompt with more than twice the tokens that were counted can cost
more than was set aside; what it did cost is booked, and nothing more is begun.
"""

from __future__ import annotations

import asyncio

from turnout.evaluate.collect.errors import OutOfBudgetError


class Purse:
    """Money of one collection, in pico-USD.

    Args:
        limit_pico: The most that may be spent, earlier runs included.
        spent_pico: What was spent before.

    Attributes:
        limit_pico: See above.
        spent_pico: What is spent.
        reserved_pico: What calls under way may still cost.
    """

    def __init__(self, limit_pico: int, spent_pico: int = 0) -> None:
        self.limit_pico = limit_pico
        self.spent_pico = spent_pico
        self.reserved_pico = 0
        self._settled = asyncio.Condition()

    async def reserve(self, pico: int) -> None:
        """Set aside what a call may cost, waiting for calls under way where it does not fit beside them.

        Raises:
            OutOfBudgetError: It does not fit, and no call is under way.
        """
        async with self._settled:
            while self.spent_pico + self.reserved_pico + pico > self.limit_pico:
                if self.spent_pico + pico > self.limit_pico or not self.reserved_pico:
                    raise OutOfBudgetError
                await self._settled.wait()
            self.reserved_pico += pico

    async def settle(self, reserved_pico: int, spent_pico: int) -> None:
        """Book what a call did cost, and let go what was set aside for it."""
        async with self._settled:
            self.reserved_pico -= reserved_pico
            self.spent_pico += spent_pico
            self._settled.notify_all()
