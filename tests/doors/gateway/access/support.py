"""Requests as real clients make them, and a server that takes them with a gate at its door."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.gate import Gate, Unverified
from turnout.doors.gateway.access.keys import Key, KeyRules, NewKey, new_key
from turnout.doors.gateway.access.sigv4 import Head

MADE = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOST = "gateway.test:4141"


def key(name: str = "ci", *, signing: bool = False, **rules: Any) -> NewKey:
    """A new key."""
    return new_key(name, MADE, KeyRules(**rules), signing=signing)


def signed(
    credentials: Credentials,
    *,
    target: str = "/model/m/converse",
    body: bytes = b"{}",
    method: str = "POST",
    headers: dict[str, str] | None = None,
    region: str = "us-east-1",
    service: str = "bedrock",
    unsigned_payload: bool = False,
) -> tuple[Head, bytes]:
    """A request that botocore has signed, as a server sees it."""
    request = AWSRequest(
        method=method,
        url=f"http://{HOST}{target}",
        data=body,
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    if unsigned_payload:
        request.context["payload_signing_enabled"] = False
    SigV4Auth(credentials, service, region).add_auth(request)
    fields = [(name.lower().encode(), str(value).encode("latin-1")) for name, value in request.headers.items()]
    path, _, query = target.partition("?")
    head = Head(method, path.encode("latin-1"), query.encode("latin-1"), [(b"host", HOST.encode()), *fields])
    return head, body


def time_of(head: Head) -> float:
    """When a request was signed, in seconds since the epoch."""
    text = next(value for name, value in head.headers if name == b"x-amz-date").decode()
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def entered(gate: Gate, head: Head, body: bytes, now_s: float, *, bedrock: bool = True) -> Key | Denial:
    """What the gate says in the end."""
    found = gate.enter(head, now_s, bedrock=bedrock)
    return found.verify(body) if isinstance(found, Unverified) else found


class Door:
    """An ASGI app that lets requests in by a gate and answers those with an empty object.

    Attributes:
        outcomes: What the gate said to each request, in their order.
        heads: Their heads.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.outcomes: list[Key | Denial] = []
        self.heads: list[Head] = []

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        head = Head(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        outcome = entered(self.gate, head, body, time.time(), bedrock=head.raw_path.startswith(b"/model/"))
        self.heads.append(head)
        self.outcomes.append(outcome)
        refused = isinstance(outcome, Denial)
        status = outcome.status if isinstance(outcome, Denial) else 200
        answer = json.dumps({"message": outcome.message} if isinstance(outcome, Denial) else {}).encode()
        stream = head.raw_path.endswith(b"-stream") and not refused
        kind = b"application/vnd.amazon.eventstream" if stream else b"application/json"
        fields = [(b"content-type", kind), (b"x-amzn-errortype", b"AccessDeniedException")][: 1 + refused]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b"" if stream else answer})


@contextmanager
def serving(door: Door, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """The door on a port of its own; gives its URL."""
    files: dict[str, Any] = {}
    if certificate is not None:
        files = {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}
    config = uvicorn.Config(door, host="127.0.0.1", port=0, lifespan="off", log_config=None, **files)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def headers(*pairs: tuple[str, str]) -> Sequence[tuple[bytes, bytes]]:
    """Headers as a server has them."""
    return [(name.encode(), value.encode("latin-1")) for name, value in pairs]
