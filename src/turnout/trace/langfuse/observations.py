"""One observation of Langfuse, the same whether the v2 or the older v1 API gave it.

What Turnout wrote is read back exactly. What others wrote is read as well as it can be: kinds of tokens that Turnout
does not know count as fresh input or as output, by how their names begin, as Langfuse counts them too.

Known limitations: Langfuse keeps times in whole milliseconds. A cost that it gives only as a total, or in kinds that
are not known here, is kept as cost of the input: totals are right, kinds are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import msgspec

from turnout.core.cost import Cost
from turnout.core.usage import Usage
from turnout.trace.langfuse import names

_READ = {names.CACHE_READ, "input_cache_read", "cache_read_input_tokens", "input_cached"}
_WRITE_5M = {
    names.CACHE_WRITE_5M,
    "input_cache_creation_5m",
    "input_cache_write",
    "cache_creation_input_tokens",
    "cache_write_input_tokens",
}
_WRITE_1H = {names.CACHE_WRITE_1H}


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A span, generation or event of a trace.

    Attributes:
        id: Its id: the span's.
        trace_id: The trace it belongs to.
        parent_id: The observation above it, or empty.
        root: Whether it is the first of its trace as far as Langfuse knows.
        type: ``GENERATION``, ``SPAN``, ``AGENT``, ...
        name: The span's name.
        level: ``DEFAULT``, ``WARNING``, ``ERROR`` or ``DEBUG``.
        message: Its status message: of a call that Turnout wrote and that did not end well, the error's name.
        started_ms: Milliseconds since the epoch.
        ended_ms: Milliseconds since the epoch; none while it is not known.
        model: The model's name as it was written; empty for none.
        usage: Tokens.
        cost: What they cost.
        facts: The metadata of Turnout, by key without its prefix; empty for what others wrote.
    """

    id: str
    trace_id: str
    parent_id: str = ""
    root: bool = False
    type: str
    name: str = ""
    level: str = "DEFAULT"
    message: str = ""
    started_ms: float
    ended_ms: float | None = None
    model: str = ""
    usage: Usage = Usage()
    cost: Cost = Cost()
    facts: dict[str, str] = {}

    @property
    def own(self) -> bool:
        """Whether Turnout wrote it."""
        return self.event != ""

    @property
    def event(self) -> str:
        """``call`` or ``decision``, or empty where Turnout did not write it."""
        return self.facts.get("event", "")


def from_v2(observation: Any) -> Observation:
    """An observation of the v2 API.

    Args:
        observation: The SDK's ``ObservationV2``.
    """
    return Observation(
        id=observation.id,
        trace_id=observation.trace_id or "",
        parent_id=observation.parent_observation_id or "",
        root=bool(observation.is_root_observation) or not observation.parent_observation_id,
        type=observation.type.upper(),
        name=observation.name or "",
        level=str(observation.level.value) if observation.level else "DEFAULT",
        message=observation.status_message or "",
        started_ms=_milliseconds(observation.start_time),
        ended_ms=None if observation.end_time is None else _milliseconds(observation.end_time),
        model=observation.model or "",
        usage=_usage(observation.usage_details or {}, observation.metadata or {}),
        cost=_cost(observation.cost_details or {}, observation.total_cost),
        facts=_facts(observation.metadata or {}),
    )


def from_v1(observation: Mapping[str, Any]) -> Observation:
    """An observation of the v1 trace API, as its JSON object.

    Raises:
        KeyError, TypeError, ValueError: It is no observation.
    """
    usage = observation.get("usageDetails") or observation.get("usage") or {}
    metadata = observation.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    ended = observation.get("endTime")
    return Observation(
        id=observation["id"],
        trace_id=observation.get("traceId") or "",
        parent_id=observation.get("parentObservationId") or "",
        root=not observation.get("parentObservationId"),
        type=observation["type"].upper(),
        name=observation.get("name") or "",
        level=observation.get("level") or "DEFAULT",
        message=observation.get("statusMessage") or "",
        started_ms=_milliseconds(datetime.fromisoformat(observation["startTime"])),
        ended_ms=None if ended is None else _milliseconds(datetime.fromisoformat(ended)),
        model=observation.get("model") or "",
        usage=_usage(usage, metadata),
        cost=_cost(observation.get("costDetails") or {}, observation.get("calculatedTotalCost")),
        facts=_facts(metadata),
    )


def pico_of(amount: object) -> int:
    """Pico-USD of an amount in USD as JSON gives it: the nearest whole number.

    JSON's binary fractions are fine enough for that up to 8,192 USD: smaller amounts come back exactly.

    Raises:
        ValueError: It is no amount.
    """
    try:
        return round(Fraction(str(amount)) * 10**12)  # not by decimals, whose precision callers may have changed
    except ValueError as error:
        raise ValueError("an amount of money is no number") from error


def _usage(details: Mapping[str, Any], metadata: Mapping[str, Any]) -> Usage:
    sums = {"input": 0, "read": 0, "write_5m": 0, "write_1h": 0, "output": 0}
    for kind, tokens in details.items():
        where = _place(kind)
        if where and isinstance(tokens, int | float):
            sums[where] += int(tokens)
    reasoning = str(metadata.get(f"{names.OWN}reasoning_tokens", "0"))
    return Usage(
        input_tokens=sums["input"],
        cache_read_tokens=sums["read"],
        cache_write_5m_tokens=sums["write_5m"],
        cache_write_1h_tokens=sums["write_1h"],
        output_tokens=sums["output"],
        reasoning_tokens=min(int(reasoning) if reasoning.isdecimal() else 0, sums["output"]),
    )


def _cost(details: Mapping[str, Any], total: object) -> Cost:
    sums = {"input": 0, "read": 0, "write_5m": 0, "write_1h": 0, "output": 0}
    for kind, amount in details.items():
        where = _place(kind)
        if where and amount is not None:
            sums[where] += pico_of(amount)
    stated = details.get(names.TOTAL, total)
    rest = 0 if stated is None else pico_of(stated) - sum(sums.values())
    return Cost(
        input_pico=sums["input"] + max(rest, 0),
        cache_read_pico=sums["read"],
        cache_write_5m_pico=sums["write_5m"],
        cache_write_1h_pico=sums["write_1h"],
        output_pico=sums["output"],
    )


def _place(kind: str) -> str:
    for place, kinds in (("read", _READ), ("write_5m", _WRITE_5M), ("write_1h", _WRITE_1H)):
        if kind in kinds:
            return place
    return next((place for place in ("input", "output") if kind.startswith(place)), "")


def _facts(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {
        key.removeprefix(names.OWN): value if isinstance(value, str) else str(value)
        for key, value in metadata.items()
        if key.startswith(names.OWN)
    }


def _milliseconds(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp() * 1000
