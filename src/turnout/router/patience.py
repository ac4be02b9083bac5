"""A time limit that costs nothing where there is nothing to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

_Value = TypeVar("_Value")


async def soon(work: Coroutine[Any, Any, _Value], seconds: float) -> _Value:
    """What a coroutine returns, within that time.

    It is run up to where it first has to wait. Most, such as a classifier by keywords or a body that has come, never
    wait: then no timer is set. The time counts from there on, as no timer can interrupt what does not wait anyway.

    Args:
        work: The coroutine; it is over when this returns or raises.
        seconds: How long it may wait.

    Raises:
        TimeoutError: It was not done in time; it was cancelled.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        value: _Value = done.value
        return value
    async with asyncio.timeout(seconds):
        return await _from(work, waits_for)


@coroutine
def _from(work: Coroutine[Any, Any, _Value], waits_for: Any) -> Generator[Any, Any, _Value]:
    """Go on with a coroutine that waits for something already."""
    try:
        while True:
            try:
                given = yield waits_for
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                waits_for = work.throw(error)
            else:
                waits_for = work.send(given)
    except StopIteration as done:
        value: _Value = done.value
        return value
