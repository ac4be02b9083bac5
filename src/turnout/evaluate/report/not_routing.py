"""What the same calls would have cost on the most capable candidate alone: the line that routing is held against.

It is computed, not measured, from what the ledger holds of each call: the prompt's blocks with their hashes and cache
points, and the usage that was reported. The calls are gone through in their order, with a cache of the most capable
model that holds what those calls would have left in it (and what was believed warm before the run), under its own
floors, TTLs and prices. No classifier is asked. A call that the capable model did serve counts at what it did cost,
unless the calls before it would have left more in the cache than it found.

Assumptions: the capable model would have made as many calls, and answered each as long as the model that did; its
prompt has the tokens that were reported, times the ratio of the two models' tokenizers. A call whose tokens are not
known, or that the capable model could not have served, counts at what it did cost. How good the answers would have been
is not known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from turnout.core.cache import CacheEntry, CacheState, after_call
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.evaluate.counterfactual import paired, prompt_on, usage_on
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.store import selection
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter

_TOLERANCE = 0.1
"""How far our counts of tokens may be from those that a provider reports."""


class NotRouting(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would have cost on the most capable candidate alone.

    Attributes:
        model: That candidate's catalog id.
        turns: For each turn by id, what it would have cost, in pico-USD.
        calls: How many calls for an answer were looked at.
        kept: How many of them count at what they did cost, as nothing else could be computed.
    """

    model: str
    turns: dict[str, int]
    calls: int
    kept: int


def not_routing(ledger: Ledger, run: str, advance: Callable[[int], None] = lambda events: None) -> NotRouting | None:
    """What a run would have cost on its most capable candidate alone; none where nothing was routed.

    Args:
        ledger: Holds the run.
        run: Its name.
        advance: Is told how many decisions were read.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    calls: defaultdict[str, list[CallEvent]] = defaultdict(list)
    for batch in selection.calls(ledger, Filter(run=run)):
        for call in batch:
            if call.role == "answer":
                calls[call.turn_id].append(call)
    routed = False
    # The decisions of one turn may be written between those of another, so they are gathered by turn first.
    gathered: defaultdict[str, list[DecisionEvent]] = defaultdict(list)
    for decisions in selection.decisions(ledger, Filter(run=run)):
        for decision in decisions:
            gathered[decision.turn_id].append(decision)
            routed = routed or len(decision.given.policy.candidates) > 1
        advance(len(decisions))
    if not routed:
        return None
    pairs = [pair for turn_id, turn in gathered.items() for pair in _paired(calls[turn_id], turn)]
    pairs.sort(key=lambda pair: (pair[0].started_ms, pair[0].event_id))
    return _priced(pairs)


def _paired(calls: list[CallEvent], decisions: list[DecisionEvent]) -> Iterable[tuple[CallEvent, DecisionEvent]]:
    """Each call of a turn with the decision that it follows."""
    return paired(calls, [one for one in decisions if one.decision.model is not None])


def _priced(pairs: list[tuple[CallEvent, DecisionEvent]]) -> NotRouting | None:
    if not pairs:
        return None
    turns: defaultdict[str, int] = defaultdict(int)
    cache: dict[str, CacheEntry] = {}
    model, kept = "", 0
    for call, decision in pairs:
        given = decision.given
        model = max(given.policy.candidates, key=lambda candidate: candidate.rank).model
        cost_pico = _cost(call, given, model, cache)
        if cost_pico is None:
            kept += 1
            cost_pico = call.cost.total_pico
        turns[call.turn_id] += cost_pico
    return NotRouting(model=model, turns=dict(turns), calls=len(pairs), kept=kept)


def _cost(call: CallEvent, given: DecisionInput, model_id: str, cache: dict[str, CacheEntry]) -> int | None:
    """What the call would have cost on that model; ``cache`` is what it holds, and is brought up to date."""
    if call.usage_source != "reported" or call.model not in given.catalog:
        return None
    alone = msgspec.structs.replace(given.request, pin=model_id, hard_stay=None)
    decision = decide(msgspec.structs.replace(given, request=alone, failed=()))
    if decision.model is None:
        return None
    model = given.catalog[model_id]
    prompt = prompt_on(call, given, model, given.catalog[call.model])
    if prompt is None:
        return None
    believed = given.cache_of(model_id).warm_entries(call.started_ms)
    known = [cache.get(known) or believed.get(known) for known in prompt.prefix_hashes]
    state = CacheState(tuple(entry for entry in known if entry is not None))
    plan, rules = decision.cache_plan, model.cache
    usage = usage_on(prompt, plan, rules, state, call.started_ms, call.usage.output_tokens)
    left = after_call(prompt, plan, rules, state, call.started_ms)
    cache.update({entry.prefix_hash: entry for entry in left.entries})
    if call.model == model_id and usage.cache_read_tokens <= call.usage.cache_read_tokens * (1 + _TOLERANCE):
        return call.cost.total_pico
    return cost_of(usage, model.price).total_pico
