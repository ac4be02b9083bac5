"""From what is wanted and what is there to the calls that are missing: pure functions.

The order is that of need: role, bucket, package, image, runtime. Every name and ARN is known beforehand (`names`), so
that the whole list can be shown before the first call is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from turnout.deploy.agentcore import policies
from turnout.deploy.agentcore.calls import Call, FileBody, Hidden, Made
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.found import Found, FoundBucket, FoundProject, FoundRole
from turnout.deploy.agentcore.names import POLICY_NAME, Names, image_tag
from turnout.deploy.agentcore.package.dockerfile import BUILDSPEC_NAME
from turnout.deploy.agentcore.package.entry import ENTRY_NAME
from turnout.deploy.agentcore.package.value import Package
from turnout.deploy.agentcore.wanted import SECRETS_VARIABLE, Wanted

BUILD_IMAGE = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
BUILD_MINUTES = 30

_OWN_VARIABLES = {
    # boto3 reads this one only; the service sets AWS_REGION.
    "AWS_DEFAULT_REGION": None,
    # The session's machine has no home to keep; what is recorded there is gone with the session.
    "TURNOUT_LEDGER": "/tmp/turnout/ledger.sqlite3",
    # Takes back the variables that AgentCore sets for its own telemetry: they would send spans there, not to Langfuse.
    "DISABLE_ADOT_OBSERVABILITY": "true",
}


def plan(wanted: Wanted, package: Package | None, found: Found) -> tuple[Call, ...]:
    """The calls that make the deployment as wanted; none where it is already.

    Args:
        wanted: A checked value.
        package: What was packed; none where an image is given.
        found: What is there.

    Raises:
        DeployError: Something of that name is there and was not made by a deployment of this agent.
    """
    names = Names(wanted.name, wanted.place)
    calls: list[Call] = []
    if wanted.role_arn is None:
        trust, policy = policies.run_trust(wanted.place), policies.run_policy(wanted)
        calls += _role(names, names.role, found.role, trust, policy, build=False)
    if package is not None:
        calls += _bucket(wanted, names, found.bucket)
        calls += _upload(wanted, names, package, found.bucket)
    if package is not None and wanted.builds_image:
        calls += _image(wanted, names, package, found)
    calls += _runtime(wanted, names, package, found)
    return tuple(calls)


def role_of(wanted: Wanted, names: Names) -> str:
    """The ARN of the execution role."""
    return wanted.role_arn or names.role_arn(names.role)


def runtime_settings(wanted: Wanted, names: Names, package: Package | None) -> dict[str, Any]:
    """What ``CreateAgentRuntime`` and ``UpdateAgentRuntime`` are both sent."""
    settings: dict[str, Any] = {
        "agentRuntimeArtifact": _artifact(wanted, names, package),
        "roleArn": role_of(wanted, names),
        "networkConfiguration": _network(wanted),
        "protocolConfiguration": {"serverProtocol": "HTTP"},
        "description": f"{wanted.app} with Turnout",
        "environmentVariables": environment(wanted),
    }
    lifecycle = {"idleRuntimeSessionTimeout": wanted.idle_seconds, "maxLifetime": wanted.lifetime_seconds}
    if given := {key: value for key, value in lifecycle.items() if value is not None}:
        settings["lifecycleConfiguration"] = given
    return settings


def environment(wanted: Wanted) -> dict[str, str]:
    """The variables of the process. Values that were given are hidden; references to secrets are not secret."""
    variables: dict[str, str] = {name: value or wanted.place.region for name, value in _OWN_VARIABLES.items()}
    if wanted.knowledge_base is not None:
        variables["KNOWLEDGE_BASE_ID"] = wanted.knowledge_base
    if wanted.secrets:
        variables[SECRETS_VARIABLE] = json.dumps(dict(sorted(wanted.secrets)))
    variables |= {name: Hidden(value) for name, value in wanted.environment}
    return dict(sorted(variables.items()))


def _role(
    names: Names,
    role: str,
    found: FoundRole | None,
    trust: Mapping[str, Any],
    policy: Mapping[str, Any],
    *,
    build: bool,
) -> Iterator[Call]:
    what = "role of the build" if build else "execution role"
    if found is None:
        yield Call(
            service="iam",
            operation="CreateRole",
            parameters={
                "RoleName": role,
                "AssumeRolePolicyDocument": json.dumps(trust),
                "Description": f"{what} of the AgentCore Runtime {names.agent}",
                "Tags": _tags(names),
            },
            why=f"make the {what}",
            makes=Made("build-role" if build else "role", role),
        )
    else:
        _must_be_ours(found.ours, f"the IAM role {role}", "--role")
        if found.trust != trust:
            yield Call(
                service="iam",
                operation="UpdateAssumeRolePolicy",
                parameters={"RoleName": role, "PolicyDocument": json.dumps(trust)},
                why=f"say who may take the {what}",
            )
    if found is None or found.policy != policy:
        yield Call(
            service="iam",
            operation="PutRolePolicy",
            parameters={"RoleName": role, "PolicyName": POLICY_NAME, "PolicyDocument": json.dumps(policy)},
            why=f"say what the {what} may do",
        )


def _bucket(wanted: Wanted, names: Names, found: FoundBucket | None) -> Iterator[Call]:
    if wanted.bucket is not None or (found is not None and found.tagged and found.ours):
        return
    bucket, owner = names.bucket, {"ExpectedBucketOwner": wanted.place.account}
    if found is None:
        region = wanted.place.region
        # us-east-1 is where a bucket goes that names no place, and is refused as a place.
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        yield Call(
            service="s3",
            operation="CreateBucket",
            parameters={"Bucket": bucket, **where},
            why="make the bucket for packages",
            makes=Made("bucket", bucket),
        )
    else:
        _must_be_ours(found.ours, f"the bucket {bucket}", "--bucket")
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    yield Call(
        service="s3",
        operation="PutPublicAccessBlock",
        parameters={"Bucket": bucket, "PublicAccessBlockConfiguration": block, **owner},
        why="block public access to it",
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    yield Call(
        service="s3",
        operation="PutBucketEncryption",
        parameters={"Bucket": bucket, "ServerSideEncryptionConfiguration": {"Rules": [rule]}, **owner},
        why="encrypt what lies in it",
    )
    yield Call(
        service="s3",
        operation="PutBucketTagging",
        parameters={"Bucket": bucket, "Tagging": {"TagSet": _tags(names)}, **owner},
        why="say who made it",
    )


def _upload(wanted: Wanted, names: Names, package: Package, found: FoundBucket | None) -> Iterator[Call]:
    bucket, key = wanted.bucket or names.bucket, names.key(package.sha256)
    if found is not None and key in found.keys:
        return
    yield Call(
        service="s3",
        operation="PutObject",
        parameters={
            "Bucket": bucket,
            "Key": key,
            "Body": FileBody(package.path, package.size),
            "ContentType": "application/zip",
            "ServerSideEncryption": "AES256",
            "ExpectedBucketOwner": wanted.place.account,
        },
        why="upload the package",
        makes=Made("object", f"{bucket}/{key}"),
    )


def _image(wanted: Wanted, names: Names, package: Package, found: Found) -> Iterator[Call]:
    if found.repository is None:
        yield Call(
            service="ecr",
            operation="CreateRepository",
            parameters={
                "repositoryName": names.repository,
                "imageTagMutability": "IMMUTABLE",
                "imageScanningConfiguration": {"scanOnPush": True},
                "encryptionConfiguration": {"encryptionType": "AES256"},
                "tags": _tags(names),
            },
            why="make the repository for images",
            makes=Made("repository", names.repository),
        )
    else:
        _must_be_ours(found.repository.ours, f"the ECR repository {names.repository}", "--image")
        if found.repository.image_there:
            return
    trust, policy = policies.build_trust(wanted.place), policies.build_policy(wanted, names)
    yield from _role(names, names.build_role, found.build_role, trust, policy, build=True)
    yield from _project(wanted, names, package, found.project)
    if found.project is None or found.project.running_build is None:
        yield Call(
            service="codebuild",
            operation="StartBuild",
            parameters={"projectName": names.project},
            why="build the image",
            waits="build",
            new_role=True,
        )


def _project(wanted: Wanted, names: Names, package: Package, found: FoundProject | None) -> Iterator[Call]:
    settings = project_settings(wanted, names, package)
    if found is None:
        yield Call(
            service="codebuild",
            operation="CreateProject",
            parameters=settings,
            why="make the project that builds the image",
            makes=Made("project", names.project),
            new_role=True,
        )
        return
    _must_be_ours(found.ours, f"the CodeBuild project {names.project}", "--image")
    if not _is_so({key: value for key, value in settings.items() if key != "tags"}, found.settings):
        yield Call(
            service="codebuild",
            operation="UpdateProject",
            parameters=settings,
            why="have the project build this package",
            new_role=True,
        )


def project_settings(wanted: Wanted, names: Names, package: Package) -> dict[str, Any]:
    """What ``CreateProject`` and ``UpdateProject`` are both sent."""
    variables = {
        "IMAGE": names.image(package.sha256),
        "REGISTRY": names.image(package.sha256).partition("/")[0],
        "TAG": image_tag(package.sha256),
    }
    return {
        "name": names.project,
        "description": f"builds the image of the AgentCore Runtime {names.agent}",
        "source": {
            "type": "S3",
            "location": f"{wanted.bucket or names.bucket}/{names.key(package.sha256)}",
            "buildspec": BUILDSPEC_NAME,
        },
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "ARM_CONTAINER",
            "image": BUILD_IMAGE,
            "computeType": "BUILD_GENERAL1_SMALL",
            # A docker engine inside the build's container needs it.
            "privilegedMode": True,
            "environmentVariables": [
                {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in sorted(variables.items())
            ],
        },
        "serviceRole": names.role_arn(names.build_role),
        "timeoutInMinutes": BUILD_MINUTES,
        "tags": [{"key": key, "value": value} for key, value in names.tags.items()],
    }


def _runtime(wanted: Wanted, names: Names, package: Package | None, found: Found) -> Iterator[Call]:
    settings = runtime_settings(wanted, names, package)
    runtime, new_role = found.runtime, wanted.role_arn is None
    if runtime is not None:
        _must_be_ours(runtime.ours, f"the AgentCore Runtime {names.agent}", "--name")
        if runtime.status == "CREATE_FAILED":
            yield Call(
                service="bedrock-agentcore-control",
                operation="DeleteAgentRuntime",
                parameters={"agentRuntimeId": runtime.id},
                why="remove the runtime that could not be made",
                waits="runtime-gone",
            )
            runtime = None
    if runtime is None:
        yield Call(
            service="bedrock-agentcore-control",
            operation="CreateAgentRuntime",
            parameters={"agentRuntimeName": wanted.name, **settings, "tags": names.tags},
            why="make the runtime",
            makes=Made("runtime", wanted.name),
            waits="runtime",
            new_role=new_role,
        )
    elif runtime.status != "READY" or not _is_so(settings, runtime.settings):
        yield Call(
            service="bedrock-agentcore-control",
            operation="UpdateAgentRuntime",
            parameters={"agentRuntimeId": runtime.id, **settings},
            why="update the runtime",
            waits="runtime",
            new_role=new_role,
        )


def _artifact(wanted: Wanted, names: Names, package: Package | None) -> dict[str, Any]:
    if wanted.image is not None:
        return {"containerConfiguration": {"containerUri": wanted.image}}
    if package is None:
        raise DeployError("there is neither a package nor an image to run")
    if wanted.kind == "container":
        return {"containerConfiguration": {"containerUri": names.image(package.sha256)}}
    return {
        "codeConfiguration": {
            "code": {"s3": {"bucket": wanted.bucket or names.bucket, "prefix": names.key(package.sha256)}},
            "runtime": f"PYTHON_{wanted.python.replace('.', '_')}",
            # Not ["opentelemetry-instrument", ...]: AgentCore's wrapper sets a tracer provider first, and ours, which
            # sends to Langfuse, would come too late.
            "entryPoint": [ENTRY_NAME],
        }
    }


def _network(wanted: Wanted) -> dict[str, Any]:
    if not wanted.subnets:
        return {"networkMode": "PUBLIC"}
    config = {"securityGroups": list(wanted.security_groups), "subnets": list(wanted.subnets)}
    return {"networkMode": "VPC", "networkModeConfig": config}


def _tags(names: Names) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in names.tags.items()]


def _is_so(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether what is there is as wanted. Services add what was left open; variables are compared whole."""
    for key, value in wanted.items():
        there = found.get(key)
        if isinstance(value, Mapping) and isinstance(there, Mapping) and key != "environmentVariables":
            if not _is_so(value, there):
                return False
        elif value != there:
            return False
    return True


def _must_be_ours(ours: bool, what: str, option: str) -> None:
    if not ours:
        raise DeployError(f"{what} is there already and was not made for this agent: choose another {option}")
