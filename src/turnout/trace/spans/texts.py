"""A file of prompts and answers, a call a line, for those who switch recording on: what `turnout collect` reads.

It is an exporter of spans: texts come as the redaction hooks leave them, off the caller's path. Only answers that ended
well are written, not those of classifiers or of other libraries' spans. The file is created with mode 0600.

The members of a line: ``id`` (of the call in the ledger), ``turn``, ``run``, ``session``, ``group`` (the session, which
is never split), ``model``, ``conversation`` (Converse blocks), ``tools``, ``answer`` (blocks) and, where text is
missing, ``incomplete``.

Known limitations: what is not sampled is not written; thinking is left out; images and documents are not kept, so that
calls with them are marked incomplete; the file grows until somebody takes it away, after which a new one is begun.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from turnout.trace.spans import semconv
from turnout.trace.spans.content import FAILED

logger = logging.getLogger(__name__)


class TextFile(SpanExporter):
    """Appends the texts of calls to a file; several processes may share one.

    Args:
        path: The file; it is created where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the calls among the spans, all of them or none."""
        lines = [line for line in map(line_of, spans) if line is not None]
        if not lines:
            return SpanExportResult.SUCCESS
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        try:
            with self._lock:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # Opened anew each time, so that a file that was taken away is begun again. One write, at the end.
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "wb", buffering=0) as file:
                    file.write(data)
        except OSError as error:
            logger.error("path=<%s>, error=<%s> | prompts and answers were not kept", self.path, error.strerror)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is kept open."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


def line_of(span: ReadableSpan) -> dict[str, Any] | None:
    """The line of a span, or none where it is no answer of ours, or has no text."""
    attributes = span.attributes or {}
    ours = span.instrumentation_scope is not None and span.instrumentation_scope.name == semconv.SCOPE
    if not ours or attributes.get(semconv.ROLE) != "answer" or attributes.get(semconv.STATUS) != "ok":
        return None
    asked = _value(attributes, semconv.INPUT_MESSAGES)
    said = _value(attributes, semconv.OUTPUT_MESSAGES)
    if asked is None or not said:
        return None
    missing: set[str] = set()
    messages = [{"role": one["role"], "content": _blocks(one["parts"], missing)} for one in asked]
    system = _blocks(_value(attributes, semconv.SYSTEM_INSTRUCTIONS) or (), missing)
    line: dict[str, Any] = {
        "id": attributes.get(semconv.EVENT, ""),
        "turn": attributes.get(semconv.TURN, ""),
        "run": attributes.get(semconv.RUN, ""),
        "session": attributes.get(semconv.CONVERSATION, ""),
        "group": attributes.get(semconv.CONVERSATION, ""),
        "model": attributes.get(semconv.MODEL, ""),
        "conversation": {**({"system": system} if system else {}), "messages": messages},
    }
    if answer := _blocks(said[0]["parts"], missing):
        line["answer"] = answer
    if tools := _value(attributes, semconv.TOOL_DEFINITIONS):
        line["tools"] = tools
    if missing:
        line["incomplete"] = ", ".join(sorted(missing))
    return line


def _value(attributes: Mapping[str, Any], name: str) -> Any:
    text = attributes.get(name)
    return json.loads(text) if isinstance(text, str) else None


def _blocks(parts: Iterable[Mapping[str, Any]], missing: set[str]) -> list[dict[str, Any]]:
    """Converse blocks of the conventions' parts; what cannot be made whole again is named in ``missing``."""
    blocks: list[dict[str, Any]] = []
    for part in parts:
        match part.get("type"):
            case "text":
                blocks.append({"text": part["content"]})
            case "tool_call":
                use = {"toolUseId": part.get("id"), "name": part.get("name"), "input": part.get("arguments")}
                blocks.append({"toolUse": use})
            case "tool_call_response":
                content = _blocks(part.get("response") or (), missing)
                blocks.append({"toolResult": {"toolUseId": part.get("id"), "content": content}})
            case "json":
                blocks.append({"json": part.get("content")})
            case "blob":
                missing.add(str(part.get("modality", "media")))
            case "reasoning":
                pass
            case other:
                missing.add(str(other))
        if FAILED in (part.get("content"), part.get("arguments")):
            missing.add("a text whose redaction failed")
    return blocks
