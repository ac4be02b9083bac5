"""Whatever a provider does, and wherever: a whole answer or an error, never nothing; and nothing is left behind.

Every request that is sent here is counted, and its calls in the ledger are held against those that reached the
provider. ``HYPOTHESIS_PROFILE=explore`` goes through every byte instead of a sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doors.gateway.hardness.harness import PROTOCOLS, Bench, Case, bench, leave, sampled, send
from tests.doors.gateway.hardness.provider import BEFORE, WITHIN, Healthy, length_of
from tests.doors.gateway.support import wait_for
from turnout.messages.wire.asked import WireProtocol

BOTH = (False, True)
# What goes wrong does so on every version of Python.
pytestmark = pytest.mark.once
PARTS = [(protocol, stream) for protocol in PROTOCOLS for stream in BOTH]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("hardness")) as made:
        yield made
        made.print_counts()


def test_without_a_fault_the_answer_comes(running: Bench) -> None:
    outcomes = running.run(Case(protocol, stream, {}) for protocol, stream in PARTS)
    assert [one.verdict for one in outcomes] == ["answered"] * len(PARTS)


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize(("protocol", "stream"), PARTS)
def test_before_the_answer(running: Bench, protocol: WireProtocol, stream: bool, times: int | None) -> None:
    outcomes = running.run(Case(protocol, stream, {"where": "before", "what": what, "times": times}) for what in BEFORE)
    if times == 1:
        # One failure of a provider is mended where it is the provider's.
        by_fault = {str(one.case.fault["what"]): one.verdict for one in outcomes}
        for what in (
            "closes",
            "resets",
            "answers 500",
            "answers 503",
            "no HTTP",
            "garbage for chunks",
            "the JSON null",
        ):
            assert by_fault[what] == "answered", what
        # An answer that is not streamed may take all the time that there is.
        assert by_fault["stalls"] == ("answered" if stream else "told")


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("what", WITHIN)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_within_a_stream_at_every_event(running: Bench, protocol: WireProtocol, what: str, times: int | None) -> None:
    places = range(len(Healthy(protocol, stream=True).events) + 1)
    running.run(Case(protocol, True, {"where": "within", "what": what, "index": i, "times": times}) for i in places)


@pytest.mark.parametrize("what", ["closes", "resets"])
@pytest.mark.parametrize(("protocol", "stream"), PARTS)
def test_cut_at_a_byte(running: Bench, protocol: WireProtocol, stream: bool, what: str) -> None:
    places = sampled(range(length_of(protocol, stream=stream)))
    running.run(Case(protocol, stream, {"where": "byte", "what": what, "index": i, "times": None}) for i in places)


@pytest.mark.parametrize("reset", BOTH, ids=["closes", "resets"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_that_leaves_leaves_nothing(running: Bench, protocol: WireProtocol, reset: bool) -> None:
    events = Healthy(protocol, stream=True).events
    names = []
    for index in range(len(events) + 1):
        fault = {"where": "within", "what": "stalls", "index": index, "times": 1}
        for after in (0, 1, 200):
            # Of an answer that stalls before its first content nothing has been passed on.
            if after and index < 5:
                continue
            name = leave(running.port, Case(protocol, True, fault), after=after, reset=reset)
            names.append(name)
    for what in ("stalls", "stalls in the headers"):
        case = Case(protocol, False, {"where": "before", "what": what, "times": 1})
        names.append(leave(running.port, case, after=0, reset=reset))
    running.settle()
    running.counted["left by the client"] += len(names)
    for name in names:
        calls = [event for event in running.gateway.events.calls if event.query_id == name]
        # The last call may not have reached the provider: its client left while it was being connected.
        assert running.provider.calls[name] <= len(calls) <= running.provider.calls[name] + 1, name
        assert {call.status for call in calls[:-1]} <= {"error"}, name
        # One that left at once may not have been read at all.
        assert [call.status for call in calls][-1:] in ([], ["cancelled"], ["ok"]), (name, calls)
    running.gateway.events.events.clear()


def test_a_provider_that_is_not_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    with bench(tmp_path_factory.mktemp("gone"), deadline=1.0) as made:
        made.provider.stop_listening()
        for protocol, stream in PARTS:
            one = send(made.port, Case(protocol, stream, {}))
            assert one.verdict == "told", one
            assert one.status in (502, 503, 504)
        wait_for(lambda: len(made.gateway.events.calls) >= len(PARTS))
        assert {event.status for event in made.gateway.events.calls} == {"error"}
        assert {event.error for event in made.gateway.events.calls} == {"ConnectError"}
