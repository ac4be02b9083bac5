"""What went over the wire, kept for tests: requests and responses, without keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer.

    Attributes:
        method: The HTTP method.
        path: The path without the query.
        query: The query's values by name, each name's as a list.
        headers: The request's headers by lower-case name, without those that hold keys.
        body: The request's JSON body; none where there was none or it was protobuf.
        status: The answer's status; 0 where the connection was dropped.
        answer: The answer's JSON body, or none.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any
    status: int
    answer: Any
