"""The command against the service of ``turnout agentcore app``: real boto3, a real socket, simulated models."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.agentcore.account import account
from tests.cli.agentcore.support import CLONE, Server, started
from tests.cli.conftest import Run, turnout

__all__ = ["account", "turnout"]

SESSION = "session-" + "1" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(CLONE, tmp_path_factory.mktemp("served") / "ledger.sqlite3") as server:
        yield server


def test_the_answer_and_what_is_told_about_it(turnout: Run, server: Server) -> None:
    code, out, err = turnout("agentcore", "invoke", "What are your store hours?", "--local", server.url)
    assert code == 0
    assert out.strip()
    told = dict(line.split(": ", 1) for line in err.splitlines())
    assert told["model"].startswith("bedrock/global.anthropic.claude-")
    assert told["reason"]
    assert told["cost"].endswith(" USD")
    assert told["note"].startswith("simulated models")
    assert len(told["session"]) == 36


def test_a_stream_is_printed_once(turnout: Run, server: Server) -> None:
    prompt = "What is your return policy for laptops?"
    plain = turnout("agentcore", "invoke", prompt, "--local", server.url)[1]
    code, out, err = turnout("agentcore", "invoke", prompt, "--local", server.url, "--stream", "--session", SESSION)
    assert (code, out.strip()) == (0, plain.strip())
    assert f"session: {SESSION}" in err
    assert err.count("model: ") == 1


def test_json_for_machines(turnout: Run, server: Server) -> None:
    answer = json.loads(turnout("agentcore", "invoke", "hi", "--local", server.url, "--json")[1])
    assert answer["data"]["model_used"]
    assert not answer["streamed"]


def test_what_the_agent_refuses_is_told(turnout: Run, server: Server) -> None:
    code, _, err = turnout("agentcore", "invoke", " ", "--local", server.url)
    assert (code, "the agent answered with an error (400)" in err) == (2, True)


@pytest.mark.usefixtures("account")
def test_mistakes_are_one_line(turnout: Run) -> None:
    assert "33 to 256 characters, got 1" in turnout("agentcore", "invoke", "hi", "--session", "s")[2]
    assert "there is no AgentCore Runtime shop" in turnout("agentcore", "invoke", "hi", "--name", "shop")[2]
    nobody = turnout("agentcore", "invoke", "hi", "--local", "http://127.0.0.1:9")[2]
    assert "nothing answers at its address, http://127.0.0.1:9: is the service running?" in nobody
