"""What leaves the process of other libraries' spans: no text of prompts and answers, no keys, no headers.

Strands writes prompts, answers, tool arguments and tool results into its spans unless it is told not to. Where spans
are exported by us, `cleaned` takes all that out of a copy of the span. Of ``gen_ai.*`` it keeps what it knows to hold
no text, so that a new attribute of a new version is left out and not let through; elsewhere it drops texts whose names
say that they are content. Status descriptions and messages of exceptions quote tools and providers: they go too.

With ``record_text`` texts stay, as the redaction hooks leave them. Keys and headers go in either case.

Known limitation: an application's own attribute with an innocent name passes, whatever text it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode

from turnout.trace.spans import semconv
from turnout.trace.spans.content import Redact, redacted_json
from turnout.trace.spans.openinference import COST_PREFIX, TOKENS_PREFIX

STRANDS_SCOPE = "strands"
"""How the instrumentation scope of Strands' spans begins."""

_GEN_AI_KEPT = re.compile(
    r"""gen_ai\.(
        operation\.name | system | provider\.name | output\.type | token\.type | conversation\.(id|compacted)
        | request\.(?!stop_sequences).* | response\.(?!.*(text|content)).* | usage\..* | server\..* | event\..*_time
        | agent\.(id|name|version|tools) | workflow\.name | data_source\.id | prompt\.(name|version)
        | tool\.(name|type|status|call\.id) | evaluation\.(name|score\.value|score\.label)
    )""",
    re.VERBOSE,
)
"""Attributes of the GenAI conventions, and of Strands beside them, that hold no text of people or models."""

_CONTENT = re.compile(
    r"""(^|[._])(
        arguments | completions? | contents? | documents? | inputs? | instructions | messages? | outputs? | prompts?
        | query | results? | stacktrace | texts?
    )([._]|$)""",
    re.VERBOSE,
)
"""Names of attributes that hold text: those of Strands, OpenInference, Traceloop, Langfuse, and of exceptions."""

_SECRET = re.compile(
    r"(^|[._])(headers?|cookies?)([._]|$)|authorization|api[._-]?key|password|secret|credential|(access|auth)[._-]?token",
    re.IGNORECASE,
)
"""Names of attributes that may hold keys; they go whatever the settings say."""

_COUNTED = (semconv.USAGE_PREFIX, TOKENS_PREFIX, COST_PREFIX)
"""How the names begin of what backends add up over spans: tokens by the GenAI conventions, and by OpenInference."""

_URLS = frozenset({"url.full", "http.url", "http.target"})
"""Addresses whose part after the question mark may hold a key."""


@dataclass(frozen=True)
class Privacy:
    """What may leave the process.

    Attributes:
        record_text: Whether prompts and answers may.
        redact: What is applied to them before, in this order.
    """

    record_text: bool = False
    redact: tuple[Redact, ...] = ()


def cleaned(span: ReadableSpan, privacy: Privacy, *, more: Mapping[str, Any] | None = None) -> ReadableSpan:
    """A copy of another library's span with what may leave the process, and with usage that is not counted twice.

    Usage is taken out of a span that names the span of ours which carries it, and out of Strands' spans of agents,
    whose usage is that of the agent's whole life.

    Args:
        span: The span; it is not changed.
        privacy: What may leave.
        more: Attributes to add.
    """
    strands = is_strands(span)
    attributes = _attributes(span.attributes or {}, privacy)
    if semconv.CALL_SPAN in attributes or (strands and attributes.get(semconv.OPERATION) == semconv.INVOKE_AGENT):
        attributes = {name: value for name, value in attributes.items() if not name.startswith(_COUNTED)}
    events = [_event(event, privacy) for event in span.events if _may_stay(event, privacy, strands)]
    if span.status.status_code is StatusCode.ERROR and semconv.ERROR_TYPE not in attributes:
        types = [_all(event)["exception.type"] for event in events if "exception.type" in _all(event)]
        if types:
            attributes[semconv.ERROR_TYPE] = str(types[-1])
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes | dict(more or {}),
        events=events,
        links=span.links,
        kind=span.kind,
        status=_status(span.status, privacy),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def without_usage(span: ReadableSpan) -> ReadableSpan:
    """A copy of a span without its tokens, for a pipeline in which the framework's own span reports them."""
    kept = {name: value for name, value in _all(span).items() if not name.startswith(_COUNTED)}
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def is_strands(span: ReadableSpan) -> bool:
    """Whether Strands made the span."""
    return span.instrumentation_scope is not None and span.instrumentation_scope.name.startswith(STRANDS_SCOPE)


def _attributes(given: Mapping[str, Any], privacy: Privacy) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if _SECRET.search(name):
            continue
        if name in _URLS and isinstance(value, str):
            kept[name] = value.partition("?")[0]
        elif not _is_content(name, value):
            kept[name] = _attributes(value, privacy) if isinstance(value, Mapping) else value
        elif privacy.record_text:
            kept[name] = _redacted(value, privacy.redact)
    return kept


def _is_content(name: str, value: Any) -> bool:
    if name.startswith("gen_ai."):
        return _GEN_AI_KEPT.fullmatch(name) is None
    # A number under such a name is a count.
    return not isinstance(value, bool | int | float) and _CONTENT.search(name) is not None


def _may_stay(event: Event, privacy: Privacy, strands: bool) -> bool:
    if privacy.record_text or event.name == "exception":
        return True
    return not strands and not event.name.startswith("gen_ai.")


def _event(event: Event, privacy: Privacy) -> Event:
    return Event(name=event.name, attributes=_attributes(_all(event), privacy), timestamp=event.timestamp)


def _status(status: Status, privacy: Privacy) -> Status:
    if status.description is None:
        return status
    description = redacted_json(status.description, privacy.redact) if privacy.record_text else None
    return Status(status.status_code, description)


def _redacted(value: Any, hooks: Sequence[Redact]) -> Any:
    if isinstance(value, str):
        return redacted_json(value, hooks)
    if isinstance(value, Mapping):
        return {name: _redacted(item, hooks) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return tuple(_redacted(item, hooks) for item in value)
    return value


def _all(holder: ReadableSpan | Event) -> Mapping[str, Any]:
    return holder.attributes or {}
