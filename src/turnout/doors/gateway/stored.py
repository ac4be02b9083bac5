"""What a provider keeps of an answer of the Responses API: read, cancelled, deleted where it is kept.

``GET`` and ``DELETE /v1/responses/{id}``, ``POST .../cancel``, ``GET .../input_items``. They go to the provider that
gave the answer; where nobody knows which one did, to the only one that can be asked, else nowhere. They are no calls of
a model: no event is written.
"""

from __future__ import annotations

import asyncio

from turnout.doors.gateway.exchange import Presence, Receive, Scope, Send, answer_whole, begin_stream, go_on
from turnout.doors.gateway.held import writer_for
from turnout.doors.gateway.problems import RequestError
from turnout.doors.gateway.routes import Route
from turnout.doors.gateway.routing import GatewayRouting
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.errors import Problem
from turnout.messages.wire.sse import CONTENT_TYPE
from turnout.upstream.http.client import Answer, HttpClient
from turnout.upstream.http.endpoint import Endpoint
from turnout.upstream.http.headers import returned, sent_on

_PROTOCOL = WireProtocol.OPENAI_RESPONSES


async def relay_stored(
    routing: GatewayRouting,
    client: HttpClient,
    route: Route,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    key_id: str = "",
) -> None:
    """Relay a request for what is kept under the id of a route.

    Raises:
        RequestError: Nobody knows who keeps it, or its provider could not be called.
    """
    endpoint = _keeper(routing, route.model, key_id)
    method: str = scope["method"]
    stall_s = endpoint.stall_s or routing.router.calls.stall_s
    loop = asyncio.get_running_loop()
    presence = Presence(receive)
    try:
        answer = await endpoint.request(
            client,
            method,
            f"/responses/{route.model}{route.rest}",
            sent_on(scope["headers"]),
            loop.time() + stall_s,
            query=scope["query_string"],
        )
        try:
            await _pass(answer, send, stall_s)
        finally:
            answer.close()
        if method == "DELETE" and answer.status < 300:
            routing.held.forget(route.model)
    except (ConnectionError, TimeoutError) as error:
        message = f"{endpoint.name}: {type(error).__name__}"
        raise RequestError(Problem(status=502, code="upstream_failed", message=message)) from error
    except asyncio.CancelledError:
        if not presence.left:
            raise
    finally:
        presence.close()


async def _pass(answer: Answer, send: Send, stall_s: float) -> None:
    loop = asyncio.get_running_loop()
    fields = returned(answer.headers)
    if not answer.fields.get("content-type", "").startswith(CONTENT_TYPE):
        await answer_whole(send, answer.status, fields, await answer.read(loop.time() + stall_s))
        return
    await begin_stream(send, answer.status, fields)
    while (chunk := await answer.next(loop.time() + stall_s)) is not None:
        await go_on(send, chunk)
    await go_on(send, b"", more=False)


def _keeper(routing: GatewayRouting, response_id: str, key_id: str) -> Endpoint:
    providers = routing.providers(_PROTOCOL)
    writer = writer_for(routing.held, (response_id,), key_id)
    found = None if writer is None else routing.ways.get((writer.model, _PROTOCOL))
    if isinstance(found, Endpoint):
        return found
    if len(providers) == 1:
        return next(iter(providers.values()))
    why = "no provider keeps responses" if not providers else "the gateway has not seen which provider gave it"
    raise RequestError(Problem(status=404, code="unknown_response", message=f"{response_id[:100]!r}: {why}"))
