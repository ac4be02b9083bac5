"""This layer as the conformance suite calls one (`turnout.testing.conformance`): plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Model
from turnout.core.price import flat_price
from turnout.messages.conversation import Conversation
from turnout.messages.portability.carrying import carry


def carry_case(
    history: Mapping[str, Any], source: Mapping[str, Any], target: Mapping[str, Any], markers: str
) -> dict[str, Any]:
    """Carry one case; arguments and result as the suite has them."""
    carried = carry(
        conversation_of_case(history),
        model_of_case(source),
        model_of_case(target),
        "manage" if markers == "manage" else "fill" if markers == "fill" else "user",
    )
    if carried.history is None:
        return {"refusal": ", ".join(carried.refusals)}
    return {"history": msgspec.structs.asdict(carried.history), "edits": list(carried.edits)}


def conversation_of_case(history: Mapping[str, Any]) -> Conversation:
    """The conversation of a case."""
    return Conversation(messages=history["messages"], system=history["system"], tools=history["tools"])


def model_of_case(model: Mapping[str, Any]) -> Model:
    """A catalog entry that asks as the case's model does; its price is none, as nothing here is priced."""
    return Model(
        id=f"{model['protocol']}/{model['model_id']}",
        provider=model["protocol"],
        model_id=model["model_id"],
        name=model["model_id"],
        price=flat_price("0", "0"),
        context_window=1_000_000,
        cache=CacheRules(
            mode=model["caching"],
            floor_tokens=model["floor_tokens"],
            ttls=tuple(model["ttls"]),
            max_markers=model["max_markers"],
        ),
        capabilities=Capabilities(vision=True, documents=True, prefill=model["prefill"]),
    )
