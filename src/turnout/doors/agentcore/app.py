"""The ASGI app: AgentCore's own, with our entry point and boundary.

It stands alone or is mounted beside other routes; it keeps nothing outside itself. Mounted apps are not told when the
server stops, so whoever mounts it closes its service::

    @asynccontextmanager
    async def lifespan(host):
        yield
        await service.aclose()

    host = Starlette(routes=[Mount("/agent", create_app(service)), ...], lifespan=lifespan)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from turnout.doors.agentcore.boundary import EXCHANGE, Boundary, Exchange
from turnout.doors.agentcore.errors import problem_of
from turnout.doors.agentcore.payload import SESSION_HEADER
from turnout.doors.agentcore.service import AgentService
from turnout.doors.agentcore.turn import Part, Turn

if TYPE_CHECKING:
    from bedrock_agentcore import BedrockAgentCoreApp, RequestContext
    from bedrock_agentcore.runtime.models import PingStatus

T = TypeVar("T")


def create_app(service: AgentService) -> BedrockAgentCoreApp:
    """An AgentCore Runtime app: ``POST /invocations`` and ``GET /ping``.

    ``POST /runtimes/{arn}/invocations`` is served as well, so that the AWS SDKs' ``InvokeAgentRuntime`` works with
    this service as its endpoint. When its server stops, running turns end and the service is closed.

    Args:
        service: What answers.

    Raises:
        ImportError: The extra ``agentcore`` is not installed.
    """
    from bedrock_agentcore import BedrockAgentCoreApp
    from bedrock_agentcore.runtime.models import PingStatus

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await service.aclose()

    app = BedrockAgentCoreApp(lifespan=lifespan, middleware=[Middleware(Boundary, service=service)])

    @app.entrypoint
    async def invoke(payload: object, context: RequestContext) -> Response:
        request: Request | None = context.request
        if request is None:
            return _failed(RuntimeError("the request could not be read"))
        return await _respond(service, request.scope[EXCHANGE])

    @app.ping
    def ping() -> PingStatus:
        busy = service.busy or app.get_async_task_info()["active_count"]
        return PingStatus.HEALTHY_BUSY if busy else PingStatus.HEALTHY

    return app


async def _respond(service: AgentService, exchange: Exchange) -> Response:
    """Answer one request, in the loop that the service's turns run in."""
    turn: Turn | None = None
    try:
        turn = service.begin(exchange.question)
        exchange.answered_by(turn)
        first = await turn.next()
    except Exception as error:
        return _failed(error, turn)
    except BaseException:
        if turn is not None:
            turn.leave()
        raise
    headers = {SESSION_HEADER: turn.session_id}
    if not exchange.question.stream:
        # The only part: where nothing is streamed, the answer comes whole.
        answer = {name: value for name, value in (first or {}).items() if name != "type"}
        return JSONResponse(answer, headers=headers)
    # The first part came before the status is sent: what is refused is refused with its own status.
    body = _events(turn, first, asyncio.get_running_loop())
    return StreamingResponse(body, media_type="text/event-stream", headers={**headers, "Cache-Control": "no-cache"})


async def _events(turn: Turn, first: Part | None, loop: asyncio.AbstractEventLoop) -> AsyncIterator[bytes]:
    """Server-sent events of a turn that runs in another loop: one ``data:`` line of JSON for each part."""
    part = first
    try:
        while part is not None:
            yield _event(part)
            part = await _in(loop, turn.next())
    except Exception as error:
        # The status is sent, so the failure is the last event; nothing of what was said is taken back.
        yield _event({"type": "error", **problem_of(error).body(_ids(turn))})


async def _in(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Await work in another event loop; it is cancelled there if we are cancelled here."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def _event(part: Part) -> bytes:
    return f"data: {json.dumps(part, ensure_ascii=False)}\n\n".encode()


def _failed(error: Exception, turn: Turn | None = None) -> Response:
    problem = problem_of(error)
    headers = {**problem.headers, **({SESSION_HEADER: turn.session_id} if turn is not None else {})}
    return JSONResponse(problem.body(_ids(turn)), problem.status, headers=headers)


def _ids(turn: Turn | None) -> dict[str, str | None]:
    return turn.ids if turn is not None else {}
