"""A world that tries to break the spend bound: random sessions on a provider that is simulated apart from the core.

It plays a router: it asks the keeper, decides, calls, and books. The provider bills by its own caches, one for what was
really sent and one for the reference's own run; nothing of the account is used in them. The claim is then held against
their bills.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from turnout.core.cache import CachePlan, CacheRules, Ttl
from turnout.core.catalog import Catalog, Model
from turnout.core.cost import cost_of
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import Decision, DecisionInput, FailedAttempt
from turnout.core.horizon import GAPS_S, Horizon, PrefixReturns, Returns
from turnout.core.policy import Candidate, Policy
from turnout.core.price import Price, PriceTier
from turnout.core.request import HardStay, Needs, Request, Segment
from turnout.core.spend_bound import SpendBound
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.sessions.spend_bound import BoundKeeper

CHEAP, CAPABLE = "lab/cheap", "lab/capable"
GAPS_MS = (0, 1, 1_000, 20_000, 100_000, 250_000, 299_999, 300_000, 300_001, 900_000, 3_599_999, 3_600_000, 7_200_000)
_LASTS = {"5m": 300_000, "1h": 3_600_000}

Markers = Literal["user", "fill", "manage"]


class Block(NamedTuple):
    """A block of a prompt: the hash of everything up to it, where it ends, in tokens, and what kind it is of."""

    key: str
    end: int
    kind: Literal["system", "message"]


class Provider:
    """The prompt cache of one model, as its provider's pages tell it.

    ``every_block``: it holds every block of what was written, as traces of prefix blocks tell it.
    """

    def __init__(self, rules: CacheRules, *, every_block: bool = False) -> None:
        self.rules = rules
        self.every_block = every_block
        self.warm: dict[str, tuple[int, Ttl]] = {}

    def call(self, blocks: list[Block], plan: CachePlan, output: int, now_ms: int) -> Usage:
        """Serve a call: what it read and wrote."""
        rules, total = self.rules, blocks[-1].end
        self.warm = {key: entry for key, entry in self.warm.items() if entry[0] > now_ms}
        if rules.mode == "none":
            return Usage(input_tokens=total, output_tokens=output)
        if rules.mode == "implicit":
            return self._implicit(blocks, output, now_ms)
        marks = sorted((marker.segment, marker.ttl) for marker in plan.markers)
        ttls = [ttl for _, ttl in marks]
        assert len(marks) <= rules.max_markers, f"too many cache points: {marks}"
        assert "1h" not in ttls[ttls.index("5m") :] if "5m" in ttls else True, f"rising TTLs: {marks}"
        assert len({segment for segment, _ in marks}) == len(marks), f"two cache points in one place: {marks}"
        floor = max(1, rules.floor_tokens)
        hit = -1
        for segment, _ in marks:
            for index in range(segment, max(-1, segment - rules.lookback_blocks), -1):
                if blocks[index].key in self.warm and blocks[index].end >= floor:
                    hit = max(hit, index)
                    break
        read = blocks[hit].end if hit >= 0 else 0
        if total >= rules.floor_tokens:
            for block in blocks:
                if block.key in self.warm and block.end <= read:
                    ttl = self.warm[block.key][1]
                    self.warm[block.key] = (now_ms + _LASTS[ttl], ttl)
        written = {"5m": 0, "1h": 0}
        start = read
        for segment, ttl in marks:
            end = blocks[segment].end
            if end >= floor and end > read:
                written[ttl] += end - start
                for block in blocks if self.every_block else (blocks[segment],):
                    if start < block.end <= end and block.end >= floor:
                        self.warm[block.key] = (now_ms + _LASTS[ttl], ttl)
                start = end
        return Usage(
            input_tokens=total - start,
            cache_read_tokens=read,
            cache_write_5m_tokens=written["5m"],
            cache_write_1h_tokens=written["1h"],
            output_tokens=output,
        )

    def _implicit(self, blocks: list[Block], output: int, now_ms: int) -> Usage:
        rules, total = self.rules, blocks[-1].end
        floor = max(1, rules.floor_tokens)
        if total < floor:
            return Usage(input_tokens=total, output_tokens=output)
        hits = [block.end for block in blocks if block.key in self.warm and block.end >= floor]
        read = max(hits, default=rules.floor_tokens)
        read = read - (read - rules.floor_tokens) % rules.step_tokens if hits else 0
        for block in blocks:
            if block.end >= floor:
                self.warm[block.key] = (now_ms + 300_000, "5m")
        return Usage(cache_read_tokens=read, cache_write_5m_tokens=total - read, output_tokens=output)


def thin_price(draw: random.Random, *, capable: bool) -> Price:
    """A price that leaves nothing to save: the cheap model costs about what the capable one's warm reads cost.

    All the room for other models is then kappa, so that every token of debt that were not counted would show.
    """
    read = draw.choice([0, 0, 100, 300])
    figures = (3_000, read, 3_750, draw.choice([3_750, 6_000]), draw.choice([0, 0, 1_000]))
    if not capable:
        figures = (draw.choice([0, 300, draw.randint(0, 900)]),) * 4 + (draw.choice([0, 0, 1_000]),)
    usd: list[Decimal] = [Decimal(figure).scaleb(-3) for figure in figures]
    return Price(
        (PriceTier(input=usd[0], cache_read=usd[1], cache_write_5m=usd[2], cache_write_1h=usd[3], output=usd[4]),)
    )


def price(draw: random.Random, *, capable: bool) -> Price:
    """A price where reading costs no more than writing; with tiers in one case of three."""
    tiers = []
    for above in draw.choice([(0,), (0,), (0, draw.choice([500, 2_000]))]):
        fresh = draw.randint(0, 4_000 if capable else 2_000)
        write = draw.choice([fresh, fresh * 5 // 4, draw.randint(0, 5_000)])
        write_1h = draw.choice([write, fresh * 2, draw.randint(0, 6_000)])
        read = draw.choice([0, fresh // 10, min(fresh, write, write_1h)])
        read = min(read, write, write_1h)

        def usd(thousandths: int) -> Decimal:
            return Decimal(thousandths).scaleb(-3)

        tiers.append(
            PriceTier(
                input=usd(fresh),
                output=usd(draw.randint(0, 15_000 if capable else 5_000)),
                cache_read=usd(read),
                cache_write_5m=usd(write),
                cache_write_1h=usd(write_1h),
                above_prompt_tokens=above,
            )
        )
    return Price(tuple(tiers))


def rules(draw: random.Random, *, explicit_only: bool, every_block: bool) -> CacheRules:
    """A cache."""
    if not explicit_only and draw.random() < 0.25:
        return CacheRules(mode="implicit", floor_tokens=draw.choice([0, 300]), step_tokens=draw.choice([1, 128]))
    return CacheRules(
        floor_tokens=draw.choice([0, 0, 300, 1_000]),
        lookback_blocks=10**6 if every_block else draw.choice([1, 2, 3, 5, 20]),
        ttls=draw.choice([("5m",), ("5m", "1h")]),
    )


class World:
    """Random sessions, one after the other, through the keeper.

    Args:
        seed: Of all that is drawn.
        markers: Who places cache points.
        grows_only: With markers ``user``: whether conversations never branch and always mark their head and their end.
        max_prefixes: The memory of the keeper.
        every_block: Whether explicit caches hold every block of what was written.
        interleaves: Whether other turns come between the calls of one.
        wavers: Whether decisions of other turns are made and taken back all the while.
    """

    def __init__(
        self,
        seed: int,
        markers: Markers,
        *,
        grows_only: bool = False,
        max_prefixes: int = 50_000,
        every_block: bool = False,
        interleaves: bool = False,
        wavers: bool = False,
    ) -> None:
        # Drawn apart, so that a world is the same with and without it.
        self.waver = random.Random(f"{seed}") if wavers else None
        self.undecided: list[tuple[str, int, int]] = []
        self.withdrawn = 0
        draw = self.draw = random.Random(seed)
        priced = draw.choice([price, thin_price, thin_price])
        self.markers: Markers = markers
        self.interleaves = interleaves
        self.grows_only = grows_only
        models = [
            Model(
                id=model_id,
                provider="lab",
                model_id=model_id,
                name=model_id,
                price=priced(draw, capable=model_id == CAPABLE),
                cache=rules(draw, explicit_only=markers == "user", every_block=every_block),
                context_window=10_000_000,
                max_output_tokens=draw.choice([50, 400]),
            )
            for model_id in (CHEAP, CAPABLE)
        ]
        self.catalog = Catalog.of(models)
        self.policy = Policy(
            candidates=(Candidate(CHEAP, 0), Candidate(CAPABLE, 1)),
            markers=markers,
            fill_ttl=draw.choice(["5m", "1h"]) if all("1h" in model.cache.ttls for model in models) else "5m",
            horizon="session" if markers == "manage" else draw.choice(["call", "session"]),
        )
        self.bound = SpendBound(
            epsilon=draw.choice([0.0, 0.0, 0.05, 0.5]),
            kappa_pico=draw.choice([0, int(10 ** draw.uniform(8, 10.6))]),
            call_limit=draw.choice([1, 2, 4]),
            growth_limit_tokens=1_000,
            output_limit_tokens=draw.choice([20, 1_000]),
        )
        self.max_prefixes = max_prefixes
        self.running: list[tuple[str, Usage, int]] = []
        self.served = CAPABLE
        self.verdict: Verdict | None = None
        self.max_output_tokens: int | None = None
        self.overlaps = draw.choice([0.0, 0.5])
        self.keeper = BoundKeeper(self.bound, max_prefixes=max_prefixes, every_block=every_block)
        self.fact = {model.id: Provider(model.cache, every_block=every_block) for model in models}
        self.alone = Provider(self.catalog[CAPABLE].cache, every_block=every_block)
        self.now_ms = 1_700_000_000_000
        self.classify_pico = draw.choice([0, 0, 10**6, 10**8])
        self.paid_pico = 0
        self.reference_pico = 0
        self.left = 0
        self.counter = 0
        self.prompts: list[list[Block]] = []
        self.grown: list[list[Block]] = []
        self.phase = 0.5
        self.gaps_ms = draw.choice([GAPS_MS, GAPS_MS[:5], (1_000,) * 9 + GAPS_MS, (100_000, 200_000, 250_000)])
        self.turning = draw.choice([0.15, 0.4])
        self.new = draw.choice([0.02, 0.1])
        self.branches = draw.choice([0.3, 0.3, 0.8])
        heads = [[self._block(None, "system")] for _ in range(2)]
        heads.append([*heads[0], self._block(heads[0][-1], "system")])
        self.heads = heads[:2] if grows_only else heads
        self.reference_prices = self.catalog[CAPABLE].price

    def run(self, turns: int) -> None:
        """Play so many turns, and hold the claim after each call."""
        for _ in range(turns):
            if self.draw.random() < self.turning:
                self.phase = self.draw.choice([0.0, 0.0, 0.5, 1.0, 1.0])
            self._turn()
            if self.draw.random() < 0.5:
                self._land()
        self._land()
        self._take_back(len(self.undecided))

    def check(self) -> None:
        """The claim, against the provider's own bills; while a call runs there is none of it yet."""
        if self.running:
            return
        longest = max(map(len, self.prompts), default=0)
        assert self.keeper.prefixes <= self.max_prefixes + 2 * longest, "the memory of the keeper is bounded"
        account = self.keeper.account
        assert account.debt_pico >= 0, "a debt cannot be negative"
        assert account.total_pico == self.paid_pico, "money that is in no sum"
        assert account.reference_pico <= self.reference_pico, "the reference is taken to have spent more than it would"
        claimed = self.paid_pico - account.apart_pico + account.debt_pico
        allowed = self.bound.allowed_pico(self.reference_pico)
        assert claimed <= allowed, f"broken: {claimed} > {allowed}: {account}"

    def _block(self, before: Block | None, kind: Literal["system", "message"]) -> Block:
        self.counter += 1
        tokens = self.draw.choice([1, 20, 100, 300, 700])
        return Block(f"{self.counter}", (before.end if before else 0) + tokens, kind)

    def _more(self, blocks: list[Block], most: int = 3) -> list[Block]:
        blocks = list(blocks)
        for _ in range(self.draw.randint(1, most)):
            blocks.append(self._block(blocks[-1], "message"))
        return blocks

    def _prompt(self) -> list[Block]:
        draw = self.draw
        if not self.prompts or draw.random() < self.new:
            new = self._more(draw.choice(self.heads))
            self.grown.append(new)
            return new
        if self.grows_only:
            place = draw.randrange(len(self.grown))
            self.grown[place] = self._more(self.grown[place])
            return self.grown[place]
        before = draw.choice(self.prompts[-8:])
        if draw.random() >= self.branches:
            return self._more(before)
        inside = before[: draw.randint(1, len(before))]
        return inside if draw.random() < 0.5 else self._more(inside)

    def _request(self, blocks: list[Block], tools: bool, stay: HardStay | None) -> Request:
        draw = self.draw
        marks: dict[int, Ttl] = {}
        if self.markers == "user":
            ttls: list[Ttl] = ["5m"]
            if all("1h" in self.catalog[model_id].cache.ttls for model_id in (CHEAP, CAPABLE)):
                ttls = ["1h", "5m"]
            head = max(index for index, block in enumerate(blocks) if block.kind == "system")
            if self.grows_only:
                marks = {head: ttls[-1], len(blocks) - 1: ttls[-1]}
            else:
                places = sorted(draw.sample(range(len(blocks)), min(len(blocks), draw.randint(0, 4))))
                change = draw.randint(0, len(places))
                marks = {place: ttls[0] if number < change else ttls[-1] for number, place in enumerate(places)}
        segments, before = [], 0
        for index, block in enumerate(blocks):
            segments.append(
                Segment(kind=block.kind, tokens=block.end - before, prefix_hash=block.key, marker=marks.get(index))
            )
            before = block.end
        return Request(
            session_id="s",
            segments=tuple(segments),
            needs=Needs(tools=tools),
            max_output_tokens=self.max_output_tokens,
            hard_stay=stay,
        )

    def _horizon(self, blocks: list[Block]) -> Horizon:
        draw = self.draw
        places = sorted(draw.sample(range(len(blocks)), min(len(blocks), 3)))
        chances = [draw.choice([0.0, 0.3, 1.0]) for _ in places]
        return Horizon(
            prefixes=tuple(
                PrefixReturns(place, Returns((chance,) * len(GAPS_S)))
                for place, chance in zip(places, chances, strict=True)
            ),
            next_on={CHEAP: 0.5, CAPABLE: 0.5},
            further=draw.choice([1.0, 3.0]),
        )

    def _turn(self) -> None:
        draw = self.draw
        self.now_ms += draw.choice(self.gaps_ms)
        turn_id, tools = f"t{self.counter}-{self.now_ms}-{self.paid_pico}", draw.random() < 0.4
        self.counter += 1
        blocks = self._prompt()
        self.max_output_tokens = draw.choice([None, None, 30])
        calls = draw.randint(1, self.bound.call_limit) if tools else 1
        stay: HardStay | None = None
        verdict: Verdict | None = None
        for number in range(calls):
            if number:
                self.now_ms += draw.choice([0, 1, 5_000, 100_000, 400_000])
                grown = self._more(blocks, 2)
                if grown[-1].end - blocks[-1].end > self.bound.growth_limit_tokens:
                    break
                blocks = grown
                if self.interleaves and draw.random() < 0.5:
                    mine, self.interleaves = (self.served, self.verdict, self.max_output_tokens), False
                    self._turn()
                    (self.served, self.verdict, self.max_output_tokens), self.interleaves = mine, True
            if self.grows_only:
                place = next(i for i, known in enumerate(self.grown) if blocks[: len(known)] == known)
                self.grown[place] = blocks
            if not self._call(turn_id, blocks, tools, stay, verdict, last=number == calls - 1):
                return
            stay = HardStay(self.served, "tool_loop")
            verdict = self.verdict
        self.prompts.append(blocks)
        if not self.running or self.running[-1][0] != turn_id:
            self.keeper.end_turn(turn_id)
        self.check()

    def _call(
        self,
        turn_id: str,
        blocks: list[Block],
        tools: bool,
        stay: HardStay | None,
        verdict: Verdict | None,
        *,
        last: bool,
    ) -> bool:
        draw, keeper = self.draw, self.keeper
        given = DecisionInput(
            request=self._request(blocks, tools, stay),
            policy=self.policy,
            catalog=self.catalog,
            now_ms=self.now_ms,
            verdict=verdict,
            horizon=self._horizon(blocks),
        )
        given = self._with_view(given, turn_id)
        if given.verdict is None and needs_verdict(given) and keeper.classifying(turn_id, self.classify_pico):
            cost = draw.choice([self.classify_pico, self.classify_pico // 2])
            self.paid_pico += cost
            keeper.classified(turn_id, cost)
            simple = draw.random() < self.phase
            verdict = Verdict(
                classifier="drawn", label="simple" if simple else "complex", p_simple=1.0 if simple else 0.0
            )
            given = self._with_view(msgspec.structs.replace(given, verdict=verdict), turn_id)
        self.verdict = verdict
        if self.waver is not None:
            self._waver(self.waver, given, turn_id)
            given = self._with_view(given, turn_id)
        decision = decide(given)
        assert keeper.begin(given, decision, turn_id), "no other request could have taken the room"
        assert given.bound is not None
        assert decision.model is not None
        output = draw.randint(0, self._most_output(given, decision.model))
        usage = self.alone.call(blocks, given.bound.reference_plan, output, self.now_ms)
        reference = cost_of(usage, self.reference_prices)
        if decision.model == CHEAP:
            self.left += stay is None
            if draw.random() < 0.1:
                return self._failed(given, decision, turn_id, blocks, reference.total_pico, usage)
        self.reference_pico += reference.total_pico
        self._serve(decision, turn_id, blocks, output, last)
        return True

    def _waver(self, draw: random.Random, given: DecisionInput, turn_id: str) -> None:
        """Decisions that are taken back: this call's own at once, those of other turns then or later."""
        keeper = self.keeper
        self._decide_only(given, turn_id)
        self._take_back(1)
        for _ in range(draw.randint(0, 2)):
            other = f"waver-{draw.random()}"
            blocks = draw.choice(self.prompts[-8:]) if self.prompts else None
            verdict = Verdict(classifier="drawn", label="simple", p_simple=draw.choice([0.0, 1.0]))
            request = given.request
            if blocks is not None:
                parts = zip(blocks, [0, *[block.end for block in blocks]], strict=False)
                request = msgspec.structs.replace(
                    request,
                    segments=tuple(
                        Segment(kind=block.kind, tokens=block.end - before, prefix_hash=block.key)
                        for block, before in parts
                    ),
                    needs=Needs(tools=draw.random() < 0.5),
                    hard_stay=None,
                )
                given = msgspec.structs.replace(given, horizon=Horizon())
            another = msgspec.structs.replace(given, request=request, verdict=verdict)
            view = keeper.view(another, other, self.classify_pico)
            self._decide_only(msgspec.structs.replace(another, bound=view), other)
        draw.shuffle(self.undecided)
        self._take_back(draw.randint(0, len(self.undecided)))

    def _decide_only(self, given: DecisionInput, turn_id: str) -> None:
        before = self.keeper.account
        assert self.keeper.reserve(given, decide(given), turn_id)
        held_pico = self.keeper.account.reserved_pico - before.reserved_pico
        assert held_pico >= 0
        assert self.keeper.account == msgspec.structs.replace(before, reserved_pico=before.reserved_pico + held_pico)
        self.undecided.append((turn_id, held_pico, self.now_ms))

    def _take_back(self, number: int) -> None:
        for _ in range(number):
            turn_id, held_pico, decided_ms = self.undecided.pop()
            before, prefixes = self.keeper.account, self.keeper.prefixes
            self.keeper.withdraw(turn_id)
            freed_pico = before.reserved_pico - self.keeper.account.reserved_pico
            # One that nobody went on with for 15 minutes was given up already.
            assert freed_pico == held_pico or (freed_pico == 0 and self.now_ms - decided_ms >= 900_000)
            assert self.keeper.account == msgspec.structs.replace(
                before, reserved_pico=before.reserved_pico - freed_pico
            )
            assert self.keeper.prefixes == prefixes
            self.withdrawn += 1

    def _with_view(self, given: DecisionInput, turn_id: str) -> DecisionInput:
        view = self.keeper.view(given, turn_id, self.classify_pico)
        return msgspec.structs.replace(given, bound=view)

    def _most_output(self, given: DecisionInput, model_id: str) -> int:
        own = self.catalog[model_id].max_output_tokens
        assert own is not None
        return min(own, given.request.max_output_tokens or own, self.bound.output_limit_tokens)

    def _serve(self, decision: Decision, turn_id: str, blocks: list[Block], output: int, last: bool) -> None:
        model_id = decision.model
        assert model_id is not None
        self.served = model_id
        price = self.catalog[model_id].price
        usage = self.fact[model_id].call(blocks, decision.cache_plan, output, self.now_ms)
        if model_id == CHEAP and self.draw.random() < 0.3:
            # As bad as a provider can be on it: nothing read, all written for the longest TTL.
            usage = Usage(cache_write_1h_tokens=blocks[-1].end, output_tokens=output)
        cost = cost_of(usage, price).total_pico
        self.paid_pico += cost
        if last and self.draw.random() < self.overlaps:
            self.running.append((turn_id, usage, cost))
            return
        self.keeper.finish(turn_id, usage, cost, ends_turn=last)
        self.check()

    def _land(self) -> None:
        """Calls that were still running come to their end, in any order."""
        self.draw.shuffle(self.running)
        while self.running:
            turn_id, usage, cost = self.running.pop()
            self.keeper.finish(turn_id, usage, cost)
        self.check()

    def _failed(
        self,
        given: DecisionInput,
        decision: Decision,
        turn_id: str,
        blocks: list[Block],
        reference_pico: int,
        reference_usage: Usage,
    ) -> bool:
        """The cheap model fails before its first content; what comes next serves, or nothing does."""
        assert decision.model is not None
        prompt = Usage(input_tokens=blocks[-1].end if self.draw.random() < 0.5 else 0)
        cost = cost_of(prompt, self.catalog[decision.model].price).total_pico
        self.paid_pico += cost
        self.keeper.finish(turn_id, prompt, cost, ok=False, ends_turn=False)
        output_pico = cost_of(
            msgspec.structs.replace(reference_usage, output_tokens=0), self.reference_prices
        ).total_pico
        if given.request.hard_stay is not None:
            # Inside a tool loop nobody else may serve: the error goes to the caller, and the turn is over.
            self.reference_pico += output_pico
            self.keeper.end_turn(turn_id)
            self.check()
            return False
        self.reference_pico += reference_pico
        given = msgspec.structs.replace(given, failed=(FailedAttempt(decision.model, "Throttled"),))
        given = self._with_view(given, turn_id)
        again = decide(given)
        assert again.model == CAPABLE
        assert self.keeper.begin(given, again, turn_id)
        self._serve(again, turn_id, blocks, reference_usage.output_tokens, False)
        return True
