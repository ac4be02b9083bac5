"""The one exception with which every part of the double refuses a request."""

from __future__ import annotations


class ApiError(Exception):
    """An error that Langfuse would answer with.

    Attributes:
        status: The HTTP status.
        message: What the caller reads.
        retry_after_s: Seconds in the header ``Retry-After``; none for no such header.
    """

    def __init__(self, status: int, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s


def invalid(message: str) -> ApiError:
    """Langfuse's answer to a request that it cannot read: 400."""
    return ApiError(400, message)
