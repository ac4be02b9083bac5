"""Work that is run up to where it first has to wait: what never waits then costs no timer, and needs no task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from types import coroutine
from typing import Any, TypeVar

_Value = TypeVar("_Value")


async def soon(work: Awaitable[_Value], seconds: float) -> _Value:
    """What is awaited, within that time.

    It is run up to where it first has to wait. Most, such as a classifier by keywords or a body that has come, never
    wait: then no timer is set. The time counts from there on, as no timer can interrupt what does not wait anyway.

    Args:
        work: What is awaited, such as a coroutine; it is over when this returns or raises.
        seconds: How long it may wait.

    Raises:
        TimeoutError: It was not done in time; it was cancelled.
    """
    steps = work.__await__()
    try:
        waits_for = steps.send(None)
    except StopIteration as done:
        value: _Value = done.value
        return value
    async with asyncio.timeout(seconds):
        return await _from(steps, waits_for)


def begun(work: Awaitable[Any]) -> Awaitable[Any] | None:
    """Run what is awaited up to where it first has to wait, from anywhere in its event loop, also outside of a task.

    Returns:
        What is left of it, to be awaited; none where it is done.

    Raises:
        Exception: What it raises.
    """
    steps = work.__await__()
    try:
        waits_for = steps.send(None)
    except StopIteration:
        return None
    return _from(steps, waits_for)


@coroutine
def _from(steps: Generator[Any, Any, _Value], waits_for: Any) -> Generator[Any, Any, _Value]:
    """Go on with what waits for something already."""
    try:
        while True:
            try:
                given = yield waits_for
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:
                waits_for = steps.throw(error)
            else:
                waits_for = steps.send(given)
    except StopIteration as done:
        value: _Value = done.value
        return value
