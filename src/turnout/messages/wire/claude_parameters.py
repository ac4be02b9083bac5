"""What a Claude body sets that only some Claude models take, and how a body is written without it.

The names are those of `turnout.core.parameters`. The members stand at the top of bodies of Anthropic's Messages and of
Bedrock's invoke, and in ``additionalModelRequestFields`` of Converse.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

_KINDS = ("enabled", "adaptive", "disabled", "between_tools")
_EFFORTS = ("low", "medium", "high")
_HIGHER = ("xhigh", "max")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EDITS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_ANY = msgspec.json.Decoder(Any)


def claude_parameters(
    thinking: Mapping[str, Any] | None, effort: str | None, *, manages_context: bool
) -> tuple[str, ...]:
    """The names of what is set.

    Args:
        thinking: The member ``thinking``.
        effort: ``output_config.effort``.
        manages_context: Whether there is a ``context_management``.
    """
    names = []
    if thinking is not None:
        kind = thinking.get("type")
        names.append(f"thinking.{kind}" if kind in _KINDS else "thinking.unknown")
        if kind == "disabled" and effort in _HIGHER:
            names.append("thinking.disabled_above_high")
    if effort is not None:
        names.append("effort")
        if effort not in _EFFORTS:
            names.append(f"effort.{effort}" if effort in _HIGHER else "effort.unknown")
    if manages_context:
        names.append("context_management")
    return tuple(names)


def without(members: Mapping[str, bytes | msgspec.Raw], dropped: Collection[str]) -> dict[str, bytes | None]:
    """What becomes of the members of a body whose parameters are dropped: their new JSON, or none where they go.

    ``context_management`` that clears thinking is refused where nothing thinks, so it goes with the thinking.

    Args:
        members: The body's members, raw.
        dropped: Names of parameters.
    """
    changed: dict[str, bytes | None] = {}
    if "thinking" in members and any(name.startswith("thinking.") for name in dropped):
        changed["thinking"] = None
        if "context_management" in members:
            changed |= _without_thinking(members["context_management"])
    if "context_management" in members and "context_management" in dropped:
        changed["context_management"] = None
    if "output_config" in members and any(name.startswith("effort") for name in dropped):
        config = _OBJECT.decode(members["output_config"])
        config.pop("effort", None)
        changed["output_config"] = msgspec.json.encode(config) if config else None
    return changed


def _without_thinking(raw: bytes | msgspec.Raw) -> dict[str, bytes | None]:
    """``context_management`` without the clearing of thinking; nothing where it has none."""
    try:
        management = _OBJECT.decode(raw)
        edits = _EDITS.decode(management.get("edits", b"[]"))
        kept = [edit for edit in edits if not str(_ANY.decode(edit.get("type", b'""'))).startswith("clear_thinking")]
    except msgspec.DecodeError:
        return {}  # the provider says what is wrong with it
    if len(kept) == len(edits):
        return {}
    if not kept and len(management) == 1:
        return {"context_management": None}
    return {"context_management": msgspec.json.encode({**management, "edits": kept})}
