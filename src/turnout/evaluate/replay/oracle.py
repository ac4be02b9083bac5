"""Policies that know the future, and a figure that no policy can fall below.

`Foresight` knows every later call and its verdict. It writes just as far as the prompt comes back, within 5 minutes, in
a call that its verdict sends to the same model; a simple call goes where it is cheapest right now. It can be carried
out, so what it costs bounds the best policy from above; it is not the best one, since it neither gives up a saving
now for a greater one later nor writes for 1 hour.

`lower_bound` bounds the best policy from below, by letting each block of each prompt choose model and cache for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from turnout.core.cache import TTL_MS, Ttl
from turnout.core.horizon import NO_HORIZON
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.evaluate.replay.arrivals import Arrival
from turnout.evaluate.replay.bounded import Bounded
from turnout.evaluate.replay.conditions import Conditions
from turnout.evaluate.replay.policies import Choice, CorePolicy, Free
from turnout.evaluate.replay.provider import Mark
from turnout.evaluate.replay.verdicts import Verdicts

_TTL: Ttl = "5m"
_MOST_STATES = 64


class Foresight:
    """Knows every later call and its verdict.

    Args:
        arrivals: All calls.
        verdicts: Their verdicts.
        conditions: Models and conventions.
        route: Whether simple calls may go to the cheap model; else all are served by the capable one, and only the
            writes know the future.
    """

    def __init__(
        self, arrivals: Sequence[Arrival], verdicts: Verdicts, conditions: Conditions, *, route: bool = True
    ) -> None:
        self.name = "foresight" if route else "capable-foresight"
        self._core = CorePolicy(self.name, conditions, Free(), stays=True)
        self.bounded: Bounded | None = None
        self._conditions = conditions
        self._route = route
        self._ends = _write_ends(arrivals, verdicts, conditions, route=route)

    def choose(self, arrival: Arrival, verdict: Verdict) -> Choice:
        """The cheapest right now of the models that may serve, each with the cache points that will pay."""
        both = self._route and verdict.label == "simple"
        models = (self._conditions.cheap, self._conditions.capable) if both else (self._conditions.capable,)
        choices = [self._on(model, arrival, verdict) for model in models]
        return min(choices, key=lambda choice: choice.decision.estimate(choice.model).priced_pico)

    def called(self, arrival: Arrival, choice: Choice, usage: Usage) -> None:
        """Keep the caches that it believes in."""
        self._core.called(arrival, choice, usage)

    def _on(self, model: str, arrival: Arrival, verdict: Verdict) -> Choice:
        end = max(self._ends[model][arrival.index], self._core.warm_end(model, arrival))
        marks: tuple[Mark, ...] = ((end, _TTL),) if end >= 0 else ()
        return self._core.decide(arrival, verdict, marks, NO_HORIZON, pin=model)


def _write_ends(
    arrivals: Sequence[Arrival], verdicts: Verdicts, conditions: Conditions, *, route: bool
) -> dict[str, list[int]]:
    """For each model and call the last block that comes back in time in a call that will go to that model."""
    models = (conditions.cheap, conditions.capable)
    ends = {model: [-1] * len(arrivals) for model in models}
    next_ms: dict[str, dict[str, int]] = {model: {} for model in models}
    within = TTL_MS[_TTL] + (1 if conditions.convention == "reference" else 0)
    for arrival in reversed(arrivals):
        whole = arrival.request.whole
        for model in models:
            coming = next_ms[model]
            for index in range(whole, -1, -1):
                if coming.get(arrival.hashes[index], within + arrival.now_ms) - arrival.now_ms < within:
                    ends[model][arrival.index] = index
                    break
        simple = verdicts.shown[arrival.index].label == "simple"
        own = next_ms[conditions.cheap if simple and route else conditions.capable]
        for prefix_hash in arrival.hashes:
            own[prefix_hash] = arrival.now_ms
    return ends


class _Rates(NamedTuple):
    """Pico-USD for one token of a call on one model; ``caches`` says whether its prompt can be cached at all."""

    model: int
    input: int
    read: int
    writes: tuple[tuple[int, int], ...]
    caches: bool


_State = tuple[int, int, int, int]
"""Until when a block is warm, and its TTL in milliseconds, on the cheap and on the capable model."""

_COLD: _State = (0, 0, 0, 0)


def lower_bound(
    arrivals: Sequence[Arrival],
    verdicts: Verdicts,
    conditions: Conditions,
    advance: Callable[[int], None] = lambda blocks: None,
) -> int:
    """Pico-USD that no policy can fall below on these calls, verdicts and conventions of a trace of blocks.

    Each block of each prompt takes the cheapest way of its own through all calls that hold it: which model serves it,
    and whether it is read, written for one TTL or the other, or sent plain. That leaves out what ties blocks together:
    one model serves a whole call, a prefix is cached from its start, and floors, but for prompts below a floor.

    Raises:
        ValueError: The conditions are not those of a trace of blocks, where a block is warm by itself.
    """
    if conditions.grain != "blocks":
        raise ValueError("the lower bound is that of a cache of blocks")
    total = 0
    touches: dict[str, list[tuple[int, tuple[_Rates, ...]]]] = {}
    lengths: dict[str, int] = {}
    for arrival, verdict in zip(arrivals, verdicts.shown, strict=True):
        allowed, output_pico = _rates(arrival, verdict, conditions)
        whole = arrival.request.whole
        rest = arrival.tokens - (arrival.ends[whole] if whole >= 0 else 0)
        total += output_pico * arrival.request.output_tokens + rest * min(rates.input for rates in allowed)
        for prefix_hash, segment in zip(arrival.hashes[: whole + 1], arrival.request.segments, strict=False):
            touches.setdefault(prefix_hash, []).append((arrival.now_ms, allowed))
            lengths[prefix_hash] = segment.tokens
    grace_ms = 1 if conditions.convention == "reference" else 0
    for number, (prefix_hash, block) in enumerate(touches.items(), 1):
        total += _cheapest_way(block, grace_ms) * lengths[prefix_hash]
        if number % 1000 == 0:
            advance(1000)
    return total


def _rates(arrival: Arrival, verdict: Verdict, conditions: Conditions) -> tuple[tuple[_Rates, ...], int]:
    """The rates of the models that may serve a call, and the least that a token of its answer costs."""
    models = (conditions.cheap, conditions.capable) if verdict.label == "simple" else (conditions.capable,)
    allowed, outputs = [], []
    for model_id in models:
        model = conditions.catalog[model_id]
        tier = model.price.tier_for(arrival.tokens)
        prices: dict[Ttl, int] = {"5m": tier.cache_write_5m_pico, "1h": tier.cache_write_1h_pico}
        allowed.append(
            _Rates(
                model=0 if model_id == conditions.cheap else 2,
                input=tier.input_pico,
                read=tier.cache_read_pico,
                writes=tuple([(TTL_MS[ttl], prices[ttl]) for ttl in model.cache.ttls]),
                caches=model.cache.mode != "none" and arrival.tokens >= model.cache.floor_tokens,
            )
        )
        outputs.append(tier.output_pico)
    return tuple(allowed), min(outputs)


def _cheapest_way(block: Sequence[tuple[int, tuple[_Rates, ...]]], grace_ms: int) -> int:
    """The least that one token of a block costs over all calls that hold it, in pico-USD."""
    if len(block) == 1:
        return min(rates.input for rates in block[0][1])
    states: dict[_State, int] = {_COLD: 0}
    for now_ms, allowed in block:
        reached: dict[_State, int] = {}
        for state, cost in states.items():
            for after, added in _ways(_still_warm(state, now_ms), now_ms, allowed, grace_ms):
                if cost + added < reached.get(after, 2**200):
                    reached[after] = cost + added
        states = reached if len(reached) <= _MOST_STATES else _optimistic(reached)
    return min(states.values())


def _ways(state: _State, now_ms: int, allowed: Sequence[_Rates], grace_ms: int) -> Iterator[tuple[_State, int]]:
    """What may be done with a block in one call: the state after it, and what its token costs."""
    for rates in allowed:
        at = rates.model
        if rates.caches and state[at]:
            yield _warm(state, at, now_ms + state[at + 1] + grace_ms, state[at + 1]), rates.read
            continue
        yield state, rates.input
        if rates.caches:
            for ttl_ms, price in rates.writes:
                yield _warm(state, at, now_ms + ttl_ms + grace_ms, ttl_ms), price


def _warm(state: _State, at: int, until_ms: int, ttl_ms: int) -> _State:
    return (until_ms, ttl_ms, state[2], state[3]) if at == 0 else (state[0], state[1], until_ms, ttl_ms)


def _still_warm(state: _State, now_ms: int) -> _State:
    cheap = state[:2] if state[0] > now_ms else (0, 0)
    capable = state[2:] if state[2] > now_ms else (0, 0)
    return (*cheap, *capable)


def _optimistic(states: Mapping[_State, int]) -> dict[_State, int]:
    """One state that is at least as good as each of many: the bound can only fall by it."""
    best = (max(state[0] for state in states), max(state[1] for state in states))
    other = (max(state[2] for state in states), max(state[3] for state in states))
    return {(*best, *other): min(states.values())}
