from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.testing.langfuse.sending import START_MS, TRACE, send, span
from turnout.testing.clock import ManualClock
from turnout.testing.langfuse import LangfuseDouble

V2 = "/api/public/v2/observations"
V1 = "/api/public/traces"


def spans(count: int) -> list[dict[str, Any]]:
    return [span(f"{number:016x}", start_ms=START_MS + number % 3) for number in range(count)]


def test_pages_by_cursor_give_each_observation_once_the_newest_first(http: httpx.Client) -> None:
    send(http, *spans(7))
    found, cursor = [], None
    while True:
        page = http.get(V2, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        found += page["data"]
        cursor = page["meta"].get("cursor")
        if cursor is None:
            break
    assert len(found) == len({one["id"] for one in found}) == 7
    assert [one["startTime"] for one in found] == sorted((one["startTime"] for one in found), reverse=True)


def test_plain_parameters_and_that_a_filter_sets_them_aside(http: httpx.Client) -> None:
    send(http, span("a" * 16, name="one"), span("b" * 16, name="two", start_ms=START_MS + 1000))

    def names(**parameters: Any) -> list[str]:
        return [one["name"] for one in http.get(V2, params=parameters).json()["data"]]

    assert names(name="one") == ["one"]
    assert names(fromStartTime="2025-10-09T08:53:21Z") == ["two"]
    assert names(toStartTime="2025-10-09T08:53:21Z") == ["one"]
    assert names(environment="live") == []
    condition = [{"type": "string", "column": "name", "operator": "=", "value": "two"}]
    assert names(name="one", filter=json.dumps(condition)) == ["two"]


@pytest.mark.parametrize(
    "parameters",
    [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"cursor": "e30="}, {"cursor": "?"}, {"filter": "{"}],
)
def test_what_v2_cannot_read(http: httpx.Client, parameters: dict[str, str]) -> None:
    assert http.get(V2, params=parameters).status_code == 400


def test_a_new_server_has_no_v1_and_an_old_one_no_v2(http: httpx.Client, old_http: httpx.Client) -> None:
    assert http.get(V1).status_code == 404
    assert http.get(f"{V1}/{TRACE}").status_code == 404
    assert old_http.get(V2).status_code == 501
    assert old_http.get("/api/public/v2/metrics", params={"query": "{}"}).status_code == 501
    with LangfuseDouble("v3", missing_status=404) as older:
        assert httpx.get(older.url + V2, auth=(older.public_key, older.secret_key)).status_code == 404


def test_the_v1_list_of_traces(old_http: httpx.Client) -> None:
    for number in range(3):
        name = "agent" if number else "other"
        tags = ["run:a"] if number == 2 else []
        root = span(trace_id=f"{number:032x}", start_ms=START_MS + 1000 * number, langfuse__trace__name=name)
        if tags:
            root = span(
                trace_id=f"{number:032x}",
                start_ms=START_MS + 1000 * number,
                langfuse__trace__name=name,
                langfuse__trace__tags=tags,
            )
        send(old_http, root)

    def found(**parameters: Any) -> list[int]:
        return [int(trace["id"], 16) for trace in old_http.get(V1, params=parameters).json()["data"]]

    assert found() == [2, 1, 0]
    assert found(orderBy="timestamp.asc", limit=2) == [0, 1]
    assert found(orderBy="timestamp.asc", limit=2, page=2) == [2]
    assert found(name="agent") == [2, 1]
    assert found(tags="run:a") == [2]
    assert found(fromTimestamp="2025-10-09T08:53:21Z", toTimestamp="2025-10-09T08:53:22Z") == [1]
    meta = old_http.get(V1, params={"limit": 2}).json()["meta"]
    assert meta == {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}
    assert old_http.get(V1, params={"orderBy": "name.asc"}).status_code == 400


def test_one_v1_trace(old_http: httpx.Client) -> None:
    send(old_http, span(), span("c" * 16, parent="b7ad6b7169203331", start_ms=START_MS + 1))
    trace = old_http.get(f"{V1}/{TRACE}").json()
    assert [one["parentObservationId"] for one in trace["observations"]] == [None, "b7ad6b7169203331"]
    assert old_http.get(f"{V1}/unknown").status_code == 404


def test_spans_without_the_ingestion_header_come_late(http: httpx.Client, clock: ManualClock) -> None:
    send(http, span(), at_once=False)
    assert http.get(V2).json()["data"] == []
    clock.advance(600)
    assert len(http.get(V2).json()["data"]) == 1


def test_scores_by_the_age_of_the_server(http: httpx.Client, old_http: httpx.Client) -> None:
    score = {"id": "s", "traceId": TRACE, "name": "quality", "value": 1}
    assert http.post("/api/public/scores", json=[score]).status_code == 202
    assert http.post("/api/public/scores", json=score).status_code == 200
    assert old_http.post("/api/public/scores", json=[score]).status_code == 400
    assert old_http.post("/api/public/scores", json=score).json() == {"id": "s"}
    assert (
        http.post("/api/public/scores", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    )


def test_the_sdk_sends_otlp_as_json_too(api: Any, double: LangfuseDouble) -> None:
    from langfuse.api.opentelemetry import OtelAttribute, OtelAttributeValue, OtelResourceSpan, OtelScopeSpan, OtelSpan

    name = OtelAttribute(key="langfuse.trace.name", value=OtelAttributeValue(string_value="agent"))
    one = OtelSpan(
        trace_id=TRACE,
        span_id="d" * 16,
        name="step",
        start_time_unix_nano=str(START_MS * 1_000_000),
        end_time_unix_nano=str(START_MS * 1_000_000),
        attributes=[name],
    )
    api.opentelemetry.export_traces(resource_spans=[OtelResourceSpan(scope_spans=[OtelScopeSpan(spans=[one])])])
    assert [found.trace_name for found in double.spans] == ["agent"]
