from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.deploy.agentcore.support import ACCOUNT, RUNTIME_ARN, RUNTIME_ID, Clock, account, session, stubbed
from turnout.deploy.agentcore.aws import CONTROL, ROLE_READY_S, Aws, Patience, check_region, new_session
from turnout.deploy.agentcore.calls import FileBody
from turnout.deploy.agentcore.errors import CallError, DeployError

ROLE_ERROR = "Role validation failed for 'arn:aws:iam::1:role/r'. Please verify that the role exists"
DELETED = {"status": "DELETING", "agentRuntimeId": RUNTIME_ID}


def test_a_throttled_call_is_made_again_with_growing_pauses() -> None:
    clock, told = Clock(), list[str]()
    aws = account(patience=clock, tell=told.append)
    with stubbed(aws) as stubs:
        for _ in range(3):
            stubs.fail(CONTROL, "delete_agent_runtime", "ThrottlingException", status=429)
        stubs.answer(CONTROL, "delete_agent_runtime", DELETED, {"agentRuntimeId": RUNTIME_ID})
        assert aws.call(CONTROL, "DeleteAgentRuntime", agentRuntimeId=RUNTIME_ID) == DELETED
    assert [most / 2 <= slept <= most for slept, most in zip(clock.slept, (2, 4, 8), strict=True)] == [True] * 3
    assert len(told) == 3
    assert told[0].startswith("bedrock-agentcore-control throttles, trying again in")


def test_throttling_without_end_is_told() -> None:
    clock = Clock()
    aws = account(patience=clock)
    with stubbed(aws) as stubs:
        for _ in range(8):
            stubs.fail("iam", "get_role", "Throttling")
        with pytest.raises(CallError, match="still throttles after several tries"):
            aws.call("iam", "GetRole", RoleName="r")
    assert len(clock.slept) == 7
    assert max(clock.slept) <= 20


def test_a_new_role_is_waited_for() -> None:
    clock = Clock()
    aws = account(patience=clock)
    with stubbed(aws) as stubs:
        stubs.fail(CONTROL, "delete_agent_runtime", "ValidationException", ROLE_ERROR)
        stubs.fail(CONTROL, "delete_agent_runtime", "ValidationException", ROLE_ERROR)
        stubs.answer(CONTROL, "delete_agent_runtime", DELETED)
        aws.call(CONTROL, "DeleteAgentRuntime", new_role=True, agentRuntimeId=RUNTIME_ID)
    assert clock.slept == [5.0, 5.0]


def test_a_role_that_never_comes_is_not_waited_for_without_end() -> None:
    clock = Clock()
    aws = account(patience=clock)
    with stubbed(aws) as stubs:
        for _ in range(int(ROLE_READY_S / 5) + 1):
            stubs.fail(CONTROL, "delete_agent_runtime", "ValidationException", ROLE_ERROR)
        with pytest.raises(CallError, match="Role validation failed"):
            aws.call(CONTROL, "DeleteAgentRuntime", new_role=True, agentRuntimeId=RUNTIME_ID)
    assert clock.seconds == ROLE_READY_S


def test_a_given_role_that_does_not_fit_is_told_at_once() -> None:
    clock = Clock()
    aws = account(patience=clock)
    with stubbed(aws) as stubs:
        stubs.fail(CONTROL, "delete_agent_runtime", "ValidationException", ROLE_ERROR)
        with pytest.raises(CallError, match="Role validation failed"):
            aws.call(CONTROL, "DeleteAgentRuntime", agentRuntimeId=RUNTIME_ID)
    assert clock.slept == []


def test_what_is_not_there_is_none_and_a_refusal_is_an_error() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.fail("iam", "get_role", "NoSuchEntity", status=404)
        assert aws.find("iam", "GetRole", RoleName="r") is None
        stubs.fail("iam", "get_role", "AccessDenied", status=403)
        with pytest.raises(CallError, match="access denied: these credentials lack iam:GetRole"):
            aws.find("iam", "GetRole", RoleName="r")


def test_parameters_that_botocore_refuses_are_told_without_values() -> None:
    aws = account(redact=("hushhush",))
    with pytest.raises(CallError) as caught:
        aws.call("iam", "GetRole", RoleName="r", hushhush=1)
    assert "hushhush" not in str(caught.value)


def test_a_file_is_sent_as_body(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(b"PK")
    aws = account()
    sent: list[bytes] = []

    def keep(params: dict[str, Any], **_: Any) -> None:
        sent.append(params["Body"].read())
        params["Body"].seek(0)

    aws.client("s3").meta.events.register("before-parameter-build.s3.PutObject", keep)
    with stubbed(aws) as stubs:
        stubs.answer("s3", "put_object", {})
        aws.call("s3", "PutObject", Bucket="b", Key="k", Body=FileBody(path, 2))
    assert sent == [b"PK"]


def test_the_place_is_the_account_and_region_of_the_credentials() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer("sts", "get_caller_identity", {"Account": ACCOUNT})
        place = aws.place()
    assert (place.account, place.region, place.partition) == (ACCOUNT, "us-west-2", "aws")


def test_without_credentials_or_region_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeployError, match="no AWS credentials were found"):
        Aws(boto3.Session(region_name="us-west-2"), patience=Clock()).place()
    with pytest.raises(DeployError, match="no AWS region is set: give --region"):
        Aws(new_session(None, None), patience=Clock()).place()
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert new_session(None, None).region_name == "eu-central-1"
    assert new_session("us-east-2", None).region_name == "us-east-2"


def test_an_unknown_region_or_profile_is_told() -> None:
    with pytest.raises(DeployError, match=r"unknown region 'us-wst-2'; the nearest known one is 'us-west-2'"):
        check_region(session(), "us-wst-2")
    check_region(session(), "us-gov-west-1")
    with pytest.raises(DeployError, match="nobody"):
        new_session(None, "nobody")


def test_nothing_answers() -> None:
    aws = Aws(session(), endpoint_url="http://127.0.0.1:9", patience=Clock())
    with pytest.raises(CallError, match="nothing answers at its address"):
        aws.call(CONTROL, "ListTagsForResource", resourceArn=RUNTIME_ARN)


def test_patience_is_real_by_default() -> None:
    patience = Patience()
    before = patience.now()
    patience.sleep(0)
    assert patience.now() >= before
