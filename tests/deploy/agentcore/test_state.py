import json
from pathlib import Path

import pytest

from tests.deploy.agentcore.support import ACCOUNT, NAMES
from turnout.deploy.agentcore.calls import Made
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.names import Names
from turnout.deploy.agentcore.state import AgentState, StateFile
from turnout.deploy.agentcore.wanted import Place

AGENT = AgentState(
    name="support", account=ACCOUNT, region="us-west-2", made=(Made("role", "r"),), variables=("A",), runtime_id="x-1"
)
OTHER = Names("support", Place(account=ACCOUNT, region="eu-central-1"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "agentcore.json"


def test_what_is_put_is_read_again(path: Path) -> None:
    assert StateFile(path).agents == ()
    assert not path.exists()  # looking writes nothing
    StateFile(path).put(NAMES, AGENT)
    assert StateFile(path).get(NAMES) == AGENT
    assert StateFile(path).get(OTHER) is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["version"] == 1
    StateFile(path).drop(NAMES)
    assert StateFile(path).agents == ()


def test_which_deployment_is_meant(path: Path) -> None:
    file = StateFile(path)
    with pytest.raises(DeployError, match="knows no deployment of any agent: run `turnout agentcore deploy`"):
        file.one(None, None)
    file.put(NAMES, AGENT)
    assert file.one(None, None) == file.one("support", None) == file.one("support", "us-west-2") == AGENT
    file.put(OTHER, AgentState(name="support", account=ACCOUNT, region="eu-central-1"))
    with pytest.raises(DeployError, match="support in eu-central-1, support in us-west-2; give --name and --region"):
        file.one("support", None)
    with pytest.raises(DeployError, match="knows no deployment of support in us-east-1"):
        file.one("support", "us-east-1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 2, "agents": 5}', "written by a newer Turnout"),
        ('{"agents": {}}', "is not what `turnout agentcore deploy` writes"),
        ("not json", "is not what"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(path: Path, text: str, message: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DeployError, match=message):
        StateFile(path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeployError, match="cannot be"):
        StateFile(tmp_path / "file" / "agentcore.json").put(NAMES, AGENT)
