"""From what was sent before to the horizon of a call: which prefixes may come back, and how likely each is to.

A call of a session sends again what the session's call before had sent, and something new. So three prefixes of a
request have fates of their own: its head (tools and system, which other sessions send too), what was sent before, and
the whole. Which of them a call is like - a first turn or a later one, how long, how soon after the one before - picks
the buckets whose notes tell how likely it comes back (`turnout.sessions.returns`).

`watches_of` and `horizon_of` are pure; `HorizonLearner` keeps what they are given. Nothing here reads a text.

Known limitations: a session is recognised by the prefix that it sends again, so one whose history is rewritten counts
as new; which model serves the next turn is guessed from the one that served the last, not from the verdict at hand.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from turnout.core.horizon import GAPS_S, Horizon, PrefixReturns
from turnout.core.request import Request, Segment
from turnout.sessions.returns import Bucket, ReturnLearner

MOST_FURTHER = 5.0
"""The most calls that a horizon expects one after the other: a bound on what a few long sessions can make it hope."""

_NEXT_PRIOR = 1.0
"""Each candidate counts as having served so many later turns before any did: an assumption, that all do alike."""

_AFTER_WEIGHT = 10.0
"""What holds of all later turns counts as much as so many of those that follow one model: an assumption."""

_KNOWN: tuple[Bucket, ...] = (("whole", True),)
_WITHIN_5_MIN = GAPS_S.index(300)
_MOST_TURNS = 4


class Before(NamedTuple):
    """What was sent before of a request.

    Attributes:
        segments: How many of its leading segments an earlier call had sent.
        calls: How many calls its session had before; 0 where the session is new.
        gap_s: Seconds since the session's call before; 0 where the session is new.
        model: The model that served that call; none where the session is new.
    """

    segments: int = 0
    calls: int = 0
    gap_s: float = 0.0
    model: str | None = None


class Watch(NamedTuple):
    """A prefix of a request, up to and with that segment, and its buckets from coarse to fine."""

    segment: int
    buckets: tuple[Bucket, ...]


class Prefixes(NamedTuple):
    """What a horizon needs to know of a request.

    Attributes:
        hashes: For each segment, the hash of the prompt up to and with it.
        tokens: The whole prompt in reference tokens.
        head: The index of the last segment of tools and system, or -1.
        whole: The index of the last segment that may come back: the last of all but where it is cut off, as in a trace
            of blocks. -1 where the request has none.
    """

    hashes: Sequence[str]
    tokens: int
    head: int
    whole: int

    @classmethod
    def of(cls, request: Request) -> Prefixes:
        """Those of a request whose every segment may come back."""
        segments = request.segments
        hashes = [segment.prefix_hash for segment in segments]
        return cls(hashes, request.tokens, head_of(segments), len(hashes) - 1)


def head_of(segments: Sequence[Segment]) -> int:
    """The index of the last segment of tools and system, which stand before all messages; -1 where there are none."""
    head = -1
    for index, segment in enumerate(segments):
        if segment.kind == "message":
            break
        head = index
    return head


def watches_of(prefixes: Prefixes, before: Before) -> tuple[Watch, ...]:
    """The prefixes of a request that may come back, from the shortest to the longest, with their buckets.

    Args:
        prefixes: Those of the request.
        before: What of it was sent before.
    """
    head, whole = prefixes.head, prefixes.whole
    watches: list[Watch] = []
    if 0 <= head <= whole:
        watches.append(Watch(head, (("head",),)))
    gap = int(math.log2(before.gap_s + 1))
    seen = before.segments - 1
    if before.calls and max(head, 0) < seen < whole:
        fine: tuple[Bucket, ...] = (("seen", True), ("seen", _turns(before), gap))
        watches.append(Watch(seen, (*fine, ("seen", _turns(before), gap, before.segments.bit_length()))))
    if whole > head:
        turns, size = _turns(before), prefixes.tokens.bit_length()
        share_seen = 4 * before.segments // (whole + 2) if before.calls else 0
        watches.append(
            Watch(
                whole,
                (
                    ("whole", before.calls > 0),
                    ("whole", turns, "seen", share_seen),
                    ("whole", turns, "size", size),
                    ("whole", turns, "size", size, gap),
                ),
            )
        )
    return tuple(watches)


Served = Mapping[str | None, Mapping[str, int]]
"""How many later turns of sessions each model served after which other; under none: after whichever."""


def next_on(served: Served, before: str | None, model_ids: Sequence[str]) -> dict[str, float]:
    """The chance of each candidate to serve a session's next turn; they add up to 1.

    Sessions stay easy or hard, so that the model of the turn before tells much of the next one.

    Args:
        served: What was counted.
        before: The model that served the session's call before; none where it is new.
        model_ids: The candidates.
    """
    overall = served.get(None, {})
    weights = {model_id: overall.get(model_id, 0) + _NEXT_PRIOR for model_id in model_ids}
    total = sum(weights.values())
    shares = {model_id: weight / total for model_id, weight in weights.items()}
    after = {} if before is None else served.get(before, {})
    noted = sum([after.get(model_id, 0) for model_id in model_ids])
    if not noted:
        return shares
    return {
        model_id: (after.get(model_id, 0) + _AFTER_WEIGHT * share) / (noted + _AFTER_WEIGHT)
        for model_id, share in shares.items()
    }


def horizon_of(
    watches: Sequence[Watch], learner: ReturnLearner, served: Served, before: str | None, model_ids: Sequence[str]
) -> Horizon:
    """What is expected to come after a call.

    Args:
        watches: The prefixes of its request that may come back.
        learner: How likely prefixes of these buckets come back.
        served: Which models served later turns.
        before: The model that served the session's call before; none where it is new.
        model_ids: The candidates.
    """
    again = learner.chance(_KNOWN, _WITHIN_5_MIN)
    return Horizon(
        prefixes=tuple([PrefixReturns(watch.segment, learner.chances(watch.buckets)) for watch in watches]),
        next_on=next_on(served, before, model_ids),
        # A session goes on with that chance after each call: the mean of a geometric distribution.
        further=min(MOST_FURTHER, 1 / (1 - again)) if again < 1 else MOST_FURTHER,
    )


class HorizonLearner:
    """Remembers which prefixes were sent and learns which come back, in bounded memory. Not safe for threads.

    Args:
        max_prefixes: How many prefixes are remembered; those sent longest ago are forgotten first.
        returns: Learns which prefixes come back; none: a new learner.
    """

    def __init__(self, *, max_prefixes: int = 100_000, returns: ReturnLearner | None = None) -> None:
        self._max_prefixes = max_prefixes
        self._returns = ReturnLearner() if returns is None else returns
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._served: dict[str | None, dict[str, int]] = {}

    def before(self, prefixes: Prefixes, now_ms: int) -> Before:
        """What was sent before of a request with these prefixes; a shared head alone makes no known session."""
        segments = 0
        for prefix_hash in prefixes.hashes:
            if prefix_hash not in self._sent:
                break
            segments += 1
        if segments <= prefixes.head + 1:
            return Before(segments)
        sent = self._sent[prefixes.hashes[segments - 1]]
        return Before(segments, sent.calls, max(0, now_ms - sent.at_ms) / 1000, sent.model)

    def horizon(self, prefixes: Prefixes, model_ids: Iterable[str], now_ms: int) -> Horizon:
        """The horizon of a call that is about to be made; nothing is learned from asking.

        Args:
            prefixes: Those of its request.
            model_ids: The candidates.
            now_ms: Milliseconds since the epoch.
        """
        before = self.before(prefixes, now_ms)
        watches = watches_of(prefixes, before)
        return horizon_of(watches, self._returns, self._served, before.model, tuple(model_ids))

    def called(self, prefixes: Prefixes, model_id: str, now_ms: int) -> None:
        """Learn from a call: what was watched of it came back, and what it sent is watched from now on.

        Args:
            prefixes: Those of its request.
            model_id: The model that served it.
            now_ms: When it was sent, in milliseconds since the epoch.
        """
        before = self.before(prefixes, now_ms)
        self._returns.sent(prefixes.hashes, now_ms)
        for watch in watches_of(prefixes, before):
            self._returns.watch(prefixes.hashes[watch.segment], watch.buckets, now_ms)
        if before.calls:
            for after in (None, before.model):
                counts = self._served.setdefault(after, {})
                counts[model_id] = counts.get(model_id, 0) + 1
        note, sent = _Sent(now_ms, before.calls + 1, model_id), self._sent
        # From the longest to the shortest: the long ones are forgotten first, since without the short ones they are
        # not found. So those that were sent before are the shortest.
        new, known = prefixes.hashes[before.segments :], prefixes.hashes[: before.segments]
        sent.update(zip(reversed(new), itertools.repeat(note), strict=False))
        for prefix_hash in reversed(known):
            sent[prefix_hash] = note
            sent.move_to_end(prefix_hash)
        while len(sent) > self._max_prefixes:
            sent.popitem(last=False)


class _Sent(NamedTuple):
    """The newest call that sent a prefix: when, how many calls its session then had, and who served it."""

    at_ms: int
    calls: int
    model: str


def _turns(before: Before) -> int:
    return min(before.calls, _MOST_TURNS)
