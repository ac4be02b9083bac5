"""What a deployed agent prints, from CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from turnout.deploy.agentcore.aws import Aws
from turnout.deploy.agentcore.errors import DeployError

_EVERY_S = 2.0
# Lines arrive out of order by some seconds: each look starts a little before the last line seen.
_OVERLAP_MS = 30_000


class Line(msgspec.Struct, frozen=True):
    """One line: when, in milliseconds since 1970, in which stream, and what."""

    at_ms: int
    stream: str
    text: str


def tail(aws: Aws, group: str, since_ms: int, *, follow: bool = False, rounds: int | None = None) -> Iterator[Line]:
    """The lines of a log group since then, oldest first.

    Args:
        aws: The account.
        group: The log group.
        since_ms: From when, in milliseconds since 1970.
        follow: Whether to wait for more, until Ctrl-C.
        rounds: With ``follow``: after how many looks to stop; none: never.

    Raises:
        DeployError: There is no such group, or AWS refuses.
    """
    seen: dict[str, int] = {}
    looks, newest = 0, since_ms
    while True:
        start = max(since_ms, newest - _OVERLAP_MS)
        for event in _events(aws, group, start, may_be_missing=follow):
            if event["eventId"] in seen:
                continue
            seen[event["eventId"]] = event["timestamp"]
            newest = max(newest, event["timestamp"])
            yield Line(event["timestamp"], event["logStreamName"], event["message"].rstrip("\n"))
        looks += 1
        if not follow or looks == rounds:
            return
        seen = {id: at for id, at in seen.items() if at >= newest - _OVERLAP_MS}
        aws.patience.sleep(_EVERY_S)


def _events(aws: Aws, group: str, start_ms: int, *, may_be_missing: bool) -> Iterator[dict[str, Any]]:
    token: dict[str, Any] = {}
    while True:
        page = aws.find("logs", "FilterLogEvents", logGroupName=group, startTime=start_ms, interleaved=True, **token)
        if page is None:
            if may_be_missing:  # AgentCore makes the group with the first line
                return
            raise DeployError(f"there is no log group {group}: AgentCore makes it when the agent is first called")
        yield from page.get("events", [])
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}
