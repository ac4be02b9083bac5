"""The spend bound in a replay: Turnout's own account, held after every call against the simulated provider's bills.

The account (`turnout.sessions.spend_bound`) believes what its caches should hold. Here the reference's own run is
served by a simulated provider of its own too, so that the claim is checked against bills and not against beliefs.

Known limitations: verdicts cost nothing and no call fails, so those parts of the claim are not met here.
"""

from __future__ import annotations

import msgspec

from turnout.core.cost import cost_of
from turnout.core.decision import Decision, DecisionInput
from turnout.core.policy import Reason
from turnout.core.spend_bound import BoundAccount, SpendBound
from turnout.core.usage import Usage
from turnout.evaluate.replay.arrivals import Arrival
from turnout.evaluate.replay.conditions import Conditions
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.provider import Mark
from turnout.sessions.spend_bound import BoundKeeper

DEFAULT_BOUND = SpendBound(epsilon=0.05, kappa_pico=5 * 10**12)
"""What a replay is bound by unless it is told otherwise: measured, see ``docs/replay.md``."""

_MAX_PREFIXES = 10**6


class BoundOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a policy kept the spend bound.

    Attributes:
        bound: What it was bound by.
        account: The sums at the end: S, R, D, and what was counted apart.
        alone_pico: What the reference was billed in its own run on the same calls, in pico-USD.
        most_debt_pico: The highest D.
        smallest_slack_pico: The least that was left of (1 + epsilon)·R + kappa after a call.
        kept: Calls that the bound gave to the reference although another model was cheaper.
        broken: Calls after which the claim did not hold, by the provider's bills.
    """

    bound: SpendBound
    account: BoundAccount
    alone_pico: int
    most_debt_pico: int
    smallest_slack_pico: int
    kept: int
    broken: int

    @property
    def held(self) -> bool:
        """Whether the claim held after every call and no assumption of it failed."""
        return not self.broken and not self.account.overrun_pico and not self.account.unmarked_pico


class Bounded:
    """Keeps the account of one policy's replay.

    Args:
        bound: What may be spent.
        conditions: Models and conventions.

    Raises:
        TraceError: The convention is not ``strict``: the core's caches know no other.
    """

    def __init__(self, bound: SpendBound, conditions: Conditions) -> None:
        if conditions.convention != "strict":
            raise TraceError(f"the spend bound is kept in the convention 'strict' alone, not {conditions.convention!r}")
        self._bound = bound
        self._conditions = conditions
        blocks = conditions.grain == "blocks"
        self._keeper = BoundKeeper(bound, max_prefixes=_MAX_PREFIXES, every_block=blocks)
        self._alone = conditions.caches(real=False)
        self._alone_pico = self._paid_pico = 0
        self._reference: tuple[str, tuple[Mark, ...]] | None = None
        self._kept = self._broken = self._most_debt_pico = 0
        self._smallest_slack_pico = bound.kappa_pico

    def viewed(self, arrival: Arrival, given: DecisionInput) -> DecisionInput:
        """What a decision is made from, with what the bound allows it."""
        return msgspec.structs.replace(given, bound=self._keeper.view(given, _turn_id(arrival)))

    def begins(self, arrival: Arrival, given: DecisionInput, decision: Decision, segments: list[int]) -> None:
        """Book a call that is about to be made.

        Args:
            arrival: The call.
            given: What the decision was made from.
            decision: The decision.
            segments: For each segment of the request, the index of its last block.
        """
        booked = self._keeper.begin(given, decision, _turn_id(arrival))
        assert booked, "calls of a replay come one after the other: nobody can have taken the room"
        self._kept += decision.reason is Reason.SPEND_BOUND
        self._reference = None
        if given.bound is not None:
            marks = tuple([(segments[one.segment], one.ttl) for one in given.bound.reference_plan.markers])
            self._reference = given.bound.reference, marks

    def called(self, arrival: Arrival, model: str, usage: Usage) -> None:
        """Book how it went, and hold the claim against the bills."""
        models, output = self._conditions.catalog, arrival.request.output_tokens
        cost_pico = cost_of(usage, models[model].price).total_pico
        self._paid_pico += cost_pico
        self._keeper.finish(_turn_id(arrival), usage, cost_pico, ends_turn=arrival.ends_turn)
        if self._reference is not None:
            reference, marks = self._reference
            alone = self._alone[reference].call(arrival.hashes, arrival.ends, marks, output, arrival.now_ms)
            self._alone_pico += cost_of(alone, models[reference].price).total_pico
        account = self._keeper.account
        allowed_pico = self._bound.allowed_pico(min(account.reference_pico, self._alone_pico))
        slack_pico = allowed_pico - (self._paid_pico - account.apart_pico + account.debt_pico)
        self._broken += slack_pico < 0 or account.reference_pico > self._alone_pico
        self._most_debt_pico = max(self._most_debt_pico, account.debt_pico)
        self._smallest_slack_pico = min(self._smallest_slack_pico, slack_pico)

    def outcome(self) -> BoundOutcome:
        """How it went so far."""
        return BoundOutcome(
            bound=self._bound,
            account=self._keeper.account,
            alone_pico=self._alone_pico,
            most_debt_pico=self._most_debt_pico,
            smallest_slack_pico=self._smallest_slack_pico,
            kept=self._kept,
            broken=self._broken,
        )


def _turn_id(arrival: Arrival) -> str:
    return f"{arrival.request.session}/{arrival.request.turn}"
