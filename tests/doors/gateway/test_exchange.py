"""Bodies as they come: bounded in size and time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from turnout.doors.gateway.exchange import ClientLeftError, Presence, read_body
from turnout.doors.gateway.problems import RequestError


def sending(*pieces: bytes, leaves: bool = False, hangs: bool = False) -> Any:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": leaves or hangs or index < len(pieces) - 1}
        for index, piece in enumerate(pieces)
    ]
    messages.reverse()

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        if hangs:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


async def test_pieces_are_joined() -> None:
    assert await read_body(sending(b"ab", b"", b"cd"), limit=4, seconds=1) == b"abcd"


async def test_too_long() -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(sending(b"ab", b"cde"), limit=4, seconds=1)
    assert caught.value.problem.status == 413


async def test_endless() -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(sending(*[b"x" * 10] * 5, hangs=True), limit=10, seconds=1)
    assert caught.value.problem.status == 413


async def test_too_slow() -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(sending(b"ab", hangs=True), limit=10, seconds=0.01)
    assert caught.value.problem.status == 408


async def test_a_client_that_leaves() -> None:
    with pytest.raises(ClientLeftError):
        await read_body(sending(b"ab", leaves=True), limit=10, seconds=1)


async def test_presence_cancels_who_serves() -> None:
    async def serve() -> bool:
        presence = Presence(sending())
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return presence.left
        return False

    assert await asyncio.create_task(serve())


async def test_only_who_is_still_served_is_watched() -> None:
    asked = list[str]()

    def watched(name: str) -> Any:
        async def receive() -> Any:
            asked.append(name)
            return await asyncio.get_running_loop().create_future()

        return receive

    quick, slow = Presence(watched("quick")), Presence(watched("slow"))
    quick.close()
    for _ in range(500):
        if asked:
            break
        await asyncio.sleep(0.005)
    slow.close()
    late = Presence(watched("late"))
    late.close()
    await asyncio.sleep(0)
    assert asked == ["slow"]
