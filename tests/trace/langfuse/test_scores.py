from __future__ import annotations

from typing import Any

import pytest

from tests.trace.langfuse.conftest import Passing
from tests.trace.langfuse.events import call
from turnout.testing.clock import ManualClock
from turnout.testing.langfuse import LangfuseDouble, rate_limited, server_error, unauthorized
from turnout.trace.langfuse import LangfuseSettings, create_score
from turnout.trace.langfuse.errors import LangfuseAccessError, LangfuseUnavailableError, WaitCancelledError


@pytest.mark.parametrize(
    ("value", "sent", "data_type"),
    [
        (0.75, 0.75, "NUMERIC"),
        (3, 3.0, "NUMERIC"),
        (True, 1.0, "BOOLEAN"),
        (False, 0.0, "BOOLEAN"),
        ("good", "good", "CATEGORICAL"),
    ],
)
def test_values(settings: LangfuseSettings, double: LangfuseDouble, value: Any, sent: Any, data_type: str) -> None:
    score_id = create_score(settings, name="user-feedback", value=value, trace_id="t")
    (score,) = double.scores
    assert score.id == score_id
    assert (score.body["value"], score.body["dataType"], score.body["traceId"]) == (sent, data_type, "t")
    assert not {"observationId", "comment", "environment", "metadata"} & set(score.body)


def test_feedback_on_one_call(settings: LangfuseSettings, double: LangfuseDouble) -> None:
    event = call(trace_id="0" * 31 + "1", span_id="0" * 15 + "2")
    staging = LangfuseSettings(
        public_key=settings.public_key,
        secret_key=settings.secret_key,
        base_url=settings.base_url,
        environment="staging",
    )
    create_score(
        staging,
        name="user-feedback",
        value=True,
        trace_id=event.trace_id,
        observation_id=event.span_id,
        comment="solved it",
        metadata={"page": "help"},
    )
    body = double.scores[0].body
    assert (body["traceId"], body["observationId"]) == (event.trace_id, event.span_id)
    assert (body["comment"], body["environment"], body["metadata"]) == ("solved it", "staging", {"page": "help"})


def test_the_same_id_again_replaces(settings: LangfuseSettings, double: LangfuseDouble) -> None:
    for value in (0.0, 1.0):
        assert create_score(settings, name="n", value=value, trace_id="t", score_id="mine") == "mine"
    assert [score.body["value"] for score in double.scores] == [1.0]


def test_it_is_tried_again_as_one_score(settings: LangfuseSettings, double: LangfuseDouble, passing: Passing) -> None:
    double.faults.add(rate_limited(4))
    double.faults.add(server_error(503))
    create_score(settings, name="n", value=1, trace_id="t", cancel=passing)
    assert passing.waits == [0.0, 4.0, 0.0]
    assert len(double.scores) == 1
    assert len({str(one.body) for one in double.exchanges}) == 1


def test_a_server_that_takes_one_at_a_time(old_settings: LangfuseSettings, old_double: LangfuseDouble) -> None:
    create_score(old_settings, name="n", value=1, trace_id="t")
    assert len(old_double.scores) == 1


def test_giving_up(settings: LangfuseSettings, double: LangfuseDouble, clock: ManualClock) -> None:
    double.faults.add(server_error(), times=3)
    with pytest.raises(LangfuseUnavailableError):
        create_score(settings, name="n", value=1, trace_id="t")
    double.faults.add(unauthorized())
    with pytest.raises(LangfuseAccessError):
        create_score(settings, name="n", value=1, trace_id="t")
    with pytest.raises(WaitCancelledError):
        create_score(settings, name="n", value=1, trace_id="t", cancel=Passing(clock, cancel_after=0))
    assert double.scores == []
    assert len(double.exchanges) == 4


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"trace_id": ""}, {"value": float("nan")}, {"value": float("inf")}, {"value": ""}]
)
def test_what_is_no_score(settings: LangfuseSettings, double: LangfuseDouble, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a score"):
        create_score(settings, **{"name": "n", "value": 1, "trace_id": "t", **wrong})
    assert not double.exchanges
