"""Which preset or route a recorded request was decided by: the ledger keeps its policy, and not what it was called.

A request whose bars and candidates are those of a route of either side was asked by that route's name; one with the
bars of a preset, by the preset's; any other, by none.

Known limitations: a route that says the same as the policy, or as a preset, cannot be told from it; where the policy
changed from one preset to another within the window, the requests of the rarer one count as having named it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from turnout.config.presets import PRESETS
from turnout.core.policy import Policy


class Naming(NamedTuple):
    """Tells names from policies.

    Attributes:
        base: The policy by which requests were decided that named nothing.
        routes: Policies by the names of routes.
    """

    base: Policy
    routes: Mapping[str, Policy]

    def of(self, then: Policy) -> str:
        """The preset or route that a request was decided by; empty where it named none."""
        mark = _mark(then)
        if mark == _mark(self.base):
            return ""
        for name, policy in self.routes.items():
            if mark == _mark(policy):
                return name
        for preset, bars in PRESETS.items():
            if (then.simple_bar, then.quality_bar) == (bars["simple_bar"], bars["quality_bar"]):
                return preset
        return ""


def naming_of(recorded: Iterable[Policy], policies: Iterable[Policy], routes: Mapping[str, Policy]) -> Naming:
    """How the requests of a window are told apart.

    Args:
        recorded: The policies that decided, the most frequent one first.
        policies: Those of the sides, the old one first: where one of them decided, requests without a name are its.
        routes: The routes of both sides.
    """
    decided = list(recorded)
    marks = {_mark(one) for one in decided}
    known = [one for one in policies if _mark(one) in marks]
    named = {_mark(one) for one in routes.values()}
    unnamed = [one for one in decided if _mark(one) not in named]
    return Naming((known or unnamed or decided)[0], routes)


def _mark(policy: Policy) -> tuple[float, float, frozenset[str]]:
    return policy.simple_bar, policy.quality_bar, frozenset(one.model for one in policy.candidates)
