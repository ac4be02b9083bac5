"""What leaves at the end of an event loop's turn."""

from __future__ import annotations

import asyncio
import time

import pytest

from turnout.upstream.http.outbox import LONGEST_S, Outbox


async def test_what_the_tasks_of_a_turn_send_leaves_after_the_last_of_them() -> None:
    happened: list[str] = []
    outbox = Outbox()

    async def task(name: str) -> None:
        happened.append(f"{name} runs")
        outbox.add(lambda: happened.append(f"{name} leaves"))

    await asyncio.gather(task("a"), task("b"))
    await asyncio.sleep(0)
    assert happened == ["a runs", "b runs", "a leaves", "b leaves"]


def test_nothing_waits_where_there_is_nobody_to_leave_with() -> None:
    outbox, tasks = Outbox(), set[int]()
    assert not outbox.waits
    outbox.tasks = tasks
    for number, waits in ((1, False), (2, True)):
        tasks.add(number)
        assert outbox.waits is waits


async def test_each_leaves_once_and_a_later_turn_has_its_own() -> None:
    left: list[int] = []
    outbox = Outbox()
    for number in range(3):
        outbox.add(lambda number=number: left.append(number))  # type: ignore[misc]  # binds the number of this round
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert left == list(range(number + 1))


async def test_what_waits_does_not_wait_for_long_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    left: list[str] = []
    outbox = Outbox()
    outbox.add(lambda: left.append("first"))
    now[0] = LONGEST_S / 2
    outbox.add(lambda: left.append("second"))
    assert left == []
    now[0] = LONGEST_S * 1.5
    outbox.add(lambda: left.append("third"))
    assert left == ["first", "second"]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert left == ["first", "second", "third"]


async def test_what_is_added_while_others_leave_leaves_too() -> None:
    left: list[str] = []
    outbox = Outbox()

    def first() -> None:
        left.append("first")
        outbox.add(lambda: left.append("second"))

    outbox.add(first)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert left == ["first", "second"]
