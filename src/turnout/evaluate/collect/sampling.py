"""Which requests are answered again, by a keyed hash of their ids: the same in every run, and known in advance.

A request is in the sample where its hash, seen as a number from 0 to 1, is below the share of its stratum. That share
is its propensity. Strata are bins of the verdict's probability; a request without one falls in the share for the rest.
Raising a share later keeps all that were in the sample, so a collection can grow.

Requests are taken in the order of hash / share: whatever ends a run early, the ones that are done are a sample with
all shares scaled by one factor, by which no weighted mean changes.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from typing import NamedTuple

import msgspec

from turnout.evaluate.collect.errors import CollectError

FLOOR = 0.01
"""The least share of a stratum: no outcome counts more than a hundred times."""

_SCALE = float(2**64)


class Stratum(NamedTuple):
    """A bin of probabilities.

    Attributes:
        upto: Its highest probability, which is in it; the lowest is that of the one before.
        share: Which share of it is sampled.
    """

    upto: float
    share: float


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are sampled.

    Attributes:
        share: The share of requests without stratum.
        strata: Bins of the verdict's probability, ascending, the last up to 1; empty: there are none.
        seed: Keys the hash: another seed draws another sample.

    Raises:
        CollectError: A share is not between `FLOOR` and 1, or strata do not ascend to 1.
    """

    share: float = 0.1
    strata: tuple[Stratum, ...] = ()
    seed: str = "turnout"

    def __post_init__(self) -> None:
        for share in (self.share, *(one.share for one in self.strata)):
            if not FLOOR <= share <= 1.0:
                raise CollectError(
                    f"a share must be between {FLOOR:g} and 1, got {share:g}: below that single outcomes would count "
                    "more than a hundred times"
                )
        ends = [one.upto for one in self.strata]
        if ends and (ends != sorted(set(ends)) or ends[0] <= 0.0 or ends[-1] != 1.0):
            raise CollectError(f"strata must ascend and end at 1, got {', '.join(f'{end:g}' for end in ends)}")

    def propensity(self, p: float | None) -> float:
        """The probability with which a request is in the sample, by the verdict's probability."""
        return self.share if p is None or not self.strata else self.strata[self.stratum(p)].share

    def stratum(self, p: float) -> int:
        """The number of the bin that a probability falls in."""
        return bisect_left([one.upto for one in self.strata], p)

    def place(self, request_id: str) -> float:
        """The hash of an id as a number from 0, and below 1."""
        digest = hashlib.blake2b(
            request_id.encode("utf-8", "surrogatepass"),
            digest_size=8,
            key=hashlib.blake2b(self.seed.encode(), digest_size=32).digest(),
        ).digest()
        return int.from_bytes(digest, "big") / _SCALE

    def taken(self, request_id: str, p: float | None) -> bool:
        """Whether a request is in the sample."""
        return self.place(request_id) < self.propensity(p)

    def order(self, request_id: str, p: float | None) -> float:
        """What requests of the sample are ordered by."""
        return self.place(request_id) / self.propensity(p)


def strata_of(text: str) -> tuple[Stratum, ...]:
    """Strata as a user writes them: ``0.4=0.05,0.7=0.4,1=0.1`` samples 5 % up to p = 0.4, then 40 %, then 10 %.

    Raises:
        CollectError: It is not of that form.
    """
    strata = []
    for part in text.split(","):
        upto, mark, share = part.partition("=")
        try:
            strata.append(Stratum(float(upto), float(share)))
        except ValueError:
            mark = ""
        if not mark:
            raise CollectError(f"strata must be like 0.4=0.05,0.7=0.4,1=0.1 (up to which p, which share), got {text!r}")
    return tuple(strata)
