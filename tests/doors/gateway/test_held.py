"""Who wrote what a provider keeps: the newest ids, and no more of them than there is room for."""

from __future__ import annotations

from pathlib import Path

from tests.doors.gateway.test_serving import PAIR, made
from turnout.doors.gateway.headers import NO_WISHES
from turnout.doors.gateway.held import HeldState
from turnout.messages.wire import openai_chat
from turnout.router import Routed


async def routed(folder: Path) -> Routed:
    gateway = made(
        folder,
        PAIR + '[upstreams.bedrock]\nauth="bearer"\nregion="x"',
        AWS_BEARER_TOKEN_BEDROCK="b",
        OPENAI_API_KEY="o",
    )
    asked = openai_chat.decode(b'{"model":"turnout","messages":[{"role":"user","content":"hi"}]}')
    choice = gateway.routing.choice(asked, NO_WISHES)
    return await gateway.routing.route(gateway.routing.read(asked, NO_WISHES, choice), choice)


async def test_the_newest_are_remembered(tmp_path: Path) -> None:
    one = await routed(tmp_path)
    held = HeldState(most=3)
    held.note(("a", "b"), one)
    held.note(("c",), one)
    held.note(("a", "d"), one)
    assert len(held) == 3
    assert held.writer(("b",)) is None
    writer = held.writer(("unknown", "a"))
    assert writer is not None
    assert (writer.model, writer.turn) == ("openai/gpt-5", one.turn)
    held.forget("a")
    held.forget("a")
    assert held.writer(("a",)) is None
