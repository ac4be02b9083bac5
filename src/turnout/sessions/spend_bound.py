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

Memory is bounded: `turnout.sessions.bound_prefixes` says what may be forgotten. Until something that was has surely
expired, no turn leaves the reference, and what the provider reads beyond what is known is taken off both sums: the
reference would have read it too. Where what may not be forgotten would fill half of the memory, no further turn leaves.

Known limitations: replicas do not share it, so each keeps the claim for its own requests only where they do not share
prefixes. It begins with cold caches: what an earlier process left warm is not known to it. The calls of one turn are
taken to come one after the other; those of different turns may overlap. Where others change what is held of a prompt
between `reserve` and `start`, the call is booked as the caches then stand, with the cache points that it was given.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import msgspec

from turnout.core.cache import TTL_MS, Prompt
from turnout.core.catalog import Model
from turnout.core.decide import plan_alone, plan_of, reference_of
from turnout.core.decision import Decision, DecisionInput
from turnout.core.spend_bound import BoundAccount, BoundView, SpendBound, worst_try_pico
from turnout.core.usage import Usage
from turnout.core.warm_debt import Call, Path, Plans, debt_pico, debt_prices, path_of, plans_for, recharged, state_of
from turnout.sessions.bound_calls import (
    Asked,
    further_pico,
    in_line,
    leave_pico,
    ratio_of,
    takes_pico,
    without_fact,
    worst_of_pico,
    worst_pico,
)
from turnout.sessions.bound_prefixes import BoundPrefixes
from turnout.sessions.bound_turns import Decided, OpenTurn, Viewed, again, reference_failed

_LONGEST_MS = max(TTL_MS.values())
_IDLE_MS = 900_000
"""A turn that nobody has gone on with for so long was given up; what was set aside for it is free again."""


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
        self._prefixes = BoundPrefixes(max_prefixes)
        self._max_turns = max_turns
        self._turns: OrderedDict[str, OpenTurn] = OrderedDict()
        self._now_ms = 0
        self._viewed: Viewed | None = None
        self._lock = threading.Lock()

    @property
    def account(self) -> BoundAccount:
        """The sums as they stand."""
        return self._account

    @property
    def prefixes(self) -> int:
        """How many prefixes are remembered."""
        return len(self._prefixes)

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
            self._viewed = Viewed(turn_id, given, now_ms, self._account, asked)
            if asked is None:
                return None
            limit = self.bound.call_limit if given.request.needs.tools else 1
            if turn is not None and again(given, turn):
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
        if asked is not None and not reference_failed(given, turn, asked):
            assert given.bound is not None, "without a view there is no call to book"
            if given.bound.plan != asked.call.plans.fact or given.bound.reference != asked.reference.id:
                return False
            limit = self.bound.call_limit if given.request.needs.tools else 1
            if model.id == asked.reference.id:
                held_pico = max(0, asked.takes_pico)
            elif again(given, turn):
                left = max(1, turn.call_limit - turn.calls + 1)
                if not self._fits(given, model, turn.to_owe_pico, left):
                    return False
                held_pico = turn.to_owe_pico + worst_of_pico(given, model, left, self.bound)
            elif turn.calls == 0 and given.request.hard_stay is None:
                leave = self._leave_pico(asked, limit)
                if leave is None or not self._fits(given, model, leave, limit):
                    return False
                held_pico = max(0, leave + worst_of_pico(given, model, limit, self.bound))
        self._account = self._account.moved(self.bound, reserved=held_pico)
        turn.decided = Decided(given, model, asked, held_pico, self._account, now_ms)
        return True

    def _let_go(self, turn: OpenTurn) -> None:
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
        if asked is None or reference_failed(given, turn, asked):
            turn.reference_failed = turn.reference_failed or asked is not None
            turn.model, turn.running, turn.outside = model, True, asked is None
            return
        if again(given, turn):
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
        own_ratio = ratio_of(given, model)
        turn.ratios = (asked.ratio, own_ratio)
        turn.model_tokens = given.request.prompt_for(own_ratio).tokens
        turn.growth_tokens = round(self.bound.growth_limit_tokens * own_ratio)
        self._book(turn, asked)

    def _as_it_stands(self, given: DecisionInput, turn: OpenTurn, decided: Asked, now_ms: int) -> Asked:
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

    def _asked(self, given: DecisionInput, turn: OpenTurn | None, now_ms: int) -> Asked | None:
        if given.request.pin is not None:
            return None
        reference = turn.reference if turn is not None and turn.reference is not None else reference_of(given)
        if reference is None:
            return None
        ratio = ratio_of(given, reference)
        prompt = given.request.prompt_for(ratio)
        path = path_of(self._prefixes.of(reference.id), prompt)
        if turn is not None and turn.plans is not None and again(given, turn):
            plans, now_ms = turn.plans, turn.now_ms
        else:
            plan = plan_alone(given, reference, state_of(path, "shadow"))
            # A turn that was left goes on: what its further calls may add to the debt was reckoned with one point each.
            goes_on = turn is not None and turn.model is not None and turn.model.id != reference.id
            most = 1 if goes_on else reference.cache.max_markers
            plans = plans_for(
                plan, prompt, reference.cache, path, now_ms, every_block=self._every_block, most_behind=most
            )
            if given.policy.markers == "manage" and plans.ours and now_ms >= self._prefixes.blind_until_ms:
                own = msgspec.structs.replace(plans, fact=plan_of(given, reference))
                asked = Asked(reference, ratio, self._call(reference, prompt, own, now_ms), path)
                if (takes := takes_pico(asked, self._account, self.bound)) is not None:
                    return asked._replace(takes_pico=takes)
        return Asked(reference, ratio, self._call(reference, prompt, plans, now_ms), path)

    def _call(self, reference: Model, prompt: Prompt, plans: Plans, now_ms: int) -> Call:
        return Call(prompt, plans, reference.cache, now_ms, self._every_block)

    def _leave_pico(self, asked: Asked, limit: int) -> int | None:
        """What leaving takes from the slack beside what the other model costs; none where it must not be."""
        full = self._prefixes.full(len(asked.call.prompt.offsets))
        if full or asked.call.now_ms < self._prefixes.blind_until_ms:
            return None
        return leave_pico(asked, limit, self.bound)

    def _fits(self, given: DecisionInput, model: Model, leave: int, limit: int) -> bool:
        tokens = given.request.prompt_for(ratio_of(given, model)).tokens
        slack = self._account.slack_pico(self.bound)
        return (
            worst_of_pico(given, model, limit, self.bound) + leave <= slack and worst_try_pico(model, tokens) <= slack
        )

    def _book(self, turn: OpenTurn, asked: Asked) -> None:
        """The shadow's call, and in fact either the same one or what the other model may come to."""
        assert turn.model is not None, "a call is booked for a model"
        shadow = asked.step("shadow")
        turn.shadow_pico, turn.fact_pico = shadow.cost_pico, 0
        if turn.model.id == asked.reference.id:
            fact = asked.step("fact", shadow.path)
            turn.fact_pico = fact.cost_pico
            self._keep(asked, in_line(fact.path, asked), spent=fact.cost_pico, reference=shadow.cost_pico)
            return
        left = max(1, turn.call_limit - turn.calls + 1)
        prices, after = debt_prices(asked.reference), without_fact(asked, shadow.path, left)
        spare = debt_pico(after, prices) - debt_pico(recharged(asked.path, shadow.path, asked.call), prices)
        turn.to_owe_pico = spare + further_pico(asked, after, left - 1, self.bound)
        reserve = turn.to_owe_pico + self._worst(turn, turn.model_tokens, left)
        self._keep(asked, shadow.path, reference=shadow.cost_pico, reserved=reserve - turn.reserved_pico)
        turn.reserved_pico = reserve

    def _start_again(self, given: DecisionInput, turn: OpenTurn, asked: Asked, model: Model) -> None:
        """Another try of the same call, after one that failed: the shadow has served it already."""
        turn.model = model
        turn.ratios = (asked.ratio, ratio_of(given, model))
        turn.model_tokens = given.request.prompt_for(turn.ratios[1]).tokens
        if model.id != asked.reference.id:
            left = max(1, turn.call_limit - turn.calls + 1)
            turn.reserved_pico = turn.to_owe_pico + self._worst(turn, turn.model_tokens, left)
            self._account = self._account.moved(self.bound, reserved=turn.reserved_pico)
            return
        fact = asked.step("fact")
        turn.fact_pico = fact.cost_pico
        self._keep(asked, in_line(fact.path, asked), spent=fact.cost_pico)

    def _finish_reference(
        self, turn: OpenTurn, reference: Model, usage: Usage | None, cost_pico: int, ok: bool
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
        if unknown and self._prefixes.blind_until_ms:
            self._prefixes.blind_until_ms = max(self._prefixes.blind_until_ms, turn.now_ms + _LONGEST_MS)
        self._account = self._account.moved(
            self.bound,
            spent=min(prompt, fact) - turn.fact_pico + output,
            reference=shadow - turn.shadow_pico - unknown + output,
        )
        self._account = self._account.apart("evicted", max(0, prompt - fact))

    def _finish_left(self, turn: OpenTurn, model: Model, usage: Usage | None, cost_pico: int, ok: bool) -> None:
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

    def _worst(self, turn: OpenTurn, tokens: int, calls: int) -> int:
        assert turn.model is not None, "only an open call has a worst case"
        return worst_pico(turn.model, tokens, turn.max_output_tokens, calls, turn.growth_tokens, self.bound)

    def _turn(self, turn_id: str) -> OpenTurn:
        turn = self._turns.setdefault(turn_id, OpenTurn())
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
        for debt in self._prefixes.expired(now_ms):
            self._account = self._account.moved(self.bound, debt=-debt)
        return now_ms

    def _keep(self, asked: Asked, path: Path, *, spent: int = 0, reference: int = 0, reserved: int = 0) -> None:
        """Remember what a call left, and move the sums by it and by what it changes in the debt."""
        path = recharged(asked.path, path, asked.call)
        self._account = self._account.moved(
            self.bound,
            spent=spent,
            reference=reference,
            debt=debt_pico(path, debt_prices(asked.reference)) - asked.debt_pico,
            reserved=reserved,
            cause="overrun" if asked.call.plans.ours else "unmarked",
        )
        self._prefixes.keep(asked.reference, path, asked.call.now_ms)
