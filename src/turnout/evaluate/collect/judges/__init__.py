"""Judges: each gives two answers to one request a score from 0 to 1."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Grade


@runtime_checkable
class Judge(Protocol):
    """Grades two answers."""

    @property
    def name(self) -> str:
        """Identifies the judge, its wording included: grades of two judges are not put together."""

    def lacks(self, request: Request) -> str | None:
        """What the judge needs and the request lacks, in words; none: nothing."""

    async def grade(self, request: Request, cheap: str, capable: str) -> Grade:
        """Grade the two models' answers.

        Raises:
            RequestFailedError: This request cannot be graded.
            OutOfBudgetError: The judge's next call does not fit in the budget.
        """
