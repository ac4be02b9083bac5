from typing import Any

import pytest

from tests.deploy.agentcore.support import ACCOUNT, RUNTIME_ARN, RUNTIME_ID, Clock, account, stubbed
from turnout.deploy.agentcore import wait
from turnout.deploy.agentcore.aws import CONTROL
from turnout.deploy.agentcore.errors import DeployError

NOW = "2026-11-23T00:00:00Z"


def runtime(status: str, **more: Any) -> dict[str, Any]:
    return {
        "agentRuntimeArn": RUNTIME_ARN,
        "agentRuntimeName": "support",
        "agentRuntimeId": RUNTIME_ID,
        "agentRuntimeVersion": "2",
        "createdAt": NOW,
        "lastUpdatedAt": NOW,
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "lifecycleConfiguration": {},
        "status": status,
        **more,
    }


def endpoint(status: str, version: str) -> dict[str, Any]:
    return {
        "agentRuntimeEndpointArn": f"{RUNTIME_ARN}/runtime-endpoint/DEFAULT",
        "agentRuntimeArn": RUNTIME_ARN,
        "status": status,
        "liveVersion": version,
        "createdAt": NOW,
        "lastUpdatedAt": NOW,
        "name": "DEFAULT",
        "id": "DEFAULT",
    }


def test_a_runtime_is_ready_when_its_endpoint_serves_the_newest_version() -> None:
    clock, told = Clock(), list[str]()
    aws = account(patience=clock)
    with stubbed(aws) as stubs:
        stubs.answer(CONTROL, "get_agent_runtime", runtime("UPDATING"))
        for status, version in (("UPDATING", "1"), ("READY", "1"), ("READY", "2")):
            stubs.answer(CONTROL, "get_agent_runtime", runtime("READY"))
            stubs.answer(CONTROL, "get_agent_runtime_endpoint", endpoint(status, version))
        assert wait.runtime_ready(aws, RUNTIME_ID, told.append)["status"] == "READY"
    assert told == [
        "runtime UPDATING, 0 s",
        "endpoint DEFAULT UPDATING, version 1, 5 s",
        "endpoint DEFAULT READY, version 1, 10 s",
    ]


def test_an_endpoint_that_is_not_listed_is_not_waited_for() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer(CONTROL, "get_agent_runtime", runtime("READY"))
        stubs.fail(CONTROL, "get_agent_runtime_endpoint", "ResourceNotFoundException", status=404)
        wait.runtime_ready(aws, RUNTIME_ID, print)


def test_a_failed_runtime_is_told_with_the_reason_and_the_logs() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer(CONTROL, "get_agent_runtime", runtime("CREATE_FAILED", failureReason="code is not compatible"))
        with pytest.raises(DeployError, match=r"CREATE_FAILED: code is not compatible; .*runtimes/support-0123456789"):
            wait.runtime_ready(aws, RUNTIME_ID, print)


def test_a_failed_endpoint_is_told() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer(CONTROL, "get_agent_runtime", runtime("READY"))
        stubs.answer(CONTROL, "get_agent_runtime_endpoint", endpoint("UPDATE_FAILED", "1"))
        with pytest.raises(DeployError, match="the endpoint DEFAULT is UPDATE_FAILED: no reason"):
            wait.runtime_ready(aws, RUNTIME_ID, print)


def test_waiting_has_an_end_and_says_how_to_go_on() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        for _ in range(3):
            stubs.answer(CONTROL, "get_agent_runtime", runtime("CREATING"))
        with pytest.raises(DeployError, match="still runtime CREATING after 10 s: run the same command again"):
            wait.runtime_ready(aws, RUNTIME_ID, lambda _: None, timeout_s=10)


def test_a_runtime_is_gone_when_it_is_not_found() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer(CONTROL, "get_agent_runtime", runtime("DELETING"))
        stubs.fail(CONTROL, "get_agent_runtime", "ResourceNotFoundException", status=404)
        wait.runtime_gone(aws, RUNTIME_ID, lambda _: None)
        stubs.answer(CONTROL, "get_agent_runtime", runtime("DELETE_FAILED", failureReason="in use"))
        with pytest.raises(DeployError, match="cannot be deleted: in use"):
            wait.runtime_gone(aws, RUNTIME_ID, lambda _: None)


def test_a_build_is_watched_by_its_phases() -> None:
    told: list[str] = []
    aws = account()
    with stubbed(aws) as stubs:
        for phase in ("PROVISIONING", "BUILD"):
            build = {"id": "b:1", "buildStatus": "IN_PROGRESS", "currentPhase": phase}
            stubs.answer("codebuild", "batch_get_builds", {"builds": [build]}, {"ids": ["b:1"]})
        stubs.answer("codebuild", "batch_get_builds", {"builds": [{"id": "b:1", "buildStatus": "SUCCEEDED"}]})
        wait.build_done(aws, "b:1", told.append)
    assert told == ["build in phase PROVISIONING, 0 s", "build in phase BUILD, 10 s"]


def test_a_failed_build_is_told_with_its_phase_and_its_log() -> None:
    build = {
        "id": "b:1",
        "buildStatus": "FAILED",
        "phases": [
            {"phaseType": "PRE_BUILD", "phaseStatus": "SUCCEEDED"},
            {
                "phaseType": "BUILD",
                "phaseStatus": "FAILED",
                "contexts": [{"message": "COMMAND_EXECUTION_ERROR:\nexit 1"}],
            },
            {"phaseType": "COMPLETED"},
        ],
        "logs": {"deepLink": "https://console.aws.amazon.com/log"},
    }
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer("codebuild", "batch_get_builds", {"builds": [build]})
        with pytest.raises(DeployError) as caught:
            wait.build_done(aws, "b:1", print)
    assert str(caught.value) == (
        "the image could not be built: build b:1 FAILED in phase BUILD: COMMAND_EXECUTION_ERROR: exit 1; "
        "its log: https://console.aws.amazon.com/log"
    )


def test_a_build_that_is_not_known_is_told() -> None:
    aws = account()
    with stubbed(aws) as stubs:
        stubs.answer("codebuild", "batch_get_builds", {"builds": [], "buildsNotFound": ["b:1"]})
        with pytest.raises(DeployError, match="does not know the build b:1"):
            wait.build_done(aws, "b:1", print)
