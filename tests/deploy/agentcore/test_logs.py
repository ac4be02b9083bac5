from typing import Any

import pytest

from tests.deploy.agentcore.support import Clock, account, stubbed
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.logs import Line, tail

GROUP = "/aws/bedrock-agentcore/runtimes/support-0123456789-DEFAULT"


def event(id: str, at_ms: int) -> dict[str, Any]:
    return {"eventId": id, "timestamp": at_ms, "logStreamName": "stream", "message": f"line {id}\n"}


def sent(start: int, **more: Any) -> dict[str, Any]:
    return {"logGroupName": GROUP, "startTime": start, "interleaved": True, **more}


def test_all_pages_are_read() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer("logs", "filter_log_events", {"events": [event("a", 5)], "nextToken": "t"}, sent(1))
        stubs.answer("logs", "filter_log_events", {"events": [event("b", 6)]}, sent(1, nextToken="t"))
        assert list(tail(aws, GROUP, 1)) == [Line(5, "stream", "line a"), Line(6, "stream", "line b")]


def test_following_repeats_nothing_and_misses_no_late_line() -> None:
    clock = Clock()
    aws = account(patience=clock)
    with stubbed(aws) as stubs:
        stubs.answer("logs", "filter_log_events", {"events": [event("a", 100_000)]}, sent(1))
        # The next look starts 30 s earlier, for lines that arrive late.
        late = [event("late", 80_000), event("a", 100_000), event("b", 101_000)]
        stubs.answer("logs", "filter_log_events", {"events": late}, sent(70_000))
        stubs.answer("logs", "filter_log_events", {"events": late}, sent(71_000))
        lines = list(tail(aws, GROUP, 1, follow=True, rounds=3))
    assert [line.text for line in lines] == ["line a", "line late", "line b"]
    assert clock.slept == [2.0, 2.0]


def test_a_group_that_is_not_there_yet() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.fail("logs", "filter_log_events", "ResourceNotFoundException")
        with pytest.raises(DeployError, match="AgentCore makes it when the agent is first called"):
            list(tail(aws, GROUP, 1))
        stubs.fail("logs", "filter_log_events", "ResourceNotFoundException")
        stubs.answer("logs", "filter_log_events", {"events": [event("a", 5)]})
        assert [line.text for line in tail(aws, GROUP, 1, follow=True, rounds=2)] == ["line a"]
