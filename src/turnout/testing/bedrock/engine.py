"""What happens to one request, without HTTP: fault, check, answer, cache, record."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from turnout.testing.bedrock.answer import Answer, Event, events, finish
from turnout.testing.bedrock.cache import PromptCaches
from turnout.testing.bedrock.claude_body import chunks, counted_body, message, message_events, to_converse
from turnout.testing.bedrock.errors import BedrockError, invalid
from turnout.testing.bedrock.faults import Fault, FaultScript
from turnout.testing.bedrock.models import FoundModel, ModelTable, SimulatedModel
from turnout.testing.bedrock.prompt import lay_out
from turnout.testing.bedrock.responder import Responder
from turnout.testing.bedrock.rules import check_conversation, check_parameters, check_prompt
from turnout.testing.bedrock.shapes import ShapeError, check_answer, check_event, check_request
from turnout.testing.clock import Clock
from turnout.testing.loopback import ConnectionDropError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One request that the double was sent, kept in memory. Credentials are not kept.

    Attributes:
        operation: ``Converse``, ``ConverseStream``, ``InvokeModel``, ``InvokeModelWithResponseStream`` or
            ``CountTokens``.
        model: The model's id as it was sent.
        request: The body as it was sent, as JSON.
        at_s: When it came, in seconds of the double's clock.
        usage: The usage that was reported, or none where none was.
        stop_reason: Why the answer ended, or none where there was none.
        error: The name of the error, ``dropped`` for a dropped connection, ``truncated`` or ``garbage`` for a damaged
            answer, or none.
        body: The body's bytes.
    """

    operation: str
    model: str
    request: Mapping[str, Any]
    at_s: float
    usage: Mapping[str, Any] | None = None
    stop_reason: str | None = None
    error: str | None = None
    body: bytes = b""


@dataclass(frozen=True)
class Exchange:
    """A conversation's answer, ready to be sent.

    Attributes:
        answer: The message.
        usage: As Bedrock reports it.
        fault: What is to go wrong while the answer is sent.
        first_byte: To be called when the first byte goes out: what the call writes to the cache can be read from then.
        latency_ms: How long the double took to answer; says nothing about a real model.
        model: The model that answers with the Messages API's words, as to InvokeModel; none for Converse's.
    """

    answer: Answer
    usage: Mapping[str, Any]
    fault: Fault | None
    first_byte: Callable[[], None]
    latency_ms: int
    model: SimulatedModel | None = None

    def body(self) -> dict[str, Any]:
        """The answer of Converse or InvokeModel."""
        if self.model is not None:
            return message(self.model, self.answer, self.usage)
        return {"output": {"message": self.answer.message}, "stopReason": self.answer.stop_reason, **self._metadata()}

    def events(self) -> Iterator[Event]:
        """The answer of ConverseStream or InvokeModelWithResponseStream."""
        if self.model is not None:
            return chunks(message_events(self.model, self.answer, self.usage, self.latency_ms))
        return events(self.answer, self._metadata())

    def _metadata(self) -> dict[str, Any]:
        return {"usage": dict(self.usage), "metrics": {"latencyMs": self.latency_ms}}


class Engine:
    """The simulated service of one region. Safe for several threads."""

    def __init__(self, models: ModelTable, responder: Responder, clock: Clock, calls_kept: int) -> None:
        self.models = models
        self.responder = responder
        self.clock = clock
        self.caches = PromptCaches()
        self.faults = FaultScript()
        self.calls: deque[Call] = deque(maxlen=calls_kept)
        self.left = 0
        self._lock = threading.Lock()

    def caller_left(self) -> None:
        """Count a caller that closed its connection before the end of its answer."""
        with self._lock:
            self.left += 1

    def serve(
        self,
        operation: str,
        model_id: str,
        request: Mapping[str, Any],
        wait: Callable[[float], object],
        body: bytes = b"",
    ) -> Exchange | dict[str, Any]:
        """Answer a request; ``wait`` is given the seconds of a scripted delay before the first byte.

        The bytes of the body are for the record only.

        Returns:
            A body for CountTokens, else an exchange.

        Raises:
            BedrockError: The request is refused, or an error is scripted.
            ConnectionDropError: A dropped connection is scripted.
        """
        now = self.clock()
        usage: Mapping[str, Any] | None = None
        stop_reason = error = None
        try:
            reply = self._serve(operation, model_id, request, wait, now)
            if isinstance(reply, Exchange):
                stop_reason, usage = reply.answer.stop_reason, reply.usage
                if reply.fault is not None and (reply.fault.error or reply.fault.drop or reply.fault.damage):
                    error = reply.fault.error or reply.fault.damage or "dropped"
                    usage = stop_reason = None
            return reply
        except BedrockError as refused:
            error = refused.code
            raise
        except ConnectionDropError:
            error = "dropped"
            raise
        finally:
            # deque.append is atomic.
            self.calls.append(Call(operation, model_id, request, now, usage, stop_reason, error, body))

    def _serve(
        self,
        operation: str,
        model_id: str,
        request: Mapping[str, Any],
        wait: Callable[[float], object],
        now: float,
    ) -> Exchange | dict[str, Any]:
        started = time.perf_counter()
        found = self.models.find(model_id)
        fault = self.faults.take(operation, found)
        if fault is not None and fault.after_events is None:
            _suffer(fault, wait)
        invoked = operation.startswith("InvokeModel")
        if invoked:
            request = to_converse(request)
            check_request("Converse", model_id, request)
        else:
            check_request(operation, model_id, request)
        if operation == "CountTokens":
            return self._count(found, request)
        self.models.check_can_converse(found)
        check_conversation(found.model, request)
        check_parameters(found.model, request)
        prompt = lay_out(found.model, request)
        check_prompt(found.model, prompt)
        # Looked up before the answer is composed: what others write meanwhile comes too late for this call.
        cache_use = self.caches.look_up(found, prompt, now)
        answer = self._answer(found, model_id, request)
        exchange = Exchange(
            answer=answer,
            usage=cache_use.as_usage(answer.output_tokens),
            fault=fault if fault is not None and (fault.after_events is not None or fault.damage) else None,
            first_byte=lambda: self.caches.commit(found, prompt, now),
            latency_ms=round((time.perf_counter() - started) * 1000),
            model=found.model if invoked else None,
        )
        if not invoked:
            _check(operation, exchange)
        return exchange

    def _count(self, found: FoundModel, request: Mapping[str, Any]) -> dict[str, Any]:
        if found.has_profile:
            # As the real service: only bare ids can be counted with.
            raise invalid("The provided model doesn't support counting tokens.")
        given = request["input"]
        conversation = (
            given["converse"] if "converse" in given else to_converse(counted_body(given["invokeModel"]["body"]))
        )
        check_conversation(found.model, conversation)
        body = {"inputTokens": lay_out(found.model, conversation).tokens}
        check_answer("CountTokens", body)
        return body

    def _answer(self, found: FoundModel, model_id: str, request: Mapping[str, Any]) -> Answer:
        try:
            return finish(found.model, request, self.responder(model_id, dict(request)))
        except Exception as error:
            # A responder is its user's code: whatever it raises is told to the caller, and the server lives on.
            logger.warning("error=<%s> | the responder failed", type(error).__name__)
            message = f"The responder failed: {type(error).__name__}: {error}"
            raise BedrockError("InternalServerException", message) from error


def _suffer(fault: Fault, wait: Callable[[float], object]) -> None:
    wait(fault.delay_s)
    if fault.drop:
        raise ConnectionDropError
    if fault.error is not None:
        raise BedrockError(fault.error, fault.message)


def _check(operation: str, exchange: Exchange) -> None:
    try:
        check_answer("Converse", exchange.body())
        if operation == "ConverseStream":
            for name, payload in exchange.events():
                check_event(name, payload)
    except ShapeError as error:
        message = f"The responder's answer is not one that Bedrock could give: {error}"
        raise BedrockError("InternalServerException", message) from error
