"""The models that clients see: ``/v1/models`` in OpenAI's shape, or in Anthropic's for its client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnout.messages.wire.asked import WireProtocol

_CREATED = "2026-11-01T00:00:00Z"
_CREATED_S = 1_793_491_200


def listed(names: Sequence[str], protocol: WireProtocol) -> dict[str, Any]:
    """All of them."""
    data = [described(name, protocol) for name in names]
    if protocol is WireProtocol.ANTHROPIC:
        return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}
    return {"object": "list", "data": data}


def described(name: str, protocol: WireProtocol) -> dict[str, Any]:
    """One of them; the dates mean nothing, but clients want one."""
    if protocol is WireProtocol.ANTHROPIC:
        return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED}
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": name.partition("/")[0]}
