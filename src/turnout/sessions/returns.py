"""Learns which prompts come back, and after how long: what a decision's horizon is made of.

Each prefix that was sent is watched for an hour. At every gap of `turnout.core.horizon.GAPS_S` it is noted whether a
prompt with that prefix had come by then: only then, so that quick returns do not count before slow ones could.

Notes are kept in buckets from coarse to fine, such as "a session's first turn" and "a first turn of about 2,000
tokens". A fine bucket starts from what the coarser one says, which counts as much as ten notes of its own.

Everything is learned from hashes and counts of this deployment; before anything was seen, stated priors hold.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Iterable, Sequence

from turnout.core.horizon import GAPS_S, Returns

Bucket = Hashable
"""The name of a group of prefixes that are expected to come back alike."""

PRIOR = Returns((0.02, 0.05, 0.1, 0.2, 0.3, 0.35, 0.4))
"""An assumption, not a measurement: three in ten prompts come back within five minutes."""

_PRIOR_WEIGHT = 10
"""What the coarser bucket says counts as much as so many notes: an assumption that keeps a few from ruling."""


class ReturnLearner:
    """Watches prefixes and keeps count, in bounded memory.

    Args:
        max_watched: How many prefixes are watched at once; a new one then goes unwatched, which costs a note.
    """

    def __init__(self, *, max_watched: int = 50_000) -> None:
        self._max_watched = max_watched
        self._counts: dict[Bucket, list[list[int]]] = {}
        self._open: dict[str, _Watched] = {}
        self._due: list[tuple[int, int, _Watched]] = []
        self._number = itertools.count()

    def chances(self, buckets: Sequence[Bucket]) -> Returns:
        """How likely a prefix of these buckets, from coarse to fine, comes back within each gap."""
        chances = list(PRIOR.chances)
        for bucket in buckets:
            counts = self._counts.get(bucket)
            if counts is not None:
                chances = [
                    (returned + _PRIOR_WEIGHT * chance) / (noted + _PRIOR_WEIGHT)
                    for (noted, returned), chance in zip(counts, chances, strict=True)
                ]
        # Each gap has notes of its own, so a later one can come out lower than an earlier one by chance.
        return Returns(tuple(itertools.accumulate(chances, max)))

    def sent(self, prefix_hashes: Iterable[str], now_ms: int) -> None:
        """A prompt with these prefixes came: those that were watched came back."""
        self._note_due(now_ms)
        for prefix_hash in prefix_hashes:
            watched = self._open.pop(prefix_hash, None)
            if watched is not None:
                watched.returned_ms = now_ms

    def watch(self, prefix_hash: str, buckets: Sequence[Bucket], now_ms: int) -> None:
        """Watch a prefix that was just sent, in the place of an older watch of the same prefix."""
        if len(self._due) >= self._max_watched:
            return
        watched = _Watched(prefix_hash, tuple(buckets), now_ms)
        self._open[prefix_hash] = watched
        self._push(watched)

    def _push(self, watched: _Watched) -> None:
        due_ms = watched.sent_ms + GAPS_S[watched.gap] * 1000
        heapq.heappush(self._due, (due_ms, next(self._number), watched))

    def _note_due(self, now_ms: int) -> None:
        while self._due and self._due[0][0] < now_ms:
            due_ms, _, watched = heapq.heappop(self._due)
            came = watched.returned_ms is not None and watched.returned_ms <= due_ms
            for bucket in watched.buckets:
                counts = self._counts.setdefault(bucket, [[0, 0] for _ in GAPS_S])[watched.gap]
                counts[0] += 1
                counts[1] += came
            watched.gap += 1
            if watched.gap < len(GAPS_S):
                self._push(watched)
            elif self._open.get(watched.prefix_hash) is watched:
                del self._open[watched.prefix_hash]


class _Watched:
    """A prefix that was sent, and which gap it is looked at next for."""

    __slots__ = ("buckets", "gap", "prefix_hash", "returned_ms", "sent_ms")

    def __init__(self, prefix_hash: str, buckets: tuple[Bucket, ...], sent_ms: int) -> None:
        self.prefix_hash = prefix_hash
        self.buckets = buckets
        self.sent_ms = sent_ms
        self.gap = 0
        self.returned_ms: int | None = None
