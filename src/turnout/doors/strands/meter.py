"""Passes a Strands model's events on, unchanged, while it notes content, usage and how the call ended."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

from turnout.core.usage import UsageError
from turnout.router import OpenCall
from turnout.upstream.errors import error_name
from turnout.upstream.strands_usage import CachedTokens, splits_writes, usage_of

logger = logging.getLogger(__name__)


async def metered(
    events: AsyncIterable[Any], call: OpenCall, cached: CachedTokens = "beside"
) -> AsyncGenerator[Any, None]:
    """Yield each event as it comes and end ``call`` when the stream ends, fails or is abandoned.

    ``cached`` is where the model's reports count cached tokens (`cached_tokens_of`).

    Errors pass through. A stream that its consumer leaves, or whose task is cancelled, ends the call as ``cancelled``.
    """
    try:
        iterator = aiter(events)
        while True:
            # The call's span is current while the model works, and not while the consumer does.
            token = call.span.attach()
            try:
                event = await anext(iterator)
            except StopAsyncIteration:
                break
            finally:
                call.span.detach(token)
            note(event, call, cached)
            yield event
        call.end("ok")
    except Exception as error:
        call.end("error", error=error_name(error))
        raise
    finally:
        # Reached first by GeneratorExit and CancelledError; after an ordinary end it does nothing.
        call.end("cancelled")
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


def note(event: Any, call: OpenCall, cached: CachedTokens) -> None:
    """Read one stream event: first content, stop reason and usage."""
    if not isinstance(event, dict):
        return
    call.began()
    if call.transcript is not None:
        call.transcript.add(event)
    match event:
        case {"contentBlockDelta": delta}:
            call.content(_characters(delta))
        case {"contentBlockStart": _}:
            call.content()
        case {"messageStop": {"stopReason": str(reason)}}:
            call.finish_reason(reason)
        case {"metadata": {"usage": report}}:
            try:
                call.usage(usage_of(report, cached), splits_writes=splits_writes(report))
            except UsageError as error:
                logger.error("error=<%s> | a usage report could not be read, the call's cost is estimated", error)


def _characters(delta: Any) -> int:
    """How many characters of text, thinking or a tool's input a delta brings."""
    match delta:
        case {"delta": {"text": str(text)}}:
            return len(text)
        case {"delta": {"reasoningContent": {"text": str(text)}}}:
            return len(text)
        case {"delta": {"toolUse": {"input": str(text)}}}:
            return len(text)
    return 0


async def metered_structured(
    events: AsyncIterable[Any], call: OpenCall, cached: CachedTokens = "beside"
) -> AsyncGenerator[Any, None]:
    """Like `metered`, for what `Model.structured_output` yields: the stream's own events stand in ``event`` there."""

    async def noted() -> AsyncGenerator[Any, None]:
        async for event in events:
            if isinstance(event, dict) and "event" in event:
                note(event["event"], call, cached)
            yield event

    stream = metered(noted(), call)
    try:
        async for event in stream:
            yield event
    finally:
        await stream.aclose()
