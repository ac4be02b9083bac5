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
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from tests.doors.gateway.hardness.provider import FRAMED, Provider, noted
from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Served, admission_of, served, wait_for
from turnout.doors.gateway.access.keys import KeyRules, NewKey, new_key
from turnout.doors.gateway.access.spending import charge_pico
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import EventStreamParser
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.sse import SseParser
from turnout.messages.wire.usage import reader_of
from turnout.trace.events import CallEvent

Pair = tuple[WireProtocol, WireProtocol]
"""How the client asks, and what the provider speaks."""

NATIVE: list[Pair] = [(protocol, protocol) for protocol in WireProtocol]
TRANSLATED: list[Pair] = [
    (WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC),
    (WireProtocol.OPENAI_CHAT, WireProtocol.CONVERSE),
    (WireProtocol.ANTHROPIC, WireProtocol.OPENAI_CHAT),
    (WireProtocol.ANTHROPIC, WireProtocol.CONVERSE),
    (WireProtocol.CONVERSE, WireProtocol.OPENAI_CHAT),
    (WireProtocol.CONVERSE, WireProtocol.ANTHROPIC),
    (WireProtocol.INVOKE, WireProtocol.OPENAI_CHAT),
]
PAIRS = [*NATIVE, *TRANSLATED]
BOTH = (False, True)
OURS = b"the gateway failed to serve the request"
_AT_ONCE = 32
_NUMBERS = itertools.count()


def sampled(firsts: Iterable[Any], *others: Iterable[Any], each: int, offset: int = 0) -> list[tuple[Any, ...]]:
    """Of all combinations as many as there is time for; all, where the profile of property tests says ``explore``.

    Args:
        firsts: Each of these is taken.
        others: The rest of a combination.
        each: How many combinations of the rest go with each; they change from one to the next.
        offset: Where they begin.
    """
    rest = list(product(*others))
    profile = os.environ.get("HYPOTHESIS_PROFILE", "house")
    count = min(len(rest), max(1, each // 4) if profile == "brief" else each)
    if profile == "explore":
        count = len(rest)
    step = len(rest) // count
    return [
        (first, *rest[(number + offset + place * step) % len(rest)])
        for number, first in enumerate(firsts)
        for place in range(count)
    ]


class Case(NamedTuple):
    """One request.

    Attributes:
        pair: How it is asked, and what the provider speaks.
        stream: Whether the answer is streamed.
        fault: What the provider does: ``where``, ``what``, ``index``, ``times``; empty: nothing.
    """

    pair: Pair
    stream: bool
    fault: dict[str, Any]

    @property
    def protocol(self) -> WireProtocol:
        """How it is asked."""
        return self.pair[0]


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


def request_of(case: Case, name: str, key: NewKey) -> bytes:
    """The bytes of a request."""
    text = noted(name, case.fault)
    said: list[Any] = [{"role": "user", "content": text}]
    body: dict[str, Any]
    match case.protocol:
        case WireProtocol.CONVERSE:
            path = f"/model/turnout/converse{'-stream' if case.stream else ''}"
            body = {"messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": {"maxTokens": 99}}
        case WireProtocol.INVOKE:
            path = f"/model/turnout/invoke{'-with-response-stream' if case.stream else ''}"
            body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": said}
        case WireProtocol.OPENAI_RESPONSES:
            path = "/v1/responses"
            body = {"model": "turnout", "max_output_tokens": 99, "input": text, "stream": case.stream}
        case WireProtocol.ANTHROPIC:
            path = "/v1/messages"
            body = {"model": "turnout", "max_tokens": 99, "messages": said, "stream": case.stream}
        case _:
            path = "/v1/chat/completions"
            body = {"model": "turnout", "max_completion_tokens": 99, "messages": said, "stream": case.stream}
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nanthropic-version: 2023-06-01\r\n"
        f"authorization: Bearer {key.token}\r\nx-turnout-query-id: {name}\r\nx-turnout-session: {name}\r\n"
        f"content-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def send(port: int, case: Case, key: NewKey, *, seconds: float = 20.0) -> Outcome:
    """Send a request and read its answer to the end; a hang raises `TimeoutError`."""
    name = f"case-{next(_NUMBERS)}"
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request_of(case, name, key))
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
    parser: Any = EventStreamParser() if case.protocol in FRAMED else SseParser()
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
    """Gateways before a provider that goes wrong: one that does not translate, and one before each kind of provider.

    Attributes:
        gateways: By what the provider speaks; none: all, each for its own clients.
        counted: What became of all requests so far.
    """

    def __init__(
        self, gateways: dict[WireProtocol | None, Served], provider: Provider, loops: list[uvloop.Loop]
    ) -> None:
        self.gateways, self.provider = gateways, provider
        self.counted: Counter[str] = Counter()
        self._loops = loops
        self._charged: Counter[tuple[str, str]] = Counter()
        self.tasks = self.count_tasks()

    def gateway(self, pair: Pair) -> Served:
        """The one that serves such clients by such a provider."""
        return self.gateways[None if pair[0] is pair[1] else pair[1]]

    def port(self, pair: Pair) -> int:
        """Where that listens."""
        return int(self.gateway(pair).url.rpartition(":")[2])

    def count_tasks(self) -> int:
        """How many tasks the servers' event loops have."""
        return sum(len(asyncio.all_tasks(loop)) for loop in self._loops)

    def run(self, cases: Iterable[Case], key: NewKey | None = None) -> list[Outcome]:
        """Send requests, several at once, and hold the ledger against what came of each."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outcomes = list(pool.map(lambda case: send(self.port(case.pair), case, key or RICH), cases))
        by_name = self.take_calls()
        found = []
        for one in outcomes:
            self.counted[one.verdict] += 1
            calls = by_name.get(one.name, [])
            if wrong := self.wrong(one, calls):
                ends = [f"{call.status} {call.error}" for call in calls]
                found.append(f"{wrong}: {one.case}: {one.status} {one.data[-300:]!r}; calls: {ends}")
        assert not found, f"{len(found)}\n" + "\n".join(found[:20])
        return outcomes

    def take_calls(self) -> dict[str, list[CallEvent]]:
        """The calls since the last time, by the names of their requests, once nothing is under way."""
        self.settle()
        by_name: dict[str, list[CallEvent]] = {}
        for one in self.gateways.values():
            for event in one.events.calls:
                by_name.setdefault(event.query_id, []).append(event)
                self._charged[one.url, event.key_id] += charge_pico(event)
            one.events.events.clear()
        self.check_tickets()
        return by_name

    def check_tickets(self) -> None:
        """Nobody holds a ticket any more: no request counts as under way, no money is set aside, all is booked."""
        for gateway in self.gateways.values():
            limits = gateway.gateway.admission.limits
            for key_id, use in limits._use.items():
                assert (use.running, use.day.reserved_pico, use.month.reserved_pico) == (0, 0, 0)
                assert use.month.spent_pico == self._charged[gateway.url, key_id]

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
            return "" if BUDGET in one.data else "nothing was called"
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
        wait_for(lambda: not any(one.gateway.busy for one in self.gateways.values()), seconds)
        wait_for(lambda: self.provider.playing == 0, seconds)
        wait_for(lambda: self.count_tasks() <= self.tasks, seconds)

    def print_counts(self) -> None:
        """Say how many there were."""
        total = sum(self.counted.values())
        print(f"\n{total} requests: " + ", ".join(f"{count} {what}" for what, count in sorted(self.counted.items())))


def running_loops() -> list[uvloop.Loop]:
    """The event loops of servers that run: uvicorn's, and not the provider's."""
    return [thing for thing in gc.get_objects() if type(thing) is uvloop.Loop and thing.is_running()]


def _key(name: str, usd: str) -> NewKey:
    rules = KeyRules(
        budget_day_usd=Decimal(usd),
        budget_month_usd=Decimal(usd),
        requests_per_minute=10**9,
        tokens_per_minute=10**12,
        concurrent_requests=10**6,
    )
    return new_key(name, datetime.now(UTC), rules)


RICH = _key("rich", "1000000")
POOR_USD = "0.05"
POOR = _key("poor", POOR_USD)
"""A key with every limit on, and one whose budget runs out."""

BUDGET = b"key's budget of"
"""What a client reads whose key has no money left."""

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
[gateway]
translate = {translate}
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
CANDIDATES: dict[WireProtocol | None, tuple[str, ...]] = {
    None: (OPENAI[0], ANTHROPIC[0], BEDROCK[0], OPENAI[1], ANTHROPIC[1], BEDROCK[1]),
    WireProtocol.OPENAI_CHAT: OPENAI,
    WireProtocol.ANTHROPIC: ANTHROPIC,
    WireProtocol.CONVERSE: BEDROCK,
}


def settings_of(spoken: WireProtocol | None, url: str, *, stall: float, deadline: float) -> str:
    """A file of settings: two candidates of each provider, all at one address."""
    listed = "".join(
        f'[[policy.candidates]]\nmodel = "{model}"\nrank = {rank}\n' for rank, model in enumerate(CANDIDATES[spoken])
    )
    translate = "false" if spoken is None else "true"
    return SETTINGS.format(candidates=listed, url=url, stall=stall, deadline=deadline, translate=translate)


@contextlib.contextmanager
def bench(folder: Path, *, stall: float = 0.25, deadline: float = 1.5) -> Iterator[Bench]:
    """Gateways before such a provider; at its end no connection is left open."""
    others = running_loops()
    with Provider() as provider:
        with contextlib.ExitStack() as opened:
            gateways: dict[WireProtocol | None, Served] = {}
            for spoken in CANDIDATES:
                text = settings_of(spoken, provider.url, stall=stall, deadline=deadline)
                gateway = opened.enter_context(served(folder, text, admission=admission_of(RICH, POOR, tls="proxy")))
                gateways[spoken] = gateway
                with gateway.http() as client:
                    client.get("/healthz")
            loops = [one for one in running_loops() if one not in others]
            assert len(loops) == len(gateways)
            made = Bench(gateways, provider, loops)
            yield made
            made.settle()
        wait_for(lambda: provider.open == 0)
        assert all(one.gateway._client.connections == 0 for one in gateways.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def leave(port: int, case: Case, key: NewKey, *, after: int, reset: bool) -> str:
    """Send a request, take so many bytes of its answer, and go; the request's name."""
    name = f"case-{next(_NUMBERS)}"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request_of(case, name, key))
        got = 0
        while got < after and (chunk := connection.recv(after - got)):
            got += len(chunk)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return name
