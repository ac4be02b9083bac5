"""Deploying from beginning to end: look, plan, ask, call, wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from turnout.deploy.agentcore import wait
from turnout.deploy.agentcore.aws import Aws
from turnout.deploy.agentcore.calls import Call
from turnout.deploy.agentcore.errors import CallError, DeployError
from turnout.deploy.agentcore.execute import Reporter, execute
from turnout.deploy.agentcore.found import CHANGING, Found
from turnout.deploy.agentcore.look import look
from turnout.deploy.agentcore.names import Names
from turnout.deploy.agentcore.package.value import Package
from turnout.deploy.agentcore.plan import environment, plan
from turnout.deploy.agentcore.state import AgentState, StateFile
from turnout.deploy.agentcore.wanted import Wanted

_ROUNDS = 4


def planned(wanted: Wanted, package: Package | None, aws: Aws, file: StateFile) -> tuple[Call, ...]:
    """What would be called now: the plan after a look at the account, which changes nothing.

    Raises:
        DeployError: AWS refuses to tell, or something of that name is there and not ours.
    """
    names = Names(wanted.name, wanted.place)
    return plan(wanted, package, _look(wanted, package, aws, names, file.get(names)))


def deploy(
    wanted: Wanted,
    package: Package | None,
    aws: Aws,
    file: StateFile,
    reporter: Reporter,
    agree: Callable[[Sequence[Call]], bool] = lambda _: True,
) -> AgentState:
    """Bring an account to what is wanted; calls nothing where it is so already.

    Args:
        wanted: A checked value.
        package: What was packed; none where an image is given.
        aws: The account.
        file: The state file.
        reporter: Is told.
        agree: Is shown the calls before the first is made, and says whether to go on.

    Returns:
        What the state file remembers of it.

    Raises:
        DeployError: It cannot be deployed; what was made stays and is remembered, and the same command goes on.
    """
    names = Names(wanted.name, wanted.place)
    agreed = False
    for round in range(1, _ROUNDS + 1):
        agent = _remembered(wanted, package, names, file)
        found = _look(wanted, package, aws, names, agent)
        if found.runtime is not None and found.runtime.ours and found.runtime.status in CHANGING:
            reporter.note(f"the runtime is {found.runtime.status} from an earlier run: waiting for that first")
            _settle(aws, found.runtime.id, found.runtime.status, reporter)
            continue
        calls = plan(wanted, package, found)
        if not agreed and calls and not agree(calls):
            raise DeployError("nothing was changed")
        agreed = True
        agent = _started(found, agent, names, file)
        try:
            if found.project is not None and found.project.running_build and not _image_there(found):
                reporter.note(f"the build {found.project.running_build} still runs from an earlier run")
                wait.build_done(aws, found.project.running_build, reporter.progress)
            return _finished(execute(calls, aws, names, file, agent, reporter), names, file)
        except CallError as error:
            # Somebody else, or an earlier run of ours, changed it since we looked: look again and update.
            if not error.conflict or round == _ROUNDS:
                raise
            reporter.note(f"{error}: looking again")
            aws.patience.sleep(5.0)
    raise DeployError("the runtime keeps changing: somebody else is deploying it; run the same command again later")


def _look(wanted: Wanted, package: Package | None, aws: Aws, names: Names, agent: AgentState | None) -> Found:
    return look(
        aws,
        names,
        state=agent,
        bucket=wanted.bucket,
        sha256=package.sha256 if package is not None else None,
        container=wanted.builds_image,
        asked_lifecycle=wanted.idle_seconds is not None or wanted.lifetime_seconds is not None,
    )


def _remembered(wanted: Wanted, package: Package | None, names: Names, file: StateFile) -> AgentState:
    """What the file has, with what is wanted now. A build that was started for another package is forgotten."""
    given = [f"IAM role {wanted.role_arn}"] if wanted.role_arn else []
    given += [f"bucket {wanted.bucket}"] if wanted.bucket and wanted.packs else []
    given += [f"image {wanted.image}"] if wanted.image else []
    before = file.get(names) or AgentState(name=wanted.name, account=names.place.account, region=names.place.region)
    sha256 = package.sha256 if package is not None else ""
    return msgspec.structs.replace(
        before,
        kind=wanted.kind,
        app=wanted.app,
        given=tuple(given),
        variables=(*environment(wanted), *sorted(name for name, _ in wanted.secrets)),
        package_sha256=sha256,
        build_id=before.build_id if before.package_sha256 == sha256 else "",
    )


def _started(found: Found, agent: AgentState, names: Names, file: StateFile) -> AgentState:
    if found.runtime is not None:
        agent = msgspec.structs.replace(
            agent,
            runtime_id=found.runtime.id,
            runtime_arn=found.runtime.arn,
            runtime_version=found.runtime.version,
        )
    file.put(names, agent)
    return agent


def _finished(agent: AgentState, names: Names, file: StateFile) -> AgentState:
    file.put(names, agent)
    return agent


def _settle(aws: Aws, runtime_id: str, status: str, reporter: Reporter) -> None:
    if status == "DELETING":
        wait.runtime_gone(aws, runtime_id, reporter.progress)
        return
    try:
        wait.runtime_ready(aws, runtime_id, reporter.progress)
    except DeployError as error:
        # An earlier run's failure is no reason not to try what is wanted now.
        if "FAILED" not in str(error):
            raise
        reporter.note(f"{error}; trying again with what is wanted now")


def _image_there(found: Found) -> bool:
    return found.repository is not None and found.repository.image_there
