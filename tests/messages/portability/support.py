"""Short ways to write histories and models for the tests of portability."""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Model
from turnout.core.price import flat_price
from turnout.messages.conversation import Conversation

POINT: dict[str, Any] = {"cachePoint": {"type": "default"}}
LONG_POINT: dict[str, Any] = {"cachePoint": {"type": "default", "ttl": "1h"}}


def model(provider: str, model_id: str, **changes: Any) -> Model:
    explicit = provider in ("bedrock", "anthropic")
    made = Model(
        id=f"{provider}/{model_id}",
        provider=provider,
        model_id=model_id,
        name=model_id,
        price=flat_price("1", "5"),
        context_window=200_000,
        cache=CacheRules(mode="explicit" if explicit else "implicit", floor_tokens=1024, ttls=("5m", "1h")),
        capabilities=Capabilities(vision=True, documents=True),
    )
    return msgspec.structs.replace(made, **changes)


SONNET_46 = model("bedrock", "global.anthropic.claude-sonnet-4-6")
HAIKU_45 = model("bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0")
SONNET_46_A = model("anthropic", "claude-sonnet-4-6")
HAIKU_45_A = model("anthropic", "claude-haiku-4-5-20251001")
GPT_5 = model("openai", "gpt-5")
GPT_41 = model("openai", "gpt-4.1")
NOVA = model("bedrock", "us.amazon.nova-pro-v1:0")


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [_block(block) for block in blocks]}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [_block(block) for block in blocks]}


def use(tool_id: str, name: str = "look", **more: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": tool_id, "name": name, "input": {}, **more}}


def result(tool_id: str, *content: Any, **more: Any) -> dict[str, Any]:
    blocks = [_block(block) for block in content or ("found",)]
    return {"toolResult": {"toolUseId": tool_id, "content": blocks, **more}}


def signed(signature: str = "sig") -> dict[str, Any]:
    return {"reasoningContent": {"reasoningText": {"text": "hm", "signature": signature}}}


def unsigned() -> dict[str, Any]:
    return {"reasoningContent": {"reasoningText": {"text": "hm"}}}


def redacted() -> dict[str, Any]:
    return {"reasoningContent": {"redactedContent": b"secret"}}


def talk(*messages: dict[str, Any], **more: Any) -> Conversation:
    return Conversation(messages=list(messages), **more)


def _block(block: Any) -> dict[str, Any]:
    return {"text": block} if isinstance(block, str) else block
