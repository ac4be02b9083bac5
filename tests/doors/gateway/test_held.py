"""Who wrote what a provider keeps: the newest ids, and no more of them than there is room for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doors.gateway.test_serving import PAIR, made
from turnout.doors.gateway.headers import NO_WISHES
from turnout.doors.gateway.held import HeldState, writer_for
from turnout.doors.gateway.problems import RequestError
from turnout.messages.wire import openai_chat
from turnout.router import Routed


async def routed(folder: Path, key_id: str = "") -> Routed:
    gateway = made(
        folder,
        PAIR + '[upstreams.bedrock]\nauth="bearer"\nregion="x"',
        AWS_BEARER_TOKEN_BEDROCK="b",
        OPENAI_API_KEY="o",
    )
    asked = openai_chat.decode(b'{"model":"turnout","messages":[{"role":"user","content":"hi"}]}')
    choice = gateway.routing.choice(asked, NO_WISHES)
    return await gateway.routing.route(gateway.routing.read(asked, NO_WISHES, choice, key_id=key_id), choice)


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


async def test_nothing_of_another_key_goes_along_with_ones_own(tmp_path: Path) -> None:
    held = HeldState()
    held.note(("mine",), await routed(tmp_path, "key-a"))
    held.note(("other",), await routed(tmp_path, "key-b"))
    for ids, found in ((("mine",), True), (("unknown", "mine"), True), (("unknown",), False)):
        assert (writer_for(held, ids, "key-a") is not None) is found
    for theirs in (("other",), ("mine", "other"), ("unknown", "other", "mine")):
        with pytest.raises(RequestError) as refused:
            writer_for(held, theirs, "key-a")
        assert (refused.value.problem.status, refused.value.problem.code) == (404, "unknown_state")
