from __future__ import annotations

import json
import time
from pathlib import Path

import boto3
import pytest

from tests.cli.agentcore.account import IMAGE, account
from tests.cli.conftest import Run, turnout

__all__ = ["account", "turnout"]


@pytest.mark.usefixtures("account")
def test_what_the_agent_printed(turnout: Run, tmp_path: Path) -> None:
    assert turnout("agentcore", "deploy", "--container", "--image", IMAGE, "--yes")[0] == 0
    code, _, err = turnout("agentcore", "logs")
    assert (code, "AgentCore makes it when the agent is first called" in err) == (2, True)
    [agent] = json.loads((tmp_path / ".turnout" / "agentcore.json").read_text())["agents"].values()
    group = f"/aws/bedrock-agentcore/runtimes/{agent['runtime_id']}-DEFAULT"
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now_ms = time.time_ns() // 1_000_000
    events = [{"timestamp": now_ms - 60_000, "message": "older"}, {"timestamp": now_ms, "message": "newer"}]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    logs.close()
    code, out, _ = turnout("agentcore", "logs")
    assert [line.split()[-1] for line in out.splitlines()] == ["older", "newer"]
    assert json.loads(turnout("agentcore", "logs", "--since", "30s", "--json")[1])["text"] == "newer"


@pytest.mark.usefixtures("account")
def test_mistakes_are_one_line(turnout: Run) -> None:
    assert "there is no AgentCore Runtime shop in us-west-2" in turnout("agentcore", "logs", "--name", "shop")[2]
    assert "'soon' is no age" in turnout("agentcore", "logs", "--since", "soon")[2]
