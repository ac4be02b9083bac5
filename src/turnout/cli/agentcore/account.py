"""What the commands that work in an AWS account share: options, errors, what is shown while they wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.status import Status

from turnout.cli.common import progress_console
from turnout.cli.errors import UserError

if TYPE_CHECKING:
    from turnout.deploy.agentcore.aws import Aws
    from turnout.deploy.agentcore.calls import Call
    from turnout.deploy.agentcore.names import Names
    from turnout.deploy.agentcore.state import AgentState, StateFile

NameOption = Annotated[str | None, typer.Option(help="The deployment. Default: the only one in the state file.")]
RegionOption = Annotated[str | None, typer.Option(help="AWS region. Default: as deployed, or as AWS is configured.")]
ProfileOption = Annotated[str | None, typer.Option(help="Profile of the AWS configuration. Default: AWS_PROFILE.")]
StateOption = Annotated[Path | None, typer.Option(help="The state file. Default: .turnout/agentcore.json.")]


@contextmanager
def told() -> Iterator[None]:
    """Turns what goes wrong in a deployment into a line for the user.

    Raises:
        UserError: In place of a `DeployError`.
    """
    from turnout.deploy.agentcore.errors import DeployError

    try:
        yield
    except DeployError as error:
        raise UserError(str(error)) from None


def state_file(path: Path | None) -> StateFile:
    """The state file.

    Raises:
        DeployError: It cannot be read.
    """
    from turnout.deploy.agentcore.state import STATE_FILE, StateFile

    return StateFile(path or STATE_FILE)


def deployed(
    name: str | None, region: str | None, profile: str | None, file: StateFile, shown: Shown
) -> tuple[Aws, Names, AgentState | None]:
    """The account, the names and what is remembered of a deployment that is there.

    Raises:
        DeployError: It is not clear which one is meant, or AWS refuses.
    """
    from turnout.deploy.agentcore.aws import Aws, new_session
    from turnout.deploy.agentcore.errors import DeployError
    from turnout.deploy.agentcore.names import Names
    from turnout.deploy.agentcore.wanted import check_name

    agent = None
    if name is None or any(one.name == name and region in (None, one.region) for one in file.agents):
        agent = file.one(name, region)
    called = agent.name if agent is not None else check_name(name or "")
    session = new_session(region or (agent.region if agent else None), profile)
    aws = Aws(session, tell=shown.progress)
    place = aws.place()
    if agent is not None and agent.account != place.account:
        raise DeployError(
            f"{agent.name} was deployed to the account {agent.account}, these credentials are for {place.account}: "
            "check --profile"
        )
    return aws, Names(called, place), agent


class Shown:
    """Says what happens on standard error: a line a call, and one line that changes while something is waited for."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or progress_console()
        self._status: Status | None = None
        self._last = ""

    def call(self, call: Call, number: int, total: int) -> None:
        """A call is about to be made."""
        self.note(f"{number}/{total} {call.why} ({call.service} {call.operation})")

    def progress(self, text: str) -> None:
        """Something is waited for."""
        if not self._console.is_terminal:
            # In a log each kind of waiting is told once: the seconds behind it change all the time.
            kind = text.rpartition(",")[0] or text
            if kind != self._last:
                self._last = kind
                self._line(f"... {kind}")
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def note(self, text: str) -> None:
        """A line to keep."""
        self.close()
        self._line(text)

    def close(self) -> None:
        """Take away the line that changes."""
        self._last = ""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
