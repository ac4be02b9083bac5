import pytest

from tests.deploy.agentcore.support import ACCOUNT, NAMES, RUNTIME_ARN, RUNTIME_ID, Told, account, stubbed
from turnout.deploy.agentcore.aws import CONTROL
from turnout.deploy.agentcore.calls import Call, Made
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.execute import execute
from turnout.deploy.agentcore.state import AgentState, StateFile

AGENT = AgentState(name="support", account=ACCOUNT, region="us-west-2")
BUCKET = Made("bucket", "b")
CREATE = Call(service="s3", operation="CreateBucket", parameters={"Bucket": "b"}, why="make", makes=BUCKET)
DELETE = Call(service="s3", operation="DeleteBucket", parameters={"Bucket": "b"}, why="remove", removes=(BUCKET,))
BUILD = Call(service="codebuild", operation="StartBuild", parameters={"projectName": "p"}, why="build", waits="build")


def test_what_is_made_is_remembered_before_it_is_made(file: StateFile, told: Told) -> None:
    aws = account()
    seen: list[tuple[Made, ...]] = []

    def remembered(**_: object) -> None:
        agent = StateFile(file.path).get(NAMES)
        seen.append(agent.made if agent else ())

    aws.client("s3").meta.events.register("before-parameter-build.s3.CreateBucket", remembered)
    with stubbed(aws) as stubs:
        stubs.answer("s3", "create_bucket", {})
        assert execute([CREATE], aws, NAMES, file, AGENT, told).made == (BUCKET,)
    assert seen == [(BUCKET,)]


def test_what_aws_refused_to_make_is_not_remembered(file: StateFile, told: Told) -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.fail("s3", "create_bucket", "TooManyBuckets")
        with pytest.raises(DeployError, match="a quota of the account is used up"):
            execute([CREATE], aws, NAMES, file, AGENT, told)
    assert file.get(NAMES) == AGENT


def test_what_is_gone_already_is_no_error(file: StateFile, told: Told) -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer("s3", "create_bucket", {})
        stubs.fail("s3", "delete_bucket", "NoSuchBucket", status=404)
        assert execute([CREATE, DELETE], aws, NAMES, file, AGENT, told).made == ()
    assert told.operations == ["CreateBucket", "DeleteBucket"]


def test_objects_that_s3_kept_are_told_and_remembered(file: StateFile, told: Told) -> None:
    made = Made("object", "b/k")
    agent = AgentState(name="support", account=ACCOUNT, region="us-west-2", made=(made,))
    delete = Call(
        service="s3",
        operation="DeleteObjects",
        parameters={"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}]}},
        why="remove",
        removes=(made,),
    )
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer("s3", "delete_objects", {"Errors": [{"Key": "k", "Code": "AccessDenied", "Message": "no"}]})
        with pytest.raises(DeployError, match="s3:DeleteObjects: k: AccessDenied: no"):
            execute([delete], aws, NAMES, file, agent, told)
    assert agent.made == (made,)


def test_a_build_is_remembered_while_it_runs(file: StateFile, told: Told) -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer("codebuild", "start_build", {"build": {"id": "p:1"}})
        failed = {"id": "p:1", "buildStatus": "FAILED", "phases": [{"phaseType": "BUILD", "phaseStatus": "FAILED"}]}
        stubs.answer("codebuild", "batch_get_builds", {"builds": [failed]})
        with pytest.raises(DeployError, match="p:1 FAILED in phase BUILD: no reason is given"):
            execute([BUILD], aws, NAMES, file, AGENT, told)
    remembered = file.get(NAMES)
    assert remembered is not None
    assert remembered.build_id == "p:1"


def test_a_runtime_that_is_gone_is_forgotten(file: StateFile, told: Told) -> None:
    aws = account()
    delete = Call(
        service=CONTROL,
        operation="DeleteAgentRuntime",
        parameters={"agentRuntimeId": RUNTIME_ID},
        why="remove",
        waits="runtime-gone",
    )
    agent = AgentState(
        name="support", account=ACCOUNT, region="us-west-2", runtime_id=RUNTIME_ID, runtime_arn=RUNTIME_ARN
    )
    with stubbed(aws) as stubs:
        stubs.answer(CONTROL, "delete_agent_runtime", {"status": "DELETING"})
        stubs.fail(CONTROL, "get_agent_runtime", "ResourceNotFoundException", status=404)
        assert execute([delete], aws, NAMES, file, agent, told) == AGENT
