"""Simulated thinking: when a model thinks, and the signed block that it leaves in the history.

A thinking block comes back with a signature that only its own model reads. Here the signature carries the model and
the number of tokens thought, so that a block which is sent back counts as input again. A block of another model is
left out of the prompt and not counted, as documented for models that cannot read each other's thinking; that some real
models can read others' is not simulated, nor is the check that nothing before a thinking block has changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.testing.bedrock.models import SimulatedModel

_KEY = b"turnout simulated thinking"
SUMMARY = "(Simulated thinking: the double did not reason about this.)"
"""The text of a thinking block where the request asks for ``display: summarized``; by default it is empty."""


@dataclass(frozen=True)
class SignedThinking:
    """What a signature says: the model that thought, and how many tokens."""

    model_id: str
    tokens: int


def sign(thinking: SignedThinking) -> str:
    """The signature of a thinking block."""
    payload = json.dumps([thinking.model_id, thinking.tokens]).encode()
    digest = hmac.new(_KEY, payload, hashlib.sha256).digest()[:16]
    return base64.b64encode(digest + payload).decode()


def read_signature(signature: str) -> SignedThinking | None:
    """What a signature says, or none if no model of this double made it."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return None
    digest, payload = raw[:16], raw[16:]
    if not hmac.compare_digest(digest, hmac.new(_KEY, payload, hashlib.sha256).digest()[:16]):
        return None
    model_id, tokens = json.loads(payload)
    return SignedThinking(model_id, tokens)


def thinking_of(block: Mapping[str, Any]) -> SignedThinking | None:
    """What a ``reasoningContent`` block's signature says, or none if it has none that this double made."""
    reasoning = block["reasoningContent"].get("reasoningText") or {}
    return read_signature(reasoning.get("signature") or "")


def thinking_setting(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request's ``additionalModelRequestFields.thinking``, empty where it sets none."""
    setting = (request.get("additionalModelRequestFields") or {}).get("thinking")
    return setting if isinstance(setting, Mapping) else {}


def thinks(model: SimulatedModel, request: Mapping[str, Any]) -> bool:
    """Whether the model thinks before it answers this request. It never does where a tool is forced."""
    if forces_a_tool(request):
        return False
    kind = thinking_setting(request).get("type")
    if model.thinks_first:
        return kind is None or kind != model.thinking_off
    return kind in ("enabled", "adaptive")


def forces_a_tool(request: Mapping[str, Any]) -> bool:
    """Whether ``toolChoice`` leaves the model no choice but to call a tool."""
    choice = (request.get("toolConfig") or {}).get("toolChoice") or {}
    return "any" in choice or "tool" in choice


def thinking_block(model: SimulatedModel, request: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """The block that a model leaves after thinking that many tokens."""
    # Models that think first return the signature alone unless they are asked for a summary.
    display = thinking_setting(request).get("display") or ("omitted" if model.thinks_first else "summarized")
    text = SUMMARY if display == "summarized" else ""
    return {"reasoningContent": {"reasoningText": {"text": text, "signature": sign(SignedThinking(model.id, tokens))}}}
