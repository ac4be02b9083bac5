"""The gateway as a bare ASGI application: no framework stands between the server and a relay."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from turnout.config.settings import GatewaySettings
from turnout.core.catalog import unknown
from turnout.doors.gateway import openapi
from turnout.doors.gateway.bill import BILL, Bill
from turnout.doors.gateway.boundary import check_sender
from turnout.doors.gateway.exchange import ClientLeftError, Presence, Receive, Scope, Send, answer_whole, read_body
from turnout.doors.gateway.explain import explained
from turnout.doors.gateway.headers import wishes_of
from turnout.doors.gateway.listing import described, listed
from turnout.doors.gateway.problems import RequestError, problem_of
from turnout.doors.gateway.relay import Relay
from turnout.doors.gateway.routes import Route, match, paths
from turnout.doors.gateway.routing import GatewayRouting
from turnout.doors.gateway.stored import relay_stored
from turnout.messages.wire import anthropic, converse, count_tokens, invoke, openai_chat, openai_responses
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.errors import Problem, error_answer
from turnout.router import RefusedError
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.headers import returned, sent_on

logger = logging.getLogger(__name__)

_JSON = (b"content-type", b"application/json")


class Gateway:
    """The ASGI application.

    Args:
        routing: Decides.
        client: Calls providers; it is closed when the server stops.
        limits: How much is taken on.

    Attributes:
        stopping: Set by the server when it was told to stop: then nobody is to send new requests.
        busy: How many requests are being served.
    """

    def __init__(self, routing: GatewayRouting, client: HttpClient, limits: GatewaySettings) -> None:
        self.routing = routing
        self.stopping = False
        self.busy = 0
        self._client = client
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's beginning and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        route = match(scope["method"], scope["raw_path"])
        self.busy += 1
        try:
            check_sender(scope["headers"])
            await self._serve(route, scope, receive, send)
        except ClientLeftError:
            pass
        except Exception as error:
            await self._refuse(route.protocol, error, send)
        finally:
            self.busy -= 1

    async def _serve(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        match route.kind:
            case "answer":
                await self._answer(route, scope, receive, send)
            case "count":
                await self._count(route, scope, receive, send)
            case "stored":
                await relay_stored(self.routing, self._client, route, scope, receive, send)
            case "decide":
                await self._decide(scope, receive, send)
            case "models" | "model":
                await self._models(route, scope, send)
            case "health":
                await _json(send, 200, {"status": "ok"})
            case "ready":
                status = "stopping" if self.stopping else "ready"
                await _json(send, 503 if self.stopping else 200, {"status": status, "busy": self.busy - 1})
            case "openapi":
                await answer_whole(send, 200, [_JSON], openapi.encoded(self.routing.models.names))
            case "method":
                raise RequestError(
                    Problem(status=405, code="method_not_allowed", message=f"not with {scope['method']}")
                )
            case _:
                path = scope["path"][:100]
                raise RequestError(Problem(status=404, code="unknown_path", message=unknown("path", path, paths())))

    async def _answer(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        if self.busy > self._limits.max_requests:
            message = f"more than {self._limits.max_requests} requests at once"
            raise RequestError(Problem(status=429, code="too_many_requests", message=message, retry_after_s=1))
        began_s = asyncio.get_running_loop().time()
        asked = self._read(route, await self._body(receive))
        headers = scope["headers"]
        wishes = wishes_of(headers, asked.overrides)
        choice = self.routing.choice(asked, wishes)
        reading = self.routing.read(asked, wishes, choice)
        bill = Bill()
        token = BILL.set(bill)
        presence = Presence(receive)
        try:
            routed = await self.routing.route(reading, choice)
            relay = Relay(
                self.routing,
                self._client,
                asked,
                reading,
                routed,
                sent_on(headers),
                scope["query_string"],
                bill,
                send,
                began_s,
            )
            await relay.run()
        except asyncio.CancelledError:
            # A client that has left is no reason to end the server's task as cancelled.
            if not presence.left:
                raise
        finally:
            presence.close()
            BILL.reset(token)

    async def _count(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay a question for a number of tokens: to the pinned model, or the session's own."""
        asked = self._read(route, await self._body(receive))
        wishes = wishes_of(scope["headers"], asked.overrides)
        choice = self.routing.choice(asked, wishes)
        session = wishes.session or asked.session_id
        model_id = choice.pin or self.routing.counting_model(asked.protocol, session)
        endpoint = self.routing.ways.get((model_id, asked.protocol)) if model_id is not None else None
        if model_id is None or endpoint is None:
            message = f"no candidate counts tokens for {asked.protocol.value}"
            raise RequestError(Problem(status=400, code="no_candidate", message=message))
        model = self.routing.router.catalog[model_id]
        body = asked.body.data
        if "model" in asked.body:
            body = asked.body.edited(replace={"model": msgspec.json.encode(endpoint.called(model))})
        until = asyncio.get_running_loop().time() + self.routing.router.calls.deadline_s
        presence = Presence(receive)
        try:
            answer = await endpoint.call(
                self._client, model, "count", sent_on(scope["headers"]), body, until, query=scope["query_string"]
            )
            try:
                data = await answer.read(until)
            finally:
                answer.close()
            if not (200 <= answer.status < 300 or 400 <= answer.status < 600):
                raise ConnectionError("the provider answered with a status that is none of its API")
            fields = [*returned(answer.headers), (b"x-turnout-model", model_id.encode())]
            await answer_whole(send, answer.status, fields, data)
        except (ConnectionError, TimeoutError) as error:
            message = f"{model_id}: {type(error).__name__}"
            raise RequestError(Problem(status=502, code="upstream_failed", message=message)) from error
        except asyncio.CancelledError:
            if not presence.left:
                raise
        finally:
            presence.close()

    async def _decide(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What would be decided for a body of any door, whose protocol stands in the query."""
        named = dict(_pairs(scope["query_string"]))
        protocol = named.get("protocol", WireProtocol.OPENAI_CHAT.value)
        known = {one.value: one for one in WireProtocol}
        if protocol not in known:
            message = unknown("protocol", protocol[:40], known)
            raise RequestError(Problem(status=400, code="unknown_protocol", message=message))
        route = Route("answer", known[protocol], named.get("model", "turnout"), named.get("stream") == "true")
        asked = self._read(route, await self._body(receive))
        wishes = wishes_of(scope["headers"], asked.overrides)
        choice = self.routing.choice(asked, wishes)
        reading = self.routing.read(asked, wishes, choice, preview=True)
        given, decision = await self.routing.preview(reading, choice)
        await _json(send, 200, explained(given, decision))

    async def _models(self, route: Route, scope: Scope, send: Send) -> None:
        ours = any(name == b"anthropic-version" for name, _ in scope["headers"])
        protocol = WireProtocol.ANTHROPIC if ours else WireProtocol.OPENAI_CHAT
        names = self.routing.models.names
        if route.kind == "models":
            await _json(send, 200, listed(names, protocol))
            return
        self.routing.models.choose(route.model, protocol)
        await _json(send, 200, described(route.model, protocol))

    def _read(self, route: Route, data: bytes) -> Asked:
        depth = self._limits.max_depth
        match route.protocol:
            case WireProtocol.OPENAI_CHAT:
                return openai_chat.decode(data, max_depth=depth)
            case WireProtocol.OPENAI_RESPONSES:
                return openai_responses.decode(data, max_depth=depth)
            case WireProtocol.ANTHROPIC:
                return anthropic.decode(data, max_depth=depth)
            case WireProtocol.INVOKE:
                return invoke.decode(data, model=route.model, stream=route.stream, max_depth=depth)
            case WireProtocol.CONVERSE if route.kind == "count":
                return count_tokens.decode(data, model=route.model, max_depth=depth)
            case _:
                return converse.decode(data, model=route.model, stream=route.stream, max_depth=depth)

    async def _body(self, receive: Receive) -> bytes:
        return await read_body(receive, limit=self._limits.max_body_bytes, seconds=self._limits.body_seconds)

    async def _refuse(self, protocol: WireProtocol, error: Exception, send: Send) -> None:
        """Answer with an error in the client's own protocol."""
        problem = problem_of(error)
        if problem.status == 500:
            logger.error("error=<%s> | a request could not be served", type(error).__name__, exc_info=error)
        said = error_answer(protocol, problem)
        fields = list(said.headers)
        if isinstance(error, RefusedError):
            fields.append((b"x-turnout-reason", error.decision.reason.value.encode()))
        # Where the answer has begun, nothing can be said any more.
        with suppress(RuntimeError):
            await answer_whole(send, said.status, fields, said.body)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._client.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _pairs(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"))


async def _json(send: Send, status: int, value: Any) -> None:
    await answer_whole(send, status, [_JSON], msgspec.json.encode(value))
