from __future__ import annotations

import boto3
import pytest

from tests.cli.agentcore.account import IMAGE, account
from tests.cli.conftest import Run, turnout

__all__ = ["account", "turnout"]

ROLE = "arn:aws:iam::123456789012:role/mine"


@pytest.mark.usefixtures("account")
def test_what_was_given_is_kept_and_told(turnout: Run) -> None:
    arguments = ("--container", "--image", IMAGE, "--role", ROLE, "--yes")
    assert turnout("agentcore", "deploy", *arguments)[0] == 0
    code, out, _ = turnout("agentcore", "destroy", "--yes")
    assert code == 0
    assert f"keep:   IAM role {ROLE}" in out
    assert f"keep:   image {IMAGE}" in out
    assert out.count("remove: ") == 1


@pytest.mark.usefixtures("account")
def test_a_runtime_that_others_made_is_kept(turnout: Run) -> None:
    control = boto3.client("bedrock-agentcore-control")
    control.create_agent_runtime(
        agentRuntimeName="shop",
        agentRuntimeArtifact={"containerConfiguration": {"containerUri": IMAGE}},
        roleArn=ROLE,
        networkConfiguration={"networkMode": "PUBLIC"},
    )
    code, out, _ = turnout("agentcore", "destroy", "--name", "shop", "--yes")
    assert (code, "keep:   AgentCore Runtime shop (not made by Turnout)" in out) == (0, True)
    assert len(control.list_agent_runtimes()["agentRuntimes"]) == 1
    control.close()
