"""Whatever a provider does, and wherever: a whole answer or an error, never nothing; and nothing is left behind.

Every request that is sent here is counted, and its calls in the ledger are held against those that reached the
provider; each comes with a key whose limits are all on, and none of its tickets may be left. Every door is tried, and
translation between doors and providers. ``HYPOTHESIS_PROFILE=explore`` goes through every fault, place and byte instead
of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest

from tests.doors.gateway.hardness.harness import (
    BOTH,
    BUDGET,
    PAIRS,
    POOR,
    POOR_USD,
    Bench,
    Case,
    Pair,
    bench,
    leave,
    sampled,
    send,
)
from tests.doors.gateway.hardness.harness import RICH as KEY
from tests.doors.gateway.hardness.provider import BEFORE, WITHIN, Healthy, length_of
from turnout.core.cost import usd_to_pico
from turnout.messages.wire.asked import WireProtocol

# What goes wrong does so on every version of Python.
pytestmark = pytest.mark.once

ONE_BY_ONE = pytest.mark.parametrize(
    ("number", "pair"), list(enumerate(PAIRS)), ids=[f"{door}-by-{provider}" for door, provider in PAIRS]
)
TIMES = (1, None)
"""Once, so that another attempt can answer, and always."""

MENDED = ("closes", "resets", "answers 500", "answers 503", "no HTTP", "garbage for chunks", "the JSON null")
"""One failure of a provider is mended where it is the provider's."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("hardness")) as made:
        yield made
        made.print_counts()


def test_without_a_fault_the_answer_comes(running: Bench) -> None:
    outcomes = running.run(Case(pair, stream, {}) for pair in PAIRS for stream in BOTH)
    assert [one.verdict for one in outcomes] == ["answered"] * len(outcomes)


@pytest.mark.parametrize("door", WireProtocol)
def test_before_the_answer(running: Bench, door: WireProtocol) -> None:
    cases = [
        Case(pair, stream, {"where": "before", "what": what, "times": times})
        for number, pair in enumerate(PAIRS)
        if pair[0] is door
        for what, stream, times in sampled(BEFORE, BOTH, TIMES, each=1, offset=number)
    ]
    for one in running.run(cases):
        what, times = one.case.fault["what"], one.case.fault["times"]
        if times == 1 and what in MENDED:
            assert one.verdict == "answered", one.case
        if times == 1 and what == "stalls":
            # An answer that is not streamed may take all the time that there is.
            assert one.verdict == ("answered" if one.case.stream else "told")


@ONE_BY_ONE
def test_within_a_stream_at_every_event(running: Bench, number: int, pair: Pair) -> None:
    places = range(len(Healthy(pair[1], stream=True).events) + 1)
    running.run(
        Case(pair, True, {"where": "within", "what": what, "index": index, "times": times})
        for what, index, times in sampled(WITHIN, places, TIMES, each=3, offset=number)
    )


@ONE_BY_ONE
def test_cut_at_a_byte(running: Bench, number: int, pair: Pair) -> None:
    running.run(
        Case(pair, stream, {"where": "byte", "what": what, "index": index, "times": None})
        for stream in BOTH
        for what, index in sampled(
            ("closes", "resets"), range(length_of(pair[1], stream=stream)), each=8, offset=number
        )
    )


@ONE_BY_ONE
def test_a_client_that_leaves_leaves_nothing(running: Bench, number: int, pair: Pair) -> None:
    names = []
    for index, reset in product(range(len(Healthy(pair[1], stream=True).events) + 1), BOTH):
        fault = {"where": "within", "what": "stalls", "index": index, "times": 1}
        # Of an answer that stalls before its first content nothing has been passed on.
        case = Case(pair, True, fault)
        for _, after in sampled([reset], (0,) if index < 6 else (0, 1, 200), each=1, offset=index + number):
            names.append(leave(running.port(pair), case, KEY, after=after, reset=reset))
    for what, reset in product(("stalls", "stalls in the headers"), BOTH):
        case = Case(pair, False, {"where": "before", "what": what, "times": 1})
        names.append(leave(running.port(pair), case, KEY, after=0, reset=reset))
    found = running.take_calls()
    running.counted["left by the client"] += len(names)
    for name in names:
        calls = found.get(name, [])
        # The last call may not have reached the provider: its client left while it was being connected.
        assert running.provider.calls[name] <= len(calls) <= running.provider.calls[name] + 1, name
        assert {call.status for call in calls[:-1]} <= {"error"}, name
        # One that left at once may not have been read at all.
        assert [call.status for call in calls][-1:] in ([], ["cancelled"], ["ok"]), (name, calls)


def test_a_budget_that_runs_out_amid_failures(running: Bench) -> None:
    """It is never exceeded, and what is set aside for calls that fail comes free."""
    faults = ("closes", "answers 500", "the JSON null", "its own answer with no usage", "no HTTP", "answers 400")
    cases = [
        Case(pair, stream, {"where": "before", "what": what, "times": times})
        for what, stream, times, pair in sampled(faults, BOTH, TIMES, PAIRS, each=24)
    ]
    outcomes = running.run(cases, POOR)
    refused = sum(BUDGET in one.data for one in outcomes)
    assert 0 < refused < len(outcomes)
    for gateway in running.gateways.values():
        admission = gateway.gateway.admission
        spent = admission.limits.spent(POOR.stored.id, admission.now_ms())
        assert 0 < spent.month_pico <= usd_to_pico(Decimal(POOR_USD))


def test_a_provider_that_is_not_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    with bench(tmp_path_factory.mktemp("gone"), deadline=1.0) as made:
        made.provider.stop_listening()
        for pair, stream in product(PAIRS, BOTH):
            one = send(made.port(pair), Case(pair, stream, {}), KEY)
            assert one.verdict == "told", one
            assert one.status in (502, 503, 504)
        calls = [call for many in made.take_calls().values() for call in many]
        assert len(calls) >= len(PAIRS)
        assert {event.status for event in calls} == {"error"}
        assert {event.error for event in calls} == {"ConnectError"}
