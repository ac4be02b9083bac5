"""What is compared: policies behind one protocol, each deciding through `turnout.core.decide`.

The simple ones are habits that people have: a pin for each call, and a cache point at the end of every prompt or
nowhere. Turnout's own learn from what they see of the trace, in order, and know nothing of what is to come.

No policy serves a complex verdict with the cheap model: the core's bar sees to it, and no pin asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from turnout.core.cache import CacheEntry, CacheState, Ttl
from turnout.core.catalog import Model
from turnout.core.decide import decide
from turnout.core.decision import Decision, DecisionInput, SessionView
from turnout.core.horizon import NO_HORIZON, Horizon
from turnout.core.policy import Candidate, Policy
from turnout.core.request import HardStay, Segment
from turnout.core.spend_bound import SpendBound
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.evaluate.replay.arrivals import Arrival
from turnout.evaluate.replay.bounded import Bounded
from turnout.evaluate.replay.conditions import Catalogs, Conditions
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.provider import Mark, SimulatedCache
from turnout.evaluate.replay.requests import ReplayRequest
from turnout.messages.portability.safety import safe_to_switch
from turnout.sessions.horizon import HorizonLearner
from turnout.sessions.learning import ModelLearner

Marking = Literal["ends", "none", "recorded"]
"""Where a request's own cache points stand: at the end of its head and of all that can come back, as agents place
them; nowhere; or where they were recorded."""


StayCause = Literal["tool_loop", "bound_state"]
"""Why a model must go on serving; those of `HardStay`."""

_TTL: Ttl = "5m"


class RefusedReplayError(TraceError):
    """A call that a decision refused; the message names each candidate's reason."""


class Choice(NamedTuple):
    """Who serves a call, where its cache points stand (indices of blocks), and the decision behind it."""

    model: str
    marks: tuple[Mark, ...]
    decision: Decision


class ReplayPolicy(Protocol):
    """Serves the calls of a trace, one after the other."""

    name: str
    bounded: Bounded | None

    def choose(self, arrival: Arrival, verdict: Verdict) -> Choice:
        """Say who serves a call, before anything of its answer is known."""

    def called(self, arrival: Arrival, choice: Choice, usage: Usage) -> None:
        """Learn how the call went."""


class Pin(Protocol):
    """Names the model of a call, or none where the core is to choose."""

    def __call__(self, arrival: Arrival, verdict: Verdict) -> str | None:
        """The model."""


class Always:
    """One model for all calls."""

    def __init__(self, model: str) -> None:
        self._model = model

    def __call__(self, arrival: Arrival, verdict: Verdict) -> str:
        """That model."""
        return self._model


class ByVerdict:
    """The cheap model for a simple verdict, the capable one for a complex one, whatever is warm (v4)."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions

    def __call__(self, arrival: Arrival, verdict: Verdict) -> str:
        """The model of the verdict."""
        return self._conditions.cheap if verdict.label == "simple" else self._conditions.capable


class Sticky:
    """As `ByVerdict`, but a session that had a complex verdict stays with the capable model: up, never down."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._up: set[str] = set()

    def __call__(self, arrival: Arrival, verdict: Verdict) -> str:
        """The model of the session."""
        if verdict.label != "simple":
            self._up.add(arrival.request.session)
        return self._conditions.capable if arrival.request.session in self._up else self._conditions.cheap


class Free:
    """Leaves the choice to the core."""

    def __call__(self, arrival: Arrival, verdict: Verdict) -> None:
        """No model."""


class CorePolicy:
    """Decides each call through the core.

    Args:
        name: What tables call it.
        conditions: Models and conventions.
        pin: Names the model, or leaves it to the core.
        marking: Where a request's own cache points stand.
        policy: The core's rules; none: the candidates, priced over the call alone, with the request's own points.
        looks_ahead: Whether it learns what comes back, and decides with a horizon.
        stays: Whether it stays with its model inside a tool loop, as Turnout's doors do.
        bound: How much may be spent; none: spending is not bound.
    """

    def __init__(
        self,
        name: str,
        conditions: Conditions,
        pin: Pin,
        *,
        marking: Marking = "ends",
        policy: Policy | None = None,
        looks_ahead: bool = False,
        stays: bool = False,
        bound: SpendBound | None = None,
    ) -> None:
        self.name = name
        self.bounded = None if bound is None else Bounded(bound, conditions)
        self._conditions = conditions
        self._catalogs = Catalogs(conditions)
        self._pin = pin
        self._marking: Marking = marking
        self._models = (conditions.capable, conditions.cheap)
        self._policy = policy or Policy(candidates=candidates_of(conditions), adapt=True)
        self._believed = conditions.caches(real=False)
        self._blind = not isinstance(pin, Free)
        self._horizons = HorizonLearner() if looks_ahead else None
        self._stays = stays
        self._current: dict[str, str] = {}
        self._learners = {model: ModelLearner() for model in self._models}
        self._all = ModelLearner()

    def choose(self, arrival: Arrival, verdict: Verdict) -> Choice:
        """Decide one call."""
        marks = own_marks(arrival, self._marking)
        horizon = NO_HORIZON
        if self._horizons is not None:
            horizon = self._horizons.horizon(arrival.prefixes, self._models, arrival.now_ms)
        pin = self._pin(arrival, verdict)
        try:
            return self.decide(arrival, verdict, marks, horizon, pin=pin)
        except RefusedReplayError:
            if pin != self._conditions.cheap:
                raise
            # Who has the habit and a model that cannot serve takes the other one.
            return self.decide(arrival, verdict, marks, horizon, pin=self._conditions.capable)

    def decide(
        self, arrival: Arrival, verdict: Verdict, marks: Sequence[Mark], horizon: Horizon, *, pin: str | None
    ) -> Choice:
        """Decide one call with these cache points and that horizon.

        Raises:
            RefusedReplayError: No candidate, or not the pinned one, can serve it.
        """
        request = arrival.request
        caches = {} if self._blind else self._believed
        kept = list(range(len(arrival.hashes)))
        if self._conditions.grain == "blocks":
            if self.bounded is not None:
                # An account can follow what is written only to where prompts part or end.
                followed = [one for one in horizon.prefixes if one.segment in arrival.boundaries]
                horizon = msgspec.structs.replace(horizon, prefixes=tuple(followed))
            ends = [index for index, _ in marks] + [one.segment for one in horizon.prefixes]
            kept = sorted({*arrival.boundaries, *ends})
        segments = _marked(arrival.joined(kept), kept, marks)
        place = {index: number for number, index in enumerate(kept)}
        known = horizon.prefixes
        if known:
            moved = tuple([msgspec.structs.replace(one, segment=place[one.segment]) for one in known])
            horizon = msgspec.structs.replace(horizon, prefixes=moved)
        current = self._current.get(request.session)
        stay = self._stay(request, current)
        given = DecisionInput(
            request=request.request(segments, pin=None if stay else pin, stay=stay),
            policy=self._policy,
            catalog=self._catalogs.for_prompt(arrival.tokens),
            now_ms=arrival.now_ms,
            verdict=verdict,
            caches={model: _state(cache, arrival, kept) for model, cache in caches.items()},
            session=SessionView(current_model=current),
            statistics=self._statistics(arrival),
            horizon=horizon,
        )
        if self.bounded is not None:
            given = self.bounded.viewed(arrival, given)
        decision = decide(given)
        if decision.model is None:
            whys = "; ".join(f"{one.model}: {', '.join(one.ineligible) or 'eligible'}" for one in decision.estimates)
            raise RefusedReplayError(f"call {arrival.index + 1} of the trace was refused ({decision.reason}): {whys}")
        if self.bounded is not None:
            self.bounded.begins(arrival, given, decision, kept)
        plan = decision.cache_plan
        return Choice(decision.model, tuple([(kept[one.segment], one.ttl) for one in plan.markers]), decision)

    def called(self, arrival: Arrival, choice: Choice, usage: Usage) -> None:
        """Believe what the call left warm, and learn from it."""
        request, model = arrival.request, choice.model
        if self.bounded is not None:
            self.bounded.called(arrival, model, usage)
        if not self._blind:
            self._believe(arrival, choice, usage)
        if self._horizons is not None:
            self._horizons.called(arrival.prefixes, model, arrival.now_ms)
        self._current[request.session] = model
        if not self._conditions.recorded_output:
            for learner in (self._learners[model], self._all):
                learner.call(
                    prompt_tokens=0,
                    reference_tokens=0,
                    output_tokens=usage.output_tokens,
                    opens_turn=not request.in_tool_loop,
                )

    def _stay(self, request: ReplayRequest, current: str | None) -> HardStay | None:
        if not self._stays or current is None:
            return None
        models = self._conditions.catalog
        other = self._conditions.cheap if current == self._conditions.capable else self._conditions.capable
        cause = stay_cause(request, models[current], models[other])
        return None if cause is None else HardStay(current, cause)

    def warm_end(self, model: str, arrival: Arrival) -> int:
        """The last block of a prompt that is believed warm on a model; -1 where nothing is."""
        cache = self._believed[model]
        for index in range(arrival.request.whole, -1, -1):
            if cache.warm(arrival.hashes[index], arrival.now_ms) is not None:
                return index
        return -1

    def _believe(self, arrival: Arrival, choice: Choice, usage: Usage) -> None:
        believed = self._believed[choice.model]
        if self._conditions.lost and choice.marks:
            reached = choice.marks[-1][0] + 1
            gone = [
                prefix_hash
                for prefix_hash, end in zip(arrival.hashes[:reached], arrival.ends, strict=False)
                if end > usage.cache_read_tokens
            ]
            believed.drop(gone)
        believed.call(arrival.hashes, arrival.ends, choice.marks, usage.output_tokens, arrival.now_ms)

    def _statistics(self, arrival: Arrival) -> Statistics:
        if self._conditions.recorded_output:
            known = ModelStatistics(output_tokens=arrival.request.output_tokens)
            return Statistics(dict.fromkeys(self._models, known))
        prior = self._all.snapshot()
        return Statistics({model: learner.snapshot(prior) for model, learner in self._learners.items()})


def stay_cause(request: ReplayRequest, source: Model, target: Model) -> StayCause | None:
    """Why another model may not be chosen for a call than the one before; none where it may.

    Where the trace has text, the history itself is asked (`turnout.messages.portability.safe_to_switch`); else what was
    recorded counts. A trace that has neither binds nothing.

    Args:
        request: The call.
        source: The model that served the session's call before.
        target: The model that would serve this one.
    """
    if source.id == target.id:
        return None
    if request.conversation is not None:
        cause = safe_to_switch(request.conversation, source, target).cause
        if cause is not None:
            return cause
    if request.in_tool_loop:
        return "tool_loop"
    return None if request.hard_stay is None else request.hard_stay.cause


def candidates_of(conditions: Conditions) -> tuple[Candidate, Candidate]:
    """The pair as candidates."""
    return Candidate(conditions.cheap, 0), Candidate(conditions.capable, 1)


def own_marks(arrival: Arrival, marking: Marking) -> tuple[Mark, ...]:
    """Where the cache points stand that a request brings by itself."""
    if marking == "recorded":
        segments = arrival.request.segments
        return tuple([(index, one.marker) for index, one in enumerate(segments) if one.marker is not None])
    ends = {arrival.prefixes.head, arrival.request.whole} if marking == "ends" else set()
    return tuple([(index, _TTL) for index in sorted(ends) if 0 <= index <= arrival.request.whole])


def _marked(segments: tuple[Segment, ...], kept: Sequence[int], marks: Sequence[Mark]) -> tuple[Segment, ...]:
    if not marks:
        return segments
    ttls = dict(marks)
    return tuple(
        [
            msgspec.structs.replace(segment, marker=ttls[index]) if index in ttls else segment
            for index, segment in zip(kept, segments, strict=True)
        ]
    )


def _state(cache: SimulatedCache, arrival: Arrival, kept: Sequence[int]) -> CacheState:
    entries = []
    for index in kept:
        prefix_hash = arrival.hashes[index]
        warm = cache.warm(prefix_hash, arrival.now_ms)
        if warm is not None:
            entries.append(CacheEntry(prefix_hash=prefix_hash, ttl=warm.ttl, expires_ms=warm.expires_ms))
    return CacheState(tuple(entries))
