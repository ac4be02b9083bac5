from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.trace.langfuse.conftest import settings_of
from tests.trace.langfuse.events import call
from tests.trace.langfuse.pages import answering
from tests.trace.langfuse.sending import export, new_trace_id, sent_for
from turnout.testing.langfuse import LangfuseDouble, dropped, rate_limited, server_error, stall, unauthorized
from turnout.trace.langfuse.client import PAGE, LangfuseClient, equals
from turnout.trace.langfuse.errors import (
    ApiMissingError,
    LangfuseAccessError,
    LangfuseError,
    LangfuseRequestError,
    LangfuseUnavailableError,
    TraceNotFoundError,
)
from turnout.trace.langfuse.settings import LangfuseSettings

Ask = Callable[[LangfuseClient], Any]


def minute() -> float:
    return 60.0


QUERY = {
    "view": "observations",
    "metrics": [{"measure": "count", "aggregation": "count"}],
    "fromTimestamp": "2026-11-22T00:00:00Z",
    "toTimestamp": "2026-11-23T00:00:00Z",
}
SCORE = {"id": "s", "traceId": "t", "name": "quality", "value": 1.0}
ASKS: dict[str, Ask] = {
    "newest": lambda client: client.newest_trace_id([], within_s=60),
    "observations": lambda client: list(client.observations([], remaining=minute)),
    "metrics": lambda client: client.metrics(QUERY, within_s=60),
    "score": lambda client: client.post_score(SCORE, within_s=60),
}
OLD_ASKS: dict[str, Ask] = {
    "traces": lambda client: client.v1_traces({"limit": 1}, within_s=60),
    "trace": lambda client: client.v1_trace("t", within_s=60),
}


@pytest.fixture
def client(settings: LangfuseSettings) -> Iterator[LangfuseClient]:
    with LangfuseClient(settings) as client:
        yield client


@pytest.fixture
def old_client(old_settings: LangfuseSettings) -> Iterator[LangfuseClient]:
    with LangfuseClient(old_settings) as client:
        yield client


def assert_clean(error: LangfuseError, settings: LangfuseSettings) -> None:
    """One line, and no key in it nor in what it was caused by."""
    seen: BaseException | None = error
    while seen is not None:
        assert settings.without_keys(str(seen)) == str(seen)
        seen = seen.__cause__
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", [*ASKS, *OLD_ASKS])
def test_wrong_keys(name: str, double: LangfuseDouble, old_double: LangfuseDouble) -> None:
    server = double if name in ASKS else old_double
    wrong = LangfuseSettings(public_key="pk-lf-wrong", secret_key="sk-lf-wrong", base_url=server.url)
    with LangfuseClient(wrong) as client, pytest.raises(LangfuseAccessError, match="LANGFUSE_PUBLIC_KEY") as caught:
        {**ASKS, **OLD_ASKS}[name](client)
    assert_clean(caught.value, wrong)
    assert len(server.exchanges) == 1  # not tried again


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_what_may_work_later_is_asked_once(
    name: str, status: int, client: LangfuseClient, double: LangfuseDouble
) -> None:
    double.faults.add(rate_limited(7) if status == 429 else server_error(status))
    with pytest.raises(LangfuseUnavailableError, match=str(status)) as caught:
        ASKS[name](client)
    assert caught.value.retry_after_s == (7 if status == 429 else 0)
    assert len(double.exchanges) == 1


@pytest.mark.parametrize("name", OLD_ASKS)
def test_the_old_api_may_fail_too(name: str, old_client: LangfuseClient, old_double: LangfuseDouble) -> None:
    old_double.faults.add(rate_limited(2.5))
    with pytest.raises(LangfuseUnavailableError) as caught:
        OLD_ASKS[name](old_client)
    assert caught.value.retry_after_s == 2.5


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5"])
def test_dates_that_are_over_and_nonsense_ask_for_no_wait(header: str) -> None:
    with (
        answering(429, b"{}", {"Retry-After": header}) as settings,
        LangfuseClient(settings) as client,
        pytest.raises(LangfuseUnavailableError) as caught,
    ):
        client.v1_traces({}, within_s=5)
    assert caught.value.retry_after_s == 0


@pytest.mark.parametrize("name", ASKS)
def test_a_connection_that_breaks(name: str, client: LangfuseClient, double: LangfuseDouble) -> None:
    double.faults.add(dropped())
    with pytest.raises(LangfuseUnavailableError, match="cannot be reached"):
        ASKS[name](client)


def test_a_server_that_is_too_slow() -> None:
    # A double of its own: its answer comes after the client has gone.
    with LangfuseDouble() as double, LangfuseClient(settings_of(double)) as client:
        double.faults.add(stall(30))
        with pytest.raises(LangfuseUnavailableError, match="did not answer in time"):
            client.newest_trace_id([], within_s=0.1)  # the SDK takes whole seconds: it waits for one


def test_nobody_there() -> None:
    with LangfuseDouble() as double:
        settings = settings_of(double)
    with LangfuseClient(settings) as client, pytest.raises(LangfuseUnavailableError, match="LANGFUSE_BASE_URL"):
        client.newest_trace_id([], within_s=5)


@pytest.mark.parametrize("name", ["newest", "observations", "metrics"])
@pytest.mark.parametrize("status", [404, 501])
def test_a_server_without_v2(name: str, status: int) -> None:
    with (
        LangfuseDouble("v3", missing_status=status) as old,
        LangfuseClient(settings_of(old)) as client,
        pytest.raises(ApiMissingError, match=rf"has no v2 \w+ API \({status}\)"),
    ):
        ASKS[name](client)


def test_a_trace_that_is_not_there(old_client: LangfuseClient) -> None:
    with pytest.raises(TraceNotFoundError):
        old_client.v1_trace("a/b?c", within_s=5)


def test_a_request_that_is_refused_says_why(client: LangfuseClient) -> None:
    with pytest.raises(LangfuseRequestError, match="colour is not known here"):
        client.newest_trace_id([equals("colour", "red")], within_s=5)
    with pytest.raises(LangfuseRequestError, match="view must be observations"):
        client.metrics({**QUERY, "view": "traces"}, within_s=5)


def test_all_pages(client: LangfuseClient, settings: LangfuseSettings, double: LangfuseDouble) -> None:
    trace_id = new_trace_id()
    event = call()
    export(settings, [sent_for(event, trace_id) for _ in range(PAGE + 1)])
    found = list(client.observations([equals("traceId", trace_id)], remaining=minute))
    assert len({one.id for one in found}) == len(found) == PAGE + 1
    assert [one.status for one in double.exchanges if one.method == "GET"] == [200, 200]


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        *((name, 200, body) for name in ("observations", "metrics", "traces") for body in (b"<html>", b"[]", b"\xff")),
        *((name, 302, b"") for name in ("observations", "metrics", "traces", "score")),
        ("observations", 200, b'{"data": [{"id": 7}]}'),
        ("metrics", 200, b'{"data": 7}'),
    ],
)
def test_something_that_is_not_langfuse(name: str, status: int, body: bytes) -> None:
    with (
        answering(status, body, {"Location": "https://elsewhere.example/"}) as settings,
        LangfuseClient(settings) as client,
        pytest.raises(LangfuseRequestError, match="LANGFUSE_BASE_URL"),
    ):
        {**ASKS, **OLD_ASKS}[name](client)


def test_a_server_that_repeats_the_keys_is_not_quoted_with_them() -> None:
    basic = base64.b64encode(b"pk-lf-a:sk-lf-b").decode()
    body = f'{{"message": "bad keys pk-lf-a, sk-lf-b,\\n{basic}"}}'.encode()
    with (
        answering(400, body) as settings,
        LangfuseClient(settings) as client,
        pytest.raises(LangfuseRequestError, match=r"bad keys \*\*\*, \*\*\*, \*\*\*") as caught,
    ):
        client.newest_trace_id([], within_s=5)
    assert_clean(caught.value, settings)


@pytest.mark.parametrize("body", [b"x" * 1000, b'{"error": "' + b"x" * 1000 + b'"}'])
def test_a_long_answer_is_cut(body: bytes) -> None:
    with (
        answering(418, body) as settings,
        LangfuseClient(settings) as client,
        pytest.raises(LangfuseRequestError) as caught,
    ):
        client.newest_trace_id([], within_s=5)
    assert len(str(caught.value)) < 500


def test_no_log_holds_a_key(
    client: LangfuseClient, settings: LangfuseSettings, double: LangfuseDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.faults.add(unauthorized(path="/api/public/v2/metrics"))
    with caplog.at_level(logging.DEBUG):
        export(settings, [sent_for(call(), new_trace_id())])
        client.newest_trace_id([], within_s=5)
        client.post_score(SCORE, within_s=5)
        with pytest.raises(LangfuseAccessError):
            client.metrics(QUERY, within_s=5)
    assert caplog.records
    for record in caplog.records:
        text = logging.Formatter().format(record) + repr(record.args)
        assert settings.without_keys(text) == text


def test_scores_to_a_server_that_takes_one_at_a_time(old_client: LangfuseClient, old_double: LangfuseDouble) -> None:
    old_client.post_score(SCORE, within_s=5)
    assert [score.body["name"] for score in old_double.scores] == ["quality"]
    assert [type(one.body) for one in old_double.exchanges] == [list, dict]


@pytest.mark.parametrize("old", [False, True])
def test_a_score_that_is_refused(old: bool, client: LangfuseClient, old_client: LangfuseClient) -> None:
    with pytest.raises(LangfuseRequestError, match="does not fit the data type"):
        (old_client if old else client).post_score({**SCORE, "dataType": "BOOLEAN", "value": 7}, within_s=5)
