"""What ends a collection, or one request of it."""

from __future__ import annotations


class CollectError(ValueError):
    """Something is not as a collection needs it: one line with the place and what to do."""


class OutOfBudgetError(Exception):
    """The highest cost of the next call does not fit in what is left of the budget, and no call is under way."""


class RequestFailedError(Exception):
    """One request cannot be graded; the others can.

    Attributes:
        why: A short reason without text of prompts, answers or providers.
        again: Whether a later run may have more luck.
    """

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.why = why
        self.again = again
