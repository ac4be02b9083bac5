"""The turns that the spend bound's account has open: what was decided for each, and what its call was booked with."""

from __future__ import annotations

from typing import NamedTuple

from turnout.core.catalog import Model
from turnout.core.decision import DecisionInput
from turnout.core.spend_bound import BoundAccount
from turnout.core.warm_debt import Plans
from turnout.sessions.bound_calls import Asked, not_serving


class Decided(NamedTuple):
    """A decision whose call has not begun: nothing of it is booked but the room that it needs.

    Attributes:
        given: What it was made from.
        model: The model that is to be called.
        asked: The call as its reference sees it; none where nothing is ours to choose.
        held_pico: What was set aside for it.
        account: The account after that; the same one later on tells that nothing else came in between.
        now_ms: When that was, by the account's time.
    """

    given: DecisionInput
    model: Model
    asked: Asked | None
    held_pico: int
    account: BoundAccount
    now_ms: int


class OpenTurn:
    """A turn that has begun: what its call at hand was booked with."""

    def __init__(self) -> None:
        self.decided: Decided | None = None
        self.reference: Model | None = None
        self.model: Model | None = None
        self.plans: Plans | None = None
        self.now_ms = 0
        self.used_ms = 0
        self.classifying_pico = 0
        self.reserved_pico = 0
        self.to_owe_pico = 0
        self.shadow_pico = 0
        self.fact_pico = 0
        self.calls = 0
        self.call_limit = 1
        self.growth_tokens = 0
        self.max_output_tokens: int | None = None
        self.reference_tokens = 0
        self.model_tokens = 0
        self.ratios = (1.0, 1.0)
        self.running = False
        self.reference_failed = False
        self.outside = False


class Viewed(NamedTuple):
    """What the newest view was made from. The account is replaced by each booking, so that an old one tells of one."""

    turn_id: str
    given: DecisionInput
    now_ms: int
    account: BoundAccount
    asked: Asked | None

    def holds(self, turn_id: str, given: DecisionInput, now_ms: int, account: BoundAccount) -> bool:
        """Whether a view of these would be the same."""
        return (
            account is self.account
            and (turn_id, now_ms, given.now_ms) == (self.turn_id, self.now_ms, self.given.now_ms)
            and given.request is self.given.request
            and given.policy is self.given.policy
            and given.failed == self.given.failed
            and given.unavailable == self.given.unavailable
            and given.horizon is self.given.horizon
            and given.caches is self.given.caches
        )


def reference_failed(given: DecisionInput, turn: OpenTurn, asked: Asked) -> bool:
    """Whether the reference failed before, or is out of service: then the claim says nothing of the call."""
    return turn.reference_failed or asked.reference.id in not_serving(given)


def again(given: DecisionInput, turn: OpenTurn) -> bool:
    """Whether this is another try of a call that failed: the shadow has served it already."""
    return turn.running and bool(given.failed)
