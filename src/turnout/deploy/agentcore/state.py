"""The small file beside the project that remembers what was deployed. It holds no secret and no value of a variable.

What is there is looked up by name and tags anyway; the file says which runtimes this folder deployed, and covers the
moments between making a thing and tagging it.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from turnout.deploy.agentcore.calls import Made
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.names import Names

STATE_FILE = Path(".turnout", "agentcore.json")
VERSION = 1


class AgentState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deployment.

    Attributes:
        name: The runtime's name.
        account: The account.
        region: The region.
        kind: ``code`` or ``container``.
        app: What serves.
        made: What was made for it, in order. An entry is written before its call is made, so that nothing is lost to
            Ctrl-C; a thing that was never made is not missed later.
        given: What was given and is kept: words for people.
        variables: Names of the variables of the process.
        runtime_id: The runtime, once it is there.
        runtime_arn: Its ARN.
        runtime_version: The version that was deployed last.
        package_sha256: The package that was deployed last.
        build_id: The build that was started last.
    """

    name: str
    account: str
    region: str
    kind: str = "code"
    app: str = ""
    made: tuple[Made, ...] = ()
    given: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    runtime_id: str = ""
    runtime_arn: str = ""
    runtime_version: str = ""
    package_sha256: str = ""
    build_id: str = ""


class _File(msgspec.Struct, frozen=True):
    version: int
    agents: dict[str, AgentState] = {}


class StateFile:
    """The file; read once, written whole after each change.

    Args:
        path: Where it is; its folder is made when it is first written.

    Raises:
        DeployError: It is there and cannot be read, or is of a newer version.
    """

    def __init__(self, path: Path = STATE_FILE) -> None:
        self.path = path
        self._agents: dict[str, AgentState] = self._read()

    @property
    def agents(self) -> tuple[AgentState, ...]:
        """Every deployment, by name and region."""
        return tuple(self._agents[key] for key in sorted(self._agents))

    def get(self, names: Names) -> AgentState | None:
        """The deployment of that name in that account and region."""
        return self._agents.get(_key(names))

    def one(self, name: str | None, region: str | None) -> AgentState:
        """The deployment that is meant, where name or region may have been left out.

        Raises:
            DeployError: None or several fit.
        """
        fitting = [agent for agent in self.agents if name in (None, agent.name) and region in (None, agent.region)]
        if len(fitting) == 1:
            return fitting[0]
        wanted = " ".join(part for part in (name, f"in {region}" if region else None) if part) or "any agent"
        if not fitting:
            raise DeployError(
                f"{self.path} knows no deployment of {wanted}: run `turnout agentcore deploy`, "
                "or give --name and --region"
            )
        known = ", ".join(f"{agent.name} in {agent.region}" for agent in fitting)
        raise DeployError(f"several deployments fit: {known}; give --name and --region")

    def put(self, names: Names, agent: AgentState) -> None:
        """Remember a deployment, on disk too."""
        self._agents[_key(names)] = agent
        self._write()

    def drop(self, names: Names) -> None:
        """Forget a deployment, on disk too."""
        if self._agents.pop(_key(names), None) is not None:
            self._write()

    def _read(self) -> dict[str, AgentState]:
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise DeployError(f"{self.path} cannot be read: {error.strerror}") from None
        try:
            version = msgspec.json.decode(text, type=_Version).version
            if version > VERSION:
                raise DeployError(f"{self.path} was written by a newer Turnout (version {version} of the file)")
            return msgspec.json.decode(text, type=_File).agents
        except msgspec.DecodeError as error:
            raise DeployError(f"{self.path} is not what `turnout agentcore deploy` writes: {error}") from None

    def _write(self) -> None:
        text = msgspec.json.format(msgspec.json.encode(_File(VERSION, self._agents), order="sorted"), indent=2)
        partial = self.path.with_name(self.path.name + ".partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(text + b"\n")
            partial.chmod(0o600)
            os.replace(partial, self.path)  # whole, or as it was
        except OSError as error:
            raise DeployError(f"{self.path} cannot be written: {error.strerror}") from None


class _Version(msgspec.Struct):
    version: int


def _key(names: Names) -> str:
    return f"{names.agent}@{names.place.account}@{names.place.region}"
