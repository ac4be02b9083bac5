"""Scripted faults: what goes wrong on the next calls, in the order in which it was written down."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from turnout.testing import fault_script
from turnout.testing.bedrock.models import FoundModel
from turnout.testing.bedrock.shapes import OPERATIONS, error_statuses, stream_errors

_STREAMS = ("ConverseStream", "InvokeModelWithResponseStream")
_CONVERSATIONS = ("Converse", "InvokeModel", *_STREAMS)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong: wait, then break the call, or let it go on.

    Attributes:
        error: The name of an error in the service model, or none for no error.
        message: The error's message.
        delay_s: Seconds to wait first.
        slow: In mid-stream, wait so long again after each of the events that are left.
        drop: Close the connection instead of answering.
        damage: Spoil the answer's bytes: ``truncated``, it ends in the middle as if that were its end, or ``garbage``,
            bytes that mean nothing take the place of the rest.
        after_events: Do this only after that many events of a streamed call (at its end if it has fewer), or none for
            before the first byte. Such a fault waits for a streamed call and leaves others alone.
        model: The model that it is meant for, with or without profile; none for all.
        operation: The operation that it is meant for; none for all but CountTokens.
    """

    error: str | None = None
    message: str = "scripted fault"
    delay_s: float = 0.0
    slow: bool = False
    drop: bool = False
    damage: Literal["truncated", "garbage"] | None = None
    after_events: int | None = None
    model: str | None = None
    operation: str | None = None

    def __post_init__(self) -> None:
        """Check that Bedrock could fail like that.

        Raises:
            ValueError: An unknown error or operation, two of error, drop and damage, or a negative number.
        """
        possible = stream_errors() if self.after_events is not None else error_statuses()
        if self.error is not None and self.error not in possible:
            place = "in mid-stream" if self.after_events is not None else "before the first byte"
            nearest = difflib.get_close_matches(self.error, possible, n=1, cutoff=0.0)[0]
            raise ValueError(f"Bedrock has no error {self.error!r} {place}; the nearest one is {nearest!r}")
        if (self.error is not None) + self.drop + (self.damage is not None) > 1:
            raise ValueError("a fault is either an error, a dropped connection or damage")
        if self.operation is not None and self.operation not in OPERATIONS:
            raise ValueError(f"unknown operation {self.operation!r}; there are {', '.join(OPERATIONS)}")
        if self.delay_s < 0 or (self.after_events or 0) < 0:
            raise ValueError("a fault's delay and number of events are not negative")

    def meant_for(self, operation: str, found: FoundModel) -> bool:
        """Whether a call of that operation on that model is to fail like this."""
        if self.model is not None and self.model not in (found.key, found.model.id):
            return False
        if self.after_events is not None and operation not in _STREAMS:
            return False
        return operation == self.operation if self.operation is not None else operation in _CONVERSATIONS


def throttling(*, model: str | None = None) -> Fault:
    """``ThrottlingException``, 429."""
    return Fault(
        error="ThrottlingException", message="Too many requests, please wait before trying again.", model=model
    )


def validation(message: str = "Malformed input request.", *, model: str | None = None) -> Fault:
    """``ValidationException``, 400."""
    return Fault(error="ValidationException", message=message, model=model)


def service_unavailable(*, model: str | None = None) -> Fault:
    """``ServiceUnavailableException``, 503."""
    return Fault(error="ServiceUnavailableException", message="The service is temporarily unavailable.", model=model)


def internal_error(*, model: str | None = None) -> Fault:
    """``InternalServerException``, 500."""
    return Fault(error="InternalServerException", message="An internal server error occurred.", model=model)


def model_timeout(*, model: str | None = None) -> Fault:
    """``ModelTimeoutException``, 408."""
    return Fault(error="ModelTimeoutException", message="The model took too long to answer.", model=model)


def access_denied(*, model: str | None = None) -> Fault:
    """``AccessDeniedException``, 403."""
    message = "You don't have access to the model with the specified model ID."
    return Fault(error="AccessDeniedException", message=message, model=model)


def model_not_ready(*, model: str | None = None) -> Fault:
    """``ModelNotReadyException``, 429."""
    return Fault(error="ModelNotReadyException", message="The model is not ready to serve.", model=model)


def model_error(*, model: str | None = None) -> Fault:
    """``ModelErrorException``, 424."""
    return Fault(error="ModelErrorException", message="The model could not process the request.", model=model)


def stall(seconds: float, *, model: str | None = None) -> Fault:
    """No byte for so many seconds; then the call goes on as if nothing had been."""
    return Fault(delay_s=seconds, model=model)


def mid_stream(after_events: int, error: str = "ModelStreamErrorException", *, model: str | None = None) -> Fault:
    """An error after so many events of a stream."""
    return Fault(error=error, message="The stream broke off.", after_events=after_events, model=model)


def dropped(after_events: int | None = None, *, model: str | None = None) -> Fault:
    """The connection closes: before the first byte, or after so many events of a stream."""
    return Fault(drop=True, after_events=after_events, model=model)


def truncated(after_events: int | None = None, *, model: str | None = None) -> Fault:
    """The answer ends in its middle as if that were its end: a stream in the middle of the event after so many."""
    return Fault(damage="truncated", after_events=after_events, model=model)


def garbage(after_events: int | None = None, *, model: str | None = None) -> Fault:
    """Bytes that mean nothing: instead of the answer, or after so many events of a stream."""
    return Fault(damage="garbage", after_events=after_events, model=model)


class FaultScript(fault_script.FaultScript[Fault]):
    """The faults to come. Safe for several threads."""

    def take(self, operation: str, found: FoundModel) -> Fault | None:
        """The fault of this call, which is thereby used up once."""
        return self.take_first(lambda fault: fault.meant_for(operation, found))
