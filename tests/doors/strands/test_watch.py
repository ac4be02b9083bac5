from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable

import pytest

from turnout.doors.strands.watch import Watch
from turnout.upstream.errors import StalledError


async def slow(*delays_s: float) -> AsyncGenerator[float, None]:
    for delay_s in delays_s:
        await asyncio.sleep(delay_s)
        yield delay_s


def patience(first_s: float, later_s: float) -> Callable[[bool], float]:
    return lambda has_content: later_s if has_content else first_s


async def test_an_event_that_takes_too_long_is_a_stall() -> None:
    watch = Watch(patience_s=patience(30.0, 0.01))
    events = slow(0.0, 30.0)
    assert await watch.next(events, has_content=False) == 0.0
    with pytest.raises(StalledError, match=r"no event within 0\.010 s"):
        await watch.next(events, has_content=True)


async def test_a_models_own_time_out_stays_its_own() -> None:
    async def failing(events: int = 0) -> AsyncGenerator[int, None]:
        for number in range(events):
            yield number
        raise TimeoutError("of the model")

    with pytest.raises(TimeoutError, match="of the model") as caught:
        await Watch(patience_s=patience(30.0, 30.0)).next(failing(), has_content=False)
    assert not isinstance(caught.value, StalledError)


async def test_the_end_of_a_stream_is_passed_on() -> None:
    with pytest.raises(StopAsyncIteration):
        await Watch().next(slow(), has_content=False)


async def test_cancelling_the_task_is_no_stall() -> None:
    task = asyncio.ensure_future(Watch(patience_s=patience(30.0, 30.0)).next(slow(30.0), has_content=False))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_it_knows_whether_the_agent_was_cancelled() -> None:
    signal = threading.Event()
    watch = Watch(cancel_signal=signal)
    seen = [watch.is_cancelled, Watch().is_cancelled]
    signal.set()
    assert [*seen, watch.is_cancelled] == [False, False, True]


def test_without_a_connection_there_is_nothing_to_close() -> None:
    watch = Watch()
    watch.hang_up()
    watch.clean_up()
