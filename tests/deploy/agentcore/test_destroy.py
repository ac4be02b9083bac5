import json
from pathlib import Path

import msgspec
import pytest

from tests.deploy.agentcore.schemas import problems
from tests.deploy.agentcore.support import ACCOUNT, NAMES, RUNTIME_ARN, RUNTIME_ID, SHA, Told, package, wanted
from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.calls import Made
from turnout.deploy.agentcore.deployment import deploy
from turnout.deploy.agentcore.destroy import destroy, look_for_removal, removal
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.found import (
    NOTHING,
    Found,
    FoundBucket,
    FoundProject,
    FoundRepository,
    FoundRole,
    FoundRuntime,
)
from turnout.deploy.agentcore.state import AgentState, StateFile

OTHER = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
AGENT = AgentState(name="support", account=ACCOUNT, region="us-west-2")
RUNTIME = FoundRuntime(id=RUNTIME_ID, arn=RUNTIME_ARN, version="1", status="READY", ours=True)
ALL = Found(
    role=FoundRole(ours=True, policy={}),
    build_role=FoundRole(ours=True, policy={}),
    bucket=FoundBucket(ours=True, tagged=True, keys=(NAMES.key(SHA),)),
    repository=FoundRepository(ours=True),
    project=FoundProject(ours=True),
    runtime=RUNTIME,
)


def test_all_that_is_ours_goes_the_users_first() -> None:
    planned = removal(NAMES, ALL, None)
    assert [call.operation for call in planned.calls] == [
        "DeleteAgentRuntime",
        "DeleteProject",
        "DeleteRepository",
        "DeleteObjects",
        "DeleteBucket",
        "DeleteRolePolicy",
        "DeleteRole",
        "DeleteRolePolicy",
        "DeleteRole",
    ]
    assert planned.calls[0].waits == "runtime-gone"
    for call in planned.calls:
        assert problems(call) == [], call.operation
    # What AWS made by itself is told and kept.
    assert planned.kept == (
        f"log group /aws/bedrock-agentcore/runtimes/{RUNTIME_ID}-DEFAULT (AgentCore's own)",
        f"log group /aws/codebuild/{NAMES.project} (CodeBuild's own)",
    )


def test_nothing_of_others_goes() -> None:
    others = Found(
        role=FoundRole(ours=False),
        build_role=FoundRole(ours=False),
        bucket=FoundBucket(ours=False, keys=(NAMES.key(SHA),)),
        repository=FoundRepository(ours=False),
        project=FoundProject(ours=False),
        runtime=msgspec.structs.replace(RUNTIME, ours=False),
    )
    planned = removal(NAMES, others, None)
    assert planned.calls == ()
    assert planned.kept == (
        "AgentCore Runtime support (not made by Turnout)",
        f"IAM role {NAMES.build_role} (not made by Turnout)",
        f"IAM role {NAMES.role} (not made by Turnout)",
    )
    assert removal(NAMES, NOTHING, None) == ((), ())


def test_a_bucket_of_ours_with_other_things_in_it_stays() -> None:
    bucket = FoundBucket(ours=True, tagged=True, keys=(NAMES.key(SHA),), others=True)
    planned = removal(NAMES, Found(bucket=bucket), None)
    assert [call.operation for call in planned.calls] == ["DeleteObjects"]
    assert planned.kept == (f"bucket {NAMES.bucket} (it holds what Turnout did not put there)",)


def test_a_given_bucket_loses_only_what_we_remember() -> None:
    agent = msgspec.structs.replace(
        AGENT, made=(Made("object", f"mine/{NAMES.key(SHA)}"),), given=("bucket mine", "IAM role r")
    )
    bucket = FoundBucket(ours=False, keys=(NAMES.key(SHA), NAMES.key("of another folder")))
    planned = removal(NAMES, Found(bucket=bucket), agent)
    [call] = planned.calls
    assert call.parameters["Bucket"] == "mine"
    assert call.parameters["Delete"]["Objects"] == [{"Key": NAMES.key(SHA)}]
    assert planned.kept == ("bucket mine", "IAM role r")


def test_many_packages_go_a_thousand_at_a_time() -> None:
    bucket = FoundBucket(ours=True, tagged=True, keys=tuple(NAMES.key(str(number)) for number in range(1500)))
    calls = removal(NAMES, Found(bucket=bucket), None).calls
    assert [len(call.parameters["Delete"]["Objects"]) for call in calls[:2]] == [1000, 500]


@pytest.mark.parametrize("kind", ["code", "container"])
@pytest.mark.parametrize("remembers", [True, False])
def test_after_destroy_the_account_is_as_before(
    aws: Aws, file: StateFile, told: Told, tmp_path: Path, kind: str, remembers: bool
) -> None:
    aws.call("iam", "CreateRole", RoleName="somebody-elses", AssumeRolePolicyDocument="{}")
    deploy(wanted(kind=kind), package(tmp_path), aws, file, told)
    if not remembers:
        file.drop(NAMES)
    agent = file.get(NAMES)
    planned = removal(NAMES, look_for_removal(aws, NAMES, agent), agent)
    destroy(aws, NAMES, planned, file, agent, told)
    assert aws.call(CONTROL, "ListAgentRuntimes")["agentRuntimes"] == []
    assert aws.call("s3", "ListBuckets")["Buckets"] == []
    assert [role["RoleName"] for role in aws.call("iam", "ListRoles")["Roles"]] == ["somebody-elses"]
    assert aws.call("ecr", "DescribeRepositories")["repositories"] == []
    assert aws.call("codebuild", "ListProjects")["projects"] == []
    assert file.agents == ()
    assert removal(NAMES, look_for_removal(aws, NAMES, None), None).calls == ()


def test_a_stopped_destroy_goes_on(aws: Aws, file: StateFile, told: Told, tmp_path: Path) -> None:
    deploy(wanted(), package(tmp_path), aws, file, told)
    agent = file.get(NAMES)
    assert agent is not None
    planned = removal(NAMES, look_for_removal(aws, NAMES, agent), agent)
    aws.call("iam", "PutRolePolicy", RoleName=NAMES.role, PolicyName="mine", PolicyDocument=OTHER)
    with pytest.raises(DeployError, match="iam:DeleteRole"):
        destroy(aws, NAMES, planned, file, agent, told)
    left = file.get(NAMES)
    assert left is not None
    assert [made.part for made in left.made] == ["role"]
    aws.call("iam", "DeleteRolePolicy", RoleName=NAMES.role, PolicyName="mine")
    planned = removal(NAMES, look_for_removal(aws, NAMES, left), left)
    destroy(aws, NAMES, planned, file, left, told)
    assert file.agents == ()
