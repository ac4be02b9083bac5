"""Sums over what the sides of a plan make of recorded decisions, and over what differs between them.

Memory does not grow with the ledger but for eight bytes a session that is met again after many others.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, OrderedDict
from typing import NamedTuple

from turnout.evaluate.plan.costs import NOTHING
from turnout.evaluate.plan.player import Served

BUCKETS = 5
"""Into how many classes of a verdict's probability decisions are sorted, for grades."""

_RECENT = 20_000


class Cell(NamedTuple):
    """Decisions that one model serves with a verdict of one class; none where there was no verdict."""

    model: str
    bucket: int | None


class Change(NamedTuple):
    """A decision that the sides make otherwise: who serves, and why; a model is none where it is refused."""

    old: str | None
    new: str | None
    old_reason: str
    new_reason: str


def bucket_of(p: float | None) -> int | None:
    """The class of a probability."""
    return None if p is None else min(BUCKETS - 1, int(p * BUCKETS))


class Tally:
    """The sums of one side.

    Attributes:
        decisions: How many decisions.
        spend: What they cost, the classifier included.
        classifier_pico: The classifier's part of it.
        by_model: Decisions by the model that serves; a refused one has none.
        spend_by_model: What they cost, by model.
        reasons: Decisions by reason.
        switches: Decisions that gave a session to another model than before.
        refused: Decisions that refuse.
        estimated: Decisions whose cost is not exact.
        kept: Decisions whose cost stands as recorded for want of anything better.
        unjudged: Decisions for which a classifier would be asked that was not.
        cells: Decisions by model and class of verdict.
        p_sum: The sum of the chances that answers suffice, where they are known.
        p_spread: The sum of their variances.
        p_known: For how many they are known.
    """

    def __init__(self) -> None:
        self.decisions = 0
        self.spend = NOTHING
        self.classifier_pico = 0
        self.by_model: Counter[str | None] = Counter()
        self.spend_by_model: Counter[str | None] = Counter()
        self.reasons: Counter[str] = Counter()
        self.switches = 0
        self.refused = 0
        self.estimated = 0
        self.kept = 0
        self.unjudged = 0
        self.cells: Counter[Cell] = Counter()
        self.p_sum = 0.0
        self.p_spread = 0.0
        self.p_known = 0

    def add(self, served: Served) -> None:
        """Add what the side makes of one decision."""
        self.decisions += 1
        self.spend += served.spend
        self.classifier_pico += served.classifier_pico
        self.by_model[served.model] += 1
        self.spend_by_model[served.model] += served.spend.pico
        self.reasons[served.reason] += 1
        self.switches += served.switched
        self.refused += served.model is None
        self.estimated += (
            served.spend.exact_pico != served.spend.pico or served.spend.low_pico != served.spend.high_pico
        )
        self.kept += served.kept
        self.unjudged += served.unjudged
        if served.model is not None:
            self.cells[Cell(served.model, bucket_of(served.verdict_p))] += 1
        if served.p is not None:
            self.p_sum += served.p
            self.p_spread += served.p * (1 - served.p)
            self.p_known += 1

    def share(self, model: str) -> float:
        """The share of decisions that a model serves."""
        return self.by_model[model] / self.decisions if self.decisions else 0.0


class Changes:
    """What the new side does otherwise than the old one.

    Attributes:
        decisions: How many decisions give a request to another model, or refuse it, or do so no longer.
        routes: Those by who served and serves, and why.
        spend_pico: What each of these costs more (or less), in pico-USD.
    """

    def __init__(self) -> None:
        self.decisions = 0
        self.routes: Counter[Change] = Counter()
        self.spend_pico: Counter[Change] = Counter()
        self._sessions = Distinct()

    def add(self, session: tuple[str, str], old: Served, new: Served) -> None:
        """Add a decision."""
        if old.model == new.model:
            return
        change = Change(old.model, new.model, old.reason, new.reason)
        self.decisions += 1
        self.routes[change] += 1
        self.spend_pico[change] += new.spend.pico - old.spend.pico
        self._sessions.add(session)

    @property
    def sessions(self) -> int:
        """How many sessions have at least one such decision."""
        return self._sessions.count()


class Distinct:
    """Counts names that are told apart by a hash of eight bytes, which is all that is kept of them."""

    def __init__(self) -> None:
        self._recent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._met = array("Q")

    def add(self, name: tuple[str, str]) -> None:
        """Count a name, unless it was met before."""
        if name in self._recent:
            self._recent.move_to_end(name)
            return
        self._recent[name] = None
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        digest = hashlib.blake2b("\0".join(name).encode(), digest_size=8).digest()
        self._met.append(int.from_bytes(digest))

    def count(self) -> int:
        """How many different names were met."""
        return len(set(self._met))
