"""Thinking in a history: who signed it, who can read it, and what is lost where nobody can.

The rules, from Anthropic's and Amazon's documentation as read on 2026-11-23:

- Inside a tool loop the thinking of the turn must be sent back complete and unmodified. Outside one, thinking of
  earlier turns may be left out (Claude documentation, "Thinking", section "Preserving thinking blocks").
- A signature made on one platform is valid on another: Claude API, Amazon Bedrock, Google Cloud (same page, "Thinking
  encryption"). Exception: thinking of Sonnet 5.5 and Haiku 5.5 is read only in the account that it was made in (page
  "Preserved thinking", section "Thinking blocks stay with the account that produced them").
- A thinking block of another Claude model that the asked one cannot read is left out by the API, without an error and
  unbilled; the history is to be sent whole all the same, so that the model that wrote a block finds it when the
  conversation returns ("Preserved thinking", section "Switching models mid-conversation"; Amazon Bedrock user guide,
  "Thinking block binding"). Removing a block and putting it back later makes what was thought between invalid, and is
  answered with 400 on new accounts. So thinking that Claude signed goes to every Claude unchanged, here too.
  Disputed: reports of July 2026 and before have a 400 on a switch between Claude models (vybestack/llxprt-code, issue
  2335).
- A signature that was altered, or that Claude did not make, is always answered with 400, and so is thinking without
  one.
- Models up to Haiku 4.5, and Opus before 4.5 and Sonnet before 4.6, read no thinking of earlier turns, not even their
  own ("Thinking", section "Thinking block preservation by model").

Who reads whom is listed in the pages of the models; a pair that no page names counts as one that cannot: Haiku 5.5 is
in none.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from turnout.core.catalog import Model
from turnout.messages.conversation import Block
from turnout.messages.portability.protocols import Protocol, protocol_of

_NAME = re.compile(r"claude-(opus|sonnet|haiku|fable|mythos)-(\d+)(?:-(\d{1,2}))?(?![\d])")
_OLD_NAME = re.compile(r"claude-(\d+)(?:-(\d{1,2}))?-(opus|sonnet|haiku)")
_ACCOUNT_BOUND = {("sonnet", (5, 5)), ("haiku", (5, 5))}


class ClaudeName(NamedTuple):
    """Family and version of a Claude model."""

    family: str
    version: tuple[int, int]


def claude_name(model: Model) -> ClaudeName | None:
    """Family and version by a catalog entry's id, or none where it is no Claude or the id does not tell."""
    if match := _NAME.search(model.model_id):
        return ClaudeName(match[1], (int(match[2]), int(match[3] or 0)))
    if match := _OLD_NAME.search(model.model_id):
        return ClaudeName(match[3], (int(match[1]), int(match[2] or 0)))
    return None


def reads_thinking(reader: Model, author: Model) -> bool:
    """Whether a model reads what another one thought, as far as it is documented."""
    if reader.id == author.id:
        return True
    mine, theirs = claude_name(reader), claude_name(author)
    if mine is None or theirs is None or not protocol_of(reader).claude or not protocol_of(author).claude:
        return False
    if theirs in _ACCOUNT_BOUND and reader.provider != author.provider:
        return False
    if mine == theirs:
        return True
    return _listed(mine, theirs, on_claude_api=reader.provider == "anthropic")


def keeps_earlier_thinking(model: Model) -> bool:
    """Whether a model reads thinking of its own finished turns; one whose id does not tell is taken to."""
    name = claude_name(model)
    if name is None:
        return True
    first = {"opus": (4, 5), "sonnet": (4, 6), "haiku": (5, 0)}.get(name.family, (0, 0))
    return name.version >= first


def kind_of_reasoning(block: Block) -> str:
    """``signed``, ``redacted``, ``encrypted`` (not by Claude), ``unsigned``; empty where a block holds no reasoning.

    In Converse's blocks a signature is Anthropic's alone, unless it wraps the encrypted reasoning item of OpenAI.
    """
    if "toolUse" in block and block["toolUse"].get("reasoningSignature"):
        return "encrypted"
    reasoning = block.get("reasoningContent")
    if reasoning is None:
        return ""
    if reasoning.get("redactedContent"):
        return "redacted"
    signature = (reasoning.get("reasoningText") or {}).get("signature")
    if not signature:
        return "unsigned"
    return "encrypted" if _wraps_encrypted_reasoning(signature) else "signed"


def is_foreign(kind: str, author: Model | None) -> bool:
    """Whether bound reasoning is not Claude's: of a redacted block only its author tells."""
    if kind == "redacted":
        return author is not None and protocol_of(author) in (Protocol.OPENAI, Protocol.OTHER)
    return kind == "encrypted"


def _listed(reader: ClaudeName, author: ClaudeName, *, on_claude_api: bool) -> bool:
    """The pairs that the pages of the models name."""
    family, version = author
    newest = version >= (5, 1) and family in ("fable", "mythos")
    older = family in ("opus", "sonnet", "haiku")
    match reader:
        case ("fable" | "mythos", (5, 1)):
            if family == "opus" and version == (5, 5):
                return on_claude_api
            return newest or (older and version <= (5, 0)) or (family in ("fable", "mythos") and version <= (5, 0))
        case ("opus", (5, 5)):
            if family == "sonnet" and version == (5, 5):
                return on_claude_api
            return older and version <= (5, 0)
        case ("sonnet", (5, 5)):
            return (family == "sonnet" and version <= (5, 0)) or (
                older and version <= {"opus": (4, 8), "haiku": (4, 5)}.get(family, (0, 0))
            )
    return False


def _wraps_encrypted_reasoning(signature: Any) -> bool:
    if not isinstance(signature, str) or not signature.startswith("{"):
        return False
    try:
        value = json.loads(signature)
    except ValueError:
        return False
    return isinstance(value, dict) and "encrypted_content" in value
