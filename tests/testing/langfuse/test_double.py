from __future__ import annotations

import inspect
import time

import httpx
import pytest
from langfuse import Langfuse, propagate_attributes
from opentelemetry.sdk.trace import TracerProvider

from tests.testing.langfuse.sending import TRACE, send, span
from turnout.testing.langfuse import PROJECT, LangfuseDouble, dropped, rate_limited, server_error, stall, unauthorized

V2 = "/api/public/v2/observations"


def test_the_real_sdk_writes_and_reads(double: LangfuseDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_TIMEOUT", "5")
    # Its provider would become the process's, and send the spans of later tests to a double that is gone.
    provider = TracerProvider(shutdown_on_exit=False)
    client = Langfuse(
        public_key=double.public_key, secret_key=double.secret_key, base_url=double.url, tracer_provider=provider
    )
    with (
        propagate_attributes(session_id="s1", tags=["routing"], trace_name="agent", version="4"),
        client.start_as_current_observation(name="route", as_type="span"),
        client.start_as_current_observation(
            name="call",
            as_type="generation",
            model="bedrock/small",
            usage_details={"input": 3, "input_cached_tokens": 100, "input_cache_creation_1h": 7, "output": 5},
            cost_details={"input": 0.000003, "total": 0.000123},
            metadata={"attempt": 1},
        ),
    ):
        trace_id = client.get_current_trace_id()
    assert trace_id is not None
    client.create_score(name="quality", value=1.0, trace_id=trace_id)
    client.flush()
    found = client.api.observations.get_many(trace_id=trace_id, fields="basic,usage,model,metadata,trace_context").data
    client.shutdown()
    provider.shutdown()
    by_name = {one.name: one for one in found}
    call = by_name["call"]
    assert (call.type, call.model, call.trace_name, call.tags) == ("GENERATION", "bedrock/small", "agent", ["routing"])
    assert (call.session_id, call.version, call.project_id) == ("s1", "4", PROJECT)
    assert call.parent_observation_id == by_name["route"].id
    assert call.usage_details == {
        "input": 3,
        "input_cached_tokens": 100,
        "input_cache_creation_1h": 7,
        "output": 5,
        "total": 115,
    }
    assert (call.cost_details, call.total_cost) == ({"input": 0.000003, "total": 0.000123}, 0.000123)
    assert call.metadata is not None
    assert call.metadata["attempt"] == 1
    assert [(score.body["name"], score.body["traceId"]) for score in double.scores] == [("quality", trace_id)]
    exported = next(one for one in double.exchanges if one.path.endswith("/otel/v1/traces"))
    assert exported.headers["x-langfuse-ingestion-version"] == "4"
    assert exported.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("auth", [None, ("pk-lf-simulated-0000", "wrong"), ("wrong", "sk-lf-simulated-1111")])
def test_only_the_keys_open_it(double: LangfuseDouble, auth: tuple[str, str] | None) -> None:
    for path in (V2, "/api/public/v2/metrics"):
        assert httpx.get(double.url + path, auth=auth).status_code == 401
    for path in ("/api/public/otel/v1/traces", "/api/public/scores"):
        assert httpx.post(double.url + path, json={}, auth=auth).status_code == 401
    assert double.spans == []


def test_exchanges_hold_no_key(double: LangfuseDouble, http: httpx.Client) -> None:
    http.get(V2, headers={"x-langfuse-public-key": double.public_key})
    (exchange,) = double.exchanges
    assert exchange.status == 200
    assert double.public_key not in str(exchange)
    assert "authorization" not in exchange.headers


def test_faults(double: LangfuseDouble, http: httpx.Client) -> None:
    double.faults.add(unauthorized())
    double.faults.add(rate_limited(7))
    double.faults.add(server_error(503))
    double.faults.add(stall(0.01))
    responses = [http.get(V2) for _ in range(4)]
    assert [response.status_code for response in responses] == [401, 429, 503, 200]
    assert responses[1].headers["retry-after"] == "7"
    double.faults.add(dropped())
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(V2)
    assert double.exchanges[-1].status == 0


def test_a_client_that_gives_up_before_a_stall_is_over() -> None:
    with LangfuseDouble() as double:
        double.faults.add(stall(30))
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(double.url + V2, timeout=0.05)


def test_delays(double: LangfuseDouble, http: httpx.Client) -> None:
    double.delay(reads=1)
    send(http, span())
    assert len(double.spans) == 1
    assert [len(http.get(V2).json()["data"]) for _ in range(2)] == [0, 1]
    with pytest.raises(ValueError, match="not negative"):
        double.delay(seconds=-1)


def test_clear(double: LangfuseDouble, http: httpx.Client) -> None:
    double.delay(reads=3)
    double.faults.add(server_error())
    send_status = http.post("/api/public/scores", json={"traceId": TRACE, "name": "n", "value": 1}).status_code
    assert send_status == 500
    double.clear()
    send(http, span())
    assert len(http.get(V2).json()["data"]) == 1
    assert (double.scores, len(double.exchanges)) == ([], 2)


def test_an_application_beside_it_is_pointed_at_it() -> None:
    with LangfuseDouble() as double:
        assert double.simulated
        assert double.environment["LANGFUSE_BASE_URL"] == double.url
    with pytest.raises(RuntimeError, match="the Langfuse double is not running"):
        _ = double.environment


def test_a_wall_clock_that_is_set_back_hides_nothing() -> None:
    # With time.time, what was sent before the step could not be read until the clock had caught up.
    assert inspect.signature(LangfuseDouble).parameters["clock"].default is time.monotonic
