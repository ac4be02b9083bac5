"""The user's rules, and the closed list of reasons that decisions give."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Literal

import msgspec

from turnout.core.content import content_hash


class Reason(StrEnum):
    """Why a decision chose what it chose, or refused; one meaning each, used everywhere."""

    PINNED = "pinned"
    """The caller insisted on this model, and it is eligible."""
    HARD_STAY = "hard_stay"
    """The turn is in its tool loop, or the history is bound to this model."""
    BUDGET_CHEAPEST = "budget_cheapest"
    """The budget is spent, and the policy then serves the cheapest."""
    VERDICT_NOT_NEEDED = "verdict_not_needed"
    """One candidate was left, or every verdict would choose alike: no classifier was asked."""
    CHEAPEST_CLEARS_BAR = "cheapest_clears_bar"
    """The cheapest of all eligible candidates clears the bar."""
    CHEAPEST_BELOW_BAR = "cheapest_below_bar"
    """A cheaper candidate does not clear the bar; this is the cheapest that does."""
    NO_VERDICT = "no_verdict"
    """No classifier is configured: the most capable serves."""
    CLASSIFIER_TIMEOUT = "classifier_timeout"
    """The classifier was too slow: the most capable serves."""
    CLASSIFIER_ERROR = "classifier_error"
    """The classifier failed: the most capable serves."""
    CLASSIFIER_UNPARSED = "classifier_unparsed"
    """The classifier's answer could not be read: the most capable serves."""
    UNLIKE_CALIBRATION = "unlike_calibration"
    """The request is unlike those that the classifier was calibrated on: the most capable serves."""
    SPEND_BOUND = "spend_bound"
    """Every other choice could break the spend bound: the reference serves, or the cheapest that cannot break it."""
    FAILOVER = "failover"
    """The model chosen before failed before its first content; this is the next choice."""
    NO_ELIGIBLE_CANDIDATE = "no_eligible_candidate"
    """Refused: no candidate accepts every part of the request."""
    PIN_INELIGIBLE = "pin_ineligible"
    """Refused: the model that the caller insisted on cannot serve this request."""
    HARD_STAY_INELIGIBLE = "hard_stay_ineligible"
    """Refused: the model that must go on serving cannot serve this request."""
    FAILOVER_UNSAFE = "failover_unsafe"
    """Refused: the model failed, and the conversation cannot safely move to another one."""
    BUDGET_SPENT = "budget_spent"
    """Refused: the budget is spent."""


NOTHING_CLEARS = 2.0
"""A bar that no probability reaches: only the most capable candidate clears it."""


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that may serve, by catalog id, with its ``rank`` of capability: the higher, the more capable."""

    model: str
    rank: int


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit on spending in pico-USD, and what happens once it is reached."""

    limit_pico: int
    when_spent: Literal["refuse", "cheapest"] = "refuse"


class Policy(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """The rules that decisions follow.

    Attributes:
        candidates: The models that may serve; ranks differ.
        simple_bar: A verdict on labels clears every candidate when P(label is simple) is at least this, else only the
            most capable.
        quality_bar: A verdict on outcomes clears the candidates whose P(suffices) is at least this, and always the
            most capable. Both bars are 0 to 1, or `NOTHING_CLEARS`.
        simple_share: The share of simple queries that is expected: the prior that verdicts on labels are corrected to.
        markers: ``user``: the request's cache points are never touched. ``fill``: one is placed at
            the end of tools and system where the request has none. ``manage``: they are placed, moved and dropped
            by what they are expected to be worth; needs the horizon ``session``.
        fill_ttl: The TTL of a filled cache point.
        horizon: Over what a decision is priced. ``call``: the call at hand and those that its turn is expected to add.
            ``session``: those, less what the calls ahead are expected to save because of what is then warm.
        adapt: Whether parameters that a model rejects may be dropped, and output limits clamped, to make it eligible.
        budget: A limit on spending, or none.
    """

    candidates: tuple[Candidate, ...]
    simple_bar: float = 0.5
    quality_bar: float = 0.9
    simple_share: float = 0.65
    markers: Literal["user", "fill", "manage"] = "user"
    fill_ttl: Literal["5m", "1h"] = "5m"
    horizon: Literal["call", "session"] = "call"
    adapt: bool = False
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("a policy needs at least one candidate")
        for what, values in (
            ("model", [candidate.model for candidate in self.candidates]),
            ("rank", [candidate.rank for candidate in self.candidates]),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"two candidates have the same {what}: {values}")
        for name in ("simple_bar", "quality_bar"):
            if not (0.0 <= getattr(self, name) <= 1.0 or getattr(self, name) == NOTHING_CLEARS):
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if self.markers == "manage" and self.horizon != "session":
            raise ValueError("markers 'manage' weighs writes against calls ahead: it needs horizon 'session'")
        if not 0.0 < self.simple_share < 1.0:
            raise ValueError(f"simple_share must be above 0 and below 1, got {self.simple_share}")

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over all values."""
        return content_hash(self)

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The candidates' catalog ids."""
        return tuple([candidate.model for candidate in self.candidates])

    @cached_property
    def ranked(self) -> tuple[Candidate, ...]:
        """The candidates, most capable first."""
        return tuple(sorted(self.candidates, key=lambda candidate: -candidate.rank))
