from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluate.report.runs import ALONE, QUERIES, ROUTED, run_of
from tests.trace.decided import CAPABLE, CHEAP, NOW_MS
from turnout.core.cache import CacheEntry, CacheState
from turnout.core.cost import Cost
from turnout.core.policy import Policy
from turnout.core.request import HardStay
from turnout.core.usage import Usage
from turnout.evaluate.report.not_routing import NotRouting, not_routing
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.store.ledger import Ledger


def computed(path: Path, events: list[Event], run: str) -> NotRouting | None:
    with Ledger(path) as ledger:
        ledger.append(events)
        return not_routing(ledger, run)


def cost(events: list[Event]) -> int:
    return sum(event.cost.total_pico for event in events if isinstance(event, CallEvent))


def test_it_is_what_the_same_queries_cost_on_the_capable_model_alone(tmp_path: Path) -> None:
    routed, alone = run_of("v4"), run_of("v3", ALONE)
    found = computed(tmp_path / "ledger.db", [*routed, *alone], "v4")
    assert found is not None
    assert (found.model, found.calls, found.kept) == (CAPABLE.id, 5, 0)
    # By hand: the head is written once and read four times, 20 to 24 fresh tokens, 100 to 140 of output.
    by_hand = 2_000 * 3_750_000 + 4 * 2_000 * 300_000 + 110 * 3_000_000 + 600 * 15_000_000
    assert sum(found.turns.values()) == cost(alone) == by_hand
    assert cost(routed) != by_hand


@settings(max_examples=40)
@given(
    queries=st.lists(st.sampled_from(QUERIES), min_size=1, max_size=12).map(tuple),
    gap_ms=st.sampled_from([1, 1_000, 299_999, 300_000, 400_000]),
)
def test_it_follows_the_cache_of_the_capable_model(
    tmp_path_factory: pytest.TempPathFactory, queries: tuple[str, ...], gap_ms: int
) -> None:
    routed, alone = run_of("v4", queries=queries, gap_ms=gap_ms), run_of("v3", ALONE, queries=queries, gap_ms=gap_ms)
    found = computed(tmp_path_factory.mktemp("runs") / "ledger.db", routed, "v4")
    assert found is not None
    assert sum(found.turns.values()) == cost(alone)


def test_nothing_was_routed_where_there_was_one_candidate(tmp_path: Path) -> None:
    assert computed(tmp_path / "ledger.db", run_of("v3", ALONE), "v3") is None


def test_a_run_without_decisions_was_not_routed(tmp_path: Path) -> None:
    calls = [event for event in run_of("v3") if isinstance(event, CallEvent)]
    assert computed(tmp_path / "ledger.db", list(calls), "v3") is None


def test_what_was_not_reported_counts_as_it_was(tmp_path: Path) -> None:
    events = run_of("v4", usage_source="estimated")
    found = computed(tmp_path / "ledger.db", events, "v4")
    assert found is not None
    assert (found.kept, sum(found.turns.values())) == (5, cost(events))


def test_what_the_capable_model_could_not_serve_counts_as_it_was(tmp_path: Path) -> None:
    events: list[Event] = []
    for event in run_of("v4"):
        if isinstance(event, DecisionEvent):
            request = msgspec.structs.replace(event.given.request, allowed_models=(CHEAP.id,))
            event = msgspec.structs.replace(event, given=msgspec.structs.replace(event.given, request=request))
        events.append(event)
    found = computed(tmp_path / "ledger.db", events, "v4")
    assert found is not None
    assert (found.kept, sum(found.turns.values())) == (5, cost(events))


def test_a_history_that_is_bound_to_the_cheap_model_would_have_been_the_capable_ones(tmp_path: Path) -> None:
    events: list[Event] = []
    for event in run_of("v4", queries=QUERIES[:1]):
        if isinstance(event, DecisionEvent):
            stay = HardStay(CHEAP.id, "bound_state")
            request = msgspec.structs.replace(event.given.request, hard_stay=stay)
            event = msgspec.structs.replace(event, given=msgspec.structs.replace(event.given, request=request))
        events.append(event)
    found = computed(tmp_path / "ledger.db", events, "v4")
    assert found is not None
    assert (found.kept, sum(found.turns.values())) == (0, 2_000 * 3_750_000 + 20 * 3_000_000 + 100 * 15_000_000)


def test_what_was_warm_before_the_run_is_read(tmp_path: Path) -> None:
    warm = CacheState((CacheEntry(prefix_hash="head", ttl="5m", expires_ms=NOW_MS + 1_000),))
    events: list[Event] = []
    for event in run_of("v4", queries=QUERIES[:1]):
        if isinstance(event, DecisionEvent):
            given = msgspec.structs.replace(event.given, caches={CAPABLE.id: warm})
            event = msgspec.structs.replace(event, given=given)
        events.append(event)
    found = computed(tmp_path / "ledger.db", events, "v4")
    assert found is not None
    assert sum(found.turns.values()) == 2_000 * 300_000 + 20 * 3_000_000 + 100 * 15_000_000


def test_several_calls_of_a_turn_follow_their_decisions(tmp_path: Path) -> None:
    [decision, call] = run_of("v4", queries=QUERIES[:1])
    assert isinstance(decision, DecisionEvent)
    assert isinstance(call, CallEvent)
    # A second call without a decision of its own, as one that was tried again: it follows the only one there is.
    again = msgspec.structs.replace(call, event_id="again", started_ms=NOW_MS + 5)
    classifier = msgspec.structs.replace(call, event_id="asked", role="classifier", cost=Cost(input_pico=7))
    found = computed(tmp_path / "ledger.db", [decision, call, again, classifier], "v4")
    assert found is not None
    assert (found.calls, list(found.turns)) == (2, ["v4-0"])
    first, second = 2_000 * 3_750_000, 2_000 * 300_000
    assert sum(found.turns.values()) == first + second + 2 * (20 * 3_000_000 + 100 * 15_000_000)


def test_tokens_are_those_that_were_reported_times_the_ratio_of_the_tokenizers(tmp_path: Path) -> None:
    # The cheap model reports half as many tokens as were counted: the capable one would have had half as many too.
    usage = Usage(input_tokens=1_010, output_tokens=0)
    [decision, call] = run_of("v4", queries=QUERIES[:1], usage=usage)
    found = computed(tmp_path / "ledger.db", [decision, call], "v4")
    assert found is not None
    # Its head of 1,000 tokens is below the floor of 1,024: nothing is written.
    assert sum(found.turns.values()) == 1_010 * 3_000_000


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(run_of("v4"))
        not_routing(ledger, "v4", told.append)
    assert told == [5]


def test_the_policy_of_each_decision_names_its_most_capable(tmp_path: Path) -> None:
    turned = Policy(candidates=tuple(msgspec.structs.replace(one, rank=-one.rank) for one in ROUTED.candidates))
    found = computed(tmp_path / "ledger.db", run_of("v4", turned), "v4")
    assert found is not None
    assert found.model == CHEAP.id
