"""What `turnout.core.decide` is given and what it returns: the two values that the ledger stores."""

from __future__ import annotations

import msgspec

from turnout.core.cache import COLD, NO_PLAN, CachePlan, CacheState
from turnout.core.catalog import Catalog, Model
from turnout.core.expect import ExpectedTurn
from turnout.core.horizon import NO_HORIZON, Horizon
from turnout.core.policy import Policy, Reason
from turnout.core.request import Request
from turnout.core.spend_bound import BoundView
from turnout.core.statistics import Statistics
from turnout.core.verdict import Verdict


class SessionView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What is known of the session: who serves it now, and what the budget's holder has spent in pico-USD."""

    current_model: str | None = None
    spent_pico: int = 0


class FailedAttempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A model that failed this very request before its first content, and the name of the error."""

    model: str
    error: str


BREAKER_OPEN = "breaker_open"
"""Why a model is unavailable whose calls failed lately: it is left out only where that leaves somebody to serve."""

FAILOVER_UNSAFE = "failover_unsafe"
"""Why a model is unavailable that the conversation cannot move to; what follows a colon says what is in the way."""


class Unavailable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A candidate that is not to serve now, for a reason that lies outside the request, and that reason."""

    model: str
    why: str


def larger_windows_only(catalog: Catalog, model: Model) -> list[Unavailable]:
    """The candidates that a prompt cannot go to which was too long for that model: those of no larger window."""
    window = model.context_window
    return [Unavailable(one.id, "window_not_larger") for one in catalog.models if one.context_window <= window]


class DecisionInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Everything that a decision depends on, as one value without text.

    Attributes:
        request: The call for a completion.
        policy: The user's rules.
        catalog: The candidates' catalog entries.
        now_ms: Milliseconds since the epoch.
        verdict: The classifier's answer or failure; none where none was asked.
        caches: For each candidate by model id, its warm prefixes; a missing one is cold.
        session: What is known of the session.
        statistics: What was learned of the models.
        horizon: What is expected to come after the call; counts only where the policy's horizon is ``session``.
        failed: Models that failed this request, in order.
        unavailable: Candidates that are not to serve now, such as those whose breaker is open.
        bound: What the spend bound allows; none: spending is not bound.
    """

    request: Request
    policy: Policy
    catalog: Catalog
    now_ms: int
    verdict: Verdict | None = None
    caches: dict[str, CacheState] = {}
    session: SessionView = SessionView()
    statistics: Statistics = Statistics()
    horizon: Horizon = NO_HORIZON
    failed: tuple[FailedAttempt, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()
    bound: BoundView | None = None

    def cache_of(self, model_id: str) -> CacheState:
        """The cache state of that candidate."""
        return self.caches.get(model_id, COLD)


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a decision found for one candidate.

    Attributes:
        model: Catalog id.
        rank: Its rank of capability in the policy.
        ineligible: Why it cannot serve the request; empty if it can.
        clears_bar: Whether the verdict clears it; none where no verdict counted.
        p: The probability that was held against the bar; none for the most capable and without a verdict.
        expected: What the turn is expected to cost on it; none if it is ineligible.
        ahead_pico: What the calls ahead are expected to save more, in pico-USD, if it serves this one.
        cache_plan: Where cache points stand in the request to it, as it was priced.
        edits: What must be changed in the request for it.
    """

    model: str
    rank: int
    ineligible: tuple[str, ...] = ()
    clears_bar: bool | None = None
    p: float | None = None
    expected: ExpectedTurn | None = None
    ahead_pico: int = 0
    cache_plan: CachePlan = NO_PLAN
    edits: tuple[str, ...] = ()

    @property
    def priced_pico(self) -> int:
        """What candidates are compared by: the turn's expected cost less what it is expected to save ahead.

        Raises:
            ValueError: It is ineligible and has no price.
        """
        if self.expected is None:
            raise ValueError(f"{self.model} is not eligible and has no price")
        return self.expected.cost_pico - self.ahead_pico

    @property
    def eligible(self) -> bool:
        """Whether it would accept every part of the request."""
        return not self.ineligible


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The chosen candidate, or a refusal, and why.

    Attributes:
        model: The chosen model's catalog id; none where the request is refused.
        reason: Why.
        estimates: What was found for each candidate, most capable first.
        runner_up: The eligible candidate that would be next; none if there is no other (one whose breaker is open may
            then be tried).
        cache_plan: Where cache points stand in the request to the chosen model.
        bar: The probability that a candidate had to reach; none where no verdict counted.
        edits: What is changed in the request, each from the closed list of the catalog.
    """

    model: str | None
    reason: Reason
    estimates: tuple[Estimate, ...]
    runner_up: str | None = None
    cache_plan: CachePlan = CachePlan()
    bar: float | None = None
    edits: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the request is refused."""
        return self.model is None

    def estimate(self, model_id: str) -> Estimate:
        """What was found for that candidate.

        Raises:
            KeyError: It is not a candidate of this decision.
        """
        for estimate in self.estimates:
            if estimate.model == model_id:
                return estimate
        raise KeyError(model_id)
