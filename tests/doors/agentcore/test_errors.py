from __future__ import annotations

from typing import Any

import pytest
from strands.types.exceptions import EventLoopException

from turnout.doors.agentcore.errors import (
    SessionBusyError,
    StoppingError,
    TooManySessionsError,
    problem_of,
)
from turnout.doors.agentcore.payload import PayloadError
from turnout.upstream.errors import CallFailedError

LAST: Any = {"model": "secret", "error": "ThrottlingException", "partial": False, "event_id": "e", "attempts": 3}
FAILED = CallFailedError(why="exhausted", **LAST)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (PayloadError("odd"), 400, "invalid_payload"),
        (PayloadError("long", "too_large"), 400, "too_large"),
        (SessionBusyError(), 409, "session_busy"),
        (TooManySessionsError(), 503, "too_many_sessions"),
        (StoppingError(), 503, "stopping"),
        (FAILED, 503, "call_failed"),
        (EventLoopException(FAILED), 503, "call_failed"),
        (CallFailedError(why="broke_off", **{**LAST, "partial": True}), 503, "broke_off"),
        (CallFailedError(why="failover_unsafe", **LAST), 500, "not_answered"),
        (RuntimeError("secret at /srv/agent.py"), 500, "not_answered"),
        (TypeError("secret"), 500, "not_answered"),
    ],
)
def test_each_error_has_its_status_and_code_and_nobody_is_told_internals(
    error: Exception, status: int, code: str
) -> None:
    problem = problem_of(error)
    body = problem.body({"turn_id": "t1", "trace_id": None})
    assert (problem.status, body["error"]["code"], body["error"]["turn_id"]) == (status, code, "t1")
    assert "trace_id" not in body["error"]
    assert "secret" not in str(body)
    assert bool(problem.headers) is (status in (409, 503))


def test_a_mistake_of_the_caller_is_told_in_full() -> None:
    assert problem_of(PayloadError("the payload is odd")).body() == {
        "error": {"code": "invalid_payload", "message": "the payload is odd"}
    }
