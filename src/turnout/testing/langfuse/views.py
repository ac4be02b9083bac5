"""Observations as the two read APIs show them: v2 by groups of fields, v1 as whole traces."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from turnout.testing.langfuse.store import PROJECT, StoredSpan, iso

_CUT_AT = 200
_OWN_KEYS = ("attributes", "resourceAttributes", "scope")

GROUPS = ("core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context")
"""The groups of fields of the v2 API."""


def v2_observation(span: StoredSpan, groups: Collection[str], expanded: Collection[str]) -> dict[str, Any]:
    """An observation with the fields of these groups; core is always there.

    Args:
        span: The observation.
        groups: The groups that were asked for.
        expanded: Keys of metadata that are not cut off at 200 characters.
    """
    ended, first = span.ended, span.first_content
    fields: dict[str, dict[str, Any]] = {
        "core": {
            "id": span.id,
            "traceId": span.trace_id,
            "startTime": iso(span.started),
            "endTime": None if ended is None else iso(ended),
            "projectId": PROJECT,
            "parentObservationId": span.parent_id or None,
            "type": span.type,
        },
        "basic": {
            "name": span.name,
            "level": span.level,
            "statusMessage": span.message,
            "version": span.version,
            "environment": span.environment,
            "bookmarked": False,
            "public": False,
            "userId": span.user_id,
            "sessionId": span.session_id,
            "isRootObservation": span.root,
        },
        "time": {
            "completionStartTime": None if first is None else iso(first),
            "createdAt": iso(span.started),
            "updatedAt": iso(span.started),
        },
        "io": {"input": None, "output": None},
        "metadata": {
            "metadata": {
                key: value if key in expanded or not isinstance(value, str) else value[:_CUT_AT]
                for key, value in span.metadata.items()
            }
        },
        "model": {"model": span.model, "internalModelId": None, "modelParameters": {}, **_no_prices()},
        "usage": {
            "usageDetails": span.usage,
            "costDetails": _amounts(span.cost),
            "totalCost": _amount(span.cost.get("total")),
            "usagePricingTierName": None,
        },
        "prompt": {"promptId": None, "promptName": None, "promptVersion": None},
        "metrics": {"latency": span.latency_s, "timeToFirstToken": _first_token_s(span)},
        "trace_context": {"tags": list(span.tags), "release": span.release, "traceName": span.trace_name},
    }
    return {
        key: value
        for group in ("core", *GROUPS[1:])
        if group in {"core", *groups}
        for key, value in fields[group].items()
    }


def v1_observation(span: StoredSpan) -> dict[str, Any]:
    """An observation of the v1 API: all fields, with the old names beside the new ones."""
    every = v2_observation(span, GROUPS, span.metadata)
    usage = {kind: _began(span.usage, kind) for kind in ("input", "output")}
    total = span.usage.get("total", 0)
    kept = (
        "id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type", "name", "level",
        "statusMessage", "version", "environment", "completionStartTime", "createdAt", "updatedAt", "input", "output",
        "metadata", "model", "modelParameters", "usageDetails", "costDetails", "promptId", "promptName",
        "promptVersion", "latency", "timeToFirstToken", "modelId", "inputPrice", "outputPrice", "totalPrice",
    )  # fmt: skip
    return {
        **{key: every[key] for key in kept},
        "usage": {"unit": "TOKENS", **usage, "total": total},
        "unit": "TOKENS",
        "promptTokens": usage["input"],
        "completionTokens": usage["output"],
        "totalTokens": total,
        "calculatedInputCost": _amount(_began(span.cost, "input") if span.cost else None),
        "calculatedOutputCost": _amount(_began(span.cost, "output") if span.cost else None),
        "calculatedTotalCost": _amount(span.cost.get("total")),
    }


def v1_trace(spans: Sequence[StoredSpan]) -> dict[str, Any]:
    """A trace of the v1 API without its observations.

    Args:
        spans: All observations of the trace, at least one.
    """
    ordered = sorted(spans, key=lambda span: (not span.root, span.started))
    ends = [span.ended for span in spans if span.ended is not None]
    begin = min(span.started for span in spans)
    return {
        "id": ordered[0].trace_id,
        "timestamp": iso(begin),
        "name": _stated(ordered, "trace_name"),
        "input": None,
        "output": None,
        "sessionId": _stated(ordered, "session_id"),
        "release": _stated(ordered, "release"),
        "version": _stated(ordered, "version"),
        "userId": _stated(ordered, "user_id"),
        "metadata": {key: value for key, value in ordered[0].metadata.items() if key not in _OWN_KEYS},
        "tags": sorted({tag for span in spans for tag in span.tags}),
        "public": False,
        "bookmarked": False,
        "environment": ordered[0].environment,
        "projectId": PROJECT,
        "externalId": None,
        "createdAt": iso(begin),
        "updatedAt": iso(begin),
        "htmlPath": f"/project/{PROJECT}/traces/{ordered[0].trace_id}",
        "latency": (max(ends) - begin).total_seconds() if ends else 0,
        "totalCost": float(sum((span.cost.get("total", Decimal(0)) for span in spans), start=Decimal(0))),
    }


def _stated(ordered: Sequence[StoredSpan], field: str) -> Any:
    return next((value for span in ordered if (value := getattr(span, field))), None)


def _began(details: dict[str, Any], kind: str) -> Any:
    return sum(value for key, value in details.items() if key.startswith(kind))


def _amounts(cost: dict[str, Decimal]) -> dict[str, float]:
    return {kind: float(amount) for kind, amount in cost.items()}


def _amount(value: Any) -> float | None:
    return None if value is None else float(value)


def _no_prices() -> dict[str, None]:
    return {"modelId": None, "inputPrice": None, "outputPrice": None, "totalPrice": None}


def _first_token_s(span: StoredSpan) -> float | None:
    return None if span.first_content is None else (span.first_content - span.started).total_seconds()
