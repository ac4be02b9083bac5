"""Looks up what is there, by name and tags. Nothing here changes anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.calls import Part
from turnout.deploy.agentcore.errors import CallError
from turnout.deploy.agentcore.found import (
    Found,
    FoundBucket,
    FoundProject,
    FoundRepository,
    FoundRole,
    FoundRuntime,
)
from turnout.deploy.agentcore.names import POLICY_NAME, Names, image_tag
from turnout.deploy.agentcore.state import AgentState

_RUNTIME_KEYS = (
    "agentRuntimeArtifact",
    "roleArn",
    "networkConfiguration",
    "protocolConfiguration",
    "description",
    "environmentVariables",
    "lifecycleConfiguration",
)
_PROJECT_KEYS = ("name", "description", "source", "artifacts", "environment", "serviceRole", "timeoutInMinutes")


def look(
    aws: Aws,
    names: Names,
    *,
    state: AgentState | None = None,
    bucket: str | None = None,
    sha256: str | None = None,
    container: bool = True,
    asked_lifecycle: bool = True,
) -> Found:
    """Everything that a deployment may have made, as it is now.

    Args:
        aws: The account.
        names: The names to look for.
        state: What the state file remembers; it vouches for what was made and not tagged yet.
        bucket: The given bucket, where one was given.
        sha256: The package whose image is looked for.
        container: Whether to look for what only a container needs.
        asked_lifecycle: Whether the runtime's session limits were asked for; if not, the service's own are no change.

    Raises:
        DeployError: AWS refuses.
    """
    return Found(
        role=_role(aws, names, names.role, "role", state),
        build_role=_role(aws, names, names.build_role, "build-role", state) if container else None,
        bucket=_bucket(aws, names, bucket, state),
        repository=_repository(aws, names, sha256, state) if container else None,
        project=_project(aws, names, sha256, state) if container else None,
        runtime=find_runtime(aws, names, state=state, asked_lifecycle=asked_lifecycle),
    )


def find_runtime(
    aws: Aws, names: Names, *, state: AgentState | None = None, asked_lifecycle: bool = True
) -> FoundRuntime | None:
    """The runtime of that name, none where there is none; AgentCore lists runtimes and finds none by name."""
    token: dict[str, Any] = {}
    while True:
        page = aws.call(CONTROL, "ListAgentRuntimes", maxResults=100, **token)
        for listed in page["agentRuntimes"]:
            if listed["agentRuntimeName"] == names.agent:
                return _runtime(aws, names, listed["agentRuntimeId"], state, asked_lifecycle=asked_lifecycle)
        if not page.get("nextToken"):
            return None
        token = {"nextToken": page["nextToken"]}


def _runtime(
    aws: Aws, names: Names, runtime_id: str, state: AgentState | None, *, asked_lifecycle: bool
) -> FoundRuntime | None:
    one = aws.find(CONTROL, "GetAgentRuntime", agentRuntimeId=runtime_id)
    if one is None:
        return None
    tags = aws.find(CONTROL, "ListTagsForResource", resourceArn=one["agentRuntimeArn"]) or {}
    settings = {key: one[key] for key in _RUNTIME_KEYS if one.get(key)}
    if not asked_lifecycle:
        settings.pop("lifecycleConfiguration", None)
    made_here = state is not None and state.runtime_id == runtime_id and _remembered(state, "runtime", names.agent)
    return FoundRuntime(
        id=one["agentRuntimeId"],
        arn=one["agentRuntimeArn"],
        version=one["agentRuntimeVersion"],
        status=one["status"],
        ours=made_here or names.ours(tags.get("tags", {})),
        settings=settings,
        failure=one.get("failureReason", ""),
    )


def _role(aws: Aws, names: Names, role: str, part: Part, state: AgentState | None) -> FoundRole | None:
    answer = aws.find("iam", "GetRole", RoleName=role)
    if answer is None:
        return None
    ours = names.ours(_tags(answer["Role"].get("Tags", []))) or _remembered(state, part, role)
    policy = aws.find("iam", "GetRolePolicy", RoleName=role, PolicyName=POLICY_NAME)
    return FoundRole(
        ours=ours,
        trust=_document(answer["Role"].get("AssumeRolePolicyDocument")),
        policy=_document(policy["PolicyDocument"]) if policy else None,
    )


def _bucket(aws: Aws, names: Names, given: str | None, state: AgentState | None) -> FoundBucket | None:
    bucket = given or names.bucket
    owner: dict[str, Any] = {"ExpectedBucketOwner": names.place.account}
    try:
        if aws.find("s3", "HeadBucket", Bucket=bucket, **owner) is None:
            return None
    except CallError as error:
        if error.code in {"403", "301"} and given is None:
            return FoundBucket(ours=False)  # somebody else's
        raise
    tags = aws.find("s3", "GetBucketTagging", Bucket=bucket, **owner) or {}
    tagged = names.ours(_tags(tags.get("TagSet", [])))
    keys, others = _keys(aws, names, bucket, owner)
    ours = tagged or (given is None and _remembered(state, "bucket", bucket))
    return FoundBucket(ours=ours, tagged=tagged, keys=keys, others=others)


def _keys(aws: Aws, names: Names, bucket: str, owner: dict[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The packages of this agent in a bucket, and whether anything else lies in it."""
    keys: list[str] = []
    token: dict[str, Any] = {}
    while True:
        page = aws.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=names.key_prefix, **owner, **token)
        keys += [one["Key"] for one in page.get("Contents", [])]
        if not page.get("IsTruncated"):
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    first = aws.call("s3", "ListObjectsV2", Bucket=bucket, MaxKeys=len(keys) % 1000 + 1, **owner)
    others = any(not one["Key"].startswith(names.key_prefix) for one in first.get("Contents", []))
    return tuple(keys), others


def _repository(aws: Aws, names: Names, sha256: str | None, state: AgentState | None) -> FoundRepository | None:
    answer = aws.find("ecr", "DescribeRepositories", repositoryNames=[names.repository])
    if answer is None or not answer.get("repositories"):
        return None
    tags = aws.find("ecr", "ListTagsForResource", resourceArn=answer["repositories"][0]["repositoryArn"]) or {}
    image = sha256 and aws.find(
        "ecr", "DescribeImages", repositoryName=names.repository, imageIds=[{"imageTag": image_tag(sha256)}]
    )
    ours = names.ours(_tags(tags.get("tags", []))) or _remembered(state, "repository", names.repository)
    return FoundRepository(ours=ours, image_there=bool(image and image.get("imageDetails")))


def _project(aws: Aws, names: Names, sha256: str | None, state: AgentState | None) -> FoundProject | None:
    projects = aws.call("codebuild", "BatchGetProjects", names=[names.project])["projects"]
    if not projects:
        return None
    one = projects[0]
    tags = {tag["key"]: tag["value"] for tag in one.get("tags", [])}
    return FoundProject(
        ours=names.ours(tags) or _remembered(state, "project", names.project),
        settings={key: _without_defaults(key, one[key]) for key in _PROJECT_KEYS if key in one},
        running_build=_running_build(aws, sha256, state),
    )


def _running_build(aws: Aws, sha256: str | None, state: AgentState | None) -> str | None:
    """The build that an earlier run started for this package and did not see end."""
    if state is None or not state.build_id or state.package_sha256 != sha256:
        return None
    builds = aws.call("codebuild", "BatchGetBuilds", ids=[state.build_id]).get("builds", [])
    return state.build_id if builds and builds[0]["buildStatus"] == "IN_PROGRESS" else None


def _without_defaults(key: str, value: Any) -> Any:
    """A part of a project as we would have sent it: CodeBuild adds what was left open."""
    if key == "environment":
        kept = ("type", "image", "computeType", "privilegedMode", "environmentVariables")
        return {name: value[name] for name in kept if name in value}
    if key == "source":
        return {name: value[name] for name in ("type", "location", "buildspec") if name in value}
    if key == "artifacts":
        return {"type": value.get("type")}
    return value


def _remembered(state: AgentState | None, part: Part, id: str) -> bool:
    return state is not None and any(made.part == part and made.id == id for made in state.made)


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _document(policy: Any) -> Mapping[str, Any] | None:
    """A policy as a value: boto3 decodes it mostly, and not in every answer."""
    if isinstance(policy, str):
        return json.loads(unquote(policy))  # type: ignore[no-any-return]  # a policy is an object
    return policy  # type: ignore[no-any-return]  # as boto3 decoded it
