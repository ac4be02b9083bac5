"""Checks in the user's own code: ``module:function``, called with the request and an answer.

The function takes a `turnout.evaluate.collect.requests.Request` and the answer's text, and gives true or false or a
number from 0 to 1. It may be ``async``. One that is not runs in a thread, up to as many at once as requests are.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import Callable
from typing import Any

from turnout.evaluate.collect.errors import CollectError, RequestFailedError
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Grade
from turnout.evaluate.own_code import OwnCodeError, object_named

logger = logging.getLogger(__name__)

Check = Callable[[Request, str], Any]
"""From a request and an answer's text to its score."""


class CodeJudge:
    """Scores each answer by a function.

    Args:
        check: The function.
        name: How it was named.
    """

    def __init__(self, check: Check, name: str) -> None:
        self._check = check
        self._name = name

    @property
    def name(self) -> str:
        """``code:module:function``."""
        return f"code:{self._name}"

    def lacks(self, request: Request) -> str | None:
        """Nothing that is known here."""
        return None

    async def grade(self, request: Request, cheap: str, capable: str) -> Grade:
        """Score both answers.

        Raises:
            RequestFailedError: The function fails, or gives no score.
        """
        return Grade(cheap=await self._score(request, cheap), capable=await self._score(request, capable))

    async def _score(self, request: Request, answer: str) -> float:
        try:
            if inspect.iscoroutinefunction(self._check):
                found = await self._check(request, answer)
            else:
                found = await asyncio.to_thread(self._check, request, answer)
        except Exception as error:
            # Its message may quote the answer.
            logger.warning("check=<%s>, error=<%s> | a check failed", self._name, type(error).__name__)
            raise RequestFailedError(f"the check {self._name} raised {type(error).__name__}", again=True) from error
        try:
            score = float(found)
        except (TypeError, ValueError):
            score = math.nan
        if not 0.0 <= score <= 1.0:
            kind = type(found).__name__
            raise RequestFailedError(f"the check {self._name} gave no score from 0 to 1 ({kind})", again=True)
        return score


def check_named(spec: str) -> Check:
    """The function that ``module:function`` names; a module beside the user's files is found.

    Raises:
        CollectError: There is none.
    """
    try:
        found = object_named(spec, "check")
    except OwnCodeError as error:
        raise CollectError(str(error)) from error
    if not callable(found):
        raise CollectError(f"the check {spec!r} is no function")
    check: Check = found
    return check
