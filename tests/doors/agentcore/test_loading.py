from __future__ import annotations

import sys
from pathlib import Path

import pytest

from turnout.doors.agentcore.agents import FromFactory, SharedAgent
from turnout.doors.agentcore.loading import AgentLoadError, load_agent

MODULE = """
from strands import Agent
from turnout.upstream.local.strands_model import LocalModel

agent = Agent(model=LocalModel(), name="shop", callback_handler=None)
number = 7

class Shelf:
    inner = agent

def new_agent(session_id):
    return Agent(model=LocalModel(), name=session_id, callback_handler=None)

def two(session_id, other):
    ...

def none():
    ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules, from which Python imports."""
    (tmp_path / "shopping.py").write_text(MODULE)
    (tmp_path / "lacking.py").write_text("import no_such_package_anywhere\n")
    (tmp_path / "failing.py").write_text("x = 1\nraise OSError('no disk')\n")
    (tmp_path / "odd.py").write_text("def (:\n")
    (tmp_path / "shelves").mkdir()
    (tmp_path / "shelves" / "__init__.py").write_text("")
    (tmp_path / "shelves" / "upper.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shopping", "lacking", "failing", "odd", "shelves", "shelves.upper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
async def test_an_agent_is_shared_and_a_factory_makes_agents() -> None:
    shared = load_agent("shopping:agent")
    assert (type(shared), shared.name) == (SharedAgent, "shop")
    assert isinstance(load_agent("shopping:Shelf.inner"), SharedAgent)
    source = load_agent("shopping:new_agent")
    assert (type(source), source.name) == (FromFactory, "shopping:new_agent")
    async with (await source.conversation("s1", lambda agent: None)).turn() as agent:
        assert agent.name == "s1"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shopping", "named as MODULE:ATTRIBUTE"),
        (":agent", "named as MODULE:ATTRIBUTE"),
        ("shopping:", "named as MODULE:ATTRIBUTE"),
        ("shoping:agent", "unknown module 'shoping'; the nearest known one is 'shopping'"),
        ("shelves.uper:agent", "unknown module 'shelves.uper'; the nearest known one is 'shelves.upper'"),
        ("shopping:agnt", "unknown attribute 'agnt'; the nearest known one is 'agent'"),
        ("shopping:new_agents", "nearest known one is 'new_agent'"),
        ("shelves:x", "unknown attribute 'x': none is configured"),
        ("shopping:number", "it is a int, neither a strands.Agent nor a function"),
        ("shopping:Agent", "it is a class"),
        ("shopping:two", "called with the session's id alone: missing a required argument: 'other'"),
        ("shopping:none", "called with the session's id alone: too many positional arguments"),
        (
            "lacking:agent",
            r"importing lacking failed: ModuleNotFoundError: .*no_such_package_any.*lacking.py, line 1",
        ),
        ("failing:agent", r"importing failing failed: OSError: no disk \(failing.py, line 2\)"),
        ("odd:agent", "importing odd failed: SyntaxError"),
    ],
)
def test_what_is_no_agent_is_told_in_one_line(name: str, message: str) -> None:
    with pytest.raises(AgentLoadError, match=message) as caught:
        load_agent(name)
    assert "\n" not in str(caught.value)
