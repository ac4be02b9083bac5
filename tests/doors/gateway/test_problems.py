"""What clients are told: never more of an unknown error than that it happened."""

from __future__ import annotations

from turnout.core.catalog import UnknownModelError
from turnout.doors.gateway.problems import of_failure, problem_of
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.upstream.errors import StalledError, failure_of
from turnout.upstream.http.errors import ConnectError


def test_known_errors() -> None:
    assert problem_of(MalformedBodyError("is missing", path="model")).status == 400
    assert problem_of(MalformedBodyError("is missing", path="model")).path == "model"
    assert problem_of(UnknownModelError("unknown model 'x'")).status == 404


def test_unknown_errors_tell_nothing() -> None:
    problem = problem_of(RuntimeError("a prompt, a key"))
    assert (problem.status, problem.code) == (500, "internal_error")
    assert "key" not in problem.message


def test_failures() -> None:
    slow = of_failure(failure_of(StalledError("x")), "openai/gpt-5", partial=False)
    assert (slow.status, slow.code) == (504, "upstream_timeout")
    broken = of_failure(failure_of(ConnectError("x")), "openai/gpt-5", partial=True)
    assert (broken.status, broken.code) == (502, "upstream_failed")
    assert broken.message == "the answer broke off: openai/gpt-5: ConnectError"
