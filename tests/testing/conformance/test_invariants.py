from typing import Any

import pytest

from turnout.testing.conformance.invariants import violations

CLAUDE: dict[str, Any] = {
    "protocol": "bedrock",
    "tool_id": "[a-z0-9]+",
    "caching": "explicit",
    "ttls": ["5m", "1h"],
    "max_markers": 2,
}
POINT: dict[str, Any] = {"cachePoint": {"type": "default"}}
LONG: dict[str, Any] = {"cachePoint": {"type": "default", "ttl": "1h"}}
HI: dict[str, Any] = {"text": "hi"}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def use(tool_id: str) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": tool_id, "name": "look", "input": {}}}


def result(tool_id: str) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": tool_id, "content": []}}


@pytest.mark.parametrize(
    ("messages", "target", "found"),
    [
        ([user(HI, POINT)], {}, []),
        (
            [user(HI, POINT)],
            {"caching": "implicit"},
            ["messages.0.content.0: a cache point for a model that takes none"],
        ),
        ([user(HI, POINT, HI, POINT, HI, POINT)], {}, ["3 cache points, where 2 are taken"]),
        ([user(HI, LONG)], {"ttls": ["5m"]}, ["messages.0.content.0: a TTL of 1h, which is not offered"]),
        ([user(POINT, HI)], {}, ["messages.0.content: a cache point with no block before it"]),
        ([user(HI, POINT, HI, LONG)], {}, ["messages.0.content.1: one hour after five minutes"]),
        ([user(HI, LONG, HI, POINT)], {}, []),
        (
            [user(HI), assistant({"reasoningContent": {}}, POINT)],
            {},
            ["messages.1.content.0: a cache point after a reasoning block"],
        ),
        ([user(HI), user(HI)], {}, ["messages.1: two messages of user in a row"]),
        ([user(HI), user(HI)], {"protocol": "anthropic"}, []),
        ([user()], {}, ["messages.0: no content"]),
        ([user(HI), assistant(use("t")), user(result("t"))], {}, []),
        (
            [user(HI), assistant(use("T"))],
            {},
            ["messages.1.content.0: the id 'T' does not match [a-z0-9]+", "messages: no result for T"],
        ),
        ([user(HI), assistant(use("t")), user(HI), assistant(HI)], {}, ["messages.3: no result for t"]),
        ([user(result("t"))], {}, ["messages.0.content.0: a result without a call"]),
    ],
)
def test_broken_rules_are_named(messages: list[Any], target: dict[str, Any], found: list[str]) -> None:
    assert list(violations({"messages": messages}, {**CLAUDE, **target})) == found
