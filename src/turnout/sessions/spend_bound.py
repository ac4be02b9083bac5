"""Keeps the account of the spend bound while requests run: one for all requests that share prompt caches.

How a router uses it, for each call of a turn::

    view = keeper.view(given, turn_id, classify_pico)      # then given.bound = view
    if needs_verdict(given) and keeper.classifying(turn_id, classify_pico):
        ...                                                # ask
        keeper.classified(turn_id, cost_pico)
        ...                                                # given.verdict; view again
    decision = decide(given)
    if not keeper.reserve(given, decision, turn_id):
        ...                                                # another request took the room: view and decide again
    ...                                                    # no call after all: keeper.withdraw(turn_id)
    keeper.start(turn_id, now_ms)                          # call the model
    keeper.finish(turn_id, usage, cost_pico, ok=True, ends_turn=True)

Bounded memory, and what may be forgotten: an entry that has expired on both sides; and one that the shadow and fact
hold alike, that nothing owed is charged from. Then, until it must have expired, no turn leaves the reference, and what
the provider reads beyond what is known is taken off both sums: the reference would have read it too. What the shadow
alone holds is never forgotten while it is warm; where it would fill half of the memory, no further turn leaves.

Known limitations: replicas do not share it, so each keeps the claim for its own requests only where they do not share
prefixes. It begins with cold caches: what an earlier process left warm is not known to it. The calls of one turn are
taken to come one after the other; those of different turns may overlap. Where others change what is held of a prompt
between `reserve` and `start`, the call is booked as the caches then stand, with the cache points that it was given.
"""

from __future__ import annotations

import heapq
import threading
from collections import OrderedDict
from typing import NamedTuple

import msgspec

from turnout.core.cache import TTL_MS, Prompt, Ttl
from turnout.core.catalog import Model
from turnout.core.decide import plan_alone, plan_of, reference_of
from turnout.core.decision import Decision, DecisionInput
from turnout.core.spend_bound import BoundAccount, BoundView, SpendBound, worst_try_pico, worst_turn_pico
from turnout.core.usage import Usage
from turnout.core.warm_debt import (
    Call,
    Held,
    Path,
    Plans,
    Side,
    Step,
    can_be_restored,
    debt_pico,
    debt_prices,
    not_ahead,
    nothing_ahead,
    path_of,
    plans_for,
    recharged,
    state_of,
    step,
)

_LONGEST_MS = max(TTL_MS.values())
_IDLE_MS = 900_000
"""A turn that nobody has gone on with for so long was given up; what was set aside for it is free again."""

_KEPT_FREE = 4
"""One part in so many of the debt is kept free before the reference may serve with points of fact's own: measured on a
public trace, where no room cost 2.2 % more, a half 0.1 % and the whole debt 0.3 %."""


class _Decided(NamedTuple):
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
    asked: _Asked | None
    held_pico: int
    account: BoundAccount
    now_ms: int


class _OpenTurn:
    """A turn that has begun: what its call at hand was booked with."""

    def __init__(self) -> None:
        self.decided: _Decided | None = None
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


class _Asked(NamedTuple):
    """A call as its reference sees it, before anything is booked.

    ``takes_pico``: what the reference's own serving takes from the slack at most, where its points were checked.
    """

    reference: Model
    ratio: float
    call: Call
    path: Path
    takes_pico: int = 0

    @property
    def debt_pico(self) -> int:
        """What is owed of its prefixes."""
        return debt_pico(self.path, debt_prices(self.reference))

    def step(self, side: Side, path: Path | None = None) -> Step:
        """What it does to one of the caches."""
        return step(self.path if path is None else path, self.call, self.reference.price, side)


class _Viewed(NamedTuple):
    """What the newest view was made from. The account is replaced by each booking, so that an old one tells of one."""

    turn_id: str
    given: DecisionInput
    now_ms: int
    account: BoundAccount
    asked: _Asked | None

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


class BoundKeeper:
    """The account of one spend bound. Safe for threads.

    Args:
        bound: What may be spent.
        max_prefixes: How many prefixes are remembered for all references together.
        max_turns: How many turns may be open; the one that began first is closed then, as if it had ended.
        every_block: Whether a cache holds every block of what was written, as traces of prefix blocks tell it, and not
            only the prefixes at cache points.
    """

    def __init__(
        self, bound: SpendBound, *, max_prefixes: int = 50_000, max_turns: int = 10_000, every_block: bool = False
    ) -> None:
        self.bound = bound
        self._every_block = every_block
        self._account = BoundAccount()
        self._max_prefixes = max_prefixes
        self._max_turns = max_turns
        self._held: dict[str, dict[str, Held]] = {}
        self._expiries: list[tuple[int, str, str]] = []
        self._prices: dict[str, dict[Ttl, int]] = {}
        self._owed = 0
        self._turns: OrderedDict[str, _OpenTurn] = OrderedDict()
        self._now_ms = 0
        self._blind_until_ms = 0
        self._viewed: _Viewed | None = None
        self._lock = threading.Lock()

    @property
    def account(self) -> BoundAccount:
        """The sums as they stand."""
        return self._account

    @property
    def prefixes(self) -> int:
        """How many prefixes are remembered."""
        return sum(len(held) for held in self._held.values())

    def view(self, given: DecisionInput, turn_id: str, classify_pico: int = 0) -> BoundView | None:
        """What the bound allows a decision; none where nothing is to choose: a pin, or no candidate is eligible.

        Args:
            given: What the decision is made from.
            turn_id: The turn.
            classify_pico: What asking a classifier would cost at most; 0 where it was asked.
        """
        with self._lock:
            now_ms = self._at(given.now_ms)
            turn = self._turns.get(turn_id)
            asked = self._asked(given, turn, now_ms)
            self._viewed = _Viewed(turn_id, given, now_ms, self._account, asked)
            if asked is None:
                return None
            limit = self.bound.call_limit if given.request.needs.tools else 1
            if turn is not None and _again(given, turn):
                leave: int | None = turn.to_owe_pico
            else:
                leave = self._leave_pico(asked, limit)
            return BoundView(
                reference=asked.reference.id,
                reference_plan=asked.call.plans.shadow,
                plan=asked.call.plans.fact,
                slack_pico=self._account.slack_pico(self.bound),
                classify_pico=classify_pico if given.verdict is None else 0,
                leave_pico=leave,
                call_limit=limit,
                growth_limit_tokens=self.bound.growth_limit_tokens,
                output_limit_tokens=self.bound.output_limit_tokens,
            )

    def classifying(self, turn_id: str, classify_pico: int) -> bool:
        """Set aside what a classifier may cost; false where there is no room for it any more."""
        with self._lock:
            if classify_pico > self._account.slack_pico(self.bound):
                return False
            turn = self._turn(turn_id)
            turn.classifying_pico += classify_pico
            self._account = self._account.moved(self.bound, reserved=classify_pico)
            return True

    def classified(self, turn_id: str, cost_pico: int) -> None:
        """Book what the classifier's calls did cost, failed ones too."""
        with self._lock:
            turn = self._turn(turn_id)
            self._account = self._account.moved(self.bound, spent=cost_pico, reserved=-turn.classifying_pico)
            turn.classifying_pico = 0

    def begin(self, given: DecisionInput, decision: Decision, turn_id: str) -> bool:
        """`reserve` and `start` in one, for a call that is made at once; false: the decision must be made again."""
        with self._lock:
            if not self._reserve(given, decision, turn_id):
                return False
            self._start(turn_id, self._now_ms)
            return True

    def reserve(self, given: DecisionInput, decision: Decision, turn_id: str) -> bool:
        """Set aside what a decision's call may take; false where the account moved on and it must be made again.

        Nothing is booked yet, and nobody else is given room by what the reference would spend on it.

        Args:
            given: What the decision was made from, with the view.
            decision: The decision; of a refusal there is nothing to set aside.
            turn_id: The turn.
        """
        with self._lock:
            return self._reserve(given, decision, turn_id)

    def start(self, turn_id: str, now_ms: int) -> None:
        """Book the call that was decided for, at the time at which it begins, in milliseconds since the epoch.

        Where none was decided for, as before another try, nothing changes.
        """
        with self._lock:
            self._start(turn_id, self._at(now_ms))

    def withdraw(self, turn_id: str) -> None:
        """Take a decision back that no call follows: the account is then as if it had never been made.

        What a classifier was paid for it stays, and so does what earlier calls of the turn came to; the turn goes on
        only where none of them failed last.
        """
        with self._lock:
            turn = self._turns.get(turn_id)
            if turn is None:
                return
            self._let_go(turn)
            if turn.running or turn.calls == 0:
                self._close(turn_id)

    def _reserve(self, given: DecisionInput, decision: Decision, turn_id: str) -> bool:
        if decision.model is None:
            return True
        now_ms = self._at(given.now_ms)
        turn = self._turn(turn_id)
        asked = None
        if given.bound is not None:
            # What the view was made from still holds unless something was booked since.
            viewed = self._viewed
            same = viewed is not None and viewed.holds(turn_id, given, now_ms, self._account)
            asked = viewed.asked if same and viewed is not None else self._asked(given, turn, now_ms)
        self._let_go(turn)
        model = given.catalog[decision.model]
        held_pico = 0
        if asked is not None and not _reference_failed(given, turn, asked):
            assert given.bound is not None, "without a view there is no call to book"
            if given.bound.plan != asked.call.plans.fact or given.bound.reference != asked.reference.id:
                return False
            limit = self.bound.call_limit if given.request.needs.tools else 1
            if model.id == asked.reference.id:
                held_pico = max(0, asked.takes_pico)
            elif _again(given, turn):
                left = max(1, turn.call_limit - turn.calls + 1)
                if not self._fits(given, model, turn.to_owe_pico, left):
                    return False
                held_pico = turn.to_owe_pico + self._worst_of(given, model, left)
            elif turn.calls == 0 and given.request.hard_stay is None:
                leave = self._leave_pico(asked, limit)
                if leave is None or not self._fits(given, model, leave, limit):
                    return False
                held_pico = max(0, leave + self._worst_of(given, model, limit))
        self._account = self._account.moved(self.bound, reserved=held_pico)
        turn.decided = _Decided(given, model, asked, held_pico, self._account, now_ms)
        return True

    def _let_go(self, turn: _OpenTurn) -> None:
        """Forget a turn's decision, and give back what was set aside for it."""
        if turn.decided is not None:
            self._account = self._account.moved(self.bound, reserved=-turn.decided.held_pico)
            turn.decided = None

    def _start(self, turn_id: str, now_ms: int) -> None:
        turn = self._turns.get(turn_id)
        if turn is None or turn.decided is None:
            return
        given, model, asked, _, account, decided_ms = turn.decided
        stands = account is self._account and decided_ms == now_ms
        self._let_go(turn)
        self._turn(turn_id)
        if asked is not None and not stands:
            asked = self._as_it_stands(given, turn, asked, now_ms)
        if asked is None or _reference_failed(given, turn, asked):
            turn.reference_failed = turn.reference_failed or asked is not None
            turn.model, turn.running, turn.outside = model, True, asked is None
            return
        if _again(given, turn):
            self._start_again(given, turn, asked, model)
            return
        if turn.calls == 0:
            turn.reference = asked.reference
            turn.call_limit = self.bound.call_limit if given.request.needs.tools else 1
        turn.calls += 1
        turn.plans, turn.now_ms, turn.model = asked.call.plans, now_ms, model
        turn.running = True
        turn.reference_tokens = asked.call.prompt.tokens
        turn.max_output_tokens = given.request.max_output_tokens
        own_ratio = _ratio(given, model)
        turn.ratios = (asked.ratio, own_ratio)
        turn.model_tokens = given.request.prompt_for(own_ratio).tokens
        turn.growth_tokens = round(self.bound.growth_limit_tokens * own_ratio)
        self._book(turn, asked)

    def _as_it_stands(self, given: DecisionInput, turn: _OpenTurn, decided: _Asked, now_ms: int) -> _Asked:
        """A call that was decided a while ago, in the caches as they are now, with the points that it was given."""
        asked = self._asked(given, turn, now_ms)
        assert asked is not None, "the same request has the same reference"
        if asked.call.plans.fact == decided.call.plans.fact:
            return asked
        plans = msgspec.structs.replace(asked.call.plans, fact=decided.call.plans.fact)
        return asked._replace(call=msgspec.structs.replace(asked.call, plans=plans))

    def retry(self, turn_id: str) -> bool:
        """Book another try of the same call on the same model; false where there is no room for it.

        Only after `finish` was told that the last try failed.
        """
        with self._lock:
            turn = self._turns.get(turn_id)
            if turn is None or turn.model is None or turn.outside or turn.reference_failed:
                return True
            left = max(1, turn.call_limit - turn.calls + 1)
            reserve = turn.to_owe_pico + self._worst(turn, turn.model_tokens, left)
            if reserve > self._account.slack_pico(self.bound):
                return False
            turn.reserved_pico = reserve
            self._account = self._account.moved(self.bound, reserved=reserve)
            return True

    def finish(
        self, turn_id: str, usage: Usage | None, cost_pico: int, *, ok: bool = True, ends_turn: bool = True
    ) -> None:
        """Book how a call went.

        Args:
            turn_id: The turn.
            usage: What was reported; none: then all of the cost counts as the prompt's.
            cost_pico: What the call cost, in pico-USD.
            ok: Whether it answered. A call that failed may be tried again, on this model or another one.
            ends_turn: Whether no further call of the turn will come.
        """
        with self._lock:
            turn = self._turns.get(turn_id)
            if turn is not None:
                self._start(turn_id, self._now_ms)
            if turn is None or not turn.running or turn.model is None:
                self._account = self._account.apart("outside", cost_pico)
                return
            self._turn(turn_id)
            if turn.outside or turn.reference_failed:
                self._account = self._account.apart("outside" if turn.outside else "failed", cost_pico)
            elif turn.reference is not None and turn.model.id == turn.reference.id:
                self._finish_reference(turn, turn.reference, usage, cost_pico, ok)
            else:
                self._finish_left(turn, turn.model, usage, cost_pico, ok)
            if ok:
                turn.running = turn.reference_failed = turn.outside = False
            if ends_turn and ok:
                self._close(turn_id)

    def end_turn(self, turn_id: str) -> None:
        """No further call of the turn will come, whatever became of the last one."""
        with self._lock:
            self._close(turn_id)

    def _asked(self, given: DecisionInput, turn: _OpenTurn | None, now_ms: int) -> _Asked | None:
        if given.request.pin is not None:
            return None
        reference = turn.reference if turn is not None and turn.reference is not None else reference_of(given)
        if reference is None:
            return None
        ratio = _ratio(given, reference)
        prompt = given.request.prompt_for(ratio)
        path = path_of(self._held.get(reference.id, {}), prompt)
        if turn is not None and turn.plans is not None and _again(given, turn):
            plans, now_ms = turn.plans, turn.now_ms
        else:
            plan = plan_alone(given, reference, state_of(path, "shadow"))
            # A turn that was left goes on: what its further calls may add to the debt was reckoned with one point each.
            goes_on = turn is not None and turn.model is not None and turn.model.id != reference.id
            most = 1 if goes_on else reference.cache.max_markers
            plans = plans_for(
                plan, prompt, reference.cache, path, now_ms, every_block=self._every_block, most_behind=most
            )
            if given.policy.markers == "manage" and plans.ours and now_ms >= self._blind_until_ms:
                own = msgspec.structs.replace(plans, fact=plan_of(given, reference))
                asked = _Asked(reference, ratio, self._call(reference, prompt, own, now_ms), path)
                if (takes_pico := self._takes_pico(asked)) is not None:
                    return asked._replace(takes_pico=takes_pico)
        return _Asked(reference, ratio, self._call(reference, prompt, plans, now_ms), path)

    def _call(self, reference: Model, prompt: Prompt, plans: Plans, now_ms: int) -> Call:
        return Call(prompt, plans, reference.cache, now_ms, self._every_block)

    def _takes_pico(self, asked: _Asked) -> int | None:
        """What the reference takes from the slack with cache points of fact's own; none where it may not have them.

        They may bring back less than was owed. Only while they leave free a share of the debt: else the room is used
        up, and then nobody can leave, which costs more than repaying in time. The claim would hold without that.
        """
        shadow = asked.step("shadow")
        fact = asked.step("fact", shadow.path)
        if not nothing_ahead(fact.path, asked.call.now_ms):
            return None
        path = recharged(asked.path, fact.path, asked.call)
        debt = debt_pico(path, debt_prices(asked.reference)) - asked.debt_pico
        account = self._account
        free = max(0, account.debt_pico + debt) // _KEPT_FREE
        takes = fact.cost_pico + debt - self.bound.credit_pico(shadow.cost_pico)
        return takes if takes + free <= account.slack_pico(self.bound) else None

    def _leave_pico(self, asked: _Asked, limit: int) -> int | None:
        """What leaving takes from the slack beside what the other model costs; none where it must not be."""
        full = self._owed * 2 + len(asked.call.prompt.offsets) > self._max_prefixes
        if full or asked.call.now_ms < self._blind_until_ms or not can_be_restored(asked.reference):
            return None
        done = asked.step("shadow")
        after = _without_fact(asked, done.path, limit)
        credit = self.bound.credit_pico(done.cost_pico)
        owed_pico = debt_pico(after, debt_prices(asked.reference))
        return owed_pico - asked.debt_pico + self._further(asked, after, limit - 1) - credit

    def _further(self, asked: _Asked, after: Path, calls: int) -> int:
        """What further calls of a turn add to the debt at most, less what the reference surely spends on them."""
        reference, tokens, plan = asked.reference, asked.call.prompt.tokens, asked.call.plans.shadow
        if calls <= 0 or reference.cache.mode == "none" or plan.origin == "fill":
            return 0
        growth = round(self.bound.growth_limit_tokens * asked.ratio)
        dearest = max(debt_prices(reference).values())
        if reference.cache.mode == "implicit":
            return calls * growth * dearest
        if self._every_block:
            return dearest * (tokens + calls * growth)
        if plan.origin == "user":
            # Their points move along with the end of the prompt, and what they leave behind is written off.
            return len(plan.markers) * dearest * (tokens + calls * growth)
        short_only = "1h" not in reference.cache.ttls
        roots = [one.tokens for one in after if one.owed_tokens and not one.root and (one.ttl == "1h" or short_only)]
        hang_from = max(roots, default=0)
        surely = min(min(tier.cache_read_pico, tier.input_pico) for tier in reference.price.tiers) * tokens
        lengths = [tokens + number * growth - hang_from for number in range(1, calls + 1)]
        return sum([max(0, dearest * length - surely) for length in lengths])

    def _fits(self, given: DecisionInput, model: Model, leave: int, limit: int) -> bool:
        tokens = given.request.prompt_for(_ratio(given, model)).tokens
        slack = self._account.slack_pico(self.bound)
        return self._worst_of(given, model, limit) + leave <= slack and worst_try_pico(model, tokens) <= slack

    def _worst_of(self, given: DecisionInput, model: Model, limit: int) -> int:
        """What a turn of so many calls may come to on a model."""
        ratio = _ratio(given, model)
        tokens = given.request.prompt_for(ratio).tokens
        growth = round(self.bound.growth_limit_tokens * ratio)
        return self._worst_turn(model, tokens, given.request.max_output_tokens, limit, growth)

    def _book(self, turn: _OpenTurn, asked: _Asked) -> None:
        """The shadow's call, and in fact either the same one or what the other model may come to."""
        assert turn.model is not None, "a call is booked for a model"
        shadow = asked.step("shadow")
        turn.shadow_pico, turn.fact_pico = shadow.cost_pico, 0
        if turn.model.id == asked.reference.id:
            fact = asked.step("fact", shadow.path)
            turn.fact_pico = fact.cost_pico
            self._keep(asked, _in_line(fact.path, asked), spent=fact.cost_pico, reference=shadow.cost_pico)
            return
        left = max(1, turn.call_limit - turn.calls + 1)
        prices, after = debt_prices(asked.reference), _without_fact(asked, shadow.path, left)
        spare = debt_pico(after, prices) - debt_pico(recharged(asked.path, shadow.path, asked.call), prices)
        turn.to_owe_pico = spare + self._further(asked, after, left - 1)
        reserve = turn.to_owe_pico + self._worst(turn, turn.model_tokens, left)
        self._keep(asked, shadow.path, reference=shadow.cost_pico, reserved=reserve - turn.reserved_pico)
        turn.reserved_pico = reserve

    def _start_again(self, given: DecisionInput, turn: _OpenTurn, asked: _Asked, model: Model) -> None:
        """Another try of the same call, after one that failed: the shadow has served it already."""
        turn.model = model
        turn.ratios = (asked.ratio, _ratio(given, model))
        turn.model_tokens = given.request.prompt_for(turn.ratios[1]).tokens
        if model.id != asked.reference.id:
            left = max(1, turn.call_limit - turn.calls + 1)
            turn.reserved_pico = turn.to_owe_pico + self._worst(turn, turn.model_tokens, left)
            self._account = self._account.moved(self.bound, reserved=turn.reserved_pico)
            return
        fact = asked.step("fact")
        turn.fact_pico = fact.cost_pico
        self._keep(asked, _in_line(fact.path, asked), spent=fact.cost_pico)

    def _finish_reference(
        self, turn: _OpenTurn, reference: Model, usage: Usage | None, cost_pico: int, ok: bool
    ) -> None:
        if not ok:
            # What it would have cached is taken as cached on both sides; missing it later counts as evicted.
            self._account = self._account.moved(self.bound, spent=-turn.fact_pico, reference=-turn.shadow_pico)
            self._account = self._account.apart("failed", cost_pico)
            turn.reference_failed = True
            return
        output, fact, shadow = 0, turn.fact_pico, turn.shadow_pico
        if usage is not None and usage.prompt_tokens:
            output = usage.output_tokens * reference.price.tier_for(usage.prompt_tokens).output_pico
            counted = max(1, turn.reference_tokens)
            fact, shadow = [pico * usage.prompt_tokens // counted for pico in (fact, shadow)]
        prompt = cost_pico - output
        # What was read beyond what is known of fact, the shadow may have read too: it is taken off both sides.
        unknown = max(0, fact - prompt)
        if unknown and self._blind_until_ms:
            self._blind_until_ms = max(self._blind_until_ms, turn.now_ms + _LONGEST_MS)
        self._account = self._account.moved(
            self.bound,
            spent=min(prompt, fact) - turn.fact_pico + output,
            reference=shadow - turn.shadow_pico - unknown + output,
        )
        self._account = self._account.apart("evicted", max(0, prompt - fact))

    def _finish_left(self, turn: _OpenTurn, model: Model, usage: Usage | None, cost_pico: int, ok: bool) -> None:
        output = 0
        if ok and usage is not None and turn.reference is not None:
            tier = turn.reference.price.tier_for(turn.reference_tokens)
            output = int(usage.output_tokens * turn.ratios[0] / turn.ratios[1]) * tier.output_pico
        left = turn.call_limit - turn.calls if ok else 0
        reserve = 0
        if left > 0:
            reserve = turn.to_owe_pico + self._worst(turn, turn.model_tokens + turn.growth_tokens, left)
        self._account = self._account.moved(
            self.bound, spent=cost_pico, reference=output, reserved=reserve - turn.reserved_pico
        )
        turn.reserved_pico = reserve

    def _worst(self, turn: _OpenTurn, tokens: int, calls: int) -> int:
        assert turn.model is not None, "only an open call has a worst case"
        return self._worst_turn(turn.model, tokens, turn.max_output_tokens, calls, turn.growth_tokens)

    def _worst_turn(self, model: Model, tokens: int, max_output_tokens: int | None, calls: int, growth: int) -> int:
        return worst_turn_pico(
            model,
            tokens,
            max_output_tokens,
            calls=calls,
            growth_tokens=growth,
            output_limit_tokens=self.bound.output_limit_tokens,
        )

    def _turn(self, turn_id: str) -> _OpenTurn:
        turn = self._turns.setdefault(turn_id, _OpenTurn())
        turn.used_ms = self._now_ms
        self._turns.move_to_end(turn_id)
        while len(self._turns) > self._max_turns:
            self._close(next(iter(self._turns)))
        return turn

    def _close(self, turn_id: str) -> None:
        turn = self._turns.pop(turn_id, None)
        if turn is not None:
            self._let_go(turn)
            open_pico = turn.reserved_pico + turn.classifying_pico
            self._account = self._account.moved(self.bound, reserved=-open_pico)

    def _at(self, now_ms: int) -> int:
        """The account's own time, which never runs back; what has expired by then is forgotten."""
        self._now_ms = now_ms = max(self._now_ms, now_ms)
        while self._turns:
            turn_id, turn = next(iter(self._turns.items()))
            if turn.running or now_ms - turn.used_ms < _IDLE_MS:
                break
            self._close(turn_id)
        while self._expiries and self._expiries[0][0] <= now_ms:
            _, model_id, key = heapq.heappop(self._expiries)
            held = self._held[model_id]
            one = held.get(key)
            if one is None:
                continue
            due = _due(one, now_ms)
            if due > now_ms:
                heapq.heappush(self._expiries, (due, model_id, key))
            if one.shadow_ms <= now_ms and one.owed_tokens:
                debt = one.owed_tokens * self._prices[model_id][one.ttl]
                self._account = self._account.moved(self.bound, debt=-debt)
                self._owed -= 1
                held[key] = msgspec.structs.replace(one, owed_tokens=0, root="", base="")
            if due <= now_ms:
                del held[key]
        return now_ms

    def _keep(self, asked: _Asked, path: Path, *, spent: int = 0, reference: int = 0, reserved: int = 0) -> None:
        """Remember what a call left, and move the sums by it and by what it changes in the debt."""
        prices = self._prices[asked.reference.id] = dict(debt_prices(asked.reference))
        path = recharged(asked.path, path, asked.call)
        self._account = self._account.moved(
            self.bound,
            spent=spent,
            reference=reference,
            debt=debt_pico(path, prices) - asked.debt_pico,
            reserved=reserved,
            cause="overrun" if asked.call.plans.ours else "unmarked",
        )
        held, now_ms = self._held.setdefault(asked.reference.id, {}), asked.call.now_ms
        for one in path:
            before = held.get(one.prefix_hash)
            self._owed += bool(one.owed_tokens) - bool(before is not None and before.owed_tokens)
            held[one.prefix_hash] = one
            if before is None:
                due = max(_due(one, now_ms), now_ms + 1)
                heapq.heappush(self._expiries, (due, asked.reference.id, one.prefix_hash))
        if self.prefixes > self._max_prefixes:
            self._forget()

    def _forget(self) -> None:
        """Forget prefixes that both sides hold alike, those that expire first, down to three quarters of the room."""
        surplus = self.prefixes - self._max_prefixes * 3 // 4
        loose = []
        for model_id, held in self._held.items():
            used = {one.base for one in held.values() if one.owed_tokens}
            used |= {one.root for one in held.values() if one.owed_tokens}
            loose += [
                (one.shadow_ms, model_id, key)
                for key, one in held.items()
                if not one.owed_tokens and one.secure() and key not in used
            ]
        for expires_ms, model_id, key in heapq.nsmallest(surplus, loose):
            self._blind_until_ms = max(self._blind_until_ms, expires_ms)
            del self._held[model_id][key]


def _not_serving(given: DecisionInput) -> set[str]:
    """The models that failed the request, or are out of service."""
    return {attempt.model for attempt in given.failed} | {one.model for one in given.unavailable}


def _ratio(given: DecisionInput, model: Model) -> float:
    return given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio


def _reference_failed(given: DecisionInput, turn: _OpenTurn, asked: _Asked) -> bool:
    """Whether the reference failed before, or is out of service: then the claim says nothing of the call."""
    return turn.reference_failed or asked.reference.id in _not_serving(given)


def _again(given: DecisionInput, turn: _OpenTurn) -> bool:
    """Whether this is another try of a call that failed: the shadow has served it already."""
    return turn.running and bool(given.failed)


def _in_line(path: Path, asked: _Asked) -> Path:
    """What a call with points of ours left: points that are no longer the right ones may put fact ahead."""
    return not_ahead(path, asked.call.now_ms) if asked.call.plans.ours else path


def _due(one: Held, now_ms: int) -> int:
    """When something happens to a prefix next: it expires in the shadow, or in fact."""
    return one.shadow_ms if one.shadow_ms > now_ms else one.fact_ms


def _without_fact(asked: _Asked, after: Path, calls: int) -> Path:
    """What is owed at most after a left turn's call: further calls renew the shadow past what fact still holds."""
    if calls > 1:
        after = tuple([msgspec.structs.replace(one, fact_ms=0) for one in after])
    return recharged(asked.path, after, asked.call)
