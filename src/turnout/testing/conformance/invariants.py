"""What holds of everything that a target is sent, whatever the case: rules that every history must keep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from turnout.testing.conformance.matching import cache_points


def violations(history: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    """The rules that a history breaks for a target, each in words."""
    yield from _points(history, target)
    yield from _tools(history, target)
    if target["protocol"] == "bedrock":
        for index, (before, after) in enumerate(pairwise(history["messages"])):
            if before["role"] == after["role"]:
                yield f"messages.{index + 1}: two messages of {after['role']} in a row"
    for index, message in enumerate(history["messages"]):
        if not message["content"]:
            yield f"messages.{index}: no content"


def _points(history: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    points = list(cache_points(history))
    if target["caching"] != "explicit":
        yield from (f"{path}: a cache point for a model that takes none" for path, _, _ in points)
        return
    if len(points) > target["max_markers"]:
        yield f"{len(points)} cache points, where {target['max_markers']} are taken"
    short = False
    for path, ttl, block in points:
        if ttl not in target["ttls"]:
            yield f"{path}: a TTL of {ttl}, which is not offered"
        if block is None:
            yield f"{path}: a cache point with no block before it"
        elif "reasoningContent" in block:
            yield f"{path}: a cache point after a reasoning block"
        if short and ttl == "1h":
            yield f"{path}: one hour after five minutes"
        short = short or ttl == "5m"


def _tools(history: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    waiting: list[str] = []
    for index, message in enumerate(history["messages"]):
        if message["role"] == "assistant" and waiting:
            yield f"messages.{index}: no result for {', '.join(waiting)}"
            waiting = []
        for part, block in enumerate(message["content"]):
            path = f"messages.{index}.content.{part}"
            if "toolUse" in block:
                tool_id = block["toolUse"]["toolUseId"]
                waiting.append(tool_id)
                if not re.fullmatch(target["tool_id"], tool_id):
                    yield f"{path}: the id {tool_id!r} does not match {target['tool_id']}"
            elif "toolResult" in block:
                tool_id = block["toolResult"]["toolUseId"]
                if tool_id in waiting:
                    waiting.remove(tool_id)
                else:
                    yield f"{path}: a result without a call"
    if waiting:
        yield f"messages: no result for {', '.join(waiting)}"
