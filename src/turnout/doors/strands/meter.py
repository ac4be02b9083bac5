"""Passes a Strands model's events on, unchanged, while it notes content, usage and how the call ended."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any

from turnout.core.usage import UsageError
from turnout.doors.strands.watch import Watch
from turnout.router import OpenCall
from turnout.upstream.errors import StalledError, TruncatedStreamError, error_name
from turnout.upstream.strands_usage import CachedTokens, splits_writes, usage_of

logger = logging.getLogger(__name__)


async def metered(
    events: AsyncIterable[Any],
    call: OpenCall,
    cached: CachedTokens = "beside",
    watch: Watch | None = None,
    *,
    says_its_end: bool = True,
) -> AsyncGenerator[Any, None]:
    """Yield each event as it comes and end ``call`` when the stream ends, fails or is abandoned.

    Errors pass through, but for one that comes after the end of the answer: that is logged. A stream that its consumer
    leaves, or whose task or agent is cancelled, ends the call as ``cancelled``, and its connection is closed at once.

    Args:
        events: The model's stream.
        call: The record of the call.
        cached: Where the model's reports count cached tokens (`cached_tokens_of`).
        watch: How the call is watched; none: it may take any time, and its connection is its own affair.
        says_its_end: Whether a stream without ``messageStop`` was cut off.

    Raises:
        TruncatedStreamError: The stream was cut off.
        StalledError: The next event took longer than ``watch`` allows.
    """
    watch = watch or Watch()
    ended = False
    try:
        iterator = aiter(events)
        while True:
            # The call's span is current while the model works, and not while the consumer does.
            token = call.span.attach()
            try:
                event = await watch.next(iterator, has_content=call.has_content)
            except StopAsyncIteration:
                break
            finally:
                call.span.detach(token)
            note(event, call, cached)
            yield event
        if says_its_end and not call.is_complete:
            if watch.is_cancelled:
                return
            raise TruncatedStreamError("the stream ended before its answer did")
        ended = True
        call.end("ok")
    except Exception as error:
        if not isinstance(error, StalledError):
            # The model's own error: nothing of it works on this call any more.
            watch.clean_up()
            ended = True
        if not (says_its_end and call.is_complete):
            call.failed(error)
            raise
        logger.warning("error=<%s> | a stream broke off after the end of its answer", error_name(error))
        call.end("ok")
    finally:
        if not ended:
            watch.hang_up()
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
        case {"messageStop": stop}:
            call.finish_reason(str((stop or {}).get("stopReason", "")))
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
    events: AsyncIterable[Any], call: OpenCall, cached: CachedTokens = "beside", watch: Watch | None = None
) -> AsyncGenerator[Any, None]:
    """Like `metered`, for what `Model.structured_output` yields: the stream's own events stand in ``event`` there."""

    async def noted() -> AsyncGenerator[Any, None]:
        try:
            async for event in events:
                if isinstance(event, dict) and "event" in event:
                    note(event["event"], call, cached)
                yield event
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    async with aclosing(noted()) as inner, aclosing(metered(inner, call, cached, watch, says_its_end=False)) as stream:
        async for event in stream:
            yield event
