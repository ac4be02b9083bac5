import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.deploy.agentcore.schemas import problems
from tests.deploy.agentcore.support import (
    ACCOUNT,
    NAMES,
    RUNTIME_ARN,
    RUNTIME_ID,
    SECRET_ARN,
    SHA,
    VALUE,
    package,
    wanted,
)
from turnout.deploy.agentcore import policies
from turnout.deploy.agentcore.calls import Call, Hidden, as_data
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
from turnout.deploy.agentcore.plan import environment, plan, project_settings, runtime_settings
from turnout.deploy.agentcore.wanted import Place, Wanted

FULL = wanted(
    environment=(("LANGFUSE_PUBLIC_KEY", VALUE),),
    secrets=(("LANGFUSE_SECRET_KEY", SECRET_ARN),),
    knowledge_base="ABCDEFGHIJ",
    subnets=("subnet-0123456789abcdef0",),
    security_groups=("sg-0123456789abcdef0",),
    idle_seconds=300,
    lifetime_seconds=3600,
)


def operations(calls: tuple[Call, ...]) -> list[str]:
    return [call.operation for call in calls]


def there(given: Wanted, packed: Any, **changes: Any) -> Found:
    """Everything as a finished deployment leaves it."""
    found = Found(
        role=FoundRole(ours=True, trust=policies.run_trust(given.place), policy=policies.run_policy(given)),
        bucket=FoundBucket(ours=True, tagged=True, keys=(NAMES.key(packed.sha256),)),
        runtime=FoundRuntime(
            id=RUNTIME_ID,
            arn=RUNTIME_ARN,
            version="1",
            status="READY",
            ours=True,
            settings=runtime_settings(given, NAMES, packed),
        ),
    )
    return msgspec.structs.replace(found, **changes)


CONTAINER = wanted(kind="container")


def container_there(packed: Any, **changes: Any) -> Found:
    found = there(CONTAINER, packed)
    return msgspec.structs.replace(
        found,
        **{
            "repository": FoundRepository(ours=True),
            "build_role": FoundRole(
                ours=True,
                trust=policies.build_trust(CONTAINER.place),
                policy=policies.build_policy(CONTAINER, NAMES),
            ),
            "project": FoundProject(ours=True, settings=project_settings(CONTAINER, NAMES, packed)),
            **changes,
        },
    )


@pytest.mark.parametrize(
    "given",
    [
        wanted(),
        FULL,
        CONTAINER,
        wanted(kind="container", image=f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/mine:1"),
        wanted(bucket="mine", role_arn=f"arn:aws:iam::{ACCOUNT}:role/mine"),
        wanted(place=Place(account=ACCOUNT, region="us-east-1")),
    ],
    ids=["code", "full", "container", "image", "given", "us-east-1"],
)
def test_every_call_is_one_that_its_service_model_takes(given: Wanted, tmp_path: Path) -> None:
    packed = package(tmp_path) if given.packs else None
    calls = plan(given, packed, NOTHING)
    assert calls
    for call in calls:
        assert problems(call) == [], call.operation
    if packed is not None:
        for call in plan(given, packed, there(given, packed, runtime=_runtime("UPDATE_FAILED"))):
            assert problems(call) == [], call.operation


def _runtime(status: str, **changes: Any) -> FoundRuntime:
    values = {"id": RUNTIME_ID, "arn": RUNTIME_ARN, "version": "1", "status": status, "ours": True, **changes}
    return FoundRuntime(**values)


def test_code_needs_a_role_a_bucket_the_package_and_the_runtime(tmp_path: Path) -> None:
    calls = plan(wanted(), package(tmp_path), NOTHING)
    assert operations(calls) == [
        "CreateRole",
        "PutRolePolicy",
        "CreateBucket",
        "PutPublicAccessBlock",
        "PutBucketEncryption",
        "PutBucketTagging",
        "PutObject",
        "CreateAgentRuntime",
    ]
    made = [call.makes.part for call in calls if call.makes is not None]
    assert made == ["role", "bucket", "object", "runtime"]
    assert calls[-1].waits == "runtime"
    assert calls[-1].new_role
    artifact = calls[-1].parameters["agentRuntimeArtifact"]["codeConfiguration"]
    assert artifact["entryPoint"] == ["agentcore_main.py"]  # no telemetry wrapper before it
    assert artifact["runtime"] == "PYTHON_3_12"


def test_everything_that_is_made_carries_the_tags(tmp_path: Path) -> None:
    calls = {call.operation: call.parameters for call in plan(CONTAINER, package(tmp_path), NOTHING)}
    pairs = [{"Key": key, "Value": value} for key, value in NAMES.tags.items()]
    assert calls["CreateRole"]["Tags"] == pairs
    assert calls["PutBucketTagging"]["Tagging"]["TagSet"] == pairs
    assert calls["CreateRepository"]["tags"] == pairs
    assert calls["CreateProject"]["tags"] == [{"key": key, "value": value} for key, value in NAMES.tags.items()]
    assert calls["CreateAgentRuntime"]["tags"] == NAMES.tags


def test_a_container_is_built_from_the_package(tmp_path: Path) -> None:
    calls = plan(CONTAINER, package(tmp_path), NOTHING)
    assert operations(calls)[7:] == [
        "CreateRepository",
        "CreateRole",
        "PutRolePolicy",
        "CreateProject",
        "StartBuild",
        "CreateAgentRuntime",
    ]
    project, build = calls[-3].parameters, calls[-2]
    assert project["source"]["location"] == f"{NAMES.bucket}/{NAMES.key(SHA)}"
    assert project["environment"]["type"] == "ARM_CONTAINER"
    image = {one["name"]: one["value"] for one in project["environment"]["environmentVariables"]}["IMAGE"]
    assert calls[-1].parameters["agentRuntimeArtifact"] == {"containerConfiguration": {"containerUri": image}}
    assert build.waits == "build"


def test_a_given_image_needs_no_package() -> None:
    image = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/mine:1"
    calls = plan(wanted(kind="container", image=image), None, NOTHING)
    assert operations(calls) == ["CreateRole", "PutRolePolicy", "CreateAgentRuntime"]


def test_what_is_given_is_not_made(tmp_path: Path) -> None:
    given = wanted(bucket="mine", role_arn=f"arn:aws:iam::{ACCOUNT}:role/mine")
    calls = plan(given, package(tmp_path), NOTHING)
    assert operations(calls) == ["PutObject", "CreateAgentRuntime"]
    assert calls[0].parameters["Bucket"] == "mine"
    assert calls[1].parameters["roleArn"].endswith("role/mine")
    assert not calls[1].new_role  # a given role that does not fit is told at once


def test_nothing_is_called_where_all_is_as_wanted(tmp_path: Path) -> None:
    packed = package(tmp_path)
    assert plan(FULL, packed, there(FULL, packed)) == ()
    image = container_there(packed, repository=FoundRepository(ours=True, image_there=True))
    assert plan(CONTAINER, packed, image) == ()


def test_only_what_differs_is_called(tmp_path: Path) -> None:
    packed, newer = package(tmp_path), package(tmp_path, "cd" * 32)
    found = there(wanted(), packed)
    assert operations(plan(wanted(), newer, found)) == ["PutObject", "UpdateAgentRuntime"]
    assert operations(plan(wanted(idle_seconds=60), packed, found)) == ["UpdateAgentRuntime"]
    another = wanted(models=("global.anthropic.claude-haiku-5-5",))
    assert operations(plan(another, packed, found)) == ["PutRolePolicy"]
    variable = wanted(environment=(("A", "value"),))
    [update] = plan(variable, packed, found)
    assert update.operation == "UpdateAgentRuntime"
    assert "tags" not in update.parameters
    assert plan(variable, packed, there(variable, packed)) == ()


def test_what_the_service_adds_is_no_difference_and_a_variable_too_many_is(tmp_path: Path) -> None:
    packed = package(tmp_path)
    settings = runtime_settings(wanted(), NAMES, packed)
    added = {**settings, "protocolConfiguration": {"serverProtocol": "HTTP", "port": 8080}, "platformVersion": "1"}
    assert plan(wanted(), packed, there(wanted(), packed, runtime=_runtime("READY", settings=added))) == ()
    more = {**settings, "environmentVariables": {**settings["environmentVariables"], "LEFT_OVER": "x"}}
    [update] = plan(wanted(), packed, there(wanted(), packed, runtime=_runtime("READY", settings=more)))
    assert "LEFT_OVER" not in update.parameters["environmentVariables"]


def test_a_bucket_that_was_not_finished_is_finished(tmp_path: Path) -> None:
    packed = package(tmp_path)
    found = there(wanted(), packed, bucket=FoundBucket(ours=True, tagged=False, keys=(NAMES.key(SHA),)))
    assert operations(plan(wanted(), packed, found)) == [
        "PutPublicAccessBlock",
        "PutBucketEncryption",
        "PutBucketTagging",
    ]


def test_a_role_whose_trust_was_changed_is_mended(tmp_path: Path) -> None:
    packed = package(tmp_path)
    role = FoundRole(ours=True, trust={"Version": "2012-10-17"}, policy=policies.run_policy(wanted()))
    [call] = plan(wanted(), packed, there(wanted(), packed, role=role))
    assert (call.operation, json.loads(call.parameters["PolicyDocument"])) == (
        "UpdateAssumeRolePolicy",
        policies.run_trust(wanted().place),
    )


def test_a_running_build_is_not_started_again(tmp_path: Path) -> None:
    packed = package(tmp_path)
    project = FoundProject(ours=True, settings=project_settings(CONTAINER, NAMES, packed), running_build="b:1")
    assert operations(plan(CONTAINER, packed, container_there(packed, project=project))) == []
    newer = package(tmp_path, "cd" * 32)
    assert operations(plan(CONTAINER, newer, container_there(packed))) == [
        "PutObject",
        "UpdateProject",
        "StartBuild",
        "UpdateAgentRuntime",
    ]


def test_a_runtime_that_failed_is_made_anew_or_updated(tmp_path: Path) -> None:
    packed = package(tmp_path)
    failed = there(wanted(), packed, runtime=_runtime("CREATE_FAILED"))
    calls = plan(wanted(), packed, failed)
    assert [(call.operation, call.waits) for call in calls] == [
        ("DeleteAgentRuntime", "runtime-gone"),
        ("CreateAgentRuntime", "runtime"),
    ]
    settings = runtime_settings(wanted(), NAMES, packed)
    again = there(wanted(), packed, runtime=_runtime("UPDATE_FAILED", settings=settings))
    assert operations(plan(wanted(), packed, again)) == ["UpdateAgentRuntime"]


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"role": FoundRole(ours=False)}, "--role"),
        ({"bucket": FoundBucket(ours=False)}, "--bucket"),
        ({"repository": FoundRepository(ours=False)}, "--image"),
        ({"build_role": FoundRole(ours=False)}, "--role"),
        ({"project": FoundProject(ours=False)}, "--image"),
        ({"runtime": _runtime("READY", ours=False)}, "--name"),
    ],
)
def test_what_others_made_is_left_alone(changes: dict[str, Any], option: str, tmp_path: Path) -> None:
    packed = package(tmp_path)
    with pytest.raises(DeployError, match=f"was not made for this agent: choose another {option}$"):
        plan(CONTAINER, packed, container_there(packed, **changes))


def test_the_process_gets_references_and_hidden_values() -> None:
    variables = environment(FULL)
    assert variables == {
        "AGENTCORE_SECRETS": json.dumps({"LANGFUSE_SECRET_KEY": SECRET_ARN}),
        "AWS_DEFAULT_REGION": "us-west-2",
        "DISABLE_ADOT_OBSERVABILITY": "true",
        "KNOWLEDGE_BASE_ID": "ABCDEFGHIJ",
        "LANGFUSE_PUBLIC_KEY": VALUE,
        "TURNOUT_LEDGER": "/tmp/turnout/ledger.sqlite3",
    }
    assert isinstance(variables["LANGFUSE_PUBLIC_KEY"], Hidden)


def test_a_given_variable_wins_over_ours() -> None:
    assert environment(wanted(environment=(("TURNOUT_LEDGER", "/mnt/x"),)))["TURNOUT_LEDGER"] == "/mnt/x"


def test_no_value_shows_in_a_plan(tmp_path: Path) -> None:
    calls = plan(FULL, package(tmp_path), NOTHING)
    assert VALUE in json.dumps(calls[-1].parameters["environmentVariables"])
    assert VALUE not in json.dumps([as_data(call) for call in calls])


def test_without_package_and_image_there_is_nothing_to_run() -> None:
    with pytest.raises(DeployError, match="neither a package nor an image"):
        plan(wanted(), None, NOTHING)
