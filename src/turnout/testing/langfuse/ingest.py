"""How spans become observations: the part of Langfuse's OpenTelemetry mapping that SDK, Strands and Turnout use.

Written from what Langfuse's ``OtelIngestionProcessor`` and documentation say (server 4, read 2026-11). What Langfuse
keeps for a trace as a whole is kept by each span from its own attributes only, as Langfuse 4 does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from turnout.testing.langfuse.otlp import PlainSpan
from turnout.testing.langfuse.store import StoredSpan

_TYPES = {
    "span",
    "generation",
    "event",
    "agent",
    "tool",
    "chain",
    "retriever",
    "evaluator",
    "embedding",
    "guardrail",
}
_OPERATIONS = {
    "chat": "generation",
    "completion": "generation",
    "text_completion": "generation",
    "generate_content": "generation",
    "embeddings": "embedding",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "execute_tool": "tool",
}
_LEVELS = {"DEBUG", "DEFAULT", "WARNING", "ERROR"}
_SDK = "langfuse-sdk"
_PICO = Decimal("1e-12")  # Langfuse keeps twelve decimals


def observation_of(span: PlainSpan) -> StoredSpan:
    """The observation that Langfuse makes of a span."""
    given = span.attributes
    type_ = _type(given)
    root = not span.parent_id or str(given.get("langfuse.internal.as_root")).lower() == "true"
    level = given.get("langfuse.observation.level")
    return StoredSpan(
        id=span.span_id,
        trace_id=span.trace_id,
        parent_id=span.parent_id,
        name=str(given.get("gen_ai.tool.name") or span.name),
        type=type_.upper(),
        started=_moment(span.start_ns),
        ended=_moment(span.end_ns) if span.end_ns else None,
        first_content=_parsed_time(given.get("langfuse.observation.completion_start_time")),
        level=level if level in _LEVELS else "ERROR" if span.failed else "DEFAULT",
        message=given.get("langfuse.observation.status_message") or span.message or None,
        trace_name=given.get("langfuse.trace.name") or (span.name if root else None),
        user_id=given.get("langfuse.user.id") or given.get("user.id"),
        session_id=given.get("langfuse.session.id") or given.get("session.id") or given.get("gen_ai.conversation.id"),
        tags=_tags(given.get("langfuse.trace.tags") or given.get("langfuse.tags")),
        version=given.get("langfuse.version") or span.resource.get("service.version"),
        release=given.get("langfuse.release") or span.resource.get("langfuse.release"),
        environment=_environment(given, span.resource),
        model=_first(given, "langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model"),
        usage=_usage(given),
        cost=_cost(given),
        metadata=_metadata(span),
        root=root,
    )


def _type(given: Mapping[str, Any]) -> str:
    stated = str(given.get("langfuse.observation.type") or "").lower()
    if stated in _TYPES:
        return stated
    operation = _OPERATIONS.get(str(given.get("gen_ai.operation.name") or "").lower())
    if operation:
        return operation
    return "generation" if _first(given, "langfuse.observation.model.name", "gen_ai.request.model") else "span"


def _first(given: Mapping[str, Any], *keys: str) -> str | None:
    return next((str(given[key]) for key in keys if given.get(key)), None)


def _environment(given: Mapping[str, Any], resource: Mapping[str, Any]) -> str:
    keys = ("langfuse.environment", "deployment.environment.name", "deployment.environment")
    return _first(given, *keys) or _first(resource, *keys) or "default"


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = [tag.strip() for tag in value.split(",")]
        value = parsed if isinstance(parsed, list) else [value]
    return tuple(str(tag) for tag in value or ())


def _usage(given: Mapping[str, Any]) -> dict[str, int]:
    stated = _object(given.get("langfuse.observation.usage_details"))
    if stated is None:
        prefix = "gen_ai.usage."
        read = int(given.get(prefix + "cache_read.input_tokens") or 0)
        written = int(given.get(prefix + "cache_creation.input_tokens") or 0)
        whole = int(given.get(prefix + "input_tokens") or given.get(prefix + "prompt_tokens") or 0)
        output = int(given.get(prefix + "output_tokens") or given.get(prefix + "completion_tokens") or 0)
        stated = {
            "input": max(whole - read - written, 0),
            "input_cached_tokens": read,
            "input_cache_creation": written,
            "output": output,
        }
        if not any(stated.values()):
            return {}
    details = {kind: int(count) for kind, count in stated.items() if isinstance(count, int | float) and count >= 0}
    details.setdefault("total", sum(details.values()))
    return details


def _cost(given: Mapping[str, Any]) -> dict[str, Decimal]:
    stated = _object(given.get("langfuse.observation.cost_details"))
    if stated is None:
        return {}
    details = {}
    for kind, amount in stated.items():
        try:
            details[kind] = Decimal(str(amount)).quantize(_PICO)
        except InvalidOperation:
            continue
    if details:
        details.setdefault("total", sum(details.values(), start=Decimal(0)))
    return details


def _object(text: Any) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _metadata(span: PlainSpan) -> dict[str, Any]:
    prefix = "langfuse.observation.metadata"
    own = _object(span.attributes.get(prefix)) or {}
    for key, value in span.attributes.items():
        if key.startswith(prefix + "."):
            own[key.removeprefix(prefix + ".")] = _decoded(value) if span.scope.startswith(_SDK) else value
    rest = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in span.attributes.items()
        if not span.scope.startswith(_SDK)
    }
    return {
        **own,
        **({"attributes": rest} if rest else {}),
        "resourceAttributes": span.resource,
        "scope": {"name": span.scope},
    }


def _decoded(value: Any) -> Any:
    """Metadata of the SDK, version 5, is JSON in each value."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=nanoseconds // 1_000_000)


def _parsed_time(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value).strip('"'))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
