from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluate.outcomes.tables import file_of
from tests.evaluate.plan.world import CAPABLE, CATALOG, CHEAP, POLICY, World, priced, side
from turnout.config.pairs import PAIR_5_5
from turnout.config.policy_lock import LockedClassifier
from turnout.config.policy_lock_text import lock_text
from turnout.config.presets import PRESETS
from turnout.core.catalog import Catalog
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.plan.naming import naming_of
from turnout.evaluate.plan.planning import Plan, locked, make_plan, per_day_pico
from turnout.evaluate.plan.player import Again, Player
from turnout.evaluate.plan.recorded import recorded, window_of
from turnout.evaluate.plan.sides import Side
from turnout.evaluate.replay.verify import differences
from turnout.trace.store.ledger import Ledger

LLM = LockedClassifier(kind="llm", model=CHEAP)
SESSION = msgspec.structs.replace(POLICY, horizon="session", markers="manage")
BOUND = SpendBound(epsilon=0.05, kappa_pico=10**9)


OWN_BARS: tuple[dict[str, Any], ...] = ({"candidates": POLICY.candidates[:1]}, {"simple_bar": 0.8})


def policy(**changes: Any) -> Policy:
    return msgspec.structs.replace(POLICY, **changes)


ALONE, SUPPORT = (policy(**one) for one in OWN_BARS)


def planned(path: Path, old: Side, new: Side, **options: Any) -> Plan:
    with Ledger(path, create=False) as ledger:
        return make_plan(ledger, old, new, days=30, **options)


def of_world(world: World) -> Side:
    """The side by which a world was routed."""
    kind = LLM if world.asks else LockedClassifier(kind="keyword")
    routes = {f"route {number}": one for number, one in enumerate(world.presets)}
    return side(world.policy, bound=world.bound, classifier=kind, routes=routes)


def recorded_pico(path: Path) -> int:
    with Ledger(path, create=False) as ledger:
        return sum(call.cost.total_pico for call in ledger.calls())


WORLDS = {
    "plain": World(),
    "classifier": World(asks=CHEAP, seed=1),
    "trouble": World(asks=CHEAP, trouble=0.25, seed=2, sessions=20),
    "session": World(policy=SESSION, trouble=0.1, seed=3),
    "bound": World(bound=BOUND, asks=CHEAP, trouble=0.1, seed=4),
    "budget": World(policy=policy(budget=Budget(limit_pico=3 * 10**10, when_spent="cheapest")), seed=5),
    "refusing": World(policy=policy(budget=Budget(limit_pico=3 * 10**10)), asks=CHEAP, trouble=0.1, seed=6),
    "presets": World(presets=(policy(**PRESETS["economy"]), policy(**PRESETS["quality"])), seed=7),
    "routes": World(presets=(ALONE, SUPPORT), seed=8, asks=CHEAP, sessions=20),
    "session routes": World(
        policy=SESSION, presets=tuple(msgspec.structs.replace(SESSION, **one) for one in OWN_BARS), seed=9
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_without_a_change_it_is_the_recorded_spend_and_no_difference(tmp_path: Path, name: str) -> None:
    world = WORLDS[name]
    path = world.write(tmp_path / "ledger.db")
    one = of_world(world)
    plan = planned(path, one, one)
    for played in (plan.old, plan.new):
        spend = played.tally.spend
        assert spend.pico == plan.recorded_pico == recorded_pico(path)
        assert spend.exact_pico <= spend.low_pico == spend.pico <= spend.high_pico
        if not world.trouble:
            assert spend.exact_pico == spend.high_pico == spend.pico
            assert played.tally.estimated == 0
        assert (played.tally.kept, played.tally.unjudged) == (0, 0)
    assert plan.changes.decisions == plan.changes.sessions == 0
    assert plan.differences == ()
    assert plan.old.quality == plan.new.quality
    assert plan.old.tally.decisions == plan.window.decisions > 15


@pytest.mark.parametrize("name", WORLDS)
def test_decisions_replay_byte_for_byte_from_what_is_stored(tmp_path: Path, name: str) -> None:
    world = WORLDS[name]
    one = of_world(world)
    with Ledger(world.write(tmp_path / "ledger.db")) as ledger:
        window = window_of(ledger, 30)
        naming = naming_of(window.policies, [one.policy], one.lock.routes)
        player = Player(one, window, naming, held_markers=True, own_account=False, again=Again())
        for batch in recorded(ledger, window):
            for each in batch:
                assert differences(each.event) == ()
                # The input itself, to which nothing was done: whatever is decided from it is what was decided.
                assert player.given_for(each.event) is each.event.given
                served = player.play(each)
                assert (served.model, served.reason) == (each.event.decision.model, each.event.decision.reason)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    model=st.sampled_from([CHEAP, CAPABLE]),
    factor=st.sampled_from(["1.1", "1.5", "3", "10"]),
)
def test_a_dearer_model_is_never_given_more_requests(
    tmp_path_factory: pytest.TempPathFactory, seed: int, model: str, factor: str
) -> None:
    path = World(seed=seed, sessions=6).write(tmp_path_factory.mktemp("world") / "ledger.db")
    plan = planned(path, side(), side(catalog=priced(model, factor)))
    assert plan.new.tally.by_model[model] <= plan.old.tally.by_model[model]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), horizon=st.booleans())
def test_twice_all_prices_is_twice_the_spend_and_the_same_decisions(
    tmp_path_factory: pytest.TempPathFactory, seed: int, horizon: bool
) -> None:
    world = World(policy=SESSION if horizon else POLICY, seed=seed, sessions=6, asks=CHEAP)
    path = world.write(tmp_path_factory.mktemp("world") / "ledger.db")
    dear = side(world.policy, priced(CHEAP, "2", priced(CAPABLE, "2")), classifier=LLM)
    plan = planned(path, side(world.policy, classifier=LLM), dear)
    assert plan.changes.decisions == 0
    assert plan.new.tally.spend == type(plan.new.tally.spend)(*[2 * pico for pico in plan.old.tally.spend])
    assert plan.new.tally.spend.exact_pico == 2 * recorded_pico(path)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    trouble=st.sampled_from([0.0, 0.2]),
    bars=st.tuples(st.sampled_from([0.0, 0.35, 0.5, 0.75, 1.0]), st.sampled_from([0.0, 0.5, 0.9])),
    factor=st.sampled_from(["0.2", "1", "4"]),
    kind=st.sampled_from(["llm", "none"]),
    bound=st.sampled_from([None, BOUND]),
    markers=st.sampled_from(["user", "fill"]),
)
def test_ends_hold_the_middle_and_the_other_way_round_is_the_opposite(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    trouble: float,
    bars: tuple[float, float],
    factor: str,
    kind: str,
    bound: SpendBound | None,
    markers: Any,
) -> None:
    path = World(seed=seed, sessions=5, trouble=trouble, asks=CHEAP).write(
        tmp_path_factory.mktemp("world") / "ledger.db"
    )
    new = side(
        policy(simple_bar=bars[0], quality_bar=bars[1], markers=markers),
        priced(CHEAP, factor),
        classifier=LLM if kind == "llm" else LockedClassifier(kind="none"),
        bound=bound,
    )
    old = side(classifier=LLM)
    there, back = planned(path, old, new), planned(path, new, old)
    for played in (there.old, there.new):
        spend = played.tally.spend
        assert 0 <= spend.exact_pico <= spend.pico
        assert spend.low_pico <= spend.pico <= spend.high_pico
        assert sum(played.tally.by_model.values()) == played.tally.decisions == there.window.decisions
        assert sum(played.tally.reasons.values()) == played.tally.decisions
        assert sum(played.tally.spend_by_model.values()) == spend.pico
    assert there.old.tally.spend == back.new.tally.spend
    assert there.new.tally.spend == back.old.tally.spend
    assert there.changes.decisions == back.changes.decisions
    assert there.changes.sessions == back.changes.sessions <= there.sessions
    changed = sum(there.changes.spend_pico.values())
    assert changed == -sum(back.changes.spend_pico.values())


@pytest.mark.parametrize("bar", [0.2, 0.75, 1.0])
def test_it_foretells_what_the_other_policy_does_cost(tmp_path: Path, bar: float) -> None:
    """The same traffic, routed by the other policy from the start: what the plan says comes out, about."""
    old, new = World(sessions=60, seed=11), World(policy=policy(simple_bar=bar), sessions=60, seed=11)
    plan = planned(old.write(tmp_path / "old.db"), side(), side(new.policy))
    really = new.write(tmp_path / "new.db")
    with Ledger(really) as ledger:
        served = [event.decision.model for event in ledger.decisions()]
    assert plan.changes.decisions > 40
    assert plan.new.tally.by_model[CHEAP] == pytest.approx(served.count(CHEAP), rel=0.03)
    spend = plan.new.tally.spend
    assert spend.pico == pytest.approx(recorded_pico(really), rel=0.05)
    assert spend.low_pico <= recorded_pico(really) <= spend.high_pico
    assert abs(plan.old.tally.spend.pico - recorded_pico(really)) > 0.05 * recorded_pico(really)


def test_a_model_in_the_place_of_another_is_estimated(tmp_path: Path) -> None:
    path = World(sessions=30).write(tmp_path / "ledger.db")
    newer = Policy(candidates=PAIR_5_5.candidates, markers="fill", adapt=True)
    plan = planned(path, side(), side(newer))
    new = plan.new.tally
    assert new.by_model[CHEAP] == new.by_model[CAPABLE] == new.refused == new.spend.exact_pico == 0
    assert new.estimated == new.decisions == plan.changes.decisions
    assert plan.changes.sessions == plan.sessions == 30
    assert 0 < new.spend.low_pico < new.spend.pico < new.spend.high_pico < plan.old.tally.spend.pico


def test_without_a_classifier_the_most_capable_serves_and_nobody_is_asked(tmp_path: Path) -> None:
    path = World(asks=CHEAP).write(tmp_path / "ledger.db")
    plan = planned(path, side(classifier=LLM), side(classifier=LockedClassifier(kind="none")))
    assert set(plan.new.tally.by_model) == {CAPABLE}
    assert (plan.old.tally.classifier_pico > 0, plan.new.tally.classifier_pico) == (True, 0)
    assert plan.new.quality.value == 1.0


def test_the_share_of_simple_queries_corrects_the_verdicts(tmp_path: Path) -> None:
    path = World(sessions=30).write(tmp_path / "ledger.db")
    few, many = (planned(path, side(), side(policy(simple_share=share))) for share in (0.2, 0.9))
    assert few.new.tally.by_model[CHEAP] < few.old.tally.by_model[CHEAP] < many.new.tally.by_model[CHEAP]


def test_who_was_not_judged_counts_as_served_by_the_most_capable(tmp_path: Path) -> None:
    # The cheap model was the dearer one: no classifier was asked. At today's prices it would be.
    world = World(catalog=priced(CHEAP, "50"))
    path = world.write(tmp_path / "ledger.db")
    plan = planned(path, side(catalog=world.catalog), side())
    new = plan.new.tally
    assert (plan.old.tally.unjudged, new.by_model[CHEAP]) == (0, 0)
    assert new.unjudged > 10
    assert new.spend.low_pico < new.spend.pico
    assert new.spend.exact_pico < new.spend.pico


def test_callers_that_named_a_preset_keep_its_bars(tmp_path: Path) -> None:
    world = WORLDS["presets"]
    path = world.write(tmp_path / "ledger.db")
    plan = planned(path, side(), side(policy(simple_bar=1.0)))
    assert min(plan.named["economy"], plan.named["quality"]) > 3
    assert 0 < plan.new.tally.by_model[CHEAP] < plan.old.tally.by_model[CHEAP]


def test_a_pin_to_a_model_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = World().write(tmp_path / "ledger.db")
    alone = side(Policy(candidates=(Candidate(CAPABLE, 1),), markers="fill", adapt=True))
    plan = planned(path, side(), alone)
    assert plan.new.tally.refused == 0  # nobody pinned: stays move along
    assert set(plan.new.tally.by_model) == {CAPABLE}


def test_the_window_is_the_last_days_and_the_run_that_is_named(tmp_path: Path) -> None:
    path = World(sessions=30, days=6).write(tmp_path / "ledger.db")
    with Ledger(path) as ledger:
        whole = window_of(ledger, 30)
        last = window_of(ledger, 2)
        assert whole.days >= 6
        assert last.days <= 2
        assert 0 < last.decisions < whole.decisions
        plan = make_plan(ledger, side(), side(), days=2)
        assert plan.old.tally.decisions == last.decisions
        assert per_day_pico(plan, plan.old.tally) * last.days == pytest.approx(plan.recorded_pico, abs=last.days)


def test_the_lock_of_a_plan_is_the_same_for_the_same_ledger(tmp_path: Path) -> None:
    path = World(trouble=0.1).write(tmp_path / "ledger.db")
    one, other = (planned(path, side(), side(policy(simple_bar=0.7))) for _ in range(2))
    assert lock_text(locked(one)) == lock_text(locked(other))
    predicted = locked(one).predicted
    assert predicted is not None
    assert Decimal(predicted.spend_usd).scaleb(12) == one.new.tally.spend.pico
    assert predicted.quality_source == "classifier"
    assert sum(predicted.share.values()) == pytest.approx(1.0, abs=1e-5)


def test_the_lock_has_a_hash_of_the_data_that_it_rests_on(tmp_path: Path) -> None:
    def locked_hash(path: Path, **options: Any) -> str:
        window = locked(planned(path, side(), side(), **options)).window
        assert window is not None
        return window.sha256

    path = World(sessions=10).write(tmp_path / "ledger.db")
    alone = locked_hash(path)
    assert len(alone) == 64
    rows = [{"prompt": "a", "prompt_id": "t", "model": model, "score": 1.0} for model in (CHEAP, CAPABLE)]
    graded = locked_hash(path, outcomes=file_of(tmp_path / "a.jsonl", *rows))
    rows[0]["score"] = 0.5
    regraded = locked_hash(path, outcomes=file_of(tmp_path / "b.jsonl", *rows))
    other = locked_hash(World(sessions=11).write(tmp_path / "other.db"))
    assert len({alone, graded, regraded, other}) == 4


def test_prices_of_a_catalog_are_those_of_its_own_side(tmp_path: Path) -> None:
    path = World().write(tmp_path / "ledger.db")
    cheaper = Catalog.of(priced(CAPABLE, "0.5", CATALOG).models)
    plan = planned(path, side(), side(catalog=cheaper))
    assert plan.new.tally.spend.pico < plan.old.tally.spend.pico == plan.recorded_pico


def test_a_route_goes_by_the_route_of_each_side(tmp_path: Path) -> None:
    world = WORLDS["routes"]
    path = world.write(tmp_path / "ledger.db")
    routes = {"cheap": ALONE, "support": SUPPORT}
    old = side(classifier=LLM, routes=routes)
    plan = planned(path, old, side(classifier=LLM, routes={**routes, "support": policy(simple_bar=0.0)}))
    assert min(plan.named["cheap"], plan.named["support"]) > 3
    assert plan.new.tally.by_model[CHEAP] > plan.old.tally.by_model[CHEAP]
    assert plan.changes.decisions <= plan.named["support"] + 10  # and what follows from them within sessions
    assert [one.key for one in plan.differences] == ["routes.support.simple_bar"]
    # One that is gone is decided by the policy itself.
    gone = planned(path, old, side(classifier=LLM, routes={"support": SUPPORT}))
    assert gone.new.tally.by_model[CAPABLE] > gone.old.tally.by_model[CAPABLE]
