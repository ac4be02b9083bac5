"""One side of a plan, played on the recorded decisions: it decides each anew, and bears what follows from that.

What a decision was made from is taken as it was stored, but for what the side itself changes: its policy and prices,
what is warm where it decided otherwise before (`turnout.evaluate.plan.overlay`), which model serves a session, and what
the session has spent. A side whose rules are those that decided, and that has not decided otherwise, is given the
stored input itself, so that its decisions are the stored ones to the byte and its costs are those of the ledger.

Held as recorded: conversations, calls a turn, verdicts (corrected where ``simple_share`` changes), learned statistics,
breakers, failures of the model that was called. A hard stay binds to the model that the side serves the session with.
Pins and the models that a key may use keep their names. A request that named a preset or a route is decided by that
preset or route of the side.

Known limitations: where the classifier would be asked and was not, there is no verdict: the most capable model is taken
to serve, and the low end to be its cheapest candidate. Where two sides differ and one has a spend bound, its account
starts empty with the window. Whether another model's history would bind it is not known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from turnout.classify.calibrate import with_share
from turnout.core.cache import CacheState, after_call
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import Decision, DecisionInput, Estimate, SessionView
from turnout.core.policy import Policy, Reason
from turnout.core.request import HardStay, Request
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.verdict import Verdict
from turnout.evaluate.counterfactual import prompt_on, ratio_of, usage_on
from turnout.evaluate.plan.costs import NOTHING, Spend, as_recorded, estimated, exactly, kept
from turnout.evaluate.plan.naming import Naming
from turnout.evaluate.plan.overlay import Overlay
from turnout.evaluate.plan.recorded import Recorded, Window
from turnout.evaluate.plan.sides import Side
from turnout.sessions.horizon import HorizonLearner, Prefixes
from turnout.sessions.memory import reported_state
from turnout.sessions.spend_bound import BoundKeeper
from turnout.trace.events import CallEvent, DecisionEvent

_Value = TypeVar("_Value")

_MOST_SESSIONS = 100_000
_OFF = 2
"""How far the expected cost of a turn is taken to be off where no call was recorded, either way."""


class Served(NamedTuple):
    """What a side makes of one decision.

    Attributes:
        model: Who serves; none: it is refused.
        reason: Why, from the closed list.
        spend: What the answer and the classifier cost.
        classifier_pico: The classifier's part of it.
        kept: Whether a cost stands as recorded since nothing else could be reckoned.
        unjudged: Whether a classifier would be asked that was not.
        switched: Whether another model served the session before.
        p: The chance that the answer suffices, as the classifier has it; 1 for the most capable; none: not known.
        verdict_p: The verdict's probability for the lowest-ranked candidate, by which grades are grouped.
    """

    model: str | None
    reason: str
    spend: Spend
    classifier_pico: int = 0
    kept: bool = False
    unjudged: bool = False
    switched: bool = False
    p: float | None = None
    verdict_p: float | None = None


class _Open(NamedTuple):
    """A decision whose answer is that of a later, recorded one: the recorded model had failed."""

    given: DecisionInput
    decision: Decision


class Recent(Generic[_Value]):
    """A mapping that forgets what was set longest ago."""

    def __init__(self, most: int = _MOST_SESSIONS) -> None:
        self._most = most
        self._values: OrderedDict[tuple[str, str], _Value] = OrderedDict()

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Whether the key is there."""
        return key in self._values

    def get(self, key: tuple[str, str], default: _Value) -> _Value:
        """The value of a key."""
        return self._values.get(key, default)

    def put(self, key: tuple[str, str], value: _Value) -> None:
        """Set a value."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def pop(self, key: tuple[str, str]) -> _Value | None:
        """Forget a key; its value, or none."""
        return self._values.pop(key, None)


class Again:
    """The newest stored decision made again: two sides that both decide by what is stored ask once."""

    def __init__(self) -> None:
        self._known: tuple[str, Decision] = ("", Decision(model=None, reason=Reason.NO_VERDICT, estimates=()))

    def __call__(self, event: DecisionEvent) -> Decision:
        """The decision on an event's own input."""
        if self._known[0] != event.event_id:
            self._known = event.event_id, decide(event.given)
        return self._known[1]


class Player:
    """Plays one side.

    Args:
        side: What routes.
        window: What it is played on.
        naming: Tells which preset or route a request was decided by.
        held_markers: Whether cache points stand as doors recorded them: both sides say the same of them.
        own_account: Whether a spend bound keeps an account of its own, instead of what was recorded of one.
        again: Makes stored decisions again; shared by the sides of a plan.
    """

    def __init__(
        self, side: Side, window: Window, naming: Naming, *, held_markers: bool, own_account: bool, again: Again
    ) -> None:
        self._side = side
        self._held_markers = held_markers
        self._again = again
        self._naming = naming
        self._models = tuple(candidate.model for candidate in side.policy.candidates)
        self._rules: dict[str, Policy] = {}
        self._overlay = Overlay()
        self._current: Recent[str | None] = Recent()
        self._spent: Recent[int] = Recent()
        self._open: Recent[_Open] = Recent()
        self._keeper = BoundKeeper(side.bound) if side.bound is not None and own_account else None
        as_known = all(
            one.horizon == "session" and {item.model for item in one.candidates} <= set(self._models)
            for one in window.policies
        )
        self._horizons = HorizonLearner() if side.policy.horizon == "session" and not as_known else None

    def play(self, one: Recorded) -> Served:
        """Decide a recorded decision anew, and say what it costs."""
        event = one.event
        session, turn = (event.run, event.session_id), (event.run, event.turn_id)
        opened = self._open.pop(turn)
        if opened is not None and event.given.failed:
            given, decision = opened
        else:
            given = self.given_for(event)
            decision = self._again(event) if given is event.given else decide(given)
        answer = _answer(one.answers)
        classifier, unjudged = self._classified(one, given, decision)
        spend, was_kept = self._spend(one, given, decision, answer)
        if unjudged:
            spend = _with_cheapest(spend, decision)
        if answer is None and decision.model is not None and decision.model != event.decision.model:
            self._open.put(turn, _Open(given, decision))
        self._learn(one, given, decision, answer, session, spend + classifier)
        before = given.session.current_model
        return Served(
            model=decision.model,
            reason=decision.reason.value,
            spend=spend + classifier,
            classifier_pico=classifier.pico,
            kept=was_kept,
            unjudged=unjudged,
            switched=decision.model is not None and before is not None and before != decision.model,
            p=_suffices(given.verdict, decision),
            verdict_p=_verdict_p(given.verdict, self._side.policy),
        )

    # What a decision is made from.

    def given_for(self, event: DecisionEvent) -> DecisionInput:
        """What the side decides from: the stored input itself where nothing is otherwise on this side."""
        then, session = event.given, (event.run, event.session_id)
        hashes = [segment.prefix_hash for segment in then.request.segments]
        policy = self._rules_for(then.policy)
        models = [candidate.model for candidate in policy.candidates]
        same_prices = then.catalog.content_hash == self._side.catalog.content_hash
        changes: dict[str, object] = {}
        if policy is not then.policy:
            changes["policy"] = policy
        if not same_prices:
            changes["catalog"] = self._side.catalog
        caches = {
            model: self._overlay.state(model, then.cache_of(model), hashes, then.now_ms)
            for model in models
            if self._overlay.differs(model, hashes, then.now_ms)
        }
        if caches:
            changes["caches"] = {**then.caches, **caches}
        if session in self._current or self._spent.get(session, 0):
            changes["session"] = SessionView(
                current_model=self._current.get(session, then.session.current_model),
                spent_pico=max(0, then.session.spent_pico + self._spent.get(session, 0)),
            )
        request = self._request(then.request, session)
        if request is not then.request:
            changes["request"] = request
        verdict = self._verdict(then.verdict, then.policy)
        if verdict is not then.verdict:
            changes["verdict"] = verdict
        statistics = _statistics(then.statistics, models)
        if statistics is not then.statistics:
            changes["statistics"] = statistics
        known = then.policy.horizon == "session" and {one.model for one in then.policy.candidates} == set(models)
        if self._horizons is not None and not known:
            changes["horizon"] = self._horizons.horizon(Prefixes.of(request), models, then.now_ms)
        if self._side.bound is None and then.bound is not None:
            changes["bound"] = None
        given = msgspec.structs.replace(then, **changes) if changes else then
        if self._keeper is not None:
            given = msgspec.structs.replace(given, bound=None)
            given = msgspec.structs.replace(given, bound=self._keeper.view(given, _turn(event)))
        return given

    def _rules_for(self, then: Policy) -> Policy:
        """The side's policy for a request that was decided by ``then``."""
        known = self._rules.get(then.content_hash)
        if known is not None:
            return then if known == then else known
        policy, changes = self._side.policy_named(self._naming.of(then)), dict[str, object]()
        if self._held_markers and (then.markers != "manage" or policy.horizon == "session"):
            changes |= {"markers": then.markers, "fill_ttl": then.fill_ttl}
        if set(then.candidates) == set(policy.candidates):
            changes["candidates"] = then.candidates
        known = self._rules[then.content_hash] = msgspec.structs.replace(policy, **changes)
        return then if known == then else known

    def _request(self, request: Request, session: tuple[str, str]) -> Request:
        """The request, with its hard stay on the model that this side serves the session with."""
        stay = request.hard_stay
        current = self._current.get(session, None if stay is None else stay.model)
        changes: dict[str, object] = {}
        if stay is not None and current != stay.model:
            changes["hard_stay"] = None if current is None else HardStay(current, stay.cause)
        if stay is not None and current not in self._models:
            changes["hard_stay"] = None
        if session in self._current and request.history:
            changes["history"] = tuple([fit for fit in request.history if fit.model != current])
        return msgspec.structs.replace(request, **changes) if changes else request

    def _verdict(self, verdict: Verdict | None, then: Policy) -> Verdict | None:
        if self._side.lock.classifier.kind == "none":
            return None
        share = self._side.policy.simple_share
        if verdict is None or verdict.p_simple is None or share == then.simple_share or verdict.basis != "label":
            return verdict
        p = with_share(verdict.p_simple, set_share=then.simple_share, simple_share=share)
        return msgspec.structs.replace(verdict, p_simple=p)

    # What it costs.

    def _classified(self, one: Recorded, given: DecisionInput, decision: Decision) -> tuple[Spend, bool]:
        """What the classifier costs here, and whether it would be asked without ever having answered."""
        then = one.event.given
        if self._side.lock.classifier.kind == "none":
            return NOTHING, False
        if not one.classifier and then.verdict is not None:
            return NOTHING, False
        # What was asked as the input stands was asked, although the account of a bound has moved on since.
        as_stored = given is then or given == then
        if as_stored and not one.classifier:
            return NOTHING, False
        asks = as_stored or needs_verdict(given, decision.estimates)
        if then.verdict is None and not one.classifier:
            return NOTHING, asks
        return (self._prices_of(one.classifier, then), False) if asks else (NOTHING, False)

    def _prices_of(self, calls: Sequence[CallEvent], then: DecisionInput) -> Spend:
        total = NOTHING
        for call in calls:
            if call.model in self._side.prices:
                was = then.catalog[call.model].price if call.model in then.catalog else None
                total += as_recorded(call, self._side.prices[call.model].price, was)
            else:
                exact = call.usage_source == "reported" and call.cost_high_pico <= call.cost.total_pico
                total += exactly(call.cost.total_pico) if exact else kept(call)
        return total

    def _spend(
        self, one: Recorded, given: DecisionInput, decision: Decision, answer: CallEvent | None
    ) -> tuple[Spend, bool]:
        """What the answer costs, and whether that is what it did cost for want of anything better."""
        event = one.event
        then, stored = event.given, event.decision
        if decision.model is None:
            return NOTHING, False
        if stored.model is None:
            return _expected(decision.estimate(decision.model)), False
        model = given.catalog[decision.model]
        if decision.model == stored.model and (answer is None or self._as_stored(event, given, decision, answer)):
            was = then.catalog[stored.model].price
            total = NOTHING
            for call in one.answers:
                total += as_recorded(call, model.price, was) if call.model == model.id else kept(call)
            return total, False
        if answer is None:
            return NOTHING, False
        known = answer.usage_source in ("reported", "partial") and answer.usage.prompt_tokens > 0
        if not known or answer.model not in then.catalog:
            return kept(answer), True
        served = then.catalog[answer.model]
        prompt = prompt_on(answer, _knowing(given, then), model, served)
        if prompt is None:
            return kept(answer), True
        state = given.cache_of(model.id)
        spend = estimated(answer, _knowing(given, then), model, served, prompt, decision.cache_plan, state)
        if decision.model == stored.model:
            for call in one.answers:
                if call is not answer and call.model == model.id:
                    spend += as_recorded(call, model.price, served.price)
        return spend, False

    def _as_stored(self, event: DecisionEvent, given: DecisionInput, decision: Decision, answer: CallEvent) -> bool:
        """Whether a call to the recorded model reads and writes what it did."""
        then, stored = event.given, event.decision
        assert decision.model is not None, "it is that of a call"
        before, now = then.cache_of(decision.model), given.cache_of(decision.model)
        if decision.cache_plan == stored.cache_plan and before == now:
            return True
        model = given.catalog[decision.model]
        prompt = prompt_on(answer, then, then.catalog[decision.model], then.catalog[decision.model])
        if prompt is None:
            return True
        plans = ((stored.cache_plan, before), (decision.cache_plan, now))
        one, other = (usage_on(prompt, plan, model.cache, state, answer.started_ms, 0) for plan, state in plans)
        return one == other

    # What it leaves.

    def _learn(
        self,
        one: Recorded,
        given: DecisionInput,
        decision: Decision,
        answer: CallEvent | None,
        session: tuple[str, str],
        spend: Spend,
    ) -> None:
        event = one.event
        if decision.model == event.decision.model:
            if session in self._current:
                self._current.pop(session)
        else:
            self._current.put(session, decision.model or given.session.current_model)
        cost = sum([call.cost.total_pico for call in (*one.answers, *one.classifier)])
        if spend.pico != cost:
            self._spent.put(session, self._spent.get(session, 0) + spend.pico - cost)
        if decision.model is not None and answer is not None:
            if self._horizons is not None:
                self._horizons.called(Prefixes.of(given.request), decision.model, answer.started_ms)
            self._warm(event, given, decision, answer)
        if (
            self._keeper is not None
            and self._keeper.begin(given, decision, _turn(event))
            and decision.model is not None
        ):
            ends = answer is None or answer.finish_reason != "tool_use"
            usage = None if answer is None or answer.usage_source != "reported" else answer.usage
            self._keeper.finish(_turn(event), usage, spend.pico, ends_turn=ends)

    def _warm(self, event: DecisionEvent, given: DecisionInput, decision: Decision, answer: CallEvent) -> None:
        """Note where what is warm now is not what was recorded."""
        then, stored = event.given, event.decision
        own_id, their_id = decision.model, stored.model
        assert own_id is not None, "it is that of a call"
        hashes = [segment.prefix_hash for segment in then.request.segments]
        same = own_id == their_id and decision.cache_plan == stored.cache_plan
        if same and not self._overlay.differs(own_id, hashes, then.now_ms):
            return
        at_ms = answer.started_ms
        theirs: dict[str, CacheState] = {}
        if their_id is not None and their_id in then.catalog:
            theirs[their_id] = _left(then, stored, their_id, answer, then.cache_of(their_id))
        model = given.catalog[own_id]
        prompt = given.request.prompt_for(ratio_of(given, model))
        if same:
            own = _left(given, decision, own_id, answer, given.cache_of(own_id))
        else:
            own = after_call(prompt, decision.cache_plan, model.cache, given.cache_of(own_id), at_ms)
        self._overlay.settle(own_id, own, theirs.get(own_id, then.cache_of(own_id)), hashes, at_ms)
        if their_id is not None and their_id != own_id and their_id in self._models:
            self._overlay.settle(their_id, given.cache_of(their_id), theirs[their_id], hashes, at_ms)


def _left(given: DecisionInput, decision: Decision, model_id: str, answer: CallEvent, state: CacheState) -> CacheState:
    """What a call to the model that was recorded left warm, as the router that made it believed."""
    model = given.catalog[model_id]
    prompt = given.request.prompt_for(ratio_of(given, model))
    if answer.usage_source == "reported":
        return reported_state(state, prompt, decision.cache_plan, model, answer.usage, answer.started_ms)
    return after_call(prompt, decision.cache_plan, model.cache, state, answer.started_ms)


def _answer(calls: Sequence[CallEvent]) -> CallEvent | None:
    """The call that answered: the last that ended well, else the last that reported something."""
    for call in reversed(calls):
        if call.status == "ok":
            return call
    for call in reversed(calls):
        if call.usage_source in ("reported", "partial") and call.usage.prompt_tokens:
            return call
    return None


def _knowing(given: DecisionInput, then: DecisionInput) -> DecisionInput:
    """The side's input, with what was learned of the recorded models beside that of its own."""
    if given.statistics is then.statistics:
        return given
    models = {**then.statistics.models, **given.statistics.models}
    return msgspec.structs.replace(given, statistics=Statistics(models))


def _statistics(known: Statistics, models: Sequence[str]) -> Statistics:
    """What was learned, with the mean of all for a model that nothing was learned of."""
    missing = [model for model in models if model not in known.models]
    if not missing or not known.models:
        return known
    learned = list(known.models.values())
    weights = [one.calls + 1 for one in learned]

    def mean(name: str) -> float:
        values: list[float] = [getattr(one, name) for one in learned]
        return sum([value * weight for value, weight in zip(values, weights, strict=True)]) / sum(weights)

    alike = ModelStatistics(
        output_tokens=mean("output_tokens"),
        calls_per_turn=max(1.0, mean("calls_per_turn")),
        growth_tokens=mean("growth_tokens"),
    )
    return Statistics({**known.models, **dict.fromkeys(missing, alike)})


def _expected(estimate: Estimate) -> Spend:
    """What a turn is expected to cost of which no call was recorded."""
    pico = 0 if estimate.expected is None else estimate.expected.cost_pico
    return Spend(pico, pico // _OFF, pico * _OFF, 0)


def _with_cheapest(spend: Spend, decision: Decision) -> Spend:
    """The ends of a cost where a verdict could have chosen any eligible candidate."""
    costs: Mapping[str, int] = {one.model: one.expected.cost_pico for one in decision.estimates if one.expected}
    chosen = costs.get(decision.model or "", 0)
    if not chosen:
        return spend
    low = int(spend.low_pico * min(1.0, min(costs.values()) / chosen))
    high = int(spend.high_pico * max(1.0, max(costs.values()) / chosen))
    return Spend(spend.pico, low, high, 0)


def _suffices(verdict: Verdict | None, decision: Decision) -> float | None:
    """The chance that the chosen model's answer suffices, as far as the classifier says."""
    if decision.model is None:
        return None
    most_capable = next((one.model for one in decision.estimates if one.eligible), None)
    if verdict is not None and verdict.basis == "outcome" and decision.model in verdict.p_suffices:
        return verdict.p_suffices[decision.model]
    if decision.model == most_capable:
        return 1.0
    return None if verdict is None or verdict.basis == "outcome" else verdict.p_simple


def _verdict_p(verdict: Verdict | None, policy: Policy) -> float | None:
    if verdict is None or verdict.failure is not None:
        return None
    return verdict.p_suffices.get(policy.ranked[-1].model) if verdict.basis == "outcome" else verdict.p_simple


def _turn(event: DecisionEvent) -> str:
    return f"{event.run}/{event.turn_id}"
