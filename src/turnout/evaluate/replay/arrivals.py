"""The calls of a trace as policies are shown them: sums that every policy would make again are made once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from turnout.core.request import Segment
from turnout.evaluate.replay.requests import ReplayRequest
from turnout.sessions.horizon import Prefixes, head_of


class Arrival:
    """A call of a trace.

    Attributes:
        index: Its place in the trace.
        request: What was read of it.
        hashes: For each block, the hash of the prompt up to and with it.
        ends: For each block, the tokens from the start of the prompt to its end.
        prefixes: What a horizon needs to know of it.
        now_ms: When it came, in milliseconds since an epoch of the replay's own.
        boundaries: Indices of the blocks, ascending, at which prompts of the trace part or end, its own among them.
        ends_turn: Whether its answer ends its turn.
    """

    __slots__ = ("boundaries", "ends", "ends_turn", "hashes", "index", "now_ms", "prefixes", "request")

    def __init__(self, index: int, request: ReplayRequest, start_ms: int) -> None:
        self.index = index
        self.request = request
        self.hashes = tuple([segment.prefix_hash for segment in request.segments])
        self.ends = tuple(itertools.accumulate([segment.tokens for segment in request.segments]))
        self.prefixes = Prefixes(self.hashes, self.tokens, head_of(request.segments), request.whole)
        self.now_ms = request.at_ms - start_ms
        self.boundaries: tuple[int, ...] = ()
        self.ends_turn = True

    @property
    def tokens(self) -> int:
        """The whole prompt."""
        return self.ends[-1] if self.ends else 0

    def joined(self, kept: Iterable[int]) -> tuple[Segment, ...]:
        """The prompt with a segment for each stretch that ends at a kept block.

        What was sent, written or read ends where prompts part or end. Blocks between two such places no decision can
        tell apart: told as one they give the same decision.

        Args:
            kept: Indices of blocks, ascending, the last block among them.
        """
        segments, start, source = [], 0, self.request.segments
        for index in kept:
            end = self.ends[index]
            segments.append(
                Segment(kind=source[index].kind, tokens=end - start, prefix_hash=self.hashes[index], marker=None)
            )
            start = end
        return tuple(segments)


def arrivals_of(requests: Iterable[ReplayRequest]) -> tuple[Arrival, ...]:
    """The calls of a trace in order."""
    arrivals: list[Arrival] = []
    start_ms = None
    last: dict[tuple[str, str], Arrival] = {}
    follows: dict[str, str] = {}
    parts: set[str] = set()
    for index, request in enumerate(requests):
        start_ms = request.at_ms if start_ms is None else start_ms
        arrival = Arrival(index, request, start_ms)
        arrivals.append(arrival)
        before = last.get((request.session, request.turn))
        if before is not None:
            before.ends_turn = False
        last[request.session, request.turn] = arrival
        hashes = arrival.hashes
        for one, other in itertools.pairwise(hashes):
            if follows.setdefault(one, other) != other:
                parts.add(one)
        for end in (max(0, arrival.prefixes.head), request.whole, len(hashes) - 1):
            if 0 <= end < len(hashes):
                parts.add(hashes[end])
    for arrival in arrivals:
        arrival.boundaries = tuple([index for index, one in enumerate(arrival.hashes) if one in parts])
    return tuple(arrivals)
