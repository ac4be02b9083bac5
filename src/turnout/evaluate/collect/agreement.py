"""How far an LLM judge agrees with itself when the order of the answers is turned round, and which place it prefers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from turnout.classify.assess import wilson
from turnout.evaluate.collect.state import Grade

FEW = 0.7
"""Below this share of agreement a judge's preferences are mostly contradictions that were made ties of."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share and its 95 % Wilson interval.

    Attributes:
        value: The share.
        low: The interval's lower end.
        high: Its upper end.
        of: Of how many.
    """

    value: float
    low: float
    high: float
    of: int


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge said in both orders, added up.

    Attributes:
        judged: Requests that it was asked about twice.
        agreed: The share of them in which it said the same both times; none where it was asked about none.
        kappa: Cohen's kappa of the two orders: 0 where they agree as often as chance has it, 1 where always; none where
            it always said the same word.
        first_preferred: Of single verdicts that prefer one answer, the share that prefers the one shown first: half of
            them without a bias of position. None where there was no preference.
        cheap_preferred: Requests in which both orders preferred the cheap model's answer.
        capable_preferred: Requests in which both preferred the capable model's.
        ties: Requests in which both said tie.
        contradicted: Requests in which the two differ, made ties.
    """

    judged: int
    agreed: Share | None
    kappa: float | None
    first_preferred: Share | None
    cheap_preferred: int
    capable_preferred: int
    ties: int
    contradicted: int

    @property
    def weak(self) -> bool:
        """Whether the judge contradicts itself so often that its ties say little."""
        return self.agreed is not None and self.agreed.value < FEW


def agreement_of(grades: Iterable[Grade]) -> Agreement:
    """What a judge's verdicts come to; grades without verdicts are passed over."""
    pairs = Counter((grade.verdicts[0], grade.verdicts[1]) for grade in grades if len(grade.verdicts) == 2)
    judged = pairs.total()
    same = {word: pairs[word, word] for word in ("cheap", "capable", "tie")}
    first = sum(count for (one, _), count in pairs.items() if one == "cheap")
    first += sum(count for (_, other), count in pairs.items() if other == "capable")
    preferring = sum(count * sum(word != "tie" for word in pair) for pair, count in pairs.items())
    return Agreement(
        judged=judged,
        agreed=_share(sum(same.values()), judged),
        kappa=_kappa(pairs, judged),
        first_preferred=_share(first, preferring),
        cheap_preferred=same["cheap"],
        capable_preferred=same["capable"],
        ties=same["tie"],
        contradicted=judged - sum(same.values()),
    )


def _share(count: int, of: int) -> Share | None:
    if not of:
        return None
    found = wilson(count, of)
    return Share(value=found.value, low=found.low, high=found.high, of=of)


def _kappa(pairs: Counter[tuple[str, str]], judged: int) -> float | None:
    if not judged:
        return None
    words = ("cheap", "capable", "tie")
    seen = sum(pairs[word, word] for word in words) / judged
    by_chance = sum(
        sum(pairs[word, other] for other in words) * sum(pairs[other, word] for other in words) for word in words
    )
    chance = by_chance / judged**2
    return None if chance == 1.0 else (seen - chance) / (1.0 - chance)
