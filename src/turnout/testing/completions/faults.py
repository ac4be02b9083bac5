"""Scripted faults of the doubles: what goes wrong on the next calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from turnout.testing import fault_script


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong: wait, then break the call, or let it go on.

    Attributes:
        status: Answer with that HTTP status and an error; in mid-stream, the error that would have it.
        message: The error's message.
        retry_after_s: The answer's ``Retry-After``.
        delay_s: Seconds to wait first.
        slow: In mid-stream, wait so long again after each of the events that are left.
        drop: Close the connection instead of going on.
        damage: ``truncated``: the answer ends in its middle as if that were its end; ``garbage``: bytes that mean
            nothing take the place of the rest.
        after_events: Only after that many events of a stream; none: before the first byte.
        model: The model that it is meant for; none for all.
    """

    status: int | None = None
    message: str = "scripted fault"
    retry_after_s: float | None = None
    delay_s: float = 0.0
    slow: bool = False
    drop: bool = False
    damage: Literal["truncated", "garbage"] | None = None
    after_events: int | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        """Check that a provider could fail like that.

        Raises:
            ValueError: Two of status, drop and damage, or a negative number.
        """
        if (self.status is not None) + self.drop + (self.damage is not None) > 1:
            raise ValueError("a fault is either an error, a dropped connection or damage")
        if self.delay_s < 0 or (self.after_events or 0) < 0:
            raise ValueError("a fault's delay and number of events are not negative")

    def meant_for(self, model: str, *, stream: bool) -> bool:
        """Whether a call of that model is to fail like this."""
        return self.model in (None, model) and (stream or self.after_events is None)


class FaultScript(fault_script.FaultScript[Fault]):
    """The faults to come. Safe for several threads."""

    def take(self, model: str, *, stream: bool) -> Fault | None:
        """The fault of this call, which is thereby used up once."""
        return self.take_first(lambda fault: fault.meant_for(model, stream=stream))
