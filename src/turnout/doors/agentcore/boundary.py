"""What stands between the socket and AgentCore's app: checks a request before it is read, and notices who leaves.

The SDK's app answers unreadable bodies in forms of its own, puts the messages of exceptions into answers, and does not
notice that a caller of a JSON answer has left. Here the body is read, bounded and checked; the app inside is then given
one that it can read. When the caller leaves, the app's task is cancelled, and the turn with it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turnout.doors.agentcore.errors import problem_of
from turnout.doors.agentcore.payload import PayloadError, Question, most_bytes, read_question

if TYPE_CHECKING:
    from turnout.doors.agentcore.service import AgentService
    from turnout.doors.agentcore.turn import Turn

EXCHANGE = "turnout.agentcore.exchange"
"""Where a request's scope holds its `Exchange`."""

PATH = "/invocations"

_DATA_PLANE = re.compile(r"/runtimes/.+/invocations")
"""The path that the AWS SDKs' ``InvokeAgentRuntime`` calls, so that they can be pointed at a service here."""

_DRAINED = 64 * 1024 * 1024
"""The most bytes of a body that is too large that are still read, so that its sender gets to read why."""


class Exchange:
    """One request: its question, and the turn that answers it, once there is one."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self._turn: Turn | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def answered_by(self, turn: Turn) -> None:
        """Note the turn, from its own event loop."""
        self._turn, self._loop = turn, asyncio.get_running_loop()

    def end(self) -> None:
        """End the turn unless it has ended; from any thread."""
        if self._turn is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._turn.leave)


class Boundary:
    """ASGI middleware around AgentCore's app.

    Args:
        app: The app inside.
        service: Knows the limits.
    """

    def __init__(self, app: ASGIApp, service: AgentService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _routed(scope)
        if scope["method"] != "POST" or _path(scope) != PATH:
            await self._app(scope, receive, send)
            return
        try:
            body = await _body(receive, most_bytes(self._service.limits.max_prompt_chars))
            if body is None:
                return
            question = read_question(body, _headers(scope), self._service.limits.max_prompt_chars)
        except PayloadError as error:
            problem = problem_of(error)
            await JSONResponse(problem.body(), problem.status)(scope, receive, send)
            return
        exchange = Exchange(question)
        scope[EXCHANGE] = exchange
        try:
            await _while_there(self._app, scope, receive, send)
        finally:
            exchange.end()


async def _while_there(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the app, and cancel it when the caller leaves."""
    gone = asyncio.Event()
    bodies = [msgspec.json.encode({})]  # what the app inside reads; the question is in the scope

    async def read() -> Message:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    running = asyncio.ensure_future(app(scope, read, send))
    watching = asyncio.ensure_future(watch())
    try:
        await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            return
        await running
    finally:
        for task in (running, watching):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _body(receive: Receive, most: int) -> bytes | None:
    """The body, or none if the caller left before its end.

    Raises:
        PayloadError: It is too long.
    """
    chunks, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            chunks.append(chunk)
        if not message.get("more_body", False) or size > _DRAINED:
            break
    if size > most:
        raise PayloadError(f"the body is longer than {most:,} bytes", "too_large")
    return b"".join(chunks)


def _routed(scope: Scope) -> Scope:
    """The scope, with the path of the AWS data plane taken for that of the service."""
    path = _path(scope)
    if not _DATA_PLANE.fullmatch(path):
        return scope
    whole = scope["path"].removesuffix(path) + PATH
    return {**scope, "path": whole, "raw_path": whole.encode()}


def _path(scope: Scope) -> str:
    """The path below where the app is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """Headers by name in lower case; of one that is sent twice the values are joined by commas."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
