"""What the ledger knows of requests that were served: model, tokens, cost, and the verdict. It holds no text.

An id is that of a call, of a turn, of a decision (the gateway's ``x-turnout-request-id``) or of a query. One that
stands for several turns, or for a turn that several models answered, names no one answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import msgspec

from turnout.core.cost import pico_to_usd
from turnout.core.decision import Estimate
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.outcomes.convert.ledger import turns_of_decisions
from turnout.trace.events import CallEvent
from turnout.trace.store import selection
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter


@dataclass(slots=True)
class Fact:
    """One served answer.

    Attributes:
        models: The models that answered.
        turns: The turns that the id stands for.
        run: Its run.
        session_id: Its session.
        input_tokens: Tokens of its prompts.
        output_tokens: Tokens of its answers.
        pico: What they cost, in pico-USD.
        exact: Whether that is known from the provider.
        simulated: Whether a model was simulated.
        p: The verdict's probability that the cheap model suffices; none: there was no verdict.
    """

    models: set[str] = field(default_factory=set)
    turns: set[str] = field(default_factory=set)
    run: str = ""
    session_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    pico: int = 0
    exact: bool = True
    simulated: bool = False
    p: float | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether the id names no one answer."""
        return len(self.models) > 1 or len(self.turns) > 1

    def add(self, call: CallEvent) -> None:
        """Count a call for the answer."""
        usage = call.usage
        self.models.add(call.model)
        self.turns.add(call.turn_id)
        self.run, self.session_id = call.run, call.session_id
        self.input_tokens += usage.prompt_tokens
        self.output_tokens += usage.output_tokens
        self.pico += call.cost.total_pico
        self.exact &= call.usage_source == "reported"
        self.simulated |= call.simulated


def facts_of(ledger: Ledger, ids: AbstractSet[str], *, run: str | None, cheap: str) -> dict[str, Fact]:
    """What the ledger has of these ids; one that it lacks is not there.

    Args:
        ledger: The ledger.
        ids: Of calls, turns or queries.
        run: Only calls of this run.
        cheap: The model whose probability is wanted.

    Raises:
        LedgerError: It cannot be read.
    """
    aliases: dict[str, list[str]] = {}
    for decision, turn_id in turns_of_decisions(ledger, ids, run=run).items():
        aliases.setdefault(turn_id, []).append(decision)
    found: dict[str, Fact] = {}
    for batch in selection.calls(ledger, Filter(run=run)):
        for call in batch:
            if call.role != "answer" or call.status != "ok":
                continue
            names = {call.event_id, call.turn_id, call.query_id} & ids
            for name in names.union(aliases.get(call.turn_id, ())):
                found.setdefault(name, Fact()).add(call)
    for fact in found.values():
        for turn_id in fact.turns if not fact.ambiguous else ():
            for event in ledger.decisions(run=fact.run, turn=turn_id):
                p = _probability(event.decision.estimates, cheap)
                fact.p = fact.p if p is None else p
    return found


def with_fact(request: Request, fact: Fact) -> Request:
    """A request with what the ledger knows of it; what the file says itself stays."""
    usd = float(pico_to_usd(fact.pico)) if fact.exact else None
    [model] = fact.models
    known = msgspec.structs.replace(
        request,
        model=request.model or model,
        group=request.group or fact.session_id,
        p=fact.p if request.p is None else request.p,
    )
    if known.model != model:
        return known
    return msgspec.structs.replace(
        known,
        input_tokens=fact.input_tokens if request.input_tokens is None else request.input_tokens,
        output_tokens=fact.output_tokens if request.output_tokens is None else request.output_tokens,
        cost_usd=usd if request.cost_usd is None else request.cost_usd,
    )


def _probability(estimates: Iterable[Estimate], cheap: str) -> float | None:
    return next((one.p for one in estimates if one.model == cheap), None)
