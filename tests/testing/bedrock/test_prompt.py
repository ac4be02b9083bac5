from __future__ import annotations

from typing import Any

import pytest

from turnout.testing.bedrock import MODELS, SimulatedModel
from turnout.testing.bedrock.prompt import CachePoint, Prompt, lay_out
from turnout.testing.bedrock.thinking import SignedThinking, sign

PLAIN = SimulatedModel(id="plain")
POINT = {"cachePoint": {"type": "default"}}
TOOL = {"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}  # 13 tokens, see test_tokens


def _request(**changes: Any) -> dict[str, Any]:
    return {
        "toolConfig": {"tools": [TOOL, {"cachePoint": {"type": "default", "ttl": "1h"}}]},
        "system": [{"text": "x" * 40}, POINT],
        "messages": [{"role": "user", "content": [{"text": "y" * 20}, POINT, {"text": "z" * 4}]}],
        **changes,
    }


def _same_up_to(before: Prompt, after: Prompt) -> int:
    pairs = zip(before.digests, after.digests, strict=False)
    return next(
        (index for index, (one, other) in enumerate(pairs) if one != other),
        min(len(before.digests), len(after.digests)),
    )


def test_tools_then_system_then_messages() -> None:
    prompt = lay_out(PLAIN, _request())
    assert prompt.offsets == (13, 23, 28, 29)
    assert prompt.tokens == 29
    assert prompt.cache_points == (
        CachePoint(1, "1h", "tools.1"),
        CachePoint(2, "5m", "system.1"),
        CachePoint(3, "5m", "messages.0.content.1"),
    )


def test_nothing_is_nothing() -> None:
    assert lay_out(PLAIN, {}) == Prompt((), (), ())
    assert lay_out(PLAIN, {}).tokens == 0


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, 4),
        ({"inferenceConfig": {"maxTokens": 5}}, 4),
        ({"toolConfig": {"tools": [TOOL], "toolChoice": {"auto": {}}}}, 4),
        ({"toolConfig": {"tools": [TOOL], "toolChoice": {"any": {}}}}, 2),
        ({"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}}, 2),
        ({"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}, 4),
        ({"additionalModelRequestFields": {"output_config": {"effort": "low"}}}, 2),
        ({"outputConfig": {"effort": "low"}}, 2),
        ({"system": [{"text": "X" * 40}]}, 1),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"a": 1}}}}]}}, 0),
        ({"messages": [{"role": "user", "content": [{"text": "y" * 20}, {"text": "z" * 4}]}]}, 4),
        ({"messages": [{"role": "user", "content": [{"text": "y" * 20}, {"text": "Z" * 4}]}]}, 3),
    ],
)
def test_how_much_of_the_prefix_stays_the_same(changes: dict[str, Any], same: int) -> None:
    assert _same_up_to(lay_out(PLAIN, _request()), lay_out(PLAIN, _request(**changes))) == same


def test_an_image_anywhere_changes_all_messages() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "AAAA"}}}
    grown = _request()["messages"][0]["content"] + [image]
    changed = lay_out(PLAIN, _request(messages=[{"role": "user", "content": grown}]))
    assert _same_up_to(lay_out(PLAIN, _request()), changed) == 2


def test_where_messages_end_is_part_of_the_prefix() -> None:
    def spread(*lists: list[str]) -> Prompt:
        roles = ("user", "assistant")
        messages = [
            {"role": roles[index % 2], "content": [{"text": text} for text in texts]}
            for index, texts in enumerate(lists)
        ]
        return lay_out(PLAIN, {"messages": messages})

    assert _same_up_to(spread(["a", "b"], ["c"]), spread(["a"], ["b", "c"])) == 1


def test_thinking_of_another_model_is_not_in_the_prompt() -> None:
    haiku, sonnet = (next(model for model in MODELS if name in model.id) for name in ("haiku-5-5", "sonnet-5-5"))
    thought = {"reasoningText": {"text": "", "signature": sign(SignedThinking(haiku.id, 99))}}
    messages = [
        {"role": "user", "content": [{"text": "x" * 40}]},
        {"role": "assistant", "content": [{"reasoningContent": thought}, {"text": "x" * 40}]},
    ]
    assert lay_out(haiku, {"messages": messages}).offsets == (13, 112, 125)
    assert lay_out(sonnet, {"messages": messages}).offsets == (13, 26)
