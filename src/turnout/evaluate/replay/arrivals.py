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
    """

    __slots__ = ("ends", "hashes", "index", "now_ms", "prefixes", "request")

    def __init__(self, index: int, request: ReplayRequest, start_ms: int) -> None:
        self.index = index
        self.request = request
        self.hashes = tuple([segment.prefix_hash for segment in request.segments])
        self.ends = tuple(itertools.accumulate([segment.tokens for segment in request.segments]))
        self.prefixes = Prefixes(self.hashes, self.tokens, head_of(request.segments), request.whole)
        self.now_ms = request.at_ms - start_ms

    @property
    def tokens(self) -> int:
        """The whole prompt."""
        return self.ends[-1] if self.ends else 0

    def joined(self, kept: Iterable[int]) -> tuple[Segment, ...]:
        """The prompt with a segment for each stretch that ends at a kept block.

        A decision looks at a prompt where a cache point, the end of something warm or a prefix that may come back
        stands; blocks between two such places it cannot tell apart. Told as one they give the same decision.

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
    for index, request in enumerate(requests):
        start_ms = request.at_ms if start_ms is None else start_ms
        arrivals.append(Arrival(index, request, start_ms))
    return tuple(arrivals)
