"""Waits for what takes minutes: a runtime, its end, a build. Each look is told, each wait has an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnout.deploy.agentcore.aws import CONTROL, Aws
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.found import CHANGING
from turnout.deploy.agentcore.names import log_group

Progress = Callable[[str], None]
"""Is told what is waited for, each time that it was looked at."""

RUNTIME_S = 900.0
GONE_S = 600.0
BUILD_S = 2_100.0
"""The longest waits, in seconds. A build ends by itself after `turnout.deploy.agentcore.plan.BUILD_MINUTES`."""

_EVERY_S = 5.0
_EVERY_BUILD_S = 10.0


def runtime_ready(aws: Aws, runtime_id: str, progress: Progress, *, timeout_s: float = RUNTIME_S) -> dict[str, Any]:
    """Wait until a runtime can be called, and its endpoint DEFAULT serves the newest version.

    Raises:
        DeployError: It failed (with AgentCore's reason), or took too long.
    """
    start = aws.patience.now()
    while True:
        runtime = aws.call(CONTROL, "GetAgentRuntime", agentRuntimeId=runtime_id)
        status = str(runtime["status"])
        if status.endswith("_FAILED"):
            reason = runtime.get("failureReason") or "AgentCore gives no reason"
            raise DeployError(f"the runtime is {status}: {reason}; its log group is {log_group(runtime_id)}")
        waiting = f"runtime {status}"
        if status not in CHANGING:
            waiting = _endpoint(aws, runtime_id, str(runtime["agentRuntimeVersion"]))
            if not waiting:
                return runtime
        _go_on(aws, waiting, start, timeout_s, progress)
        aws.patience.sleep(_EVERY_S)


def runtime_gone(aws: Aws, runtime_id: str, progress: Progress, *, timeout_s: float = GONE_S) -> None:
    """Wait until a runtime is deleted.

    Raises:
        DeployError: It could not be, or took too long.
    """
    start = aws.patience.now()
    while True:
        runtime = aws.find(CONTROL, "GetAgentRuntime", agentRuntimeId=runtime_id)
        if runtime is None:
            return
        if runtime["status"] == "DELETE_FAILED":
            raise DeployError(f"the runtime cannot be deleted: {runtime.get('failureReason') or 'no reason is given'}")
        _go_on(aws, f"runtime {runtime['status']}", start, timeout_s, progress)
        aws.patience.sleep(_EVERY_S)


def build_done(aws: Aws, build_id: str, progress: Progress, *, timeout_s: float = BUILD_S) -> None:
    """Wait until a build has ended well.

    Raises:
        DeployError: It failed (with the phase, what CodeBuild says of it and where its log is), or took too long.
    """
    start = aws.patience.now()
    while True:
        builds = aws.call("codebuild", "BatchGetBuilds", ids=[build_id]).get("builds", [])
        if not builds:
            raise DeployError(f"CodeBuild does not know the build {build_id}")
        build = builds[0]
        if build["buildStatus"] == "SUCCEEDED":
            return
        if build["buildStatus"] != "IN_PROGRESS":
            raise DeployError(_failed(build))
        _go_on(aws, f"build in phase {build.get('currentPhase', 'QUEUED')}", start, timeout_s, progress)
        aws.patience.sleep(_EVERY_BUILD_S)


def _endpoint(aws: Aws, runtime_id: str, version: str) -> str:
    """What is still waited for of the endpoint DEFAULT, which AgentCore makes by itself; empty if nothing."""
    endpoint = aws.find(CONTROL, "GetAgentRuntimeEndpoint", agentRuntimeId=runtime_id, endpointName="DEFAULT")
    if endpoint is None:
        return ""
    status = str(endpoint["status"])
    if status.endswith("_FAILED"):
        raise DeployError(f"the endpoint DEFAULT is {status}: {endpoint.get('failureReason') or 'no reason is given'}")
    live = endpoint.get("liveVersion", version)
    return "" if status == "READY" and live == version else f"endpoint DEFAULT {status}, version {live}"


def _failed(build: dict[str, Any]) -> str:
    phases = [phase for phase in build.get("phases", []) if phase.get("phaseStatus") not in (None, "SUCCEEDED")]
    text = f"the image could not be built: build {build['id']} {build['buildStatus']}"
    if phases:
        contexts = " ".join(context.get("message", "") for context in phases[0].get("contexts", []))
        text += f" in phase {phases[0].get('phaseType')}: {' '.join(contexts.split()) or 'no reason is given'}"
    link = build.get("logs", {}).get("deepLink")
    return f"{text}; its log: {link}" if link else text


def _go_on(aws: Aws, waiting: str, start: float, timeout_s: float, progress: Progress) -> None:
    waited = aws.patience.now() - start
    if waited >= timeout_s:
        raise DeployError(f"still {waiting} after {waited:.0f} s: run the same command again to go on waiting")
    progress(f"{waiting}, {waited:.0f} s")
