"""Why an answer ended, in the words of each protocol; in between stand Converse's.

A word that a protocol does not have becomes the one that its clients act on alike: what a provider withheld is
Anthropic's ``refusal`` and OpenAI's ``content_filter``; a full context window is OpenAI's ``length``.
"""

from __future__ import annotations

from collections.abc import Mapping

_OF_OPENAI = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filtered",
}
_OF_ANTHROPIC = {"refusal": "content_filtered", "pause_turn": "end_turn", "compaction": "end_turn"}

CONVERSE = frozenset(
    {
        "end_turn",
        "tool_use",
        "max_tokens",
        "stop_sequence",
        "guardrail_intervened",
        "content_filtered",
        "malformed_model_output",
        "malformed_tool_use",
        "model_context_window_exceeded",
    }
)
"""Converse's stop reasons (botocore 1.44.5)."""

_TO_OPENAI = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_TO_ANTHROPIC = {
    "content_filtered": "refusal",
    "guardrail_intervened": "refusal",
    "malformed_model_output": "end_turn",
    "malformed_tool_use": "end_turn",
}


def from_openai(reason: str) -> str:
    """From ``finish_reason`` of Chat Completions."""
    return _known(reason, _OF_OPENAI)


def from_anthropic(reason: str) -> str:
    """From ``stop_reason`` of the Messages API."""
    return _known(reason, _OF_ANTHROPIC)


def from_converse(reason: str) -> str:
    """From ``stopReason`` of Converse."""
    return _known(reason, {})


def to_openai(reason: str) -> str:
    """As ``finish_reason`` of Chat Completions."""
    return _TO_OPENAI.get(reason, "stop")


def to_anthropic(reason: str) -> str:
    """As ``stop_reason`` of the Messages API."""
    return _TO_ANTHROPIC.get(reason, reason)


def _known(reason: str, words: Mapping[str, str]) -> str:
    """A word that is not known yet ends an answer as well as any other."""
    found = words.get(reason, reason)
    return found if found in CONVERSE else "end_turn"
