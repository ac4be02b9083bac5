"""Scores: feedback on an answer, attached to a trace or to one observation of it."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from turnout.trace.langfuse.client import LangfuseClient
from turnout.trace.langfuse.errors import LangfuseUnavailableError
from turnout.trace.langfuse.settings import LangfuseSettings
from turnout.trace.langfuse.waiting import Cancel, Patience, Waiting

SCORE_PATIENCE = Patience(wait_seconds=0.0, max_retries=2, timeout_seconds=30.0)
"""Three tries, 30 seconds in all; what Langfuse asks to wait is waited."""


def create_score(
    settings: LangfuseSettings,
    *,
    name: str,
    value: float | bool | str,
    trace_id: str,
    observation_id: str | None = None,
    comment: str | None = None,
    score_id: str | None = None,
    environment: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    patience: Patience = SCORE_PATIENCE,
    cancel: Cancel | None = None,
) -> str:
    """Send one score and wait until Langfuse has taken it.

    The trace and observation ids are those of an event (``trace_id``, ``span_id``): ``create_score(settings,
    name="user-feedback", value=True, trace_id=event.trace_id, observation_id=event.span_id)``. Langfuse takes a score
    before it has the trace, and shows both later.

    Args:
        settings: Where, and with which keys.
        name: What is scored, such as ``user-feedback``.
        value: A number; true or false; or a text, which becomes a category.
        trace_id: The trace.
        observation_id: One observation of it; none: the whole trace.
        comment: The user's own words. They are sent as they are.
        score_id: Its id; default: a new one. The same id again replaces the score instead of adding one.
        environment: The deployment; default: that of the settings.
        metadata: Anything that JSON can hold.
        patience: How often to try, and for how long.
        cancel: Ends the waiting between tries when it is set.

    Returns:
        The score's id.

    Raises:
        ValueError: A name, id or number that cannot be a score.
        LangfuseError: It was not taken.
    """
    if not name or not trace_id:
        raise ValueError("a score needs a name and the id of a trace")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a score must be a finite number, got {value}")
    if value == "":
        raise ValueError("a score must be a number, true or false, or a text that is not empty")
    score_id = score_id or uuid.uuid4().hex
    score = {
        "id": score_id,
        "traceId": trace_id,
        "observationId": observation_id,
        "name": name,
        "value": value if isinstance(value, str) else float(value),
        "dataType": "BOOLEAN" if isinstance(value, bool) else "CATEGORICAL" if isinstance(value, str) else "NUMERIC",
        "comment": comment,
        "environment": environment or settings.environment or None,
        "metadata": None if metadata is None else dict(metadata),
        # A retry with the same id and time replaces what an earlier try may have left.
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    given = {key: part for key, part in score.items() if part is not None}
    waiting = Waiting(patience, cancel)
    problem = LangfuseUnavailableError("the score was not sent: the time was over before")
    with LangfuseClient(settings) as client:
        while waiting.next_look(problem.retry_after_s if waiting.looks else 0.0):
            try:
                client.post_score(given, within_s=waiting.remaining_s)
            except LangfuseUnavailableError as error:
                problem = error
            else:
                return score_id
    raise problem
