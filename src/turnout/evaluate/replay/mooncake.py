"""The Mooncake traces: for each request its time, its lengths, and hashes of its prefix in blocks of 512 tokens.

A block's hash stands for the whole prompt up to and with it, so equal hashes mean equal prefixes: an exact record of
what a prompt cache could have read. Format: https://github.com/kvcache-ai/Mooncake (Apache-2.0).

The rule for sessions: a request belongs to the session of the newest earlier request with which it shares its longest
known prefix, if that prefix is longer than the first block; else it opens a session. The first block is left out since
it is that of a system prompt which nearly all requests share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from turnout.core.request import Segment
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.files import Advance, content_of, read_lines
from turnout.evaluate.replay.requests import ReplayRequest, Trace

BLOCK_TOKENS = 512
"""The tokens of a block; the last block of a request may hold fewer."""

NOTES = (
    "blocks of 512 tokens; a cache holds every whole block of what was written, the last, partly filled block never",
    "a request belongs to the session of the newest request with which it shares more than the first block",
    "tokens are the trace's own, for every model",
    "the trace has no text: history is never bound to a model, so that no switch can be unsafe",
)
"""What was assumed in reading such a trace."""


class _Line(msgspec.Struct, frozen=True):
    timestamp: int
    input_length: int
    output_length: int
    hash_ids: tuple[int, ...]


def load_mooncake(path: Path, *, limit: int | None = None, advance: Advance = lambda lines: None) -> Trace:
    """The trace of a file.

    Args:
        path: A file of JSON lines, plain or ``.xz``.
        limit: Only so many requests, the first.
        advance: Is told of each line that was read.

    Raises:
        TraceError: The file cannot be read, or a line is no request of such a trace.
    """
    lines = _checked(path, read_lines(path, _Line, advance))
    requests = tuple(requests_of(line for line, _ in zip(lines, range(limit or 2**62), strict=False)))
    if not requests:
        raise TraceError(f"{path} holds no request")
    return Trace(name=path.name, grain="blocks", requests=requests, notes=NOTES, content=content_of(path))


def requests_of(lines: Iterable[_Line]) -> Iterator[ReplayRequest]:
    """The requests of lines; equal blocks share one segment, so that memory grows with distinct blocks."""
    full: dict[int, Segment] = {}
    sessions: dict[int, int] = {}
    opened = 0
    for number, line in enumerate(lines):
        count = len(line.hash_ids)
        whole = line.input_length // BLOCK_TOKENS - 1
        session = next((sessions[block] for block in reversed(line.hash_ids[1:]) if block in sessions), None)
        if session is None:
            session, opened = opened, opened + 1
        segments = []
        for index, block in enumerate(line.hash_ids):
            sessions[block] = session
            segment = full.get(block)
            if segment is None or index > whole:
                tokens = min(BLOCK_TOKENS, line.input_length - index * BLOCK_TOKENS)
                kind: Literal["system", "message"] = "message" if index else "system"
                # A rest is no block that comes back, whatever has the same hash.
                name = str(block) if index <= whole else f"{block}+{number}"
                segment = Segment(kind=kind, tokens=tokens, prefix_hash=name)
                if index <= whole:
                    full[block] = segment
            segments.append(segment)
        yield ReplayRequest(
            session=f"session-{session}",
            turn=str(number),
            at_ms=line.timestamp,
            segments=tuple(segments),
            whole=min(whole, count - 1),
            output_tokens=line.output_length,
        )


def _checked(path: Path, lines: Iterator[tuple[int, _Line]]) -> Iterator[_Line]:
    last = 0
    for number, line in lines:
        blocks = -(-line.input_length // BLOCK_TOKENS)
        wrong = ""
        if min(line.timestamp, line.input_length - 1, line.output_length) < 0:
            wrong = "a time or a length is below 0, or the prompt is empty"
        elif line.timestamp < last:
            wrong = f"it came before the line above ({line.timestamp} after {last} ms)"
        elif len(line.hash_ids) != blocks:
            wrong = f"{line.input_length} tokens are {blocks} blocks of {BLOCK_TOKENS}, it has {len(line.hash_ids)}"
        elif len(set(line.hash_ids)) != blocks:
            wrong = "a block stands twice in one request"
        if wrong:
            raise TraceError(f"{path}, line {number}: {wrong}")
        last = line.timestamp
        yield line
