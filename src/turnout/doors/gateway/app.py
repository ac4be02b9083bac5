"""The gateway as a bare ASGI application: no framework stands between the server and a relay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from turnout.config.routes import ROUTED
from turnout.config.settings import GatewaySettings
from turnout.core.catalog import unknown
from turnout.doors.gateway import openapi
from turnout.doors.gateway.access.gate import Unverified
from turnout.doors.gateway.access.keys import Key
from turnout.doors.gateway.admission import Admission, Visit
from turnout.doors.gateway.exchange import (
    ClientLeftError,
    Held,
    Presence,
    Receive,
    Scope,
    Send,
    Share,
    Write,
    answer_whole,
    read_body,
)
from turnout.doors.gateway.explain import explained
from turnout.doors.gateway.headers import Wishes, wishes_of
from turnout.doors.gateway.listing import described, listed
from turnout.doors.gateway.models import Choice
from turnout.doors.gateway.problems import STOPPING, RequestError, problem_of
from turnout.doors.gateway.relaying.bill import BILL, Bill
from turnout.doors.gateway.relaying.relay import Relay
from turnout.doors.gateway.relaying.stored import relay_stored
from turnout.doors.gateway.relaying.traces import joined_by
from turnout.doors.gateway.routes import Route, allowed, match, unknown_path
from turnout.doors.gateway.routing import GatewayRouting, session_of
from turnout.messages.wire import anthropic, converse, count_tokens, invoke, openai_chat, openai_responses
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.errors import Problem, error_answer
from turnout.router import RefusedError
from turnout.trace.prometheus import Exposition
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.headers import returned, sent_on

logger = logging.getLogger(__name__)

_PING = b"/ping"
_AGENT_PATHS = (b"/invocations", _PING)
_JSON = (b"content-type", b"application/json")


class Gateway:
    """The ASGI application.

    Args:
        routing: Decides.
        client: Calls providers; it is closed when the server stops.
        limits: How much is taken on.
        admission: Lets requests in.
        metrics: Gives the metrics in the format that an ``accept`` header asks for; none: they are not counted.

    Attributes:
        routing: See above; a request keeps the one that it began with.
        limits: See above.
        admission: See above.
        alongside: What runs as long as the server does: entered before the first request, left after the last one.
        beside: An agent's application (`turnout.doors.agentcore`) for ``/invocations`` and ``/ping``, or none.
        stopping: Set by the server when it was told to stop: then nobody is to send new requests.
        busy: How many requests are being served.
        pours: Makes of ASGI's ``send`` what sends a piece at once; set by a server that lets both be called outside of
            a task, it makes streams cheaper.
        outbox: Where requests to providers, and answers, wait for the end of the event loop's turn.
    """

    def __init__(
        self,
        routing: GatewayRouting,
        client: HttpClient,
        limits: GatewaySettings,
        admission: Admission,
        *,
        metrics: Callable[[str], Exposition] | None = None,
    ) -> None:
        self.routing = routing
        self.limits = limits
        self.admission = admission
        self.alongside: list[AbstractAsyncContextManager[object]] = []
        self.beside: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None
        self.stopping = False
        self.busy = 0
        self.pours: Callable[[Send], Write] | None = None
        self.outbox = client.outbox
        self._client = client
        self._metrics = metrics
        self._held = Held(limits.max_bodies_bytes)

    def use(self, routing: GatewayRouting, limits: GatewaySettings) -> None:
        """Serve new requests by other settings; those under way end by the ones that they began with."""
        routing.router.breakers.rules = routing.router.calls.breaker
        self.routing = routing
        self.limits = limits
        self._held.limit = limits.max_bodies_bytes

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
            match route.kind:
                case "health":
                    await _json(send, 200, {"status": "ok"})
                case "ready":
                    status = "stopping" if self.stopping else "ready"
                    await _json(send, 503 if self.stopping else 200, {"status": status, "busy": self.busy - 1})
                case _ if self.beside is not None and scope["raw_path"] in _AGENT_PATHS:
                    if scope["raw_path"] != _PING:
                        self.admission.enter(scope, route.protocol)
                    await self.beside(scope, receive, send)
                case _:
                    entered = self.admission.enter(scope, route.protocol)
                    await self._serve(route, entered, scope, receive, send)
        except ClientLeftError:
            pass
        except Exception as error:
            await self._refuse(route.protocol, error, send)
        finally:
            self.busy -= 1

    async def _serve(self, route: Route, entered: Key | Unverified, scope: Scope, receive: Receive, send: Send) -> None:
        match route.kind:
            case "answer" | "count" | "decide":
                await self._take_on(route, entered, scope, receive, send)
            case "models" | "model":
                await self._models(route, self.admission.known(entered, b""), scope, send)
            case "stored":
                key = self.admission.known(entered, b"")
                await relay_stored(self.routing, self._client, route, scope, receive, send, key_id=key.id)
            case "metrics" if self._metrics is not None:
                accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
                body, content_type = self._metrics(accept.decode("latin-1"))
                await answer_whole(send, 200, [(b"content-type", content_type.encode())], body)
            case "openapi":
                await answer_whole(send, 200, [_JSON], openapi.encoded(self.routing.models.names))
            case "method":
                methods = ", ".join(allowed(scope["raw_path"]))
                message = f"not with {scope['method']}: it takes {methods}"
                problem = Problem(status=405, code="method_not_allowed", message=message)
                raise RequestError(problem, ((b"allow", methods.encode()),))
            case _:
                message = unknown_path(scope["path"][:100])
                raise RequestError(Problem(status=404, code="unknown_path", message=message))

    async def _take_on(
        self, route: Route, entered: Key | Unverified, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request that has a body, within the limits of the gateway and of the key."""
        if self.busy > self.limits.max_requests:
            message = f"more than {self.limits.max_requests} requests at once"
            raise RequestError(Problem(status=429, code="too_many_requests", message=message, retry_after_s=1))
        began_s = asyncio.get_running_loop().time()
        share = self._held.share()
        visit: Visit | None = None
        try:
            data = await self._body(receive, share)
            visit = self.admission.visit(self.admission.known(entered, data))
            with joined_by(scope["headers"]):
                match route.kind:
                    case "count":
                        await self._count(route, data, visit, scope, receive, send)
                    case "decide":
                        await self._decide(data, visit, scope, send)
                    case _:
                        await self._answer(route, data, visit, began_s, scope, receive, send)
        finally:
            share.close()
            if visit is not None:
                visit.close()

    async def _answer(
        self, route: Route, data: bytes, visit: Visit, began_s: float, scope: Scope, receive: Receive, send: Send
    ) -> None:
        routing = self.routing
        asked = visit.named(self._read(route, data))
        headers = scope["headers"]
        wishes = wishes_of(headers, asked.overrides)
        choice = self._chosen(routing, asked, wishes, visit)
        reading = routing.read(asked, wishes, choice, key_id=visit.key.id)
        visit.count(reading.request)
        bill = Bill()
        token = BILL.set(bill)
        presence = Presence(receive)
        relay: Relay | None = None
        try:
            routed = await routing.route(reading, choice)
            relay = Relay(
                routing,
                self._client,
                asked,
                reading,
                routed,
                sent_on(headers),
                scope["query_string"],
                bill,
                send,
                began_s,
                visit,
                pours=self.pours,
            )
            await relay.run()
        except asyncio.CancelledError:
            # A client that has left is no reason to end the server's task as cancelled.
            if presence.left:
                return
            if not self.stopping:
                raise
            # The time to end is over: whoever waits is told so.
            if relay is None:
                raise RequestError(STOPPING) from None
            await relay.stop()
        finally:
            presence.close()
            BILL.reset(token)
            if reading.turn is not None:
                reading.turn.rest()

    def _chosen(self, routing: GatewayRouting, asked: Asked, wishes: Wishes, visit: Visit) -> Choice:
        """What the model name stands for, for this key."""
        choice = routing.choice(asked, wishes)
        policy = self.admission.narrowed(visit.key, choice.policy)
        return choice if policy is choice.policy else choice._replace(policy=policy)

    async def _count(self, route: Route, data: bytes, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay a question for a number of tokens: to the pinned model, or the session's own."""
        asked = self._read(route, data)
        wishes = wishes_of(scope["headers"], asked.overrides)
        choice = self.routing.choice(asked, wishes)
        session = wishes.session or asked.session_id
        if session is not None:
            session = session_of(visit.key.id, session)
        model_id = choice.pin or self.routing.counting_model(asked.protocol, session, visit.key.allows)
        visit.allow(model_id)
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

    async def _decide(self, data: bytes, visit: Visit, scope: Scope, send: Send) -> None:
        """What would be decided for a body of any door, whose protocol stands in the query."""
        named = dict(_pairs(scope["query_string"]))
        protocol = named.get("protocol", WireProtocol.OPENAI_CHAT.value)
        known = {one.value: one for one in WireProtocol}
        if protocol not in known:
            message = unknown("protocol", protocol[:40], known)
            raise RequestError(Problem(status=400, code="unknown_protocol", message=message))
        route = Route("answer", known[protocol], named.get("model", "turnout"), named.get("stream") == "true")
        routing = self.routing
        asked = visit.named(self._read(route, data))
        wishes = wishes_of(scope["headers"], asked.overrides)
        choice = self._chosen(routing, asked, wishes, visit)
        reading = routing.read(asked, wishes, choice, preview=True, key_id=visit.key.id)
        visit.allow(reading.request.pin)
        given, decision = await routing.preview(reading, choice, key_id=visit.key.id)
        await _json(send, 200, explained(given, decision))

    async def _models(self, route: Route, key: Key, scope: Scope, send: Send) -> None:
        ours = any(name == b"anthropic-version" for name, _ in scope["headers"])
        protocol = WireProtocol.ANTHROPIC if ours else WireProtocol.OPENAI_CHAT
        names = [name for name in self.routing.models.names if name.startswith(ROUTED) or key.allows(name)]
        if route.kind == "models":
            await _json(send, 200, listed(names, protocol))
            return
        self.routing.models.choose(route.model, protocol)
        await _json(send, 200, described(route.model, protocol))

    def _read(self, route: Route, data: bytes) -> Asked:
        depth = self.limits.max_depth
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

    async def _body(self, receive: Receive, share: Share) -> bytes:
        limits = self.limits
        return await read_body(receive, limit=limits.max_body_bytes, seconds=limits.body_seconds, share=share)

    async def _refuse(self, protocol: WireProtocol, error: Exception, send: Send) -> None:
        """Answer with an error in the client's own protocol."""
        problem = problem_of(error)
        if problem.status == 500:
            logger.error("error=<%s> | a request could not be served", type(error).__name__, exc_info=error)
        said = error_answer(protocol, problem)
        fields = list(said.headers)
        if isinstance(error, RequestError):
            fields += error.headers
        if isinstance(error, RefusedError):
            fields.append((b"x-turnout-reason", error.decision.reason.value.encode()))
            fields.append((b"x-turnout-request-id", error.event_id.encode()))
        # Where the answer has begun, nothing can be said any more.
        with suppress(RuntimeError):
            await answer_whole(send, said.status, fields, said.body)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # the beginning
        async with AsyncExitStack() as running:
            for one in self.alongside:
                await running.enter_async_context(one)
            await send({"type": "lifespan.startup.complete"})
            await receive()  # the end
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def _pairs(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"))


async def _json(send: Send, status: int, value: Any) -> None:
    await answer_whole(send, status, [_JSON], msgspec.json.encode(value))
