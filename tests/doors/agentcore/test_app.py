"""The whole service: real HTTP to the app, real sockets to the double, and the real AWS client for AgentCore."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import msgspec
import pytest
from botocore.config import Config
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.doors.agentcore.support import (
    ONE,
    SESSION,
    TWO,
    Relay,
    ask,
    bedrock,
    close,
    factory,
    leaves_a_connection,
    parts_of,
    routed,
    routed_model,
    served,
    serving,
    stream,
    wait_until,
)
from tests.doors.strands.support import CAPABLE, CHEAP, POLICY, Events, agent
from turnout.core.policy import Budget
from turnout.doors.agentcore import AgentService, FromFactory, Limits, SharedAgent, create_app
from turnout.testing.bedrock import BedrockDouble, Fault, mid_stream, stall, throttling, validation

LABEL = "simulated models: answers by rule"
ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/shop-1"


@pytest.fixture
def url(double: BedrockDouble, events: Events) -> Iterator[str]:
    with routed_model(double, events) as model, serving(model, label=LABEL) as address:
        yield address


@pytest.mark.parametrize(
    ("prompt", "model", "complexity"), [("hello", CHEAP, "simple"), ("compare the two", CAPABLE, "complex")]
)
def test_an_answer_names_model_reason_cost_and_ids(
    url: str, events: Events, prompt: str, model: str, complexity: str
) -> None:
    reply = ask(url, prompt, ONE)
    answer = reply.json()
    assert (reply.status_code, reply.headers[SESSION]) == (200, ONE)
    assert answer["label"] == LABEL
    assert (answer["model_used"], answer["complexity"], answer["session_id"]) == (model, complexity, ONE)
    (call,) = events.calls
    assert (answer["turn_id"], call.session_id) == (call.turn_id, ONE)
    assert int(answer["cost_usd"].replace(".", "")) == call.cost.total_pico > 0
    assert set(answer["decision"]["expected_cost_usd"]) == {CHEAP, CAPABLE}


def test_a_streamed_answer_tells_the_model_first_and_the_whole_at_the_end(url: str) -> None:
    for parts in (
        stream(url, "What is the price of tea?", ONE),
        parts_of(httpx.post(f"{url}/invocations", json={"prompt": "price of tea", "stream": True}, timeout=30).text),
    ):
        assert [part["type"] for part in parts[:2]] == ["decision", "tool"]
        assert parts[0]["label"] == parts[-1]["label"] == LABEL
        assert (parts[-1]["type"], parts[-1]["model_used"]) == ("answer", CHEAP)
        assert "10 dollars" in parts[-1]["response"]


def test_sessions_are_kept_and_kept_apart(url: str, double: BedrockDouble, events: Events) -> None:
    for session in (ONE, TWO, ONE, None):
        assert ask(url, "hello", session).status_code == 200
    assert [len(call.request["messages"]) for call in double.calls] == [1, 1, 3, 1]
    assert [call.session_id for call in events.calls][:3] == [ONE, TWO, ONE]
    # The session's model and what it spent are known to the next decision.
    assert events.decisions[2].given.session.current_model == CHEAP
    assert events.decisions[2].given.session.spent_pico == events.calls[0].cost.total_pico


def test_sessions_are_answered_side_by_side_and_one_session_in_turn(url: str, double: BedrockDouble) -> None:
    prompts = [(f"hello {number}", f"session-{number % 3}-" + "x" * 30) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda asked: ask(url, *asked), prompts))
    assert {reply.status_code for reply in replies} <= {200, 409}
    assert [reply.status_code for reply in replies].count(200) >= 12
    histories: dict[str, list[int]] = {}
    for call in double.calls:
        first = call.request["messages"][0]["content"][0]["text"]
        histories.setdefault(first, []).append(len(call.request["messages"]))
    assert sorted(histories.values()) == [[1, 3, 5, 7]] * 3


def test_a_session_with_too_many_questions_is_told_to_wait(double: BedrockDouble, events: Events) -> None:
    double.faults.add(stall(0.5))
    with (
        routed_model(double, events) as model,
        serving(model, limits=Limits(most_waiting=0)) as url,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(ask, url, "hello", ONE)
        wait_until(lambda: events.decisions)
        assert httpx.get(f"{url}/ping").json()["status"] == "HealthyBusy"
        busy = ask(url, "hello", ONE)
        assert (busy.status_code, busy.json()["error"]["code"]) == (409, "session_busy")
        assert busy.headers["retry-after"] == "1"
        assert ask(url, "hello", TWO).status_code == 200
        assert first.result().status_code == 200


def test_a_failure_tells_no_internals_and_the_session_goes_on(
    url: str, double: BedrockDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.faults.add(validation("a secret of the provider"))
    with caplog.at_level(logging.INFO):
        failed = ask(url, "hello, says Mrs Private", ONE)
    error = failed.json()["error"]
    assert (failed.status_code, error["code"]) == (500, "not_answered")
    assert set(error) == {"code", "message", "turn_id"}
    assert "secret" not in failed.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("turnout")]
    assert ours
    assert not [line for line in ours if "secret" in line or "Private" in line]
    assert ask(url, "hello", ONE).status_code == 200
    assert len(double.calls[-1].request["messages"]) == 1


def test_a_refusal_and_a_spent_budget_have_their_own_status_streamed_or_not(
    double: BedrockDouble, events: Events
) -> None:
    policy = msgspec.structs.replace(POLICY, budget=Budget(limit_pico=1))
    with routed_model(double, events, policy=policy) as model, serving(model) as url:
        assert ask(url, "hello", ONE).status_code == 200
        for accept in ("application/json", "text/event-stream"):
            spent = ask(url, "hello", ONE, Accept=accept)
            assert (spent.status_code, spent.json()["error"]["code"]) == (429, "budget_spent")


@leaves_a_connection
def test_a_stream_that_breaks_ends_with_an_error_and_repeats_nothing(url: str, double: BedrockDouble) -> None:
    double.faults.add(mid_stream(4))
    parts = stream(url, "hello", ONE)
    assert [part["type"] for part in parts[:2]] == ["decision", "text"]
    assert (parts[-1]["type"], parts[-1]["error"]["code"]) == ("error", "broke_off")
    assert "The stream broke off" not in str(parts), "what the provider said is not passed on"
    gc.collect()


def test_a_failing_model_hands_over_to_the_other(url: str, double: BedrockDouble) -> None:
    double.faults.add(throttling())
    answer = ask(url, "hello").json()
    assert answer["model_used"] == CAPABLE
    assert answer["decision"]["failed_over_from"] == [CHEAP]


@leaves_a_connection
def test_a_caller_who_leaves_a_stream_ends_the_call_to_the_provider(events: Events) -> None:
    def long_answer(model_id: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"text": "word " * 400}]

    with BedrockDouble(long_answer) as double:
        relay = Relay(double.url)
        models: dict[str, Any] = {CHEAP: bedrock(double, CHEAP, relay.url), CAPABLE: bedrock(double, CAPABLE)}
        double.faults.add(Fault(after_events=6, delay_s=0.5))
        with routed_model(double, events, models=models) as model, serving(model) as url:
            with httpx.stream(
                "POST", f"{url}/invocations", json={"prompt": "hello", "stream": True}, timeout=30
            ) as reply:
                for line in reply.iter_lines():
                    if '"text"' in line:
                        break
            wait_until(lambda: events.calls)
            assert [call.status for call in events.calls] == ["cancelled"]
            # Long before the answer's end, which the provider would have billed.
            wait_until(relay.left.is_set)
            assert ask(url, "compare").status_code == 200
        relay.close()
    gc.collect()


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    """The AWS SDK's client for AgentCore's data plane."""
    made = boto3.client(
        "bedrock-agentcore",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="simulated",
        aws_secret_access_key="simulated",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    made.close()


def test_the_aws_client_is_answered_in_json_and_as_a_stream(client: Any, double: BedrockDouble) -> None:
    payload = json.dumps({"prompt": "hello"}).encode()
    reply = client.invoke_agent_runtime(agentRuntimeArn=ARN, payload=payload, runtimeSessionId=ONE)
    assert (reply["statusCode"], reply["contentType"], reply["runtimeSessionId"]) == (200, "application/json", ONE)
    assert json.loads(reply["response"].read())["session_id"] == ONE
    streamed = client.invoke_agent_runtime(
        agentRuntimeArn=ARN, payload=payload, runtimeSessionId=ONE, accept="text/event-stream"
    )
    assert streamed["contentType"].startswith("text/event-stream")
    parts = parts_of(b"\n".join(streamed["response"].iter_lines()).decode())
    assert (parts[0]["type"], parts[-1]["type"]) == ("decision", "answer")
    assert [len(call.request["messages"]) for call in double.calls] == [1, 3]
    # Without a session of its caller's the SDK draws one for each call.
    assert client.invoke_agent_runtime(agentRuntimeArn=ARN, payload=payload)["runtimeSessionId"] != ONE


def test_the_aws_client_is_told_of_bad_input(client: Any) -> None:
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.invoke_agent_runtime(agentRuntimeArn=ARN, payload=b"{}")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_one_agent_serves_many_sessions_and_keeps_them_apart(double: BedrockDouble, events: Events) -> None:
    with routed_model(double, events) as model:
        service = AgentService(SharedAgent(agent(model, name="shop")))
        with served(create_app(service)) as url, ThreadPoolExecutor(2) as pool:
            for session, reply in zip((ONE, TWO), pool.map(lambda s: ask(url, "hello", s), (ONE, TWO)), strict=True):
                assert reply.json()["session_id"] == session
            ask(url, "hello", ONE)
    assert [len(call.request["messages"]) for call in double.calls] == [1, 1, 3]


def test_it_stands_beside_other_routes_of_an_app_which_closes_it(double: BedrockDouble, events: Events) -> None:
    with routed_model(double, events) as model:
        service = AgentService(FromFactory(factory(model), name="shop"))

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await service.aclose()

        async def models(_: Any) -> PlainTextResponse:
            return PlainTextResponse("models")

        routes = [Route("/v1/models", models), Mount("/agent", create_app(service))]
        with served(Starlette(routes=routes, lifespan=lifespan)) as url:
            assert httpx.get(f"{url}/v1/models").text == "models"
            assert ask(f"{url}/agent", "hello", ONE).json()["session_id"] == ONE
            assert stream(f"{url}/agent", "hello", ONE)[-1]["type"] == "answer"
            path = f"{url}/agent/runtimes/some-arn/invocations"
            assert httpx.post(path, json={"prompt": "hello"}, timeout=30).status_code == 200
            assert httpx.get(f"{url}/agent/ping").json()["status"] == "Healthy"
            assert httpx.post(f"{url}/agent/invocations", json={}).status_code == 400
    assert len(service.sessions) == 0


def test_a_server_that_stops_ends_what_runs(double: BedrockDouble, events: Events) -> None:
    double.faults.add(stall(0.5))
    model = routed(double, events)
    service = AgentService(FromFactory(factory(model), name="shop"))
    app = create_app(service)

    async def stopped() -> None:
        async with app.router.lifespan_context(app):
            from turnout.doors.agentcore.payload import Question

            service.begin(Question(prompt="hello", session_id=ONE, stream=False, headers={}))
            async with asyncio.timeout(30):
                while not events.decisions:  # noqa: ASYNC110  # another part records them, and has no event for it
                    await asyncio.sleep(0.01)
        await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(stopped())
    assert [call.status for call in events.calls] == ["cancelled"]
    close(model)


TRACED = """
import json, logging, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
from turnout.trace.spans.otlp import configure_tracing
tracing = configure_tracing()  # joins that provider
logging.getLogger("bedrock_agentcore.app").addHandler(logging.NullHandler())

from tests.doors.agentcore.support import ONE, ask, routed_model, serving, stream
from tests.doors.strands.support import RULES, Events
from turnout.testing.bedrock import BedrockDouble

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "baggage": "shop=one"}
with BedrockDouble(RULES) as double, routed_model(double, Events()) as model, serving(model) as url:
    answer = ask(url, "What is the price of tea, asks Mrs Private?", ONE, **CALLER).json()
    streamed = stream(url, "hello", ONE, **CALLER)[-1]
    alone = ask(url, "hello", ONE).json()
tracing.flush()
names = {span.context.span_id: span.name for span in spans.get_finished_spans()}
print(json.dumps({"trace_ids": [one["trace_id"] for one in (answer, streamed, alone)], "spans": [
    {"name": span.name, "trace": f"{span.context.trace_id:032x}", "session": span.attributes.get("session.id"),
     "parent": names.get(span.parent.span_id, f"{span.parent.span_id:016x}") if span.parent else None,
     "text": span.to_json()}
    for span in spans.get_finished_spans()
]}))
"""


def test_a_request_joins_its_callers_trace_and_spans_hold_no_text() -> None:
    # In a process of its own: a process has one tracer provider, and Strands keeps the first that it sees.
    environment = {**os.environ, "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_unredacted_attributes="}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", TRACED], capture_output=True, text=True, cwd=root, env=environment, check=True
    )
    found = json.loads(done.stdout)
    joined, streamed, alone = found["trace_ids"]
    assert joined == streamed == "0af7651916cd43dd8448eb211c80319c" != alone
    services = [span for span in found["spans"] if span["name"] == "shop"]
    assert [(span["parent"], span["session"]) for span in services] == [
        ("b7ad6b7169203331", ONE),
        ("b7ad6b7169203331", ONE),
        (None, ONE),
    ]
    inside = {span["name"]: span["parent"] for span in found["spans"] if span["trace"] == joined}
    assert inside["invoke_agent shop"] == "shop"
    assert inside["turnout.route"] == "chat"
    assert not [span["name"] for span in found["spans"] if "Mrs Private" in span["text"]]
