"""Recorded traffic for plans: a real router with a memory of its own, and a small provider that answers and bills.

Sessions come and go over some days, some with tool loops; the classifier may call a model; calls fail, are left, and
report nothing now and then. All of it follows a seed.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tests.trace.decided import NOW_MS
from turnout.config.catalog import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.config.policy_lock import LockedClassifier, lock_of
from turnout.core.catalog import Catalog
from turnout.core.policy import Policy
from turnout.core.request import HardStay, Needs, Request, Segment
from turnout.core.spend_bound import SpendBound
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Complexity, Verdict
from turnout.evaluate.plan.sides import Side
from turnout.evaluate.replay.provider import SimulatedCache
from turnout.messages.conversation import Conversation
from turnout.router import Router
from turnout.router.turns import RefusedError
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.records import ListRecorder
from turnout.trace.store.ledger import Ledger

CATALOG = load_catalog()
CHEAP, CAPABLE = PAIR_4
POLICY = Policy(candidates=PAIR_4.candidates, markers="fill", adapt=True)
CONVERSATION = Conversation(messages=[{"role": "user", "content": [{"text": "Hello"}]}])
KEYWORD = LockedClassifier(kind="keyword")


class Throttled(Exception):
    """What a provider answers that is too busy."""


@dataclass
class Says:
    """A classifier that says what it is told, by a call to a model if it has one."""

    p: float = 0.5
    asks: str = ""
    name: str = field(default="told", init=False)

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """The verdict that it is told to give."""
        calls: tuple[ClassifierCall, ...] = ()
        if self.asks:
            usage = Usage(input_tokens=420, output_tokens=3)
            calls = (ClassifierCall(model=self.asks, usage=usage),)
        label: Complexity = "simple" if self.p >= 0.5 else "complex"
        return Verdict(classifier=self.name, label=label, p_simple=self.p, calls=calls)


@dataclass
class World:
    """Traffic of some sessions over some days.

    Attributes:
        policy: What routes.
        seed: Of all chance.
        sessions: How many sessions.
        days: Over how many days they begin.
        asks: What the classifier asks; empty: it calls no model.
        trouble: The chance that a call fails at first, is left, or reports nothing.
        bound: The spend bound.
        presets: Other policies that callers name now and then.
        head: The tokens of the head that all sessions share.
    """

    policy: Policy = POLICY
    seed: int = 0
    sessions: int = 12
    days: int = 3
    asks: str = ""
    trouble: float = 0.0
    bound: SpendBound | None = None
    presets: tuple[Policy, ...] = ()
    head: int = 3_000
    catalog: Catalog = CATALOG

    def events(self) -> list[CallEvent | DecisionEvent]:
        """All that was recorded."""
        return asyncio.run(self._events())

    def write(self, path: Path) -> Path:
        """A ledger of it."""
        with Ledger(path) as ledger:
            ledger.append(self.events())
        return path

    async def _events(self) -> list[CallEvent | DecisionEvent]:
        chance, records, says = random.Random(self.seed), ListRecorder(), Says(asks=self.asks)
        now = [NOW_MS / 1000]
        router = Router(
            self.policy,
            self.catalog,
            classifier=says,
            records=records,
            clock=lambda: now[0],
            chance=random.Random(1),
            bound=self.bound,
        )
        entries = [self.catalog[one.model] for one in self.policy.candidates]
        caches = {model.id: SimulatedCache(model.cache, grain="entries") for model in entries}
        open_sessions = sorted(
            (NOW_MS / 1000 + chance.random() * self.days * 86_400, f"session-{number}", 0, 0)
            for number in range(self.sessions)
        )
        while open_sessions:
            at, session, turns, tokens = open_sessions.pop(0)
            now[0] = max(now[0], at)
            says.p = round(chance.random(), 3)
            tokens = await self._turn(router, caches, chance, now, session, turns, tokens)
            if chance.random() < 0.7 and turns < 6:
                open_sessions.append((now[0] + chance.choice([5, 40, 200, 400]), session, turns + 1, tokens))
                open_sessions.sort()
        return records.events

    async def _turn(
        self,
        router: Router,
        caches: dict[str, SimulatedCache],
        chance: random.Random,
        now: list[float],
        session: str,
        number: int,
        tokens: int,
    ) -> int:
        turn = router.begin_turn(session, query_id=f"{session}/{number}")
        policy = chance.choice(self.presets) if self.presets and chance.random() < 0.3 else None
        tools = chance.random() < 0.4
        for call in range(chance.choice([2, 3]) if tools else 1):
            tokens += chance.randint(20, 900)
            stay = None if call == 0 or turn.model is None else HardStay(turn.model, "tool_loop")
            request = self._request(session, f"{number}-{call}", tokens, tools=tools, stay=stay)
            try:
                routed = await router.route(CONVERSATION, request, turn, policy=policy)
            except RefusedError:
                return tokens
            if chance.random() < self.trouble and stay is None:
                failed = router.begin_call(routed)
                now[0] += 0.2
                failed.failed(Throttled())
                try:
                    routed = router.failover(routed, "Throttled")
                except RefusedError:
                    return tokens
            opened = router.begin_call(routed)
            output = chance.randint(20, 600)
            model = routed.model.id
            ends = [round(end) for end in request.prompt_for(routed.model.tokenizer_ratio).offsets]
            hashes = [segment.prefix_hash for segment in request.segments]
            marks = [(marker.segment, marker.ttl) for marker in routed.decision.cache_plan.markers]
            usage = caches[model].call(hashes, ends, marks, output, int(now[0] * 1000))
            now[0] += 1.5
            opened.content(output * 4)
            left = chance.random() < self.trouble / 2
            if not left and chance.random() >= self.trouble / 2:
                opened.usage(usage)
            if not left:
                opened.finish_reason("end_turn")
            opened.end("cancelled" if left else "ok")
            tokens += output
            if left:
                return tokens
        return tokens

    def _request(self, session: str, name: str, tokens: int, *, tools: bool, stay: HardStay | None) -> Request:
        segments = [
            Segment(kind="system", tokens=self.head, prefix_hash="head"),
            Segment(kind="message", tokens=tokens, prefix_hash=f"{session}/{name}"),
        ]
        return Request(
            session_id=session,
            segments=tuple(segments),
            needs=Needs(tools=tools),
            hard_stay=stay,
            max_output_tokens=2_000,
        )


def side(policy: Policy = POLICY, catalog: Catalog = CATALOG, name: str = "new", **changes: Any) -> Side:
    """A side of that policy; its classifier is the keyword one unless the changes say otherwise."""
    bound, classifier = changes.get("bound"), changes.get("classifier", KEYWORD)
    return Side(name=name, lock=lock_of(policy, bound, catalog, classifier, routes=changes.get("routes")))


def priced(model: str, factor: str, catalog: Catalog = CATALOG) -> Catalog:
    """The catalog with one model's price times a factor."""
    return Catalog.of(
        msgspec.structs.replace(one, price=one.price.scaled(Decimal(factor))) if one.id == model else one
        for one in catalog.models
    )
