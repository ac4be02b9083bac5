"""Why a candidate cannot serve, in words: what people read who are refused.

Decisions hold short codes, ``name`` or ``name:detail`` (`turnout.core.eligible`, and what doors add); they are what
records are searched for, so the words stand before the code and not in its place.
"""

from __future__ import annotations

_NEEDS = {
    "tools": "it takes no tools",
    "forced_tool_choice": "it cannot be made to call a tool",
    "vision": "it sees no images",
    "documents": "it reads no documents",
    "structured_output": "it follows no JSON schema",
    "streaming": "it does not stream",
}
_WORDS = {
    "not_allowed": "the key may not use it",
    "history_bound": "the conversation goes on with {} only",
    "untranslatable": "its provider's protocol has no place for {}",
    "bound": "the conversation holds what only another model can read ({})",
    "needs_edit": "the conversation would have to be changed for it ({})",
    "parameter_rejected": "it rejects the parameter {}",
    "parameter_unknown": "nobody knows whether it takes the parameter {}",
    "failed": "it has just failed with {}",
    "breaker_open": "it failed too often and rests for a while",
    "window_not_larger": "its context window is no larger than that of the model for which the prompt was too long",
    "not_installed": "it is not installed here: {}",
    "cache_ttl": "it keeps no cache for {}",
}
_UNSPOKEN = "its provider does not speak the protocol of the request, which is not translated for it"
_COMPARED = {
    "output_limit": "{} output tokens are asked for, and it gives at most {}",
    "context_window": "prompt and answer may come to {} tokens, and its context window has {}",
    "cache_markers": "the request has {} cache markers, and it takes {}",
}


def in_words(code: str) -> str:
    """A sentence about a candidate, and the code in brackets; the code alone where it has no words here."""
    words = _words(code.removeprefix("history:"))
    return f"{words} ({code})" if words else code


def _words(code: str) -> str:
    name, _, detail = code.partition(":")
    if name == "lacks":
        return _NEEDS.get(detail, "")
    if code == "untranslatable:protocol":
        return _UNSPOKEN
    if name in _COMPARED:
        asked, _, limit = detail.partition(">")
        return _COMPARED[name].format(asked, limit)
    return _WORDS.get(name, "").format(detail)
