"""Learns which prompts come back, and after how long: what a decision's horizon is made of.

Each prefix that was sent is watched for an hour. At every gap of `turnout.core.horizon.GAPS_S` it is noted whether a
prompt with that prefix had come by then: only then, so that quick returns do not count before slow ones could.

Notes are kept in buckets from coarse to fine, such as "a session's first turn" and "a first turn of about 2,000
tokens". A fine bucket starts from what the coarser one says, which counts as much as ten notes of its own.

Everything is learned from hashes and counts of this deployment; before anything was seen, stated priors hold.
"""

from __future__ import annotations

import itertools
from collections import deque
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

    Times are expected to ascend; where a clock is set back, prefixes are noted that much later.

    Args:
        max_watched: How many prefixes are watched at once; a new one then goes unwatched, which costs a note.
    """

    def __init__(self, *, max_watched: int = 50_000) -> None:
        self._max_watched = max_watched
        self._watched = 0
        self._counts: dict[Bucket, _Counts] = {}
        self._open: dict[str, _Watched] = {}
        # Those that are looked at next for each gap. All wait for it alike, so whoever was sent first is due first.
        self._due: tuple[deque[_Watched], ...] = tuple(deque() for _ in GAPS_S)

    def chances(self, buckets: Sequence[Bucket]) -> Returns:
        """How likely a prefix of these buckets, from coarse to fine, comes back within each gap."""
        # Each gap has notes of its own, so a later one can come out lower than an earlier one by chance.
        return Returns(tuple(itertools.accumulate(self._means(buckets), max)))

    def chance(self, buckets: Sequence[Bucket], gap: int) -> float:
        """The same within one gap, by its index in `GAPS_S`."""
        return max(self._means(buckets)[: gap + 1])

    def _means(self, buckets: Sequence[Bucket]) -> Sequence[float]:
        chances: Sequence[float] = PRIOR.chances
        for bucket in buckets:
            counts = self._counts.get(bucket)
            if counts is not None and counts.noted[0]:
                chances = [
                    (returned + _PRIOR_WEIGHT * chance) / (noted + _PRIOR_WEIGHT)
                    for noted, returned, chance in zip(counts.noted, counts.returned, chances, strict=True)
                ]
        return chances

    def sent(self, prefix_hashes: Iterable[str], now_ms: int) -> None:
        """A prompt with these prefixes came: those that were watched came back."""
        self._note_due(now_ms)
        watched = self._open
        for prefix_hash in [prefix_hash for prefix_hash in prefix_hashes if prefix_hash in watched]:
            watched.pop(prefix_hash).returned_ms = now_ms

    def watch(self, prefix_hash: str, buckets: Sequence[Bucket], now_ms: int) -> None:
        """Watch a prefix that was just sent, in the place of an older watch of the same prefix."""
        if self._watched >= self._max_watched:
            return
        self._watched += 1
        watched = _Watched(prefix_hash, [self._counts_of(bucket) for bucket in buckets], now_ms)
        self._open[prefix_hash] = watched
        self._due[0].append(watched)

    def _counts_of(self, bucket: Bucket) -> _Counts:
        counts = self._counts.get(bucket)
        if counts is None:
            counts = self._counts[bucket] = _Counts()
        return counts

    def _note_due(self, now_ms: int) -> None:
        for gap, (gap_s, due) in enumerate(zip(GAPS_S, self._due, strict=True)):
            sent_before_ms = now_ms - gap_s * 1000
            while due and due[0].sent_ms < sent_before_ms:
                watched = due.popleft()
                came = watched.returned_ms is not None and watched.returned_ms <= watched.sent_ms + gap_s * 1000
                for counts in watched.counts:
                    counts.noted[gap] += 1
                    counts.returned[gap] += came
                if gap + 1 < len(GAPS_S):
                    self._due[gap + 1].append(watched)
                else:
                    self._forget(watched)

    def _forget(self, watched: _Watched) -> None:
        self._watched -= 1
        if self._open.get(watched.prefix_hash) is watched:
            del self._open[watched.prefix_hash]


class _Counts:
    """A bucket's notes: for each gap how many prefixes were noted, and how many of those had come back."""

    __slots__ = ("noted", "returned")

    def __init__(self) -> None:
        self.noted = [0] * len(GAPS_S)
        self.returned = [0] * len(GAPS_S)


class _Watched:
    """A prefix that was sent: when, when it came back, and the notes of its buckets."""

    __slots__ = ("counts", "prefix_hash", "returned_ms", "sent_ms")

    def __init__(self, prefix_hash: str, counts: list[_Counts], sent_ms: int) -> None:
        self.prefix_hash = prefix_hash
        self.counts = counts
        self.sent_ms = sent_ms
        self.returned_ms: int | None = None
