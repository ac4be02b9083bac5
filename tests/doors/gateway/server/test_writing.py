"""The head of an answer leaves with its body, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from turnout.doors.gateway.server.writing import HeadWithBody, at_once
from turnout.upstream.http.outbox import Outbox

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Counting:
    """A transport of asyncio whose writes are counted."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.writes: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self._transport.write(data)


def outbox_of(tasks: int) -> Outbox:
    made = Outbox()
    made.tasks = range(tasks)
    return made


async def sent(steps: list[bytes | str], tasks: int = 2) -> tuple[list[bytes], bytes]:
    """What was written where so many tasks serve requests, and what the other end got of it.

    A text among the steps names a method; ``pause`` waits a round.
    """
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
    reader, writer = await asyncio.open_connection(sock=theirs)
    counting = Counting(transport)
    joined = HeadWithBody(counting, outbox_of(tasks))
    for step in steps:
        if isinstance(step, bytes):
            joined.write(step)
        elif step == "pause":
            await asyncio.sleep(0)
        else:
            getattr(joined, step)()
    if not joined.is_closing():
        joined.close()
    got = await reader.read()
    writer.close()
    await writer.wait_closed()
    return counting.writes, got


@pytest.mark.parametrize(
    ("steps", "writes"),
    [
        pytest.param([HEAD, b"ok"], [HEAD + b"ok"], id="with its body"),
        pytest.param([HEAD, "pause", b"ok"], [HEAD, b"ok"], id="alone where nothing follows at once"),
        pytest.param([HEAD, "close"], [HEAD], id="before the connection closes"),
        pytest.param([HEAD, b"o", b"k"], [HEAD + b"ok"], id="with all that follows in its turn"),
        pytest.param([HEAD, b"o" * 70_000, b"k"], [HEAD + b"o" * 70_000, b"k"], id="with no more than waits"),
        pytest.param([HEAD, HEAD], [HEAD + HEAD], id="with another head"),
        pytest.param([b"ok"], [b"ok"], id="what is no head does not wait"),
        pytest.param([HEAD, "abort"], [], id="not on a connection that is aborted"),
    ],
)
async def test_when_a_head_leaves(steps: list[bytes | str], writes: list[bytes]) -> None:
    assert await sent(steps) == (writes, b"".join(writes))


@pytest.mark.parametrize(
    ("steps", "writes"),
    [
        pytest.param([HEAD, b"ok"], [HEAD + b"ok"], id="with its body"),
        pytest.param([HEAD, b"o", b"k"], [HEAD + b"o", b"k"], id="with the first piece alone"),
        pytest.param([HEAD, "pause", "pause", b"ok"], [HEAD, b"ok"], id="alone where nothing follows at once"),
    ],
)
async def test_the_answer_of_the_only_request_does_not_wait(steps: list[bytes | str], writes: list[bytes]) -> None:
    assert await sent(steps, tasks=1) == (writes, b"".join(writes))


async def test_nothing_is_written_to_a_client_that_left_in_the_same_turn() -> None:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, ours)
    counting = Counting(transport)
    joined = HeadWithBody(counting, outbox_of(2))
    joined.write(HEAD)
    transport.abort()
    await asyncio.sleep(0)
    assert counting.writes == []
    theirs.close()


async def test_what_else_a_transport_can_do_it_can_too() -> None:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, ours)
    joined = HeadWithBody(transport, outbox_of(2))
    assert joined.get_extra_info("socket") is transport.get_extra_info("socket")
    joined.close()
    theirs.close()


async def test_a_piece_is_sent_at_once_only_where_uvicorn_would_do_no_more() -> None:
    written: list[bytes] = []
    flow = SimpleNamespace(write_paused=False)
    cycle = RequestResponseCycle.__new__(RequestResponseCycle)
    cycle.flow, cycle.transport = flow, SimpleNamespace(write=written.append)  # type: ignore[assignment]  # what it uses
    cycle.disconnected = cycle.response_complete = False
    cycle.chunked_encoding = True
    write = at_once(cycle.send)
    assert write(b"data: a\n\n")
    for name, value in (("disconnected", True), ("response_complete", True), ("chunked_encoding", False)):
        before = getattr(cycle, name)
        setattr(cycle, name, value)
        assert not write(b"data: b\n\n")
        setattr(cycle, name, before)
    flow.write_paused = True
    assert not write(b"data: c\n\n")
    assert written == [b"9\r\ndata: a\n\n\r\n"]
