"""Sends requests whose provider goes wrong, and judges what became of each: answer, error, or lost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import os
import re
import socket
import struct
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from tests.doors.gateway.hardness.provider import Provider
from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Served, served, wait_for
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import EventStreamParser
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.sse import SseParser
from turnout.messages.wire.usage import reader_of
from turnout.trace.events import CallEvent

PROTOCOLS = (WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC, WireProtocol.CONVERSE)
OURS = b"the gateway failed to serve the request"
_AT_ONCE = 8
_NUMBERS = itertools.count()
_SAID: list[Any] = [{"role": "user", "content": "hi"}]


def sampled(places: Sequence[int]) -> list[int]:
    """Of many places those that there is time for: a few, more, or all, as the profile of property tests says."""
    profile = os.environ.get("HYPOTHESIS_PROFILE", "house")
    most = {"brief": 12, "explore": len(places)}.get(profile, 30)
    step = max(1, -(-len(places) // most))
    return list(places[::step])


class Case(NamedTuple):
    """One request.

    Attributes:
        protocol: How it is asked.
        stream: Whether the answer is streamed.
        fault: What the provider does: ``where``, ``what``, ``index``, ``times``; empty: nothing.
    """

    protocol: WireProtocol
    stream: bool
    fault: dict[str, Any]


class Outcome(NamedTuple):
    """What became of a request.

    Attributes:
        case: The request.
        name: The id by which provider and ledger know it.
        status: The HTTP status; 0 where none came.
        ended: Whether an answer came to its end.
        failed: Whether an error was told in the client's own protocol.
        broke: Whether HTTP itself said that the answer is not whole.
        data: The body.
    """

    case: Case
    name: str
    status: int
    ended: bool
    failed: bool
    broke: bool
    data: bytes

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.status == 0 or OURS in self.data:
            return "lost" if self.status == 0 else "our own 500"
        if self.status >= 300 or self.failed:
            return "told"
        if self.ended and not self.broke:
            return "answered"
        return "broken off" if self.broke else "lost"


def request_of(case: Case, name: str) -> bytes:
    """The bytes of a request."""
    if case.protocol is WireProtocol.CONVERSE:
        path = f"/model/turnout/converse{'-stream' if case.stream else ''}"
        body: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    else:
        path = "/v1/messages" if case.protocol is WireProtocol.ANTHROPIC else "/v1/chat/completions"
        body = {"model": "turnout", "max_tokens": 99, "messages": _SAID, "stream": case.stream}
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nanthropic-version: 2023-06-01\r\n"
        f"x-turnout-query-id: {name}\r\nx-turnout-session: {name}\r\nx-fault-id: {name}\r\n"
        f"x-fault: {json.dumps(case.fault)}\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def send(port: int, case: Case, *, seconds: float = 20.0) -> Outcome:
    """Send a request and read its answer to the end; a hang raises `TimeoutError`."""
    name = f"case-{next(_NUMBERS)}"
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request_of(case, name))
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65_536):
                got += chunk
    return judge(case, name, got)


def judge(case: Case, name: str, got: bytes) -> Outcome:
    """What an answer's bytes mean to a client."""
    head, _, rest = got.partition(b"\r\n\r\n")
    first = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    if first is None:
        return Outcome(case, name, 0, False, False, True, got)
    status, broke = int(first[1]), False
    if b"transfer-encoding: chunked" in head.lower():
        rest, broke = unchunked(rest)
    elif length := re.search(rb"(?i)content-length: (\d+)", head):
        broke = len(rest) != int(length[1])
    if status >= 300:
        return Outcome(case, name, status, False, True, broke, rest)
    ended, failed = read(case, rest)
    return Outcome(case, name, status, ended, failed, broke, rest)


def unchunked(data: bytes) -> tuple[bytes, bool]:
    """What chunks hold, and whether they do not come to their end."""
    body = b""
    while True:
        size, mark, rest = data.partition(b"\r\n")
        if not mark:
            return body, True
        length = int(size, 16)
        if length == 0:
            return body, False
        body += rest[:length]
        if len(rest) < length + 2:
            return body, True
        data = rest[length + 2 :]


def read(case: Case, data: bytes) -> tuple[bool, bool]:
    """Whether an answer came to its end, and whether an error was told, as a client reads it."""
    reader: Any = reader_of(case.protocol)
    if not case.stream:
        try:
            reader.body(data)
        except MalformedStreamError:
            return False, False
        return reader.complete or reader.has_content, reader.error is not None
    parser: Any = EventStreamParser() if case.protocol is WireProtocol.CONVERSE else SseParser()
    failed = False
    try:
        for event in parser.feed(data):
            # What a provider spoilt is passed on; a client may or may not stop at it.
            with contextlib.suppress(MalformedStreamError):
                reader.feed(event)
            failed = failed or reader.error is not None
    except MalformedStreamError:
        return False, True  # frames that do not match: every client of these raises
    return reader.complete or reader.finish_reason is not None, failed


class Bench:
    """A gateway before a provider that goes wrong.

    Attributes:
        counted: What became of all requests so far.
    """

    def __init__(self, gateway: Served, provider: Provider, loops: list[uvloop.Loop]) -> None:
        self.gateway, self.provider = gateway, provider
        self.counted: Counter[str] = Counter()
        self.port = int(gateway.url.rpartition(":")[2])
        self._loops = loops
        self.tasks = self.count_tasks()

    def count_tasks(self) -> int:
        """How many tasks the server's event loop has."""
        return sum(len(asyncio.all_tasks(loop)) for loop in self._loops)

    def run(self, cases: Iterable[Case]) -> list[Outcome]:
        """Send requests, several at once, and hold the ledger against what came of each."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outcomes = list(pool.map(lambda case: send(self.port, case), cases))
        self.settle()
        by_name: dict[str, list[CallEvent]] = {}
        for event in self.gateway.events.calls:
            by_name.setdefault(event.query_id, []).append(event)
        self.gateway.events.events.clear()
        found = []
        for one in outcomes:
            self.counted[one.verdict] += 1
            calls = by_name.get(one.name, [])
            if wrong := self.wrong(one, calls):
                ends = [f"{call.status} {call.error}" for call in calls]
                found.append(f"{wrong}: {one.case}: {one.status} {one.data[-300:]!r}; calls: {ends}")
        assert not found, "\n".join(found)
        return outcomes

    def wrong(self, one: Outcome, calls: list[CallEvent]) -> str:
        """What is not as it must be: nothing is lost, and every call is on record once, with its end."""
        if one.verdict not in ("answered", "told"):
            return one.verdict
        reached = self.provider.calls[one.name]
        # A call that was given up while it was being sent has not been read by the provider: only on a busy machine.
        unread = sum(call.error in ("StalledError", "ConnectTimeout") for call in calls)
        if len({call.event_id for call in calls}) != len(calls) or not reached <= len(calls) <= reached + unread:
            return f"{reached} calls and {len(calls)} on record"
        if not calls:
            return "nothing was called"
        *before, last = calls
        if any(call.status != "error" for call in before):
            return "a call before the last one did not fail"
        if one.ended and not one.failed and last.status != "ok":
            return "an answer is on record as failed"
        if not one.ended and (last.status != "error" or not last.error):
            return "a failure is on record as an answer"
        return ""

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until nothing is under way: no request, no answer of the provider, no task."""
        wait_for(lambda: self.gateway.gateway.busy == 0 and self.provider.playing == 0, seconds)
        wait_for(lambda: self.count_tasks() <= self.tasks, seconds)

    def print_counts(self) -> None:
        """Say how many there were."""
        total = sum(self.counted.values())
        print(f"\n{total} requests: " + ", ".join(f"{count} {what}" for what, count in sorted(self.counted.items())))


def running_loops() -> list[uvloop.Loop]:
    """The event loops of servers that run: uvicorn's, and not the provider's."""
    return [thing for thing in gc.get_objects() if type(thing) is uvloop.Loop and thing.is_running()]


SETTINGS = """
{candidates}
[calls]
stall_seconds = {stall}
deadline_seconds = {deadline}
attempts_per_model = 2
base_backoff_seconds = 0.001
max_backoff_seconds = 0.002
[calls.breaker]
consecutive_failures = 1000000
minimum_calls = 1000000
[upstreams.openai]
base_url = "{url}/v1"
key_env = "MY_OPENAI_KEY"
[upstreams.anthropic]
base_url = "{url}"
key_env = "MY_ANTHROPIC_KEY"
auth = "api_key"
[upstreams.bedrock]
base_url = "{url}"
auth = "bearer"
key_env = "MY_BEDROCK_KEY"
region = "eu-west-1"
"""


def settings_of(url: str, *, stall: float, deadline: float) -> str:
    """A file of settings: two candidates of each provider, all at one address."""
    models = (OPENAI[0], ANTHROPIC[0], BEDROCK[0], OPENAI[1], ANTHROPIC[1], BEDROCK[1])
    listed = "".join(f'[[policy.candidates]]\nmodel = "{model}"\nrank = {rank}\n' for rank, model in enumerate(models))
    return SETTINGS.format(candidates=listed, url=url, stall=stall, deadline=deadline)


@contextlib.contextmanager
def bench(folder: Path, *, stall: float = 0.25, deadline: float = 1.5) -> Iterator[Bench]:
    """A gateway before such a provider; at its end no connection is left open."""
    others = running_loops()
    with Provider() as provider:
        with served(folder, settings_of(provider.url, stall=stall, deadline=deadline)) as gateway:
            with gateway.http() as client:
                client.get("/healthz")
            (loop,) = [one for one in running_loops() if one not in others]
            made = Bench(gateway, provider, [loop])
            yield made
            made.settle()
        wait_for(lambda: provider.open == 0)
        assert gateway.gateway._client.connections == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def leave(port: int, case: Case, *, after: int, reset: bool) -> str:
    """Send a request, take so many bytes of its answer, and go; the request's name."""
    name = f"case-{next(_NUMBERS)}"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request_of(case, name))
        got = 0
        while got < after and (chunk := connection.recv(after - got)):
            got += len(chunk)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return name
