"""A ledger of one's own as a trace: the requests of its decisions, with the answers' lengths and their times.

Known limitations: prefixes compare only within one key of hashes, so sessions of processes with keys of their own
share nothing; a request that was never answered is left out; a failover is told once, as the request that it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.files import Advance
from turnout.evaluate.replay.requests import ReplayRequest, Trace
from turnout.trace.events import DecisionEvent
from turnout.trace.store import selection
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter

_CHUNK = 500
_ANSWERS = """
    SELECT run, turn_id, output_tokens FROM calls
    WHERE run = ? AND turn_id IN ({}) AND role = 'answer' AND status = 'ok' ORDER BY started_ms, sequence
"""

_Turn = tuple[str, str]


def load_ledger(
    ledger: Ledger, *, run: str | None = None, limit: int | None = None, advance: Advance = lambda decisions: None
) -> Trace:
    """The trace of a ledger.

    Args:
        ledger: An open one.
        run: Only this run's; none: all.
        limit: Only so many requests, the first.
        advance: Is told of the decisions that were read.

    Raises:
        TraceError: It holds no decision with an answer.
        LedgerError: It cannot be read.
    """
    requests: list[ReplayRequest] = []
    unanswered = 0
    lengths: dict[_Turn, list[int]] = {}
    digest = hashlib.sha256()
    for events in selection.decisions(ledger, Filter(run=run)):
        _add_lengths(ledger, lengths, events)
        for event in events:
            if event.given.failed:
                continue
            waiting = lengths.get((event.run, event.turn_id))
            if event.decision.model is None or not waiting:
                unanswered += 1
                continue
            requests.append(_request(event, waiting.pop(0)))
            digest.update(event.event_id.encode())
        advance(len(events))
        if limit is not None and len(requests) >= limit:
            break
    requests = sorted(requests, key=lambda request: request.at_ms)[:limit]
    if not requests:
        where = "" if run is None else f" in the run {run!r}"
        raise TraceError(f"the ledger {ledger.path} holds no answered decision{where}: `turnout ledger list`")
    notes = (
        "one's own recorded requests, with their cache points, times and lengths of answers",
        "tokens are reference tokens, for every model",
        f"{unanswered:,} requests without an answer are left out",
    )
    return Trace(
        name=ledger.path.name, grain="entries", requests=tuple(requests), notes=notes, content=digest.hexdigest()[:16]
    )


def _add_lengths(ledger: Ledger, lengths: dict[_Turn, list[int]], events: Sequence[DecisionEvent]) -> None:
    """The lengths of the answers of turns that are met for the first time, in order."""
    turns: dict[str, dict[str, None]] = {}
    for event in events:
        if (event.run, event.turn_id) not in lengths:
            turns.setdefault(event.run, {})[event.turn_id] = None
    # Run by run: with the run the index over turns is used, without it every call is looked at for each part.
    for run, ids in turns.items():
        listed = list(ids)
        for start in range(0, len(listed), _CHUNK):
            part = listed[start : start + _CHUNK]
            for one, turn, output_tokens in ledger.select(_ANSWERS.format(", ".join("?" * len(part))), [run, *part]):
                lengths.setdefault((one, turn), []).append(output_tokens)


def _request(event: DecisionEvent, output_tokens: int) -> ReplayRequest:
    request = event.given.request
    stay = request.hard_stay
    return ReplayRequest(
        session=event.session_id,
        turn=event.turn_id,
        at_ms=event.given.now_ms,
        segments=request.segments,
        whole=len(request.segments) - 1,
        output_tokens=output_tokens,
        in_tool_loop=stay is not None and stay.cause == "tool_loop",
        needs=request.needs,
        max_output_tokens=request.max_output_tokens,
        parameters=request.parameters,
        hard_stay=stay,
        verdict=event.given.verdict,
    )
