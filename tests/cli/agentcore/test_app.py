from __future__ import annotations

import json
import signal
import socket
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from tests.cli.agentcore.support import CLONE, OWN, started
from tests.cli.conftest import Run, turnout
from turnout.cli.agentcore.app import _address
from turnout.cli.errors import UserError
from turnout.trace.store.ledger import Ledger

__all__ = ["turnout"]

ONE, TWO = "session-" + "1" * 32, "session-" + "2" * 32
ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/shop-1"
LABEL = "simulated models: "


def test_one_command_serves_the_reference_agent_and_sigterm_loses_no_event(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite3"
    with started(CLONE, ledger) as server:
        assert server.said[0].startswith(LABEL)
        assert server.said[1].startswith("customer-support-v4-routing: POST http://127.0.0.1:")
        with urllib.request.urlopen(f"{server.url}/ping", timeout=30) as ping:
            assert json.load(ping)["status"] == "Healthy"

        answers = [server.ask("What is the return policy for laptops?", ONE), server.ask("And for cameras?", ONE)]
        client = boto3.client(
            "bedrock-agentcore",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="simulated",
            aws_secret_access_key="simulated",
            config=Config(retries={"total_max_attempts": 1}),
        )
        reply = client.invoke_agent_runtime(
            agentRuntimeArn=ARN,
            runtimeSessionId=TWO,
            accept="text/event-stream",
            payload=json.dumps({"prompt": "My laptop overheats, and it keeps crashing"}).encode(),
        )
        parts = [json.loads(line.removeprefix(b"data: ")) for line in reply["response"].iter_lines() if line]
        client.close()
        answers.append(parts[-1])
        assert all(answer["label"].startswith(LABEL) and answer["simulated"] for answer in [*answers, parts[0]])
        status, body = server.post({"prompt": ""})
        assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_payload")
        assert server.stop() == (143, "")

    with Ledger(ledger, read_only=True) as opened:
        decisions = list(opened.decisions(run="agentcore-v4-simulated"))
        calls = list(opened.calls(run="agentcore-v4-simulated"))
    assert {event.session_id for event in decisions} == {ONE, TWO}
    assert [answer["turn_id"] for answer in answers] == list(dict.fromkeys(event.turn_id for event in decisions))
    spent = sum(call.cost.total_pico for call in calls)
    assert spent == sum(int(answer["cost_usd"].replace(".", "")) for answer in answers)
    assert all(call.simulated for call in calls)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with an agent of one's own."""
    (tmp_path / "mine.py").write_text(OWN)
    return tmp_path


def test_an_agent_of_ones_own_runs_on_the_simulated_bedrock_and_answers_to_the_end(own: Path) -> None:
    ledger = own / "ledger.sqlite3"
    with started(own, ledger, "--agent", "mine:new_agent", "--simulated") as server, ThreadPoolExecutor(4) as pool:
        assert server.said[0].startswith(LABEL)
        assert server.said[1].startswith("mine:new_agent: POST ")
        asked = [pool.submit(server.ask, "What are your hours?", f"session-{number}") for number in range(4)]
        answers = [one.result() for one in asked]
        assert all(answer["simulated"] and answer["decision"]["classifier"] == "keyword" for answer in answers)
        assert server.stop(signal.SIGINT) == (130, "turnout: stopped\n")
    with Ledger(ledger, read_only=True) as opened:
        calls = list(opened.calls())
    assert {call.turn_id for call in calls} == {answer["turn_id"] for answer in answers}
    assert all(call.simulated for call in calls)


def test_an_answer_under_way_is_given_before_the_service_stops(own: Path) -> None:
    ledger = own / "ledger.sqlite3"
    slow = OWN + (
        "\n@tool\ndef slow() -> str:\n    'Takes its time.'\n    open('begun', 'w').close()\n    time.sleep(1)\n"
        "    return 'done'\n"
        "def waiting(session_id):\n"
        "    from strands.hooks import BeforeModelCallEvent\n"
        "    made = new_agent(session_id)\n"
        "    def wait(event: BeforeModelCallEvent):\n        slow()\n"
        "    made.add_hook(wait)\n"
        "    return made\n"
    )
    (own / "mine.py").write_text(slow)
    with (
        started(own, ledger, "--agent", "mine:waiting", "--simulated") as server,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(server.ask, "What are your hours?", ONE)
        while not (own / "begun").exists() and not asked.done():
            time.sleep(0.01)
        code, errors = server.stop()
        answer = asked.result()
    assert (code, errors) == (143, "")
    with Ledger(ledger, read_only=True) as opened:
        assert [(call.turn_id, call.status) for call in opened.calls()] == [(answer["turn_id"], "ok")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--version", "v5"], "there are v1, v2, v3, v4"),
        (["--agent", "mine:agent"], "say --live"),
        (["--agent", "mine:agent", "--version", "v3"], "leave --version and --pair out"),
        (["--host", "0.0.0.0"], "say --expose"),
        (["--host", "192.0.2.1"], "say --expose"),
        (["--agent", "mien:agent", "--live"], "unknown module 'mien'; the nearest known one is 'mine'"),
        (["--agent", "mine:agnet", "--live"], "nearest known one is 'agent'"),
        (["--agent", "mine:DEFAULT_PAIR", "--live"], "neither a strands.Agent nor a function"),
        (["--agent", "mine:elsewhere", "--simulated"], "a LocalModel of agent 'elsewhere' would call elsewhere"),
        ([], "needs the reference agent: run it in a clone"),
    ],
)
def test_mistakes_are_told_in_one_line(
    turnout: Run,  # the fixture
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    for name in ("OTEL_SEMCONV_STABILITY_OPT_IN", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_REGION"):
        monkeypatch.setenv(name, "us-east-1")  # so that what the command sets is taken back
    for name in ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    monkeypatch.syspath_prepend(own)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    code, out, errors = turnout("agentcore", "app", "--port", "0", *arguments)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert message in errors


def test_a_taken_port_is_told(turnout: Run) -> None:  # the fixture
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = turnout("agentcore", "app", "--port", str(taken.getsockname()[1]))
    assert (code, errors.count("\n")) == (2, 1)
    assert "try another --port" in errors


def test_only_a_container_listens_to_other_machines_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_CONTAINER", raising=False)
    assert _address(None, False) == "127.0.0.1"
    assert [_address(host, False) for host in ("127.0.0.2", "localhost", "::1")] == ["127.0.0.2", "localhost", "::1"]
    assert _address("0.0.0.0", True) == "0.0.0.0"
    with pytest.raises(UserError, match="no log-in"):
        _address("::", False)
    monkeypatch.setenv("DOCKER_CONTAINER", "1")
    assert (_address(None, False), _address("127.0.0.1", False)) == ("0.0.0.0", "127.0.0.1")
