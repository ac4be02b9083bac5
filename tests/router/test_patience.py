from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable

import pytest

from turnout.router.patience import begun, soon


async def test_what_does_not_wait_needs_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[object] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def counted(*arguments: object, **named: object) -> object:
        timers.append(arguments)
        return call_at(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(loop, "call_at", counted)

    async def at_once() -> int:
        return 7

    assert await soon(at_once(), 5.0) == 7
    assert timers == []


async def test_what_waits_goes_on_where_it_stopped() -> None:
    async def twice(value: int) -> int:
        await asyncio.sleep(0)
        waited = await asyncio.get_running_loop().run_in_executor(None, lambda: value * 2)
        await asyncio.sleep(0.001)
        return waited + 1

    assert await soon(twice(4), 5.0) == 9


async def test_a_time_limit_cancels() -> None:
    seen: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    with pytest.raises(TimeoutError):
        await soon(endless(), 0.01)
    assert seen == ["cancelled"]


@pytest.mark.parametrize("waits", [False, True])
async def test_an_error_comes_through(waits: bool) -> None:
    async def fails() -> None:
        if waits:
            await asyncio.sleep(0)
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        await soon(fails(), 5.0)


async def test_a_caller_that_is_cancelled_cancels_the_work() -> None:
    seen: list[str] = []
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    task = asyncio.create_task(soon(work(), 30.0))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["ended"]


async def test_the_work_runs_in_the_callers_context() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=1)

    async def reads() -> int:
        await asyncio.sleep(0)
        return variable.get()

    variable.set(5)
    assert await soon(reads(), 5.0) == 5


async def test_what_begins_outside_of_a_task_is_done_or_goes_on_in_one() -> None:
    seen: list[str] = []

    async def work(*, waits: bool) -> None:
        seen.append("began")
        if waits:
            await asyncio.sleep(0.001)
        seen.append("ended")

    def callback(waits: bool) -> None:
        assert asyncio.current_task() is None
        left.append(begun(work(waits=waits)))

    left: list[Awaitable[None] | None] = []
    loop = asyncio.get_running_loop()
    loop.call_soon(callback, False)
    loop.call_soon(callback, True)
    await asyncio.sleep(0)
    assert seen == ["began", "ended", "began"]
    done, going = left
    assert done is None
    assert going is not None
    await going
    assert seen[3:] == ["ended"]


async def test_what_fails_as_it_begins_says_so() -> None:
    async def fails() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        begun(fails())
