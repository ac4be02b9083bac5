"""Checks in the user's own code: ``module:function``, called with the request and an answer.

The function takes a `turnout.evaluate.collect.requests.Request` and the answer's text, and gives true or false or a
number from 0 to 1. It may be ``async``. One that is not runs in a thread, up to as many at once as requests are.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turnout.core.catalog import unknown
from turnout.evaluate.collect.errors import CollectError, RequestFailedError
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Grade

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
    module_name, mark, name = spec.partition(":")
    if not mark or not module_name or not name:
        raise CollectError(f"a check must be module:function, got {spec!r}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or module_name.split(".")[0] != error.name.split(".")[0]:
            raise CollectError(f"the check {spec!r}: module {module_name!r} needs {error.name!r}, not there") from error
        raise CollectError(f"the check {spec!r}: there is no module {module_name!r}") from error
    except Exception as error:
        raise CollectError(
            f"the check {spec!r}: module {module_name!r} fails: {type(error).__name__}: {error}"
        ) from error
    found = getattr(module, name, None)
    if found is None:
        known = [one for one in vars(module) if not one.startswith("_")]
        raise CollectError(f"the check {spec!r}: {unknown('function', name, known)}")
    if not callable(found):
        raise CollectError(f"the check {spec!r} is no function")
    check: Check = found
    return check
