"""What a caller is told when there is no answer: their own mistakes in full, of everything else only that it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from turnout.core.decision import FAILOVER_UNSAFE
from turnout.core.policy import Reason
from turnout.doors.agentcore.payload import PayloadError
from turnout.router import RefusedError
from turnout.upstream.errors import CallFailedError

NOT_ANSWERED = "The question could not be answered. Please try again."


class SessionBusyError(RuntimeError):
    """Too many questions of one session wait already."""


class TooManySessionsError(RuntimeError):
    """Every session that may be kept is answering."""


class StoppingError(RuntimeError):
    """The service is being stopped."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as the caller sees it.

    Attributes:
        status: The HTTP status.
        code: What the caller's program can tell it by.
        message: One sentence.
    """

    status: int
    code: str
    message: str

    @property
    def headers(self) -> dict[str, str]:
        """When to try again, where trying again helps."""
        return {"Retry-After": "1"} if self.status in (409, 503) else {}

    def body(self, ids: Mapping[str, str | None] | None = None) -> dict[str, Any]:
        """The service's error form; the ids let its operator find what happened."""
        known = {name: value for name, value in (ids or {}).items() if value}
        return {"error": {"code": self.code, "message": self.message, **known}}


def problem_of(error: BaseException) -> Problem:
    """What to tell of an error; no message of a provider, a library or the agent's own code is among it."""
    # Strands wraps what fails inside a tool loop.
    match getattr(error, "original_exception", error):
        case PayloadError() as error:
            return Problem(status=400, code=error.code, message=str(error))
        case RefusedError() as error:
            status = 429 if error.decision.reason is Reason.BUDGET_SPENT else 400
            return Problem(status=status, code=str(error.decision.reason), message=str(error))
        case CallFailedError() as error if error.partial:
            return Problem(status=503, code="broke_off", message="The answer broke off. Please try again.")
        case CallFailedError() as error if error.why != FAILOVER_UNSAFE:
            return Problem(status=503, code="call_failed", message="No model could answer just now. Please try again.")
        case SessionBusyError():
            message = "Earlier questions of this session are still being answered."
            return Problem(status=409, code="session_busy", message=message)
        case TooManySessionsError():
            return Problem(status=503, code="too_many_sessions", message="Too many sessions are being answered.")
        case StoppingError():
            return Problem(status=503, code="stopping", message="The service is being stopped.")
    return Problem(status=500, code="not_answered", message=NOT_ANSWERED)
