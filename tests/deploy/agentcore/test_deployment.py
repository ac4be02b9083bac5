"""Deployments in an account of moto's: real boto3, real requests, its control plane's answers."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.moto_api import state_manager

from tests.deploy.agentcore.support import ACCOUNT, NAMES, SECRET_ARN, SHA, VALUE, Told, package, wanted
from turnout.deploy.agentcore import policies
from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.calls import Call
from turnout.deploy.agentcore.deployment import deploy, planned
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.look import look
from turnout.deploy.agentcore.state import StateFile
from turnout.deploy.agentcore.wanted import Wanted

pytestmark = pytest.mark.once

RUNTIME_STATES = "bedrock-agentcore-control::agent_runtime"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

GIVEN = wanted(environment=(("LANGFUSE_PUBLIC_KEY", VALUE),), secrets=(("LANGFUSE_SECRET_KEY", SECRET_ARN),))


def runtimes(aws: Aws) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.call(CONTROL, "ListAgentRuntimes")["agentRuntimes"]
    return found


def test_a_first_deployment_makes_all_of_it(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    agent = deploy(GIVEN, package(tmp_path), aws, file, told)
    [runtime] = runtimes(aws)
    assert (runtime["agentRuntimeName"], runtime["status"], runtime["agentRuntimeId"]) == (
        "support",
        "READY",
        agent.runtime_id,
    )
    role = aws.call("iam", "GetRole", RoleName=NAMES.role)["Role"]
    assert role["AssumeRolePolicyDocument"] == policies.run_trust(GIVEN.place)
    stored = aws.call("s3", "GetObject", Bucket=NAMES.bucket, Key=NAMES.key(SHA))
    assert stored["Body"].read() == b"PK a zip"
    assert stored["ServerSideEncryption"] == "AES256"
    block = aws.call("s3", "GetPublicAccessBlock", Bucket=NAMES.bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    assert [made.part for made in agent.made] == ["role", "bucket", "object", "runtime"]
    assert file.get(NAMES) == agent


def test_a_second_deployment_calls_nothing(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    packed = package(tmp_path)
    first = deploy(GIVEN, packed, aws, file, told)
    again = Told()
    assert deploy(GIVEN, packed, aws, StateFile(file.path), again) == first
    assert again.operations == []
    assert planned(GIVEN, packed, aws, file) == ()


def test_without_the_state_file_the_tags_tell(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    packed = package(tmp_path)
    deploy(GIVEN, packed, aws, file, told)
    file.path.unlink()
    again = Told()
    agent = deploy(GIVEN, packed, aws, StateFile(file.path), again)
    assert again.operations == []
    assert agent.runtime_id == runtimes(aws)[0]["agentRuntimeId"]


def test_a_change_is_an_update_of_the_same_runtime(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    deploy(GIVEN, package(tmp_path), aws, file, told)
    again = Told()
    agent = deploy(GIVEN, package(tmp_path, "cd" * 32), aws, file, again)
    assert again.operations == ["PutObject", "UpdateAgentRuntime"]
    assert (len(runtimes(aws)), agent.runtime_version) == (1, "2")


def test_a_container_is_built_and_not_built_twice(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    given, packed = wanted(kind="container"), package(tmp_path)
    agent = deploy(given, packed, aws, file, told)
    assert "StartBuild" in told.operations
    assert agent.build_id.startswith(NAMES.project)
    assert [made.part for made in agent.made] == [
        "role",
        "bucket",
        "object",
        "repository",
        "build-role",
        "project",
        "runtime",
    ]
    # moto builds nothing; had it pushed the image, no build would follow. So the image is put there.
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "sha256:0"}, "layers": []})
    aws.call("ecr", "PutImage", repositoryName=NAMES.repository, imageManifest=manifest, imageTag=SHA[:16])
    again = Told()
    deploy(given, packed, aws, file, again)
    assert again.operations == []


def test_nobody_agrees_and_nothing_is_made(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    asked: list[Sequence[Call]] = []

    def refuse(calls: Sequence[Call]) -> bool:
        asked.append(calls)
        return False

    with pytest.raises(DeployError, match="nothing was changed"):
        deploy(GIVEN, package(tmp_path), aws, file, told, refuse)
    assert [call.operation for call in asked[0]][:2] == ["CreateRole", "PutRolePolicy"]
    assert (told.operations, runtimes(aws), file.agents) == ([], [], ())


class StopsAt(Told):
    """Ctrl-C, just before an operation is called."""

    def __init__(self, operation: str) -> None:
        super().__init__()
        self._operation = operation

    def call(self, call: Call, number: int, total: int) -> None:
        if call.operation == self._operation:
            raise KeyboardInterrupt
        super().call(call, number, total)


@pytest.mark.parametrize(
    "operation", ["PutRolePolicy", "PutPublicAccessBlock", "PutBucketTagging", "CreateAgentRuntime"]
)
def test_after_ctrl_c_the_same_command_goes_on(aws: Aws, file: StateFile, operation: str, tmp_path: Path) -> None:
    packed = package(tmp_path)
    stopped, rest = StopsAt(operation), Told()
    with pytest.raises(KeyboardInterrupt):
        deploy(GIVEN, packed, aws, file, stopped)
    agent = deploy(GIVEN, packed, aws, StateFile(file.path), rest)
    assert rest.operations[0] in (operation, "PutPublicAccessBlock")
    assert len(runtimes(aws)) == 1
    assert [made.part for made in agent.made] == ["role", "bucket", "object", "runtime"]
    assert planned(GIVEN, packed, aws, file) == ()


def test_a_role_of_that_name_that_is_not_ours_stops_it(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    aws.call("iam", "CreateRole", RoleName=NAMES.role, AssumeRolePolicyDocument="{}")
    with pytest.raises(DeployError, match="was not made for this agent: choose another --role"):
        deploy(GIVEN, package(tmp_path), aws, file, told)
    assert told.operations == []


def test_given_bucket_and_role_are_used_and_told(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    aws.call("s3", "CreateBucket", Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    role = f"arn:aws:iam::{ACCOUNT}:role/mine"
    agent = deploy(wanted(bucket="mine", role_arn=role), package(tmp_path), aws, file, told)
    assert told.operations == ["PutObject", "CreateAgentRuntime"]
    assert agent.given == (f"IAM role {role}", "bucket mine")
    assert aws.call("s3", "ListObjectsV2", Bucket="mine")["KeyCount"] == 1


def test_the_state_file_holds_no_value(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    agent = deploy(GIVEN, package(tmp_path), aws, file, told)
    assert VALUE not in file.path.read_text()
    assert {"LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"} <= set(agent.variables)


def _conflicting(aws: Aws, times: int) -> None:
    """AgentCore answers the next creations with a conflict, as when somebody else makes the runtime meanwhile."""
    left = [times]

    def before(**_: Any) -> Any:
        if not left[0]:
            return None
        left[0] -= 1
        http = AWSResponse("https://x", 409, HTTPHeaders(), None)
        return http, {"Error": {"Code": "ConflictException", "Message": "support exists"}}

    aws.client(CONTROL).meta.events.register(f"before-call.{CONTROL}.CreateAgentRuntime", before)


def test_a_conflict_is_looked_at_again(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    _conflicting(aws, 1)
    agent = deploy(GIVEN, package(tmp_path), aws, file, told)
    assert told.operations[-2:] == ["CreateAgentRuntime", "CreateAgentRuntime"]
    assert any("looking again" in note for note in told.notes)
    assert agent.runtime_id


def test_a_conflict_without_end_is_told(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    _conflicting(aws, 9)
    with pytest.raises(DeployError, match="conflict: support exists"):
        deploy(GIVEN, package(tmp_path), aws, file, told)
    remembered = file.get(NAMES)
    assert remembered is not None
    assert [made.part for made in remembered.made] == ["role", "bucket", "object"]


@pytest.mark.parametrize(
    ("code", "message", "told_as"),
    [
        ("ServiceQuotaExceededException", "Total agents per account: 1000", "a quota of the account is used up"),
        (
            "AccessDeniedException",
            "is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r",
            "these credentials lack iam:PassRole on arn:aws:iam::1:role/r",
        ),
        ("ValidationException", f"Value '{VALUE}' is not valid", "Value '***' is not valid"),
    ],
)
def test_a_refusal_is_told_and_what_was_made_is_remembered(
    aws: Aws, file: StateFile, told: Told, tmp_path: Path, code: str, message: str, told_as: str
) -> None:
    def refuse(**_: Any) -> Any:
        return AWSResponse("https://x", 400, HTTPHeaders(), None), {"Error": {"Code": code, "Message": message}}

    aws.redact = GIVEN.secret_values
    aws.client(CONTROL).meta.events.register(f"before-call.{CONTROL}.CreateAgentRuntime", refuse)
    with pytest.raises(DeployError) as caught:
        deploy(GIVEN, package(tmp_path), aws, file, told)
    assert told_as in str(caught.value)
    assert VALUE not in str(caught.value)
    remembered = file.get(NAMES)
    assert remembered is not None
    assert [made.part for made in remembered.made] == ["role", "bucket", "object"]


def test_a_look_changes_nothing(aws: Aws, file: StateFile, tmp_path: Path) -> None:
    sent: list[str] = []
    for service in ("iam", "s3", "ecr", "codebuild", CONTROL):
        aws.client(service).meta.events.register(f"before-call.{service}", lambda model, **_: sent.append(model.name))
    planned(wanted(kind="container"), package(tmp_path), aws, file)
    assert sent
    assert all(name.startswith(("Get", "List", "Head", "Describe", "BatchGet")) for name in sent)
    assert look(aws, NAMES).runtime is None


@pytest.fixture
def slow_changes() -> Iterator[None]:
    """moto's runtimes take six looks to change."""
    state_manager.set_transition(RUNTIME_STATES, {"progression": "manual", "times": 6})
    yield
    state_manager.unset_transition(RUNTIME_STATES)


@pytest.mark.usefixtures("slow_changes")
def test_a_runtime_that_is_changing_is_waited_for(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    packed = package(tmp_path)

    class StopsWhileWaiting(Told):
        def progress(self, text: str) -> None:
            raise KeyboardInterrupt

    stopped: Wanted = GIVEN
    deploy(stopped, packed, aws, file, told)
    newer = package(tmp_path, "cd" * 32)
    with pytest.raises(KeyboardInterrupt):
        deploy(stopped, newer, aws, file, StopsWhileWaiting())
    again = Told()
    agent = deploy(stopped, newer, aws, StateFile(file.path), again)
    assert "CreateAgentRuntime" not in again.operations
    assert agent.runtime_version == "2"
