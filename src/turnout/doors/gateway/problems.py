"""From what went wrong to what the client is told: status, a short code, one sentence. No prompt, no key."""

from __future__ import annotations

from turnout.core.catalog import UnknownModelError
from turnout.core.decision import FAILOVER_UNSAFE
from turnout.core.policy import Reason
from turnout.doors.gateway.headers import WishError
from turnout.messages.wire.errors import Problem
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.router import RefusedError
from turnout.upstream.errors import CallFailedError, Failure

STOPPING = Problem(status=503, code="stopping", message="the gateway is being stopped: ask again", retry_after_s=1.0)
"""What a request is told that does not end in time when the server stops."""

_SLOW = ("StalledError", "ConnectTimeout", "TimeoutError")


class RequestError(Exception):
    """A request that is refused before it is decided.

    Attributes:
        problem: What the client is told.
        headers: What stands above it, beside what its protocol wants.
    """

    def __init__(self, problem: Problem, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.headers = headers


def problem_of(error: Exception) -> Problem:
    """What a client is told of an error; of one that is not known only that it happened."""
    match error:
        case RequestError():
            return error.problem
        case MalformedBodyError():
            return Problem(status=400, code="malformed_request", message=str(error), path=error.path)
        case UnknownModelError():
            return Problem(status=404, code="model_not_found", message=str(error), path="model")
        case WishError():
            return Problem(status=400, code="unknown_override", message=str(error))
        case RefusedError():
            spent = error.decision.reason is Reason.BUDGET_SPENT
            return Problem(status=429 if spent else 400, code=error.decision.reason.value, message=str(error))
        case CallFailedError():
            return _failed(error)
    return Problem(status=500, code="internal_error", message="the gateway failed to serve the request")


def of_failure(failure: Failure, model: str, *, partial: bool) -> Problem:
    """What a client is told of a call that failed and is not tried again."""
    slow = failure.name in _SLOW
    what = "the answer broke off" if partial else "the provider could not be called"
    return Problem(
        status=504 if slow else 502,
        code="upstream_timeout" if slow else "upstream_failed",
        message=f"{what}: {model}: {failure.name}",
    )


def _failed(error: CallFailedError) -> Problem:
    if error.why == FAILOVER_UNSAFE:
        code = FAILOVER_UNSAFE
    else:
        code = "upstream_timeout" if error.error in _SLOW or error.why == "deadline" else "upstream_failed"
    return Problem(status=504 if code == "upstream_timeout" else 502, code=code, message=str(error))
