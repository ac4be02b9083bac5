"""What a deployment is doing now."""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.look import find_runtime
from turnout.deploy.agentcore.names import Names, log_group


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint of a runtime: its name, its status, the version that it serves."""

    name: str
    status: str
    version: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as AWS reports it. Variables are named, their values are not told."""

    name: str
    region: str
    account: str
    status: str
    version: str = ""
    arn: str = ""
    failure: str = ""
    made_by_turnout: bool = False
    artifact: str = ""
    role: str = ""
    variables: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    log_group: str = ""


def status(aws: Aws, names: Names) -> Status:
    """Ask AgentCore; a runtime that is not there has the status ``NOT DEPLOYED``.

    Raises:
        DeployError: AWS refuses.
    """
    place = names.place
    runtime = find_runtime(aws, names)
    if runtime is None:
        return Status(name=names.agent, region=place.region, account=place.account, status="NOT DEPLOYED")
    listed = aws.call(CONTROL, "ListAgentRuntimeEndpoints", agentRuntimeId=runtime.id).get("runtimeEndpoints", [])
    return Status(
        name=names.agent,
        region=place.region,
        account=place.account,
        status=runtime.status,
        version=runtime.version,
        arn=runtime.arn,
        failure=runtime.failure,
        made_by_turnout=runtime.ours,
        artifact=_artifact(runtime.settings.get("agentRuntimeArtifact", {})),
        role=runtime.settings.get("roleArn", ""),
        variables=tuple(sorted(runtime.settings.get("environmentVariables", {}))),
        endpoints=tuple(Endpoint(one["name"], one["status"], one.get("liveVersion", "")) for one in listed),
        log_group=log_group(runtime.id),
    )


def _artifact(artifact: Any) -> str:
    if "containerConfiguration" in artifact:
        return str(artifact["containerConfiguration"]["containerUri"])
    code = artifact.get("codeConfiguration", {})
    place = code.get("code", {}).get("s3", {})
    return f"s3://{place.get('bucket')}/{place.get('prefix')} on {code.get('runtime')}" if place else ""
