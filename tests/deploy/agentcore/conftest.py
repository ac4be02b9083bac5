from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.bedrockagentcorecontrol.models import AgentRuntime

from tests.deploy.agentcore.support import Clock, Told, account
from turnout.deploy.agentcore.aws import Aws
from turnout.deploy.agentcore.state import StateFile


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An empty account of moto's, behind real boto3.

    moto's updates differ from AWS in two ways, which are mended here: a runtime stays in UPDATING for ever, and its ARN
    changes with the version, so that it loses its tags.
    """
    update = AgentRuntime.update

    def mended(self: AgentRuntime, **settings: Any) -> None:
        arn = self.agent_runtime_arn
        update(self, **settings)
        self.agent_runtime_arn = arn
        self._transitions = [("CREATING", "READY"), ("UPDATING", "READY")]

    monkeypatch.setattr(AgentRuntime, "update", mended)
    with mock_aws():
        yield account(patience=Clock())


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "agentcore.json")
