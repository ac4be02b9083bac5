"""The routed agent and its AgentCore entry point, over real HTTP requests to the app and real sockets to the double."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
from starlette.testclient import TestClient

from examples.customer_support import v4_routing as v4
from examples.customer_support.models import PAIRS, policy_of
from examples.customer_support.serving import Conversations, DecisionLog, Service
from examples.customer_support.tools import SupportTools
from tests.examples.customer_support.support import ByWord, Events, models_of
from turnout.core.policy import Budget
from turnout.testing.bedrock import BedrockDouble, internal_error, validation
from turnout.trace.store.ledger import Ledger

with warnings.catch_warnings():
    # bedrock-agentcore declares a model in a way that pydantic 2 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    import bedrock_agentcore.runtime.app  # noqa: F401  # loaded here so that the warning is not raised later

# It would otherwise add one that prints every request, in a way that Python 3.12 deprecates.
logging.getLogger("bedrock_agentcore.app").addHandler(logging.NullHandler())

CHEAP, CAPABLE = PAIRS["4.5"].cheap, PAIRS["4.5"].capable
POLICY = policy_of(PAIRS["4.5"])
SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"

Serve = Callable[..., TestClient]


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def serve(double: BedrockDouble, tools: SupportTools, events: Events) -> Iterator[Serve]:
    """Starts the app and gives a client of it."""
    running: list[TestClient] = []

    def start(**policy: Any) -> TestClient:
        @contextmanager
        def open_service() -> Iterator[Service]:
            log = DecisionLog(events)
            with closing(models_of(double)) as models:
                chosen = msgspec.structs.replace(POLICY, **policy)
                model = v4.build_model(models, chosen, ByWord(), recorder=log, simulated=True)
                yield Service(Conversations(lambda: v4.new_agent(model, tools)), log, max_prompt_chars=200)

        client = TestClient(v4.create_app(open_service))
        client.__enter__()
        running.append(client)
        return client

    yield start
    for client in running:
        client.__exit__(None, None, None)


def ask(client: TestClient, prompt: str, session: str | None = None) -> Any:
    headers = {SESSION: session} if session else {}
    return client.post("/invocations", json={"prompt": prompt}, headers=headers)


@pytest.mark.parametrize(
    ("prompt", "model", "complexity"),
    [("What are your hours?", CHEAP, "simple"), ("My printer is stuck, and I want to return it", CAPABLE, "complex")],
)
def test_an_answer_names_model_label_and_decision(serve: Serve, prompt: str, model: str, complexity: str) -> None:
    reply = ask(serve(), prompt)
    assert reply.status_code == 200
    answer = reply.json()
    assert set(answer) == {"response", "model_used", "complexity", "decision"}
    assert answer["response"].strip()
    assert (answer["model_used"], answer["complexity"]) == (model, complexity)
    assert answer["decision"]["classifier"] == "by-word"
    assert set(answer["decision"]["expected_cost_usd"]) == {CHEAP, CAPABLE}


def test_the_app_is_healthy(serve: Serve) -> None:
    assert serve().get("/ping").json()["status"] == "Healthy"


def test_a_session_goes_on_and_is_the_session_of_the_events(
    serve: Serve, double: BedrockDouble, events: Events
) -> None:
    client = serve()
    ask(client, "What are your hours?", "session-" + "a" * 32)
    ask(client, "And on which hours on Sunday?", "session-" + "a" * 32)
    assert [len(call.request["messages"]) for call in double.calls] == [1, 3]
    assert {call.session_id for call in events.calls} == {"session-" + "a" * 32}


def test_without_a_session_every_question_stands_alone(serve: Serve, double: BedrockDouble) -> None:
    client = serve()
    ask(client, "What are your hours?")
    ask(client, "And on which hours on Sunday?")
    assert [len(call.request["messages"]) for call in double.calls] == [1, 1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", 'no "prompt"'),
        (b'"hello"', "must be an object"),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
        (b'{"prompt": ""}', "empty"),
        (b'{"prompt": 7}', "must be text"),
        (b'{"prompt": "\\ud800"}', "not text"),
        (json.dumps({"prompt": "x" * 201}).encode(), "at most 200"),
    ],
)
def test_a_bad_payload_is_told_what_is_wrong_with_it(
    serve: Serve, double: BedrockDouble, body: bytes, message: str
) -> None:
    reply = serve().post("/invocations", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "invalid_payload"
    assert message in reply.json()["error"]["message"]
    assert len(double.calls) == 0


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"{"])
def test_what_is_no_json_is_refused(serve: Serve, body: bytes) -> None:
    assert serve().post("/invocations", content=body).status_code == 400


def test_a_failed_answer_tells_no_internals_and_the_session_goes_on(
    serve: Serve, double: BedrockDouble, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve()
    double.faults.add(validation("a secret of the provider"))
    with caplog.at_level(logging.ERROR, logger=v4.__name__):
        failed = ask(client, "What are your hours, says Mrs Private?", "session-" + "b" * 32)
    assert failed.status_code == 500
    assert failed.json() == {
        "error": {"code": "not_answered", "message": "The question could not be answered. Please try again."}
    }
    ours = [record.getMessage() for record in caplog.records if record.name == v4.__name__]
    assert ours == ["error=<ValidationException> | a question was not answered"]
    assert ask(client, "What are your hours?", "session-" + "b" * 32).status_code == 200
    assert len(double.calls[-1].request["messages"]) == 1


def test_a_failing_model_hands_over_to_the_other(serve: Serve, double: BedrockDouble) -> None:
    double.faults.add(internal_error())
    answer = ask(serve(), "What are your hours?").json()
    assert answer["model_used"] == CAPABLE
    assert answer["decision"]["failed_over_from"] == [CHEAP]


def test_a_spent_budget_is_429(serve: Serve) -> None:
    client = serve(budget=Budget(limit_pico=1))
    assert ask(client, "What are your hours?", "session-" + "c" * 32).status_code == 200
    spent = ask(client, "What are your hours?", "session-" + "c" * 32)
    assert spent.status_code == 429
    assert spent.json()["error"]["code"] == "budget_spent"


def test_before_the_app_has_started_nothing_is_told() -> None:
    def never() -> NoReturn:
        raise AssertionError("it was opened")

    reply = TestClient(v4.create_app(never)).post("/invocations", json={"prompt": "hello"})
    assert reply.json()["error"]["code"] == "not_answered"


def test_the_service_of_the_environment_keeps_its_ledger(
    double: BedrockDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_LEDGER", str(tmp_path / "ledger.sqlite3"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    monkeypatch.setenv("TURNOUT_REGION", "us-east-1")
    with TestClient(v4.create_app(v4.from_environment)) as client:
        answer = ask(client, "What are your hours on Sunday?").json()
    assert answer["decision"]["classifier"] == "keyword"
    with Ledger(tmp_path / "ledger.sqlite3", read_only=True) as ledger:
        assert [event.decision.model for event in ledger.decisions(run=v4.NAME)] == [answer["model_used"]]
        assert [call.model for call in ledger.calls(run=v4.NAME)] == [answer["model_used"]]


SPANS = """
import json, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from contextlib import closing, contextmanager
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

from starlette.testclient import TestClient
from examples.customer_support import v4_routing as v4
from examples.customer_support.models import PAIRS, policy_of
from examples.customer_support.responder_rules import support_responder
from examples.customer_support.serving import Conversations, DecisionLog, Service
from examples.customer_support.tools import SupportTools
from tests.examples.customer_support.support import ByWord, models_of
from turnout.testing.bedrock import BedrockDouble

with BedrockDouble(support_responder()) as double, closing(models_of(double)) as models:
    @contextmanager
    def open_service():
        log = DecisionLog()
        model = v4.build_model(models, policy_of(PAIRS["4.5"]), ByWord(), recorder=log)
        yield Service(Conversations(lambda: v4.new_agent(model, SupportTools())), log, 200)

    with TestClient(v4.create_app(open_service)) as client:
        client.post("/invocations", json={"prompt": "Is the return of a monitor free, asks Mrs Private?"})
        client.post("/invocations", json={"prompt": ""})

tracing.flush()
names = {span.context.span_id: span.name for span in spans.get_finished_spans()}
print(json.dumps([
    {"name": span.name, "parent": names.get(span.parent.span_id) if span.parent else None,
     "trace": span.context.trace_id, "status": span.status.status_code.name, "text": span.to_json()}
    for span in spans.get_finished_spans()
]))
"""


def test_one_parent_span_holds_classifier_and_answer_and_no_text() -> None:
    # In a process of its own: a process has one tracer provider, and Strands keeps the first that it sees.
    environment = {**os.environ, "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_unredacted_attributes="}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", SPANS], capture_output=True, text=True, cwd=root, env=environment, check=True
    )
    spans = json.loads(done.stdout)
    parent, refused = (span for span in spans if span["name"] == v4.NAME)
    assert parent["parent"] is refused["parent"] is None
    assert (parent["status"], refused["status"]) == ("UNSET", "ERROR")
    inside = [span for span in spans if span["trace"] == parent["trace"]]
    by_name = {span["name"]: span for span in inside}
    assert by_name[f"invoke_agent {v4.NAME}"]["parent"] == v4.NAME
    # Our spans are made of events, below Strands' span of the call; that of the call to the model has the tokens.
    assert by_name["turnout.route"]["parent"] == "chat"
    assert {span["parent"] for span in inside if span["name"].startswith("chat global.")} == {"turnout.route"}
    assert {"turnout.route", "chat", "execute_tool get_return_policy"} <= set(by_name)
    assert not [span["name"] for span in spans if "Mrs Private" in span["text"]]
