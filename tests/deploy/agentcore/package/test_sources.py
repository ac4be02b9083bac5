from pathlib import Path

import pytest

from turnout.deploy.agentcore.errors import PackageError
from turnout.deploy.agentcore.package.sources import chosen, copy, top_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    for name in (
        "shop/__init__.py",
        "shop/agents.py",
        "shop/data/prices.toml",
        "shop/.env",
        "shop/prod.env",
        "shop/__pycache__/x.pyc",
        "shop/private.pem",
        "shop/ledger.sqlite3",
        "single.py",
        "turnout.toml",
        "data/more.csv",
        ".aws/credentials",
        "examples/customer_support/v4_routing.py",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    return project


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("app", "include", "taken"),
    [
        ("shop.agents:agent", [], ["shop/__init__.py", "shop/agents.py", "shop/data/prices.toml", "turnout.toml"]),
        ("single:agent", ["data"], ["data/more.csv", "single.py", "turnout.toml"]),
        ("v4", [], ["examples/customer_support/v4_routing.py", "turnout.toml"]),
    ],
)
def test_the_agents_own_code_is_taken_and_no_key(
    project: Path, tmp_path: Path, app: str, include: list[str], taken: list[str]
) -> None:
    copy(project, chosen(project, app, include), tmp_path / "package")
    assert names(tmp_path / "package") == taken


@pytest.mark.parametrize(
    ("app", "include", "message"),
    [
        ("store:agent", [], "neither store/ nor store.py is there, which store:agent needs"),
        ("shop.agents:agent", ["nothing"], "--include nothing: there is no such file"),
        ("shop.agents:agent", [".."], "lies outside"),
    ],
)
def test_what_cannot_be_taken_is_told(project: Path, app: str, include: list[str], message: str) -> None:
    with pytest.raises(PackageError, match=message):
        chosen(project, app, include)


def test_a_clone_is_needed_for_the_reference_agent(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="is no clone of the project, which v4 needs"):
        chosen(tmp_path, "v4", [])
    with pytest.raises(PackageError, match="there is no such folder"):
        chosen(tmp_path / "nothing", "v4", [])


def test_a_key_is_not_taken_even_if_it_is_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"\.aws is never put into a package"):
        copy(project, chosen(project, "single:agent", [".aws"]), tmp_path / "package")


def test_a_link_leads_nowhere_else(project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (project / "shop" / "link.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(PackageError, match="leads out of"):
        copy(project, chosen(project, "shop.agents:agent", []), tmp_path / "package")


def test_a_dependency_is_not_overwritten(project: Path, tmp_path: Path) -> None:
    (tmp_path / "package" / "shop").mkdir(parents=True)
    (tmp_path / "package" / "shop" / "__init__.py").write_text("a dependency")
    with pytest.raises(PackageError, match="would overwrite a file of the same name"):
        copy(project, chosen(project, "shop.agents:agent", []), tmp_path / "package")


def test_the_top_of_an_app() -> None:
    assert top_of("shop.agents:agent") == "shop"
    assert top_of("v4") is None
