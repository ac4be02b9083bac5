from __future__ import annotations

import asyncio

from turnout.evaluate.collect.pace import Pace


async def test_calls_follow_each_other_at_even_distances() -> None:
    loop = asyncio.get_running_loop()
    pace, gone = Pace(3_000), list[float]()
    began = loop.time()

    async def one() -> None:
        await pace.turn()
        gone.append(loop.time() - began)

    await asyncio.gather(*(one() for _ in range(5)))
    # A place every 20 ms, none before its time; how late one comes is the machine's affair.
    assert all(at >= place * 0.02 - 0.002 for place, at in enumerate(sorted(gone)))


async def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(None)
    await asyncio.wait_for(asyncio.gather(*(pace.turn() for _ in range(1_000))), 30)
