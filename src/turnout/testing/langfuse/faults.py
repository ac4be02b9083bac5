"""Scripted faults: what goes wrong on the next requests, in the order in which it was written down."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.testing import fault_script


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong: wait, then break the request, or let it go on.

    Attributes:
        status: The HTTP status to answer with; none for no error.
        message: The error's message.
        retry_after_s: Seconds in ``Retry-After``, or none.
        delay_s: Seconds to wait first.
        drop: Close the connection instead of answering.
        path: What the request's path must begin with.
    """

    status: int | None = None
    message: str = "scripted fault"
    retry_after_s: float | None = None
    delay_s: float = 0.0
    drop: bool = False
    path: str = "/"

    def __post_init__(self) -> None:
        """Check that Langfuse could fail like that.

        Raises:
            ValueError: No error status, both an error and a drop, or a negative delay.
        """
        if self.status is not None and not 400 <= self.status <= 599:
            raise ValueError(f"{self.status} is no status of an error")
        if self.status is not None and self.drop:
            raise ValueError("a fault is either an error or a dropped connection")
        if self.delay_s < 0 or (self.retry_after_s or 0) < 0:
            raise ValueError("a fault's seconds are not negative")


def unauthorized(*, path: str = "/") -> Fault:
    """401, as for keys that were deleted."""
    return Fault(status=401, message="Invalid credentials. Confirm that you've configured the correct host.", path=path)


def rate_limited(retry_after_s: float | None = None, *, path: str = "/") -> Fault:
    """429, with ``Retry-After`` or without."""
    return Fault(status=429, message="Rate limit exceeded", retry_after_s=retry_after_s, path=path)


def server_error(status: int = 500, *, path: str = "/") -> Fault:
    """A server that is broken."""
    return Fault(status=status, message="Internal Server Error", path=path)


def stall(seconds: float, *, path: str = "/") -> Fault:
    """No byte for so many seconds; then the request goes on as if nothing had been."""
    return Fault(delay_s=seconds, path=path)


def dropped(*, path: str = "/") -> Fault:
    """The connection closes without an answer."""
    return Fault(drop=True, path=path)


class FaultScript(fault_script.FaultScript[Fault]):
    """The faults to come. Safe for several threads."""

    def take(self, path: str) -> Fault | None:
        """The fault of this request, which is thereby used up once."""
        return self.take_first(lambda fault: path.startswith(fault.path))
