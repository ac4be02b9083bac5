from pathlib import Path

from tests.deploy.agentcore.support import ACCOUNT, NAMES, SHA, VALUE, Told, package, wanted
from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.deployment import deploy
from turnout.deploy.agentcore.state import StateFile
from turnout.deploy.agentcore.status import Endpoint, status


def test_what_is_not_deployed_says_so(aws: Aws) -> None:
    assert status(aws, NAMES).status == "NOT DEPLOYED"


def test_a_deployment_as_aws_reports_it(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    agent = deploy(wanted(environment=(("A", VALUE),)), package(tmp_path), aws, file, told)
    aws.call(CONTROL, "CreateAgentRuntimeEndpoint", agentRuntimeId=agent.runtime_id, name="prod")
    now = status(aws, NAMES)
    assert (now.status, now.version, now.arn, now.made_by_turnout) == ("READY", "1", agent.runtime_arn, True)
    assert now.artifact == f"s3://{NAMES.bucket}/{NAMES.key(SHA)} on PYTHON_3_12"
    assert "A" in now.variables
    assert VALUE not in str(now)
    assert [one.name for one in now.endpoints] == ["prod"]
    assert isinstance(now.endpoints[0], Endpoint)
    assert now.log_group.endswith(f"{agent.runtime_id}-DEFAULT")


def test_an_image_is_named(aws: Aws, file: StateFile, told: Told) -> None:
    image = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/mine:1"
    deploy(wanted(kind="container", image=image), None, aws, file, told)
    assert status(aws, NAMES).artifact == image
