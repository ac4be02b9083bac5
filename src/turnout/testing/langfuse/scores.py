"""Scores as Langfuse takes them: a list at once, or, before the batch endpoint, one by itself."""

from __future__ import annotations

import math
import re
import uuid
from typing import Any

from turnout.testing.langfuse.errors import ApiError, invalid
from turnout.testing.langfuse.store import Store, StoredScore

_ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")
_TARGETS = ("traceId", "sessionId", "datasetRunId")
Answer = tuple[int, dict[str, Any]]


def take_scores(store: Store, body: Any, *, batches: bool) -> Answer:
    """Take a request's scores in; its status and JSON.

    Args:
        store: Where they are kept.
        body: The request's JSON.
        batches: Whether lists are taken; a single score always is.

    Raises:
        ApiError: The request, or its only score, cannot be taken.
    """
    if isinstance(body, dict):
        return 200, {"id": _take(store, body)}
    if not isinstance(body, list) or not batches:
        raise invalid("Invalid request data")
    if not body:
        raise invalid("a batch must hold at least one score")
    problems = []
    for score in body:
        try:
            _take(store, score)
        except ApiError as error:
            problems.append({"message": error.message})
    if not problems:
        return 202, {"message": "Accepted"}
    return 207, {"accepted": len(body) - len(problems), "rejected": len(problems), "errors": problems}


def _take(store: Store, score: Any) -> str:
    if not isinstance(score, dict):
        raise invalid("a score must be an object")
    name, value = score.get("name"), score.get("value")
    if not isinstance(name, str) or not name:
        raise invalid("a score needs a name")
    if not any(score.get(target) for target in _TARGETS):
        raise invalid(f"a score needs one of {', '.join(_TARGETS)}")
    if score.get("observationId") and not score.get("traceId"):
        raise invalid("the score of an observation needs its traceId")
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    data_type = score.get("dataType") or ("NUMERIC" if number else "CATEGORICAL")
    fits = {
        "NUMERIC": number,
        "BOOLEAN": number and value in (0, 1),
        "CATEGORICAL": isinstance(value, str) and value != "",
        "TEXT": isinstance(value, str) and 1 <= len(value) <= 500,
        "CORRECTION": isinstance(value, str),
    }
    if not fits.get(data_type, False):
        raise invalid(f"the value does not fit the data type {data_type}")
    environment = score.get("environment")
    if environment is not None and not _ENVIRONMENT.fullmatch(str(environment)):
        raise invalid("the environment cannot be used")
    score_id = str(score.get("id") or uuid.uuid4())
    store.add_score(StoredScore(id=score_id, body={**score, "dataType": data_type}))
    return score_id
