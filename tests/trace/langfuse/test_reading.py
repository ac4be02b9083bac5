from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.trace.langfuse.conftest import Passing
from tests.trace.langfuse.events import LARGE, SMALL, START_MS, asked, call, decision
from tests.trace.langfuse.pages import answering
from tests.trace.langfuse.sending import Sent, export, new_span_id, new_trace_id, sent_for
from turnout.testing.bedrock import ManualClock
from turnout.testing.langfuse import LangfuseDouble, dropped, rate_limited, server_error, unauthorized
from turnout.trace.events import Event
from turnout.trace.langfuse import Labels, LangfuseReader, LangfuseSettings, ModelTotals, Patience
from turnout.trace.langfuse.errors import (
    LangfuseAccessError,
    LangfuseRequestError,
    LangfuseUnavailableError,
    TraceNotFoundError,
    WaitCancelledError,
)
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.metrics import run_metrics

AGENT = Labels(trace_name="support")


def trace(turn: str = "turn", at_ms: int = 0, labels: Labels = AGENT, **fields: Any) -> list[Sent]:
    """The spans of a routed turn: the request's around its calls, as tracing builds them."""
    trace_id, root = new_trace_id(), new_span_id()
    around = decision(turn, started_ms=START_MS + at_ms, **fields)
    within: list[Event] = [
        asked(turn, started_ms=START_MS + at_ms + 10),
        call(turn, started_ms=START_MS + at_ms + 700, **fields),
    ]
    first = sent_for(around, trace_id, labels=labels, span_id=root)
    return [
        msgspec.structs.replace(first, ended_ms=first.started_ms + 2200),
        *(sent_for(event, trace_id, labels=labels, parent=root) for event in within),
    ]


def test_the_newest_trace_by_the_agents_name(
    reader: LangfuseReader, settings: LangfuseSettings, passing: Passing
) -> None:
    export(settings, trace("old") + trace("new", 9000) + trace("other", 20_000, Labels(trace_name="another")))
    found = reader.latest("support", cancel=passing)
    assert found.turn.turn_id == "new"
    assert (found.api, found.whole, found.looks, len(found.trace_id)) == ("v2", True, 1, 32)
    assert passing.waits == [5.0]
    # Worked out in test_attributes: 1,055e-6 for the answer and 425e-6 for the classifier.
    assert found.turn.cost_pico == 1_480_000_000
    assert (found.turn.usage.prompt_tokens, found.turn.usage.output_tokens) == (2840, 65)
    assert (found.turn.latency_ms, found.turn.model, found.turn.label) == (2200.0, SMALL.id, "simple")


def test_the_name_of_a_run_is_the_agents_where_labels_give_none(
    reader: LangfuseReader, settings: LangfuseSettings, passing: Passing
) -> None:
    export(settings, trace(labels=Labels()))
    assert reader.latest("agent", cancel=passing).turn.turn_id == "turn"


def test_what_comes_late_is_waited_for(
    reader: LangfuseReader, settings: LangfuseSettings, double: LangfuseDouble, passing: Passing
) -> None:
    double.delay(seconds=12)
    export(settings, trace())
    assert reader.latest("support", cancel=passing).looks == 3
    assert passing.waits == [5.0, 5.0, 5.0]


def test_a_time_to_begin_at_keeps_older_traces_away(
    reader: LangfuseReader, settings: LangfuseSettings, double: LangfuseDouble, passing: Passing
) -> None:
    export(settings, trace("old"))
    double.delay(seconds=12)
    export(settings, trace("new", 9000))
    assert reader.latest("support", cancel=passing).turn.turn_id == "old"
    assert reader.latest("support", since_ms=START_MS + 9000, cancel=passing).turn.turn_id == "new"


def test_a_trace_with_a_gap_is_looked_at_again(
    reader: LangfuseReader, settings: LangfuseSettings, double: LangfuseDouble, passing: Passing
) -> None:
    root, classifier, answer = trace()
    export(settings, [root, classifier])
    double.delay(seconds=7)
    export(settings, [answer])
    found = reader.latest("support", cancel=passing)
    assert (found.looks, found.whole, found.turn.status, found.turn.calls) == (2, True, "answered", 1)


def test_a_gap_that_stays_ends_the_wait_after_two_equal_looks(
    reader: LangfuseReader, settings: LangfuseSettings, passing: Passing
) -> None:
    _, classifier, answer = trace()  # what they lie in is the span of a caller elsewhere
    export(settings, [classifier, answer])
    found = reader.latest("support", cancel=passing)
    assert (found.looks, found.whole, found.turn.cost_pico) == (2, True, 1_480_000_000)


def test_a_trace_that_is_never_whole_says_so(
    reader: LangfuseReader,
    settings: LangfuseSettings,
    passing: Passing,
    caplog: pytest.LogCaptureFixture,
) -> None:
    export(settings, trace()[1:])
    with caplog.at_level(logging.WARNING):
        found = reader.latest("support", patience=Patience(max_retries=0), cancel=passing)
    assert (found.whole, found.looks) == (False, 1)
    assert "may not show the whole trace yet" in caplog.text


@pytest.mark.parametrize(
    ("patience", "waits"),
    [
        (Patience(), [5.0] * 6),
        (Patience(wait_seconds=2, max_retries=1), [2.0, 2.0]),
        (Patience(wait_seconds=50, max_retries=9, timeout_seconds=120), [50.0, 50.0]),
        (Patience(wait_seconds=0, max_retries=0, timeout_seconds=0), [0.0]),
    ],
)
def test_a_trace_that_never_comes(
    reader: LangfuseReader, passing: Passing, patience: Patience, waits: list[float]
) -> None:
    with pytest.raises(TraceNotFoundError, match=rf"no trace of the agent 'support' \({len(waits)} looks\)"):
        reader.latest("support", patience=patience, cancel=passing)
    assert passing.waits == waits


def test_cancelling(reader: LangfuseReader, clock: ManualClock, double: LangfuseDouble) -> None:
    with pytest.raises(WaitCancelledError):
        reader.latest("support", cancel=Passing(clock, cancel_after=2))
    assert len(double.exchanges) == 2


def test_failures_are_looks_that_saw_nothing(
    reader: LangfuseReader, settings: LangfuseSettings, double: LangfuseDouble, passing: Passing
) -> None:
    export(settings, trace())
    double.faults.add(server_error())
    double.faults.add(dropped())
    found = reader.latest("support", cancel=passing)
    assert (found.looks, found.whole) == (3, True)


def test_the_time_that_langfuse_asks_for_is_waited(
    reader: LangfuseReader, settings: LangfuseSettings, double: LangfuseDouble, passing: Passing
) -> None:
    export(settings, trace())
    double.faults.add(rate_limited(17))
    assert reader.latest("support", cancel=passing).looks == 2
    assert passing.waits == [5.0, 17.0]
    double.faults.add(rate_limited(1000))
    with pytest.raises(LangfuseUnavailableError, match="429"):
        reader.latest("support", cancel=passing)


def test_langfuse_that_stays_broken(reader: LangfuseReader, double: LangfuseDouble, passing: Passing) -> None:
    double.faults.add(server_error(503), times=None)
    with pytest.raises(LangfuseUnavailableError, match="503"):
        reader.latest("support", patience=Patience(max_retries=2), cancel=passing)
    assert len(double.exchanges) == 3


def test_wrong_keys_are_not_tried_again(reader: LangfuseReader, double: LangfuseDouble, passing: Passing) -> None:
    double.faults.add(unauthorized(), times=None)
    with pytest.raises(LangfuseAccessError):
        reader.latest("support", cancel=passing)
    assert len(double.exchanges) == 1


def test_a_trace_by_its_id(reader: LangfuseReader, settings: LangfuseSettings, passing: Passing) -> None:
    spans = trace()
    export(settings, spans + trace("newer", 9000))
    assert reader.trace(spans[0].trace_id, cancel=passing).turn.turn_id == "turn"
    with pytest.raises(TraceNotFoundError):
        reader.trace(new_trace_id(), patience=Patience(max_retries=1), cancel=passing)


def test_spans_of_an_agent_framework_add_nothing(
    reader: LangfuseReader, settings: LangfuseSettings, passing: Passing
) -> None:
    root, classifier, answer = trace()
    usage = {"gen_ai.usage.input_tokens": 2440, "gen_ai.usage.output_tokens": 60, "langfuse.trace.name": "support"}
    agent = Sent(
        trace_id=root.trace_id,
        span_id=new_span_id(),
        name="invoke_agent",
        started_ms=root.started_ms - 5,
        ended_ms=root.ended_ms + 5,
        attributes={"gen_ai.operation.name": "invoke_agent", **usage},
    )
    chat = msgspec.structs.replace(
        agent, span_id=new_span_id(), parent=agent.span_id, attributes={"gen_ai.operation.name": "chat", **usage}
    )
    export(settings, [agent, chat, msgspec.structs.replace(root, parent=chat.span_id), classifier, answer])
    found = reader.latest("support", cancel=passing)
    assert (found.whole, found.turn.calls, found.turn.cost_pico) == (True, 1, 1_480_000_000)
    assert (found.turn.usage.prompt_tokens, found.turn.latency_ms) == (2840, 2200.0)


def test_an_old_server_is_read_by_its_old_api(
    old_reader: LangfuseReader,
    old_settings: LangfuseSettings,
    old_double: LangfuseDouble,
    passing: Passing,
    caplog: pytest.LogCaptureFixture,
) -> None:
    old_double.delay(seconds=7)
    export(old_settings, trace("old") + trace("new", 9000))
    with caplog.at_level(logging.WARNING):
        found = old_reader.latest("support", cancel=passing)
    assert (found.api, found.turn.turn_id, found.looks) == ("v1", "new", 2)
    assert (found.turn.cost_pico, found.turn.latency_ms) == (1_480_000_000, 2200.0)
    assert "the older v1 API is read" in caplog.text
    # The new API is asked for once only.
    assert [one.path.count("/v2/") for one in old_double.exchanges if one.method == "GET"] == [1, 0, 0, 0]
    assert old_reader.latest("support", since_ms=START_MS + 1, cancel=passing).turn.turn_id == "new"
    assert old_reader.trace(found.trace_id, cancel=passing).turn == found.turn
    with pytest.raises(TraceNotFoundError):
        old_reader.trace(new_trace_id(), patience=Patience(max_retries=0), cancel=passing)


def test_a_run_is_the_same_from_langfuse_old_and_new_and_from_the_ledger(
    reader: LangfuseReader,
    settings: LangfuseSettings,
    old_reader: LangfuseReader,
    old_settings: LangfuseSettings,
    tmp_path: Path,
) -> None:
    events: list[Event] = [
        decision("a"),
        asked("a"),
        call("a"),
        decision("b", started_ms=START_MS + 9000),
        call("b", started_ms=START_MS + 9500, priced=LARGE),
        decision("c", run="another"),
    ]
    traces = {turn: new_trace_id() for turn in "abc"}
    spans = [sent_for(event, traces[event.turn_id], labels=Labels(trace_name="support")) for event in events]
    for one in (settings, old_settings):
        export(one, spans)
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(events)
        expected = run_metrics(ledger, "agent")
    assert reader.run("agent") == expected
    assert old_reader.run("agent") == expected
    assert expected.totals.cost_pico == 4_645_000_000


def test_a_run_of_more_traces_than_a_page_of_the_old_api(
    old_reader: LangfuseReader, old_settings: LangfuseSettings
) -> None:
    spans = [sent_for(call(f"turn {number:02}"), new_trace_id()) for number in range(60)]
    export(old_settings, spans)
    assert old_reader.run("agent").totals.turns == 60


def test_a_run_that_is_not_there(reader: LangfuseReader, old_reader: LangfuseReader) -> None:
    for one in (reader, old_reader):
        with pytest.raises(TraceNotFoundError, match="no run 'agent'"):
            one.run("agent")


def test_reading_a_run_tries_three_times(
    reader: LangfuseReader, settings: LangfuseSettings, double: LangfuseDouble, passing: Passing
) -> None:
    export(settings, trace())
    double.faults.add(rate_limited(3))
    double.faults.add(server_error())
    assert reader.run("agent", cancel=passing).totals.turns == 1
    assert passing.waits == [0.0, 3.0, 0.0]
    double.faults.add(server_error(), times=3)
    with pytest.raises(LangfuseUnavailableError):
        reader.run("agent", cancel=passing)


def test_what_langfuse_adds_up_equals_the_sum_of_the_turns(
    reader: LangfuseReader, settings: LangfuseSettings, old_reader: LangfuseReader, old_settings: LangfuseSettings
) -> None:
    spans = trace("a") + trace("b", 9000) + trace("other", 0, Labels(trace_name="another"))
    for one in (settings, old_settings):
        export(one, spans)
    # Two answers of 2,440 + 60 tokens and two classifications of 400 + 5, at 1,055e-6 and 425e-6.
    expected = ModelTotals(model=SMALL.id, calls=4, prompt_tokens=5680, output_tokens=130, cost_pico=2_960_000_000)
    for each in (reader, old_reader):
        assert each.model_totals("support", from_ms=START_MS, to_ms=START_MS + 60_000) == (expected,)
        assert each.model_totals("support", from_ms=START_MS + 60_000, to_ms=START_MS + 60_001) == ()


def test_metadata_is_read_in_full(reader: LangfuseReader, settings: LangfuseSettings, passing: Passing) -> None:
    export(settings, trace(query_id="q" * 500))
    assert reader.latest("support", cancel=passing).turn.query_id == "q" * 500


def test_prompts_and_answers_are_never_asked_for(
    reader: LangfuseReader, settings: LangfuseSettings, double: LangfuseDouble, passing: Passing
) -> None:
    export(settings, trace())
    reader.latest("support", cancel=passing)
    reader.run("agent")
    asked_for = [one.query["fields"][0] for one in double.exchanges if "fields" in one.query]
    assert len(asked_for) == 3
    assert not any("io" in fields.split(",") for fields in asked_for)


@pytest.mark.parametrize(
    "body", [b'{"data": [{"id": 1}], "meta": {}}', b'{"data": 7, "meta": {"totalPages": 1}}', b'{"observations": [{}]}']
)
def test_an_old_server_that_answers_nonsense(body: bytes) -> None:
    with (
        answering(200, body, v2_status=404) as settings,
        LangfuseReader(settings) as reader,
        pytest.raises(LangfuseRequestError, match="did not answer as Langfuse does"),
    ):
        reader.latest("support", patience=Patience(wait_seconds=0))


def test_closing_it_closes_the_connections(settings: LangfuseSettings) -> None:
    reader = LangfuseReader(settings)
    reader.close()
    with pytest.raises(RuntimeError, match="closed"):
        reader.run("agent")
