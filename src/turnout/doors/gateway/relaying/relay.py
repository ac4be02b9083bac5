"""Relays one request: calls the candidate that was chosen, and others where it fails, until an answer has begun.

What follows a failed call is decided elsewhere: `turnout.upstream.retry` says whether and when to try again, and
`turnout.core.decide` on which candidate. Before the first content of an answer nothing of it is passed on, so that
another candidate can give all of it; after it a failure ends the stream with an error in the client's own protocol.

Known limitations: an answer that broke off is not continued by prefill, as the Strands door does it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from turnout.core.cost import usd_text
from turnout.core.decision import larger_windows_only
from turnout.core.usage import UsageError
from turnout.doors.gateway.admission import Visit
from turnout.doors.gateway.exchange import Send, Write, answer_whole, begin_stream, go_on
from turnout.doors.gateway.headers import about
from turnout.doors.gateway.problems import STOPPING, RequestError, of_failure, problem_of
from turnout.doors.gateway.relaying.bill import Bill
from turnout.doors.gateway.relaying.crossing import Crossing
from turnout.doors.gateway.relaying.edits import edited
from turnout.doors.gateway.relaying.filling import with_cache_point
from turnout.doors.gateway.relaying.pouring import Pouring
from turnout.doors.gateway.relaying.saying import note_whole, noting
from turnout.doors.gateway.relaying.streams import FRAMED, Part, Stream, comment
from turnout.doors.gateway.relaying.traces import traced
from turnout.doors.gateway.routing import GatewayRouting, Reading
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.errors import Problem, error_answer, error_event
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.usage import reader_of
from turnout.router import OpenCall, RefusedError, Routed
from turnout.upstream.errors import Failure, TruncatedStreamError, error_name, failure_of
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.errors import (
    AnswerError,
    EventError,
    RemoteProtocolError,
    name_of_answer,
    name_of_event,
)
from turnout.upstream.http.headers import returned
from turnout.upstream.retry import next_step
from turnout.upstream.ways import Answering

logger = logging.getLogger(__name__)

_FINISH_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filtered",
    "completed": "end_turn",
    "max_output_tokens": "max_tokens",
}
"""OpenAI's words in those of the ledger, which are Converse's and Anthropic's."""

_LAST_WORDS_S = 1.0
"""Seconds that the end of a stream may take after the end of its answer."""

_MOST_WINDOWS = 10
"""No call takes more tokens than so many context windows of its model; a report of more is not believed."""

_MOST_HELD_BYTES = 1024 * 1024
"""So much of a stream is kept at most while nothing of its content has come."""

_MOST_ERROR_BYTES = 1024 * 1024


class Relay:
    """One request on its way.

    Args:
        routing: The gateway's.
        client: Calls providers.
        asked: The request.
        reading: The same as decisions see it.
        routed: The decision that the first call serves.
        headers: The headers that go to the provider.
        query: The query of the request's path, which goes there too.
        bill: What the request costs.
        send: ASGI's.
        began_s: When the request came, by the event loop's clock.
        visit: The request as the limits of its key see it.
        pours: Makes of ``send`` what sends a piece at once, where the server lets both be called outside of a task
            (`pouring`).
    """

    def __init__(
        self,
        routing: GatewayRouting,
        client: HttpClient,
        asked: Asked,
        reading: Reading,
        routed: Routed,
        headers: Sequence[tuple[bytes, bytes]],
        query: bytes,
        bill: Bill,
        send: Send,
        began_s: float,
        visit: Visit,
        *,
        pours: Callable[[Send], Write] | None = None,
    ) -> None:
        self._routing = routing
        self._router = routing.router
        self._rules = routing.router.calls
        self._client = client
        self._asked = asked
        self._reading = reading
        self._routed = routed
        self._headers = headers
        self._query = query
        self._bill = bill
        self._send = send
        self._visit = visit
        self._pours = pours
        self._now_s = asyncio.get_running_loop().time
        self._ends_s = began_s + self._rules.deadline_s
        self._failures = 0
        self._waited_s = 0.0
        self._begun = False
        self._reader: Any = None
        self._stall_s = self._rules.stall_s
        self._held: tuple[Answering, bytes] | None = None
        self._crossing: Crossing | None = None

    async def run(self) -> None:
        """Answer the request.

        Raises:
            RequestError: The budget of its key has no room for the first call.
        """
        problem = self._visit.reserve(self._routed)
        if problem is not None:
            self._router.withdraw(self._routed)
            raise RequestError(problem)
        while True:
            try:
                await self._attempt()
                return
            except Exception as error:
                if self._begun:
                    await self._break_off(error)
                    return
                if not await self._goes_on(error):
                    await self._refuse(error)
                    return

    async def _attempt(self) -> None:
        """One call; returns where its answer was relayed to its end."""
        routed, asked = self._routed, self._asked
        endpoint, translates = self._routing.way(routed.model.id, asked.protocol)
        protocol, headers, query, drops_usage = endpoint.protocol, self._headers, self._query, False
        if not translates:
            self._crossing = None
            sent = edited(asked, routed.model, routed.decision.edits, called=endpoint.called(routed.model))
            body, drops_usage = sent.body, sent.asks_usage
        else:
            source, called = self._routing.source_of(self._reading), endpoint.called(routed.model)
            self._crossing = Crossing(asked, protocol, routed, source, called=called)
            body, headers, query = self._crossing.body, self._crossing.request_headers(headers), b""
        body = with_cache_point(body, protocol, asked, routed)
        call = self._router.begin_call(routed, streamed=asked.stream)
        stream = None
        if asked.stream:
            note = None if call.transcript is None else noting(call.transcript, protocol)
            stream = Stream(protocol, drops_usage=drops_usage, crossing=self._crossing, note=note)
        reader = reader_of(protocol) if stream is None else stream.reader
        self._held = None
        self._stall_s = endpoint.stall_s or self._rules.stall_s
        self._reader = reader
        answer: Answering | None = None
        try:
            answer = await endpoint.call(
                self._client,
                routed.model,
                "stream" if asked.stream else "answer",
                traced(headers, call.span),
                body,
                self._until(),
                query=query,
            )
            if not 200 <= answer.status < 300:
                raise await self._error_of(answer)
            call.began()
            if stream is None:
                await self._whole(answer, protocol, reader, call)
            else:
                await self._streamed(answer, stream, call)
        except asyncio.CancelledError:
            self._note(call, reader, stream)
            call.end("cancelled")
            raise
        except Exception as error:
            self._note(call, reader, stream)
            call.failed(error)
            raise
        finally:
            if answer is not None:
                answer.close()

    async def _whole(self, answer: Answering, protocol: WireProtocol, reader: Any, call: OpenCall) -> None:
        data = await answer.read(self._ends_s)
        try:
            reader.body(data)
        except MalformedStreamError as error:
            raise RemoteProtocolError(str(error)) from error
        if reader.error is not None:
            self._held = (answer, b"")
            raise EventError(name_of_event(reader.error), data)
        if not (reader.has_content or reader.complete):
            raise RemoteProtocolError("the answer holds none: neither content nor an end")
        if call.transcript is not None:
            note_whole(call.transcript, protocol, data)
        if self._crossing is not None:
            data = self._crossing.answer(data, reader)
        if reader.has_content:
            call.content()
        self._end(call, reader)
        self._begun = True
        fields = [*self._returned(answer), *about(self._routed), self._cost()]
        await answer_whole(self._send, answer.status, fields, data)

    async def _streamed(self, answer: Answering, stream: Stream, call: OpenCall) -> None:
        reader, held, size = stream.reader, list[bytes](), 0
        pouring = None if self._pours is None else Pouring(stream, self._send, self._pours(self._send))
        while True:
            # Not in a coroutine of its own: each piece of a stream would go through it, there and back.
            part: Part | None = None
            try:
                if stream.broken is not None:
                    raise stream.broken
                if pouring is not None and self._begun and not reader.complete:
                    part = await pouring.pour(answer, self._stall_s)
                if part is None:
                    chunk = await answer.next(self._until(ended=reader.complete))
                    if chunk is None:
                        break
                    part = stream.feed(chunk)
            except (ConnectionError, TimeoutError) as error:
                if not stream.ended:
                    raise
                logger.warning("error=<%s> | a stream broke off after the end of its answer", error_name(error))
                break
            if reader.has_content and not call.has_content:
                call.content()
            if part.error is not None:
                self._held = (answer, b"".join([*held, part.data]))
                if self._begun and part.data:
                    await go_on(self._send, part.data)
                raise part.error
            data = part.data
            if part.last:
                data += self._end_of(call, stream) + part.last
            if not self._begun:
                held.append(data)
                size += len(data)
                if size > _MOST_HELD_BYTES:
                    raise RemoteProtocolError(f"no content within {_MOST_HELD_BYTES} bytes of a stream")
                if not (reader.has_content or reader.complete):
                    continue
                data = b"".join(held)
                await self._begin(answer)
            if data:
                await go_on(self._send, data)
        if not stream.ended:
            raise TruncatedStreamError("the stream ended before its answer did")
        if rest := stream.rest():
            held.append(self._end_of(call, stream) + rest)
        if not self._begun:
            await self._begin(answer)
            await go_on(self._send, b"".join(held))
        elif rest:
            await go_on(self._send, held[-1])
        self._end(call, reader)
        await go_on(self._send, b"", more=False)

    def _end_of(self, call: OpenCall, stream: Stream) -> bytes:
        """End the call, whose answer is at its end, and say what it cost where the protocol has a place for that."""
        if call.event is not None:
            return b""
        self._end(call, stream.reader)
        if self._asked.protocol in FRAMED:
            return b""
        routed = self._routed
        return comment(
            {
                "model": routed.model.id,
                "reason": routed.decision.reason.value,
                "request_id": routed.event_id,
                "cost_usd": usd_text(self._bill.pico),
            }
        )

    async def _begin(self, answer: Answering) -> None:
        self._begun = True
        await begin_stream(self._send, answer.status, [*self._returned(answer), *about(self._routed)])

    def _returned(self, answer: Answering) -> list[tuple[bytes, bytes]]:
        """The headers of a provider's answer that go to the client."""
        crossing = self._crossing
        return returned(answer.headers) if crossing is None else crossing.answer_headers(answer.headers)

    def _end(self, call: OpenCall, reader: Any) -> None:
        if call.event is not None:
            return
        self._note(call, reader, None)
        call.end("ok")
        self._routing.turns.wrote(self._routed.turn, self._routed.model.id)

    def _note(self, call: OpenCall, reader: Any, stream: Stream | None) -> None:
        """Tell the record of a call what its answer reported, or without a report what has come of it."""
        if reader.ids:
            self._routing.held.note(reader.ids, self._routed)
        usage = None
        try:
            usage = reader.usage
        except UsageError as error:
            logger.error("error=<%s> | a usage report could not be read, the call's cost is estimated", error)
        if usage is not None and usage.total_tokens > _MOST_WINDOWS * self._routed.model.context_window:
            logger.error("tokens=<%s> | a usage report cannot be, the call's cost is estimated", usage.total_tokens)
            usage = None
        if usage is not None:
            call.usage(usage)
        elif stream is not None and (characters := stream.characters()):
            call.content(characters)
        if reader.finish_reason is not None:
            call.finish_reason(_FINISH_REASONS.get(reader.finish_reason, reader.finish_reason))

    def _until(self, *, ended: bool = False) -> float:
        """Until when the next bytes may take; ``ended``: the answer is at its end, and its stream is not yet."""
        stall = self._now_s() + (min(self._stall_s, _LAST_WORDS_S) if ended else self._stall_s)
        if self._begun:
            return stall
        return min(self._ends_s, stall) if self._asked.stream else self._ends_s

    async def _error_of(self, answer: Answering) -> AnswerError:
        fields = answer.fields
        body = await answer.read(self._until(), _MOST_ERROR_BYTES)
        error = AnswerError(answer.status, name_of_answer(answer.status, fields), fields, body)
        self._held = (answer, b"")
        return error

    async def _goes_on(self, error: Exception) -> bool:
        """Get ready for the next call after one that failed, waiting where that helps; whether there is one."""
        failure = failure_of(error)
        self._failures += 1
        router, conversation = self._router, self._reading.conversation
        overflow = failure.kind == "overflow"
        unavailable = larger_windows_only(router.catalog, self._routed.model) if overflow else ()
        same = not any(one.model == self._routed.model.id for one in unavailable)
        elsewhere = failure.kind in ("retryable", "overflow") and router.can_fail_over(
            self._routed, failure.name, conversation=conversation, unavailable=unavailable
        )
        loop = asyncio.get_running_loop()
        step = next_step(
            self._rules,
            failure,
            failures=self._failures,
            waited_s=self._waited_s,
            left_s=self._ends_s - loop.time(),
            same=same,
            elsewhere=elsewhere,
            chance=router.chance.random(),
        )
        if step.do == "again":
            logger.warning(
                "model=<%s>, error=<%s>, wait_s=<%.3f> | failed, calling it again",
                self._routed.model.id,
                failure.name,
                step.wait_s,
            )
            self._waited_s += step.wait_s
            await asyncio.sleep(step.wait_s)
            again = router.retry(self._routed)
            if again is not None:
                return self._takes(again)
        if step.why in ("error", "deadline"):
            return False
        try:
            following = router.failover(self._routed, failure.name, conversation=conversation, unavailable=unavailable)
        except RefusedError:
            return False
        logger.warning(
            "from_model=<%s>, to_model=<%s>, error=<%s> | failed, failing over",
            self._routed.model.id,
            following.model.id,
            failure.name,
        )
        self._failures, self._waited_s = 0, 0.0
        return self._takes(following)

    def _takes(self, routed: Routed) -> bool:
        """Go on with another call, if the budget of the request's key has room for it."""
        if self._visit.reserve(routed) is not None:
            self._router.withdraw(routed)
            return False
        self._routed = routed
        return True

    async def _refuse(self, error: Exception) -> None:
        """Answer with the error of the last call: the provider's own where it is one for the client."""
        self._begun = True
        fields = [*about(self._routed), self._cost()]
        failure = failure_of(error)
        theirs = isinstance(error, AnswerError) and failure.kind != "fatal" and error.status < 600
        if self._crossing is not None and self._held is not None:
            fields += self._crossing.error_headers(self._held[0].headers)
        elif theirs and isinstance(error, AnswerError) and self._held is not None:
            await answer_whole(self._send, error.status, [*returned(self._held[0].headers), *fields], error.body)
            return
        elif isinstance(error, EventError) and self._held is not None:
            answer, held = self._held
            await begin_stream(self._send, answer.status, [*returned(answer.headers), *fields])
            await go_on(self._send, held + error.raw, more=False)
            return
        said = error_answer(self._asked.protocol, self._problem(error, failure), request_id=self._routed.event_id)
        await answer_whole(self._send, said.status, [*said.headers, *fields], said.body)

    async def stop(self) -> None:
        """Say that the server stops, where nothing or a part of an answer was sent: its time to end is over."""
        if self._begun:
            if self._asked.stream:
                with suppress(RuntimeError):  # it had ended
                    await go_on(self._send, error_event(self._asked.protocol, STOPPING), more=False)
            return
        self._begun = True
        said = error_answer(self._asked.protocol, STOPPING, request_id=self._routed.event_id)
        await answer_whole(self._send, said.status, [*said.headers, *about(self._routed), self._cost()], said.body)

    async def _break_off(self, error: Exception) -> None:
        """End an answer that has begun with an error; nothing of it is repeated."""
        logger.warning("model=<%s>, error=<%s> | an answer broke off", self._routed.model.id, error_name(error))
        if isinstance(error, EventError) and self._crossing is None:
            event = error.raw
        else:
            problem = self._problem(error, failure_of(error), partial=True)
            sequence = getattr(self._reader, "sequence", 0) + 1
            event = error_event(self._asked.protocol, problem, request_id=self._routed.event_id, sequence=sequence)
        await go_on(self._send, event, more=False)

    def _problem(self, error: Exception, failure: Failure, *, partial: bool = False) -> Problem:
        if self._crossing is not None and failure.kind != "fatal" and isinstance(error, AnswerError | EventError):
            return self._crossing.problem(error, failure)
        if isinstance(error, AnswerError):
            return Problem(
                status=502,
                code="upstream_refused",
                message=f"{self._routed.model.id}: the provider answered {error.status} to Turnout's own credentials "
                "(`turnout check --online` looks into it)",
            )
        if failure.kind == "retryable" or isinstance(error, EventError):
            return of_failure(failure, self._routed.model.id, partial=partial)
        logger.error("error=<%s> | a request could not be relayed", failure.name, exc_info=error)
        return problem_of(error)

    def _cost(self) -> tuple[bytes, bytes]:
        return b"x-turnout-cost-usd", usd_text(self._bill.pico).encode()
