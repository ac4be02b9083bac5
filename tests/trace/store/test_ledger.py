from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.trace import decided, samples
from turnout.core.cost import Cost
from turnout.core.decide import decide
from turnout.core.usage import Usage
from turnout.trace.errors import EventError, LedgerError
from turnout.trace.events import CallEvent, DecisionEvent, Event, new_id
from turnout.trace.store.encode import DECISION_COLUMNS, canonical, decision_json, decision_row
from turnout.trace.store.ledger import Ledger, Run
from turnout.trace.store.pack import packed, unpacked_pair
from turnout.trace.store.schema import MIGRATIONS
from turnout.trace.store.spill import spill, spilled


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One ledger for all random events of this module."""
    with Ledger(tmp_path_factory.mktemp("ledger") / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


def _call(
    event_id: str = "",
    *,
    run: str = "run",
    turn: str = "turn",
    query: str = "",
    started_ms: int = 1,
    simulated: bool = False,
) -> CallEvent:
    return CallEvent(
        event_id=event_id or new_id(),
        run=run,
        session_id="session",
        turn_id=turn,
        query_id=query,
        model="bedrock/small",
        started_ms=started_ms,
        usage=Usage(input_tokens=10, output_tokens=2),
        cost=Cost(input_pico=10_000_000, output_pico=10_000_000),
        simulated=simulated,
    )


def _under_new_id(event: Event) -> Event:
    return msgspec.structs.replace(event, event_id=new_id())


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_events_come_back_equal(
    shared: Ledger,
    call_events: SearchStrategy[CallEvent],
    decision_events: SearchStrategy[DecisionEvent],
    data: st.DataObject,
) -> None:
    drawn = data.draw(st.lists(call_events | decision_events, max_size=4))
    events = [msgspec.structs.replace(_under_new_id(event), run="random", turn_id="one") for event in drawn]
    earlier = len(shared.calls(run="random")), len(shared.decisions(run="random"))
    assert shared.append(events) == len(events)
    calls = {event.event_id: event for event in shared.calls(run="random")}
    decisions = {event.event_id: event for event in shared.decisions(run="random")}
    assert len(calls) + len(decisions) == sum(earlier) + len(events)
    for event in events:
        assert (calls | decisions)[event.event_id] == event


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_decision_replays_byte_for_byte(
    shared: Ledger, decision_events: SearchStrategy[DecisionEvent], data: st.DataObject
) -> None:
    recorded = _under_new_id(data.draw(decision_events))
    shared.append([recorded])
    # A second ledger has seen no value yet: everything it knows, it has from the file.
    with Ledger(shared.path, read_only=True) as other:
        read = other.decision(recorded.event_id)
        [(stored,)] = other.select("SELECT given FROM decisions WHERE event_id = ?", (recorded.event_id,))
    assert read == recorded
    assert canonical(decide(read.given)) == canonical(read.decision) == unpacked_pair(stored)[1]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [pytest.param(1, "text", id="JSON as text"), pytest.param(4, "blob", id="packed one by one")],
)
def test_a_ledger_of_an_older_schema_is_brought_up_and_read(tmp_path: Path, schema: int, kind: str) -> None:
    recorded = decided.decided()
    policy, catalog = recorded.given.policy, recorded.given.catalog
    hashes = policy.content_hash, catalog.content_hash
    row = dict(zip(DECISION_COLUMNS, (*decision_row(recorded, *hashes), None), strict=True))
    for later in ("place", "pack", *(["parent_span_id"] if schema == 1 else [])):
        del row[later]
    # The first version wrote JSON as text, later ones packed each by itself.
    pair = decision_json(recorded, *hashes)
    row |= {
        name: json.decode() if schema == 1 else packed(json)
        for name, json in zip(("given", "decision"), pair, strict=True)
    }
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    for step in MIGRATIONS[:schema]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {schema}")
    connection.execute(
        f"INSERT INTO decisions ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
    )
    snapshots = [(policy.content_hash, "policy", policy), (catalog.content_hash, "catalog", catalog)]
    connection.executemany(
        "INSERT INTO snapshots VALUES (?, ?, ?)",
        [(known, kind, canonical(it).decode()) for known, kind, it in snapshots],
    )
    connection.commit()
    connection.close()
    with Ledger(path) as ledger:
        ledger.append([msgspec.structs.replace(recorded, event_id="packed")])
        assert ledger.select("SELECT typeof(given), decision = x'' FROM decisions") == [(kind, 0), ("blob", 1)]
        old, new = ledger.decisions()
    assert old == recorded
    assert canonical(decide(old.given)) == canonical(new.decision) == pair[1]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40])
def test_of_many_events_each_is_kept_once(tmp_path: Path, count: int) -> None:
    one, other = decided.decided(), samples.call()
    decisions = [msgspec.structs.replace(one, event_id=f"decision-{number}") for number in range(count)]
    calls = [msgspec.structs.replace(other, event_id=f"call-{number}") for number in range(count)]
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.append([*decisions[: count // 2], *calls[: count // 3]]) == count // 2 + count // 3
        # Some are there, and some stand there twice.
        again: list[Event] = [*decisions, *calls, *decisions[:5], *calls[:5]]
        assert ledger.append(again) == 2 * count - count // 2 - count // 3
        assert sorted(event.event_id for event in ledger.decisions()) == sorted(event.event_id for event in decisions)
        assert sorted(event.event_id for event in ledger.calls()) == sorted(event.event_id for event in calls)


def test_policies_and_catalogs_are_kept_once(
    shared: Ledger, tmp_path: Path, decision_events: SearchStrategy[DecisionEvent]
) -> None:
    @settings(max_examples=1, database=None, deadline=None)
    @given(decision_events)
    def write_twenty(event: DecisionEvent) -> None:
        with Ledger(tmp_path / "twenty.db") as ledger:
            ledger.append(_under_new_id(event) for _ in range(20))
            kinds = ledger.select("SELECT kind, hash FROM snapshots ORDER BY kind")
        assert kinds == [("catalog", event.given.catalog.content_hash), ("policy", event.given.policy.content_hash)]

    write_twenty()


def test_sums_over_money_are_exact_integers(ledger: Ledger) -> None:
    # Beyond 2**53, where floats would lose the last digits.
    odd = 9_007_199_254_740_993
    ledger.append([msgspec.structs.replace(_call(), cost=Cost(input_pico=odd, output_pico=1)) for _ in range(3)])
    assert ledger.select("SELECT sum(input_pico), sum(cost_pico) FROM calls") == [(3 * odd, 3 * odd + 3)]


def test_an_event_is_kept_once_and_stays_as_it_was(ledger: Ledger) -> None:
    first, second = _call("a"), _call("b")
    assert ledger.append([first, second]) == 2
    assert ledger.append([msgspec.structs.replace(first, model="bedrock/other"), second, _call("c")]) == 1
    assert [event.event_id for event in ledger.calls()] == ["a", "b", "c"]
    assert ledger.calls()[0] == first


def test_no_events_write_nothing(ledger: Ledger) -> None:
    assert ledger.append([]) == 0
    assert ledger.runs() == []


def test_calls_are_found_by_run_turn_and_query_in_the_order_of_their_start(ledger: Ledger) -> None:
    late = _call("late", run="one", turn="t1", query="q1", started_ms=30)
    early = _call("early", run="one", turn="t1", query="q1", started_ms=10)
    other = _call("other", run="one", turn="t2", query="q2", started_ms=20)
    foreign = _call("foreign", run="two", turn="t1", query="q1", started_ms=5)
    ledger.append([late, early, other, foreign])
    assert ledger.calls() == [foreign, early, other, late]
    assert ledger.calls(run="one") == [early, other, late]
    assert ledger.calls(run="one", turn="t1") == [early, late]
    assert ledger.calls(query="q1") == [foreign, early, late]
    assert ledger.calls(run="none such") == []


@pytest.mark.parametrize(
    "bad",
    [
        msgspec.structs.replace(_call("bad"), query_id="\udc80"),
        msgspec.structs.replace(_call("bad"), usage=Usage(input_tokens=2**63)),
        msgspec.structs.replace(_call("bad"), cost_high_pico=2**62, cost=Cost(input_pico=2**62)),
        msgspec.structs.replace(_call("bad"), latency_ms=float("nan")),
    ],
    ids=["lone surrogate", "more than 64 bits", "sum of more than 64 bits", "not a number"],
)
def test_one_bad_event_writes_none_of_its_transaction(ledger: Ledger, bad: CallEvent) -> None:
    with pytest.raises(EventError, match="one of 2 events cannot be kept"):
        ledger.append([_call("good"), bad])
    assert ledger.calls() == []
    assert ledger.runs() == []
    assert ledger.append([_call("good")]) == 1


def test_runs_are_listed_with_what_they_hold(ledger: Ledger, decision_events: SearchStrategy[DecisionEvent]) -> None:
    ledger.append([_call(run="later", started_ms=200), _call(run="first", started_ms=100, simulated=True)])
    ledger.append([_call(run="first", started_ms=50)])
    assert ledger.runs() == [
        Run(name="first", created_ms=50, simulated=True, calls=2),
        Run(name="later", created_ms=200, calls=1),
    ]


def test_a_run_can_be_described_before_and_after_its_events(ledger: Ledger) -> None:
    ledger.describe("demo", note="the first", labels={"version": "v4", "agent": "support"})
    ledger.append([_call(run="demo", started_ms=7)])
    ledger.describe("demo", labels={"version": "v5"})
    assert ledger.run("demo") == Run(name="demo", created_ms=7, note="the first", labels={"version": "v5"}, calls=1)
    with pytest.raises(LedgerError, match="plain text"):
        ledger.describe("demo", note="\udc80")


def test_an_unknown_run_names_the_nearest(ledger: Ledger) -> None:
    ledger.append([_call(run="support-v4")])
    with pytest.raises(LedgerError, match=r"unknown run 'suport-v4'.*'support-v4'"):
        ledger.run("suport-v4")


def test_an_unknown_decision_is_said(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no decision has the id 'missing'"):
        ledger.decision("missing")


def test_a_decision_that_was_tampered_with_is_named(
    shared: Ledger, decision_events: SearchStrategy[DecisionEvent]
) -> None:
    @settings(max_examples=1, database=None, deadline=None)
    @given(decision_events)
    def tamper(event: DecisionEvent) -> None:
        recorded = _under_new_id(event)
        shared.append([recorded])
        connection = sqlite3.connect(shared.path, isolation_level=None)
        connection.execute("UPDATE decisions SET given = '{}' WHERE event_id = ?", (recorded.event_id,))
        connection.close()
        with pytest.raises(LedgerError, match=f"{recorded.event_id}.* cannot be read"):
            shared.decision(recorded.event_id)
        shared.select("SELECT 1")
        connection = sqlite3.connect(shared.path, isolation_level=None)
        connection.execute("DELETE FROM decisions WHERE event_id = ?", (recorded.event_id,))
        connection.close()

    tamper()


def test_reads_in_one_block_see_one_state(ledger: Ledger) -> None:
    ledger.append([_call("a")])
    with ledger.reading() as select, Ledger(ledger.path) as other:
        assert select("SELECT count(*) FROM calls") == [(1,)]
        other.append([_call("b")])
        assert select("SELECT count(*) FROM calls WHERE run = ?", ("run",)) == [(1,)]
    assert ledger.select("SELECT count(*) FROM calls") == [(2,)]


def test_spilled_events_are_taken_in_at_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        ledger.append([_call("a")])
        spill(path, [_call("a"), _call("b")])
    with Ledger(path, read_only=True) as ledger:
        assert len(ledger.calls()) == 1
    with Ledger(path) as ledger:
        assert [event.event_id for event in ledger.calls()] == ["a", "b"]
    assert spilled(path) == []


def test_a_spill_that_cannot_be_read_stays_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ledger.db"
    kept = spill(path, [_call("a")])
    kept.write_bytes(kept.read_bytes() + b"cut o")
    with Ledger(path) as ledger:
        assert ledger.calls() == []
    assert "line 2" in caplog.text
    assert spilled(path) == [kept]


def test_a_spill_from_elsewhere_is_taken_in_once(tmp_path: Path, ledger: Ledger) -> None:
    elsewhere = spill(tmp_path / "elsewhere" / ".." / "other.db", [_call("a")])
    assert ledger.take_in(elsewhere) == 1
    assert ledger.take_in(elsewhere) == 0
    assert elsewhere.exists()
