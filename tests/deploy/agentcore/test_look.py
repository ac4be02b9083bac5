from typing import Any

import msgspec
import pytest

from tests.deploy.agentcore.support import ACCOUNT, NAMES, PLACE, SHA, account, stubbed, wanted
from turnout.deploy.agentcore import policies
from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.calls import Made
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.found import NOTHING, FoundBucket
from turnout.deploy.agentcore.look import find_runtime, look
from turnout.deploy.agentcore.state import AgentState

AGENT = AgentState(name="support", account=ACCOUNT, region="us-west-2")


def test_an_empty_account_has_nothing(aws: Aws) -> None:
    assert look(aws, NAMES, sha256=SHA) == NOTHING


def test_what_is_there_without_tags_is_ours_if_we_remember_it(aws: Aws) -> None:
    aws.call("iam", "CreateRole", RoleName=NAMES.role, AssumeRolePolicyDocument='{"Version": "2012-10-17"}')
    aws.call("s3", "CreateBucket", Bucket=NAMES.bucket, CreateBucketConfiguration={"LocationConstraint": PLACE.region})
    aws.call("ecr", "CreateRepository", repositoryName=NAMES.repository)
    found = look(aws, NAMES)
    assert [one is not None and one.ours for one in (found.role, found.bucket, found.repository)] == [False] * 3
    made = (Made("role", NAMES.role), Made("bucket", NAMES.bucket), Made("repository", NAMES.repository))
    found = look(aws, NAMES, state=msgspec.structs.replace(AGENT, made=made))
    assert [one is not None and one.ours for one in (found.role, found.bucket, found.repository)] == [True] * 3
    assert found.role is not None
    assert found.role.trust == {"Version": "2012-10-17"}
    assert found.role.policy is None
    assert found.bucket == FoundBucket(ours=True, tagged=False)


def test_the_policy_is_read_as_it_was_written(aws: Aws) -> None:
    import json

    document = policies.run_policy(wanted())
    aws.call("iam", "CreateRole", RoleName=NAMES.role, AssumeRolePolicyDocument="{}")
    aws.call("iam", "PutRolePolicy", RoleName=NAMES.role, PolicyName="turnout", PolicyDocument=json.dumps(document))
    found = look(aws, NAMES).role
    assert found is not None
    assert found.policy == document


def test_a_bucket_tells_our_packages_from_other_things(aws: Aws) -> None:
    aws.call("s3", "CreateBucket", Bucket="mine", CreateBucketConfiguration={"LocationConstraint": PLACE.region})
    for key in (NAMES.key("a"), NAMES.key("b")):
        aws.call("s3", "PutObject", Bucket="mine", Key=key, Body=b"x")
    assert look(aws, NAMES, bucket="mine").bucket == FoundBucket(
        ours=False, keys=(NAMES.key("a"), NAMES.key("b")), others=False
    )
    aws.call("s3", "PutObject", Bucket="mine", Key="zzz", Body=b"x")
    found = look(aws, NAMES, bucket="mine").bucket
    assert found is not None
    assert found.others


@pytest.mark.parametrize("code", ["403", "301"])
def test_a_bucket_of_somebody_else_is_not_ours(code: str) -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.fail("iam", "get_role", "NoSuchEntity")
        stubs.fail("s3", "head_bucket", code, status=int(code))
        stubs.answer(CONTROL, "list_agent_runtimes", {"agentRuntimes": []})
        found = look(aws, NAMES, container=False).bucket
        assert found is not None
        assert not found.ours
        stubs.fail("iam", "get_role", "NoSuchEntity")
        stubs.fail("s3", "head_bucket", code, status=int(code))
        with pytest.raises(DeployError):
            look(aws, NAMES, bucket="given", container=False)


def test_a_running_build_of_this_package_is_found(aws: Aws) -> None:
    stubbed_aws = account()
    project = {
        "name": NAMES.project,
        "source": {"type": "S3", "location": "b/k", "buildspec": "x", "insecureSsl": False},
        "artifacts": {"type": "NO_ARTIFACTS", "packaging": "NONE"},
        "environment": {
            "type": "ARM_CONTAINER",
            "image": "i",
            "computeType": "c",
            "imagePullCredentialsType": "CODEBUILD",
        },
        "tags": [{"key": key, "value": value} for key, value in NAMES.tags.items()],
        "queuedTimeoutInMinutes": 480,
    }
    for state, running in ((AGENT, None), (_building("IN"), "b:1"), (_building("IN", sha="other"), None)):
        with stubbed(stubbed_aws) as stubs:
            stubs.fail("iam", "get_role", "NoSuchEntity")
            stubs.fail("iam", "get_role", "NoSuchEntity")
            stubs.fail("s3", "head_bucket", "404")
            stubs.fail("ecr", "describe_repositories", "RepositoryNotFoundException")
            stubs.answer("codebuild", "batch_get_projects", {"projects": [project]})
            if running:
                build = {"id": "b:1", "buildStatus": "IN_PROGRESS"}
                stubs.answer("codebuild", "batch_get_builds", {"builds": [build]}, {"ids": ["b:1"]})
            stubs.answer(CONTROL, "list_agent_runtimes", {"agentRuntimes": []})
            found = look(stubbed_aws, NAMES, state=state, sha256=SHA).project
        assert found is not None
        assert (found.ours, found.running_build) == (True, running)
        # What CodeBuild adds of its own is no difference.
        assert found.settings["environment"] == {"type": "ARM_CONTAINER", "image": "i", "computeType": "c"}
        assert found.settings["source"] == {"type": "S3", "location": "b/k", "buildspec": "x"}
        assert found.settings["artifacts"] == {"type": "NO_ARTIFACTS"}


def _building(_: str, sha: str = SHA) -> AgentState:
    return msgspec.structs.replace(AGENT, build_id="b:1", package_sha256=sha)


def test_runtimes_are_looked_for_on_every_page() -> None:
    def listed(name: str) -> dict[str, Any]:
        return {
            "agentRuntimeArn": f"arn:aws:bedrock-agentcore:us-west-2:{ACCOUNT}:runtime/{name}-0123456789",
            "agentRuntimeId": f"{name}-0123456789",
            "agentRuntimeVersion": "1",
            "agentRuntimeName": name,
            "description": "an agent",
            "lastUpdatedAt": "2026-11-23T00:00:00Z",
            "status": "READY",
        }

    aws = account()
    with stubbed(aws) as stubs:
        page = {"agentRuntimes": [listed("other")], "nextToken": "t"}
        stubs.answer(CONTROL, "list_agent_runtimes", page, {"maxResults": 100})
        page = {"agentRuntimes": [listed("support")]}
        stubs.answer(CONTROL, "list_agent_runtimes", page, {"maxResults": 100, "nextToken": "t"})
        stubs.fail(CONTROL, "get_agent_runtime", "ResourceNotFoundException")  # deleted in between
        assert find_runtime(aws, NAMES) is None
