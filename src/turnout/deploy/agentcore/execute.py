"""Makes the calls of a plan, one after the other, and remembers each in the state file as it goes.

After Ctrl-C or an error the same command goes on where this stopped: what is there is looked up again, and the plan
then holds only what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from turnout.deploy.agentcore import wait
from turnout.deploy.agentcore.aws import Aws
from turnout.deploy.agentcore.calls import Call, Made
from turnout.deploy.agentcore.errors import CallError, DeployError
from turnout.deploy.agentcore.names import Names
from turnout.deploy.agentcore.state import AgentState, StateFile


class Reporter(Protocol):
    """Is told what happens."""

    def call(self, call: Call, number: int, total: int) -> None:
        """A call is about to be made."""

    def progress(self, text: str) -> None:
        """Something is waited for; the text takes the place of the one before."""

    def note(self, text: str) -> None:
        """A line to keep."""


def execute(
    calls: Sequence[Call], aws: Aws, names: Names, file: StateFile, agent: AgentState, reporter: Reporter
) -> AgentState:
    """Make the calls in order.

    Args:
        calls: The plan.
        aws: The account.
        names: The deployment's names.
        file: The state file.
        agent: What it remembers of this deployment.
        reporter: Is told.

    Returns:
        What the file remembers now.

    Raises:
        DeployError: AWS refused a call, or what was waited for failed. What was made by then is remembered.
    """
    for number, call in enumerate(calls, 1):
        reporter.call(call, number, len(calls))
        before = agent
        if call.makes is not None:
            # Before the call: Ctrl-C in the middle of it must not leave something that nobody remembers.
            agent = _with(agent, call.makes)
            file.put(names, agent)
        try:
            answer = aws.call(call.service, call.operation, new_role=call.new_role, **call.parameters)
        except CallError as error:
            if call.removes and error.missing:
                answer = {}
            else:
                if not error.throttled:
                    file.put(names, before)
                raise
        _check_removed(call, answer)
        agent = _without(agent, call.removes)
        agent = _noted(agent, call, answer)
        file.put(names, agent)
        agent = _waited(call, aws, agent, reporter)
        file.put(names, agent)
    return agent


def _waited(call: Call, aws: Aws, agent: AgentState, reporter: Reporter) -> AgentState:
    if call.waits == "runtime":
        runtime = wait.runtime_ready(aws, agent.runtime_id, reporter.progress)
        return msgspec.structs.replace(
            agent,
            runtime_arn=str(runtime["agentRuntimeArn"]),
            runtime_version=str(runtime["agentRuntimeVersion"]),
        )
    if call.waits == "runtime-gone":
        wait.runtime_gone(aws, str(call.parameters["agentRuntimeId"]), reporter.progress)
        return msgspec.structs.replace(agent, runtime_id="", runtime_arn="", runtime_version="")
    if call.waits == "build":
        wait.build_done(aws, agent.build_id, reporter.progress)
    return agent


def _noted(agent: AgentState, call: Call, answer: dict[str, Any]) -> AgentState:
    """What the answers say that later commands need: the ids that AWS chose."""
    if call.operation in {"CreateAgentRuntime", "UpdateAgentRuntime"}:
        return msgspec.structs.replace(
            agent,
            runtime_id=str(answer["agentRuntimeId"]),
            runtime_arn=str(answer["agentRuntimeArn"]),
            runtime_version=str(answer["agentRuntimeVersion"]),
        )
    if call.operation == "StartBuild":
        return msgspec.structs.replace(agent, build_id=str(answer["build"]["id"]))
    return agent


def _with(agent: AgentState, made: Made) -> AgentState:
    return agent if made in agent.made else msgspec.structs.replace(agent, made=(*agent.made, made))


def _without(agent: AgentState, removed: tuple[Made, ...]) -> AgentState:
    if not removed:
        return agent
    return msgspec.structs.replace(agent, made=tuple(made for made in agent.made if made not in removed))


def _check_removed(call: Call, answer: dict[str, Any]) -> None:
    """S3 answers that all went well and lists what did not."""
    if call.operation == "DeleteObjects" and answer.get("Errors"):
        first = answer["Errors"][0]
        raise DeployError(f"s3:DeleteObjects: {first.get('Key')}: {first.get('Code')}: {first.get('Message', '')}")
