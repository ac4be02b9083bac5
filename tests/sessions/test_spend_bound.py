"""The account of the spend bound: the claim in random worlds, and each way in which a call may go, by hand."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sessions.bound_world import CAPABLE, CHEAP, Markers, World
from turnout.core.cache import CacheRules
from turnout.core.catalog import Catalog, Model
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import Decision, DecisionInput, FailedAttempt
from turnout.core.horizon import GAPS_S, Horizon, PrefixReturns, Returns
from turnout.core.policy import Candidate, Policy, Reason
from turnout.core.price import flat_price
from turnout.core.request import HardStay, Needs, Request, Segment
from turnout.core.spend_bound import BoundAccount, SpendBound
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.sessions.spend_bound import BoundKeeper

NOW_MS = 1_760_000_000_000
SIMPLE = Verdict(classifier="c", label="simple", p_simple=1.0)
COMPLEX = Verdict(classifier="c", label="complex", p_simple=0.0)
USD = 10**12
SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("markers", ["fill", "manage"])
@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_where_cache_points_are_ours_the_claim_always_holds(markers: Markers, seed: int) -> None:
    world = World(seed, markers)
    world.run(25)
    assert world.keeper.account.apart_pico == 0
    assert world.keeper.account.reference_pico == world.reference_pico
    assert world.keeper.account.reserved_pico == 0


@pytest.mark.parametrize("markers", ["fill", "manage"])
@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_it_holds_where_a_cache_holds_every_block(markers: Markers, seed: int) -> None:
    world = World(seed, markers, every_block=True)
    world.run(25)
    assert world.keeper.account.apart_pico == 0
    assert world.keeper.account.reference_pico == world.reference_pico


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_with_the_callers_points_it_holds_while_conversations_only_grow(seed: int) -> None:
    world = World(seed, "user", grows_only=True)
    world.run(25)
    assert world.keeper.account.apart_pico == 0


@pytest.mark.parametrize("markers", ["fill", "manage"])
@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_what_other_turns_do_between_the_calls_of_one_is_counted_apart(markers: Markers, seed: int) -> None:
    world = World(seed, markers, interleaves=True)
    world.run(25)
    account = world.keeper.account
    assert account.apart_pico == account.overrun_pico
    assert account.reference_pico == world.reference_pico


@pytest.mark.parametrize("markers", ["user", "fill", "manage"])
@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_decisions_that_are_taken_back_leave_nothing(markers: Markers, seed: int) -> None:
    """Whoever was decided for and not called: the account, and the reference's spend, are those of the calls alone."""
    world = World(seed, markers, wavers=True, grows_only=markers == "user")
    world.run(20)
    assert world.withdrawn >= 20
    assert world.keeper.account.apart_pico == 0
    assert world.keeper.account.reference_pico == world.reference_pico
    assert world.keeper.account.reserved_pico == 0


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_what_breaks_it_with_the_callers_points_is_counted_apart(seed: int) -> None:
    world = World(seed, "user")
    world.run(25)
    account = world.keeper.account
    assert account.apart_pico == account.unmarked_pico + account.overrun_pico


@pytest.mark.parametrize("markers", ["fill", "manage"])
@given(seed=SEEDS, room=st.integers(12, 40))
@settings(max_examples=20, deadline=None)
def test_it_holds_in_a_memory_that_is_far_too_small(markers: Markers, seed: int, room: int) -> None:
    world = World(seed, markers, max_prefixes=room)
    world.run(25)
    account = world.keeper.account
    # What was forgotten may be read through, so that a shorter prefix, taken as written, is missed later on.
    assert account.apart_pico == account.evicted_pico


@pytest.mark.parametrize("seed", [96, 388])
def test_worlds_that_break_an_account_whose_fact_may_be_ahead(seed: int) -> None:
    """Rare: without the check that fact holds nothing that the shadow lacks, one world in 200 breaks the claim."""
    world = World(seed, "manage")
    world.run(40)
    assert world.keeper.account.apart_pico == 0


def test_the_worlds_do_leave_the_reference() -> None:
    left = 0
    for seed in range(8):
        world = World(seed, "fill")
        world.run(25)
        left += world.left
    assert left > 20


def model(model_id: str, price: str, read: str, write: str) -> Model:
    return Model(
        id=model_id,
        provider="lab",
        model_id=model_id,
        name=model_id,
        price=flat_price(price, "0", cache_read=read, cache_write_5m=write),
        cache=CacheRules(),
        context_window=100_000,
    )


CATALOG = Catalog.of([model(CHEAP, "0.1", "0.1", "0.1"), model(CAPABLE, "3", "0.3", "3.75")])
POLICY = Policy(candidates=(Candidate(CHEAP, 0), Candidate(CAPABLE, 1)), markers="fill")
PROMPT = (
    Segment(kind="system", tokens=1_000, prefix_hash="head"),
    Segment(kind="message", tokens=1_000, prefix_hash="question"),
)
# On the capable model: the head is written, then read; the question is always fresh.
COLD_PICO, WARM_PICO = 6_750_000_000, 3_300_000_000
COLD = Usage(cache_write_5m_tokens=1_000, input_tokens=1_000)
WARM = Usage(cache_read_tokens=1_000, input_tokens=1_000)
DEBT_PICO = 3_450_000_000
CHEAP_PICO = 200_000_000


class Desk:
    """A keeper, and the little that a router does with it."""

    def __init__(self, **bound: float) -> None:
        self.keeper = BoundKeeper(msgspec.convert({"kappa_pico": USD, **bound}, SpendBound))
        self.now_ms = NOW_MS

    @property
    def account(self) -> BoundAccount:
        return self.keeper.account

    def given(
        self,
        turn: str,
        verdict: Verdict | None = COMPLEX,
        *,
        failed: tuple[str, ...] = (),
        classify_pico: int = 0,
        **request: object,
    ) -> DecisionInput:
        given = DecisionInput(
            request=msgspec.structs.replace(Request(session_id="s", segments=PROMPT), **request),
            policy=POLICY,
            catalog=CATALOG,
            now_ms=self.now_ms,
            verdict=verdict,
            failed=tuple(FailedAttempt(model_id, "Throttled") for model_id in failed),
        )
        return msgspec.structs.replace(given, bound=self.keeper.view(given, turn, classify_pico))

    def begin(self, turn: str, given: DecisionInput) -> Decision:
        decision = decide(given)
        assert self.keeper.begin(given, decision, turn)
        return decision

    def serve(self, turn: str, verdict: Verdict, usage: Usage) -> Decision:
        decision = self.begin(turn, self.given(turn, verdict))
        self.finish(turn, decision, usage)
        return decision

    def finish(self, turn: str, decision: Decision, usage: Usage, **how: bool) -> None:
        assert decision.model is not None
        self.keeper.finish(turn, usage, cost_of(usage, CATALOG[decision.model].price).total_pico, **how)


class TestServing:
    def test_the_reference_spends_what_it_would_have_spent(self) -> None:
        desk = Desk()
        desk.serve("1", COMPLEX, COLD)
        desk.serve("2", COMPLEX, WARM)
        assert desk.account == BoundAccount(spent_pico=COLD_PICO + WARM_PICO, reference_pico=COLD_PICO + WARM_PICO)

    def test_leaving_it_leaves_a_debt_that_serving_it_repays(self) -> None:
        desk = Desk()
        assert desk.serve("1", SIMPLE, Usage(input_tokens=2_000)).model == CHEAP
        assert desk.account == BoundAccount(spent_pico=CHEAP_PICO, reference_pico=COLD_PICO, debt_pico=DEBT_PICO)
        assert desk.serve("2", COMPLEX, COLD).model == CAPABLE
        assert desk.account == BoundAccount(spent_pico=CHEAP_PICO + COLD_PICO, reference_pico=COLD_PICO + WARM_PICO)

    def test_a_debt_ends_with_the_warmth_that_it_is_for(self) -> None:
        desk = Desk()
        desk.serve("1", SIMPLE, Usage(input_tokens=2_000))
        desk.now_ms += 300_000
        desk.given("2")
        assert desk.account.debt_pico == 0

    def test_a_turn_that_could_break_the_sum_is_not_left(self) -> None:
        # The turn is sure to earn its own room, but a try that fails needs the price of its prompt before that.
        desk = Desk(kappa_pico=CHEAP_PICO, epsilon=0)
        assert desk.serve("1", SIMPLE, Usage(input_tokens=2_000)).model == CHEAP
        short = Desk(kappa_pico=CHEAP_PICO - 1, epsilon=0)
        decision = short.serve("1", SIMPLE, COLD)
        assert (decision.model, decision.reason) == (CAPABLE, Reason.SPEND_BOUND)

    def test_an_open_turn_keeps_its_worst_case_aside(self) -> None:
        desk = Desk()
        given = desk.given("1", SIMPLE)
        desk.begin("1", given)
        assert desk.account.reserved_pico == CHEAP_PICO
        desk.keeper.finish("1", Usage(input_tokens=1_000), CHEAP_PICO // 2)
        assert (desk.account.reserved_pico, desk.account.spent_pico) == (0, CHEAP_PICO // 2)

    def test_the_calls_that_a_turn_may_still_make_stay_aside(self) -> None:
        desk = Desk(call_limit=3, growth_limit_tokens=500)
        desk.begin("1", desk.given("1", SIMPLE, needs=Needs(tools=True)))
        assert desk.account.reserved_pico == 100_000 * (2_000 + 2_500 + 3_000)
        desk.keeper.finish("1", Usage(input_tokens=2_000), CHEAP_PICO, ends_turn=False)
        assert desk.account.reserved_pico == 100_000 * (2_500 + 3_000)
        stay = HardStay(CHEAP, "tool_loop")
        desk.begin("1", desk.given("1", SIMPLE, needs=Needs(tools=True), hard_stay=stay))
        assert desk.account.reserved_pico == 100_000 * (2_000 + 2_500)
        desk.keeper.finish("1", Usage(input_tokens=2_000), CHEAP_PICO)
        assert desk.account.reserved_pico == 0

    def test_a_model_that_cannot_be_restored_is_not_left(self) -> None:
        desk = Desk()
        given = desk.given("1", SIMPLE)
        few = msgspec.structs.replace(CATALOG[CAPABLE], cache=CacheRules(max_markers=1))
        given = msgspec.structs.replace(given, catalog=Catalog.of([CATALOG[CHEAP], few]))
        view = desk.keeper.view(given, "1")
        assert view is not None
        assert view.leave_pico is None
        assert decide(msgspec.structs.replace(given, bound=view)).reason == Reason.SPEND_BOUND

    def test_further_calls_of_a_turn_that_was_left_get_one_point_each(self) -> None:
        desk = Desk(call_limit=3, growth_limit_tokens=3_000)
        segments = tuple(Segment(kind="message", tokens=1_000, prefix_hash=f"block-{number}") for number in range(6))
        horizon = Horizon(
            prefixes=tuple(PrefixReturns(place, Returns((1.0,) * len(GAPS_S))) for place in (1, 3, 5)), further=3.0
        )

        def asked(turn: str, stay: HardStay | None) -> DecisionInput:
            given = desk.given(turn, SIMPLE, segments=segments, needs=Needs(tools=True), hard_stay=stay)
            policy = msgspec.structs.replace(POLICY, markers="manage", horizon="session")
            given = msgspec.structs.replace(given, policy=policy, horizon=horizon, bound=None)
            return msgspec.structs.replace(given, bound=desk.keeper.view(given, turn))

        opening, other = asked("1", None), asked("2", None)
        assert opening.bound is not None
        assert [marker.segment for marker in opening.bound.reference_plan.markers] == [1, 3, 5]
        desk.begin("1", opening)
        # The worst on the cheap model, and one prefix for each further call, charged from the root at 2,000 tokens,
        # less the 6,000 tokens that the reference would read at the least.
        worst = 100_000 * (6_000 + 9_000 + 12_000)
        assert desk.account.reserved_pico == worst + 3_450_000 * (7_000 + 10_000) - 2 * 300_000 * 6_000
        desk.keeper.finish("1", Usage(input_tokens=6_000), 3 * CHEAP_PICO, ends_turn=False)
        desk.now_ms += 300_000
        going_on, fresh = asked("1", HardStay(CHEAP, "tool_loop")), asked("3", None)
        assert going_on.bound is not None
        assert fresh.bound is not None
        assert other.bound is not None
        assert [marker.segment for marker in going_on.bound.reference_plan.markers] == [5]
        assert [marker.segment for marker in fresh.bound.reference_plan.markers] == [1, 3, 5]

    def test_what_another_request_took_meanwhile_makes_the_decision_be_made_again(self) -> None:
        desk = Desk(kappa_pico=CHEAP_PICO, epsilon=0)
        given = desk.given("1", SIMPLE)
        assert desk.keeper.classifying("2", 1)
        decision = decide(given)
        assert decision.model == CHEAP
        assert not desk.keeper.begin(given, decision, "1")
        assert desk.begin("1", desk.given("1", SIMPLE)).reason == Reason.SPEND_BOUND

    def test_output_is_counted_in_the_references_own_tokens(self) -> None:
        dear = msgspec.structs.replace(CATALOG[CAPABLE], price=flat_price("3", "10"), tokenizer_ratio=1.5)
        cheap = msgspec.structs.replace(CATALOG[CHEAP], tokenizer_ratio=0.5)
        keeper = BoundKeeper(SpendBound(kappa_pico=USD))
        given = DecisionInput(
            request=Request(session_id="s", segments=PROMPT[1:]),
            policy=msgspec.structs.replace(POLICY, markers="user"),
            catalog=Catalog.of([cheap, dear]),
            now_ms=NOW_MS,
            verdict=SIMPLE,
        )
        given = msgspec.structs.replace(given, bound=keeper.view(given, "1"))
        assert keeper.begin(given, decide(given), "1")
        keeper.finish("1", Usage(input_tokens=500, output_tokens=11), 50_000_000)
        assert keeper.account.reference_pico == 1_500 * 3_000_000 + 33 * 10_000_000


class TestDecidedOnly:
    def test_nothing_is_booked_before_the_call_begins(self) -> None:
        desk = Desk()
        given = desk.given("1", SIMPLE)
        assert desk.keeper.reserve(given, decide(given), "1")
        account = desk.account
        assert (account.spent_pico, account.reference_pico, account.debt_pico) == (0, 0, 0)
        desk.keeper.start("1", desk.now_ms)
        begun = Desk()
        begun.begin("1", begun.given("1", SIMPLE))
        assert desk.account == begun.account

    def test_what_it_needs_is_not_given_to_others(self) -> None:
        desk = Desk(kappa_pico=CHEAP_PICO + DEBT_PICO, epsilon=0)
        first = desk.given("1", SIMPLE, segments=PROMPT[:1])
        assert decide(first).model == CHEAP
        assert desk.keeper.reserve(first, decide(first), "1")
        # The reference's spend on a call that has not begun makes no room for others: its own may come to nothing.
        assert desk.account.slack_pico(desk.keeper.bound) <= CHEAP_PICO + DEBT_PICO
        desk.keeper.withdraw("1")
        assert desk.account == BoundAccount()

    def test_a_call_that_ends_without_a_beginning_was_begun(self) -> None:
        desk = Desk()
        given = desk.given("1")
        assert desk.keeper.reserve(given, decide(given), "1")
        desk.keeper.finish("1", COLD, COLD_PICO)
        assert desk.account == BoundAccount(spent_pico=COLD_PICO, reference_pico=COLD_PICO)

    def test_a_second_decision_takes_the_place_of_the_first(self) -> None:
        desk = Desk()
        for verdict in (SIMPLE, COMPLEX):
            given = desk.given("1", verdict)
            assert desk.keeper.reserve(given, decide(given), "1")
        assert desk.account == BoundAccount()
        desk.keeper.start("1", desk.now_ms)
        desk.keeper.finish("1", COLD, COLD_PICO)
        assert desk.account == BoundAccount(spent_pico=COLD_PICO, reference_pico=COLD_PICO)

    def test_a_turns_earlier_calls_stay(self) -> None:
        desk = Desk(call_limit=3, growth_limit_tokens=500)
        tools = Needs(tools=True)
        desk.begin("1", desk.given("1", SIMPLE, needs=tools))
        desk.keeper.finish("1", Usage(input_tokens=2_000), CHEAP_PICO, ends_turn=False)
        before = desk.account
        assert before.reserved_pico > 0
        given = desk.given("1", SIMPLE, needs=tools, hard_stay=HardStay(CHEAP, "tool_loop"))
        assert desk.keeper.reserve(given, decide(given), "1")
        desk.keeper.withdraw("1")
        assert desk.account == before

    def test_another_model_after_a_failure_that_may_not_be_called(self) -> None:
        desk = Desk()
        decision = desk.begin("1", desk.given("1", SIMPLE))
        desk.finish("1", decision, Usage(input_tokens=500), ok=False)
        before = desk.account
        given = desk.given("1", SIMPLE, failed=(CHEAP,))
        assert desk.keeper.reserve(given, decide(given), "1")
        desk.keeper.withdraw("1")
        assert desk.account == before
        desk.keeper.finish("1", None, 3)
        assert desk.account.outside_pico == 3, "the turn is over"

    def test_caches_that_changed_meanwhile_are_booked_as_they_are(self) -> None:
        desk = Desk()
        first = desk.given("1")
        assert desk.keeper.reserve(first, decide(first), "1")
        desk.serve("2", COMPLEX, COLD)
        desk.keeper.start("1", desk.now_ms)
        desk.keeper.finish("1", WARM, WARM_PICO)
        assert desk.account == BoundAccount(spent_pico=COLD_PICO + WARM_PICO, reference_pico=COLD_PICO + WARM_PICO)

    def test_nobody_can_take_back_what_was_not_decided(self) -> None:
        desk = Desk()
        desk.serve("1", COMPLEX, COLD)
        before = desk.account
        desk.keeper.withdraw("1")
        desk.keeper.withdraw("never")
        desk.keeper.start("never", desk.now_ms)
        assert desk.account == before

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_the_account_is_that_of_one_who_never_heard_of_it(self, data: st.DataObject) -> None:
        """Decisions, beginnings, ends and withdrawals in any order: only what began counts."""
        desk, other = Desk(kappa_pico=CHEAP_PICO * 40), Desk(kappa_pico=CHEAP_PICO * 40)
        doomed: list[str] = []
        decided: list[tuple[str, Decision]] = []
        running: list[tuple[str, Decision]] = []
        for number in range(data.draw(st.integers(1, 25))):
            match data.draw(st.sampled_from(["decide", "doom", "withdraw", "start", "finish", "wait"])):
                case "decide" | "doom" as fate:
                    turn, verdict = str(number), data.draw(st.sampled_from([SIMPLE, COMPLEX]))
                    head = data.draw(st.sampled_from(["head", "tail"]))
                    tail = Segment(kind="message", tokens=1_000, prefix_hash=f"{head}-{number % 3}")
                    segments = (Segment(kind="system", tokens=1_000, prefix_hash=head), tail)
                    given = desk.given(turn, verdict, segments=segments)
                    decision = decide(given)
                    assert desk.keeper.reserve(given, decision, turn)
                    if fate == "doom":
                        doomed.append(turn)
                        continue
                    given = msgspec.structs.replace(given, bound=other.keeper.view(given, turn))
                    assert other.keeper.reserve(given, decision, turn)
                    decided.append((turn, decision))
                case "withdraw" if doomed:
                    desk.keeper.withdraw(doomed.pop(data.draw(st.integers(0, len(doomed) - 1))))
                case "start" if decided:
                    turn, decision = decided.pop(data.draw(st.integers(0, len(decided) - 1)))
                    for one in (desk, other):
                        one.keeper.start(turn, desk.now_ms)
                    running.append((turn, decision))
                case "finish" if running:
                    turn, decision = running.pop(data.draw(st.integers(0, len(running) - 1)))
                    for one in (desk, other):
                        one.finish(turn, decision, WARM)
                case "wait":
                    desk.now_ms = other.now_ms = desk.now_ms + data.draw(st.sampled_from([1, 200_000, 300_000]))
                case _:
                    pass
        for turn in doomed:
            desk.keeper.withdraw(turn)
        for one in (desk, other):
            one.given("last")
        assert desk.account == other.account
        assert desk.keeper.prefixes == other.keeper.prefixes


class TestClassifiers:
    def test_its_price_is_set_aside_and_then_booked(self) -> None:
        desk = Desk()
        assert desk.keeper.classifying("1", 700)
        assert desk.account.reserved_pico == 700
        desk.keeper.classified("1", 600)
        assert (desk.account.reserved_pico, desk.account.spent_pico) == (0, 600)

    def test_it_is_not_asked_where_there_is_no_room(self) -> None:
        desk = Desk(kappa_pico=1_000)
        assert desk.keeper.classifying("1", 700)
        assert not desk.keeper.classifying("2", 301)
        assert desk.keeper.classifying("3", 300)

    def test_the_view_names_its_price_until_there_is_a_verdict(self) -> None:
        desk = Desk()
        for verdict, price in ((None, 700), (SIMPLE, 0)):
            view = desk.given("1", verdict, classify_pico=700).bound
            assert view is not None
            assert view.classify_pico == price

    def test_what_it_costs_beyond_that_is_an_overrun(self) -> None:
        desk = Desk(kappa_pico=1_000)
        assert desk.keeper.classifying("1", 1_000)
        desk.keeper.classified("1", 1_200)
        assert (desk.account.spent_pico, desk.account.overrun_pico) == (1_000, 200)


class TestFailures:
    def test_a_try_that_failed_counts_and_the_reference_serves(self) -> None:
        desk = Desk()
        decision = desk.begin("1", desk.given("1", SIMPLE))
        desk.finish("1", decision, Usage(input_tokens=500), ok=False)
        assert (desk.account.spent_pico, desk.account.reserved_pico) == (50_000_000, 0)
        again = desk.begin("1", desk.given("1", SIMPLE, failed=(CHEAP,)))
        assert again.model == CAPABLE
        desk.finish("1", again, COLD)
        assert desk.account == BoundAccount(spent_pico=50_000_000 + COLD_PICO, reference_pico=COLD_PICO)

    def test_a_try_of_the_same_model_again_needs_room(self) -> None:
        desk = Desk()
        decision = desk.begin("1", desk.given("1", SIMPLE))
        desk.finish("1", decision, Usage(), ok=False)
        assert desk.keeper.retry("1")
        assert desk.account.reserved_pico == CHEAP_PICO
        desk.finish("1", decision, Usage(input_tokens=2_000))
        assert desk.account == BoundAccount(spent_pico=CHEAP_PICO, reference_pico=COLD_PICO, debt_pico=DEBT_PICO)
        tight = Desk(kappa_pico=CHEAP_PICO, epsilon=0)
        decision = tight.begin("1", tight.given("1", SIMPLE))
        # The failed try took a half of what the reference's cold turn had made room for.
        tight.keeper.finish("1", None, COLD_PICO - DEBT_PICO, ok=False)
        tight.keeper.classifying("2", 1)
        assert not tight.keeper.retry("1")

    def test_what_follows_a_failure_of_the_reference_is_counted_apart(self) -> None:
        desk = Desk()
        decision = desk.begin("1", desk.given("1"))
        desk.finish("1", decision, Usage(input_tokens=100), ok=False)
        again = desk.begin("1", desk.given("1", failed=(CAPABLE,)))
        assert again.model == CHEAP
        desk.finish("1", again, Usage(input_tokens=2_000))
        assert desk.account == BoundAccount(failed_pico=300_000_000 + CHEAP_PICO)

    def test_its_next_call_is_within_the_claim_again(self) -> None:
        desk = Desk()
        decision = desk.begin("1", desk.given("1"))
        desk.finish("1", decision, Usage(), ok=False)
        assert desk.keeper.retry("1")
        desk.finish("1", decision, COLD, ends_turn=False)
        desk.serve("1", COMPLEX, WARM)
        assert desk.account == BoundAccount(spent_pico=WARM_PICO, reference_pico=WARM_PICO, failed_pico=COLD_PICO)

    def test_an_eviction_is_counted_apart(self) -> None:
        desk = Desk()
        desk.serve("1", COMPLEX, COLD)
        desk.serve("2", COMPLEX, COLD)
        assert desk.account == BoundAccount(
            spent_pico=COLD_PICO + WARM_PICO, reference_pico=COLD_PICO + WARM_PICO, evicted_pico=DEBT_PICO
        )

    def test_a_prompt_of_other_tokens_than_were_counted_is_no_eviction(self) -> None:
        desk = Desk()
        desk.serve("1", COMPLEX, Usage(cache_write_5m_tokens=1_100, input_tokens=1_100))
        assert desk.account.reference_pico == desk.account.spent_pico == COLD_PICO * 11 // 10

    def test_what_was_read_beyond_what_is_known_is_taken_off_both_sides(self) -> None:
        desk = Desk()
        desk.serve("1", COMPLEX, WARM)
        assert desk.account == BoundAccount(spent_pico=WARM_PICO, reference_pico=WARM_PICO)

    def test_a_call_without_a_report_is_booked_with_its_cost(self) -> None:
        desk = Desk()
        desk.begin("1", desk.given("1"))
        desk.keeper.finish("1", None, COLD_PICO + 5)
        assert desk.account == BoundAccount(spent_pico=COLD_PICO, reference_pico=COLD_PICO, evicted_pico=5)


class TestOutside:
    def test_a_pin_is_not_ours_to_choose(self) -> None:
        desk = Desk()
        given = desk.given("1", None, pin=CHEAP)
        assert given.bound is None
        decision = desk.begin("1", given)
        desk.finish("1", decision, Usage(input_tokens=2_000))
        assert desk.account == BoundAccount(outside_pico=CHEAP_PICO)

    def test_a_call_that_nobody_began_is_counted_all_the_same(self) -> None:
        desk = Desk()
        desk.keeper.finish("lost", WARM, 7)
        assert desk.account == BoundAccount(outside_pico=7)

    def test_a_turn_that_is_given_up_keeps_nothing_aside(self) -> None:
        desk = Desk()
        desk.begin("1", desk.given("1", SIMPLE))
        desk.keeper.end_turn("1")
        assert desk.account.reserved_pico == 0

    def test_a_loop_whose_beginning_was_not_seen_goes_on(self) -> None:
        desk = Desk(kappa_pico=0, epsilon=0)
        decision = desk.begin("1", desk.given("1", hard_stay=HardStay(CHEAP, "tool_loop")))
        assert decision.model == CHEAP
        desk.finish("1", decision, Usage(input_tokens=2_000))
        assert desk.account.spent_pico == CHEAP_PICO

    def test_a_refusal_books_nothing(self) -> None:
        desk = Desk()
        given = desk.given("1", needs=Needs(vision=True))
        assert given.bound is None
        assert desk.keeper.begin(given, decide(given), "1")
        assert desk.account == BoundAccount()

    def test_turns_that_never_end_are_closed_when_there_are_too_many(self) -> None:
        desk = Desk()
        desk.keeper = BoundKeeper(SpendBound(kappa_pico=USD), max_turns=2)
        for turn in "123":
            desk.begin(turn, desk.given(turn, SIMPLE))
        assert desk.account.reserved_pico == 2 * CHEAP_PICO


class TestForgetting:
    def requests(self, desk: Desk, verdict: Verdict, count: int) -> list[str | None]:
        """Sessions with heads of their own; who served them."""
        served = []
        for number in range(count):
            turn = f"{verdict.label}-{number}"
            segments = (Segment(kind="system", tokens=1_000, prefix_hash=f"{verdict.label}-head-{number}"), PROMPT[1])
            decision = desk.begin(turn, desk.given(turn, verdict, segments=segments))
            desk.finish(turn, decision, COLD if decision.model == CAPABLE else Usage(input_tokens=2_000))
            served.append(decision.model)
        return served

    def test_what_both_sides_hold_may_go_and_nobody_leaves_until_it_has_expired(self) -> None:
        desk = Desk()
        desk.keeper = BoundKeeper(SpendBound(kappa_pico=USD), max_prefixes=20)
        self.requests(desk, COMPLEX, 30)
        assert desk.keeper.prefixes <= 20
        assert desk.serve("a", SIMPLE, COLD).reason == Reason.SPEND_BOUND
        desk.now_ms += 300_000
        assert desk.serve("b", SIMPLE, Usage(input_tokens=2_000)).model == CHEAP

    def test_what_is_owed_is_never_forgotten(self) -> None:
        desk = Desk()
        desk.keeper = BoundKeeper(SpendBound(kappa_pico=USD), max_prefixes=20)
        self.requests(desk, SIMPLE, 5)
        desk.now_ms += 1
        self.requests(desk, COMPLEX, 30)
        assert desk.account.debt_pico == 5 * DEBT_PICO
        desk.now_ms += 300_000
        desk.given("later")
        assert desk.account.debt_pico == 0

    def test_what_the_shadow_alone_holds_stays_and_no_more_is_added(self) -> None:
        desk = Desk()
        desk.keeper = BoundKeeper(SpendBound(kappa_pico=USD), max_prefixes=20)
        served = self.requests(desk, SIMPLE, 30)
        assert served == [CHEAP] * 10 + [CAPABLE] * 20
        assert desk.account.debt_pico == 10 * DEBT_PICO
        assert desk.keeper.prefixes <= 20
