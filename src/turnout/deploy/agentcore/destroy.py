"""Removes what a deployment made, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.calls import Call, Made
from turnout.deploy.agentcore.execute import Reporter, execute
from turnout.deploy.agentcore.found import Found, FoundRole
from turnout.deploy.agentcore.look import look
from turnout.deploy.agentcore.names import POLICY_NAME, Names, log_group
from turnout.deploy.agentcore.state import AgentState, StateFile

_AT_ONCE = 1000


class Removal(NamedTuple):
    """What is removed, and what is kept and why: words for people."""

    calls: tuple[Call, ...]
    kept: tuple[str, ...]


def removal(names: Names, found: Found, agent: AgentState | None) -> Removal:
    """The calls that remove what is ours of what is there; a pure function.

    Ours is what carries the tags of this agent, or stands in the state file as made. A bucket of ours that others put
    something into loses only our packages.

    Args:
        names: The deployment's names.
        found: What is there.
        agent: What the state file remembers.
    """
    calls: list[Call] = []
    kept = list(agent.given) if agent is not None else []
    if found.runtime is not None:
        if found.runtime.ours:
            calls.append(_delete_runtime(names, found.runtime.id))
            kept.append(f"log group {log_group(found.runtime.id)} (AgentCore's own)")
        else:
            kept.append(f"AgentCore Runtime {names.agent} (not made by Turnout)")
    if found.project is not None and found.project.ours:
        calls.append(
            Call(
                service="codebuild",
                operation="DeleteProject",
                parameters={"name": names.project},
                why="remove the project",
                removes=(Made("project", names.project),),
            )
        )
        kept.append(f"log group {names.build_log_group} (CodeBuild's own)")
    if found.repository is not None and found.repository.ours:
        calls.append(
            Call(
                service="ecr",
                operation="DeleteRepository",
                parameters={"repositoryName": names.repository, "force": True},
                why="remove the repository and its images",
                removes=(Made("repository", names.repository),),
            )
        )
    calls += _objects(names, found, agent)
    if found.bucket is not None and found.bucket.ours:
        if found.bucket.others:
            kept.append(f"bucket {names.bucket} (it holds what Turnout did not put there)")
        else:
            calls.append(
                Call(
                    service="s3",
                    operation="DeleteBucket",
                    parameters={"Bucket": names.bucket, "ExpectedBucketOwner": names.place.account},
                    why="remove the bucket",
                    removes=(Made("bucket", names.bucket),),
                )
            )
    for role, one, part in (
        (names.build_role, found.build_role, "build-role"),
        (names.role, found.role, "role"),
    ):
        if one is None:
            continue
        if one.ours:
            calls += _delete_role(role, one, Made(part, role))  # type: ignore[arg-type]  # both are parts
        else:
            kept.append(f"IAM role {role} (not made by Turnout)")
    return Removal(tuple(calls), tuple(dict.fromkeys(kept)))


def look_for_removal(aws: Aws, names: Names, agent: AgentState | None) -> Found:
    """What is there of a deployment, in the bucket that it uses too.

    Raises:
        DeployError: AWS refuses.
    """
    container = agent is None or agent.kind == "container"
    return look(aws, names, state=agent, bucket=given_bucket(names, agent), container=container)


def destroy(
    aws: Aws, names: Names, removal: Removal, file: StateFile, agent: AgentState | None, reporter: Reporter
) -> None:
    """Make the calls and forget the deployment.

    Raises:
        DeployError: AWS refused; what is left is still remembered, and the same command goes on.
    """
    agent = agent or AgentState(name=names.agent, account=names.place.account, region=names.place.region)
    execute(removal.calls, aws, names, file, agent, reporter)
    file.drop(names)


def given_bucket(names: Names, agent: AgentState | None) -> str | None:
    """The bucket that was given to a deployment, by what was put there."""
    for made in agent.made if agent is not None else ():
        bucket = made.id.partition("/")[0]
        if made.part == "object" and bucket != names.bucket:
            return bucket
    return None


def _objects(names: Names, found: Found, agent: AgentState | None) -> list[Call]:
    """Our packages go, from a given bucket too: those that the state file remembers, from our own bucket all."""
    if found.bucket is None:
        return []
    bucket = given_bucket(names, agent) or names.bucket
    remembered = {made.id.partition("/")[2] for made in (agent.made if agent else ()) if made.part == "object"}
    keys = [key for key in found.bucket.keys if found.bucket.ours or key in remembered]
    return [
        Call(
            service="s3",
            operation="DeleteObjects",
            parameters={
                "Bucket": bucket,
                "Delete": {"Objects": [{"Key": key} for key in keys[at : at + _AT_ONCE]], "Quiet": True},
                "ExpectedBucketOwner": names.place.account,
            },
            why="remove the packages",
            removes=tuple(Made("object", f"{bucket}/{key}") for key in keys[at : at + _AT_ONCE]),
        )
        for at in range(0, len(keys), _AT_ONCE)
    ]


def _delete_runtime(names: Names, runtime_id: str) -> Call:
    return Call(
        service=CONTROL,
        operation="DeleteAgentRuntime",
        parameters={"agentRuntimeId": runtime_id},
        why="remove the runtime and its endpoints",
        removes=(Made("runtime", names.agent),),
        waits="runtime-gone",
    )


def _delete_role(role: str, found: FoundRole, made: Made) -> list[Call]:
    calls = []
    if found.policy is not None:
        calls.append(
            Call(
                service="iam",
                operation="DeleteRolePolicy",
                parameters={"RoleName": role, "PolicyName": POLICY_NAME},
                why="take the role its rights",
            )
        )
    return [
        *calls,
        Call(
            service="iam", operation="DeleteRole", parameters={"RoleName": role}, why="remove the role", removes=(made,)
        ),
    ]
