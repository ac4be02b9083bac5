"""A package by the same recipe for this machine's processor, started in a clean environment and asked over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.agentcore.package import packing
from turnout.deploy.agentcore.errors import PackageError
from turnout.deploy.agentcore.invoke import LOCAL_ARN, data_client, invoke, new_session_id
from turnout.deploy.agentcore.package.archive import sha256_of
from turnout.deploy.agentcore.package.build import build
from turnout.deploy.agentcore.package.check import check_folder
from turnout.deploy.agentcore.package.dockerfile import dockerfile
from turnout.deploy.agentcore.package.recipe import Recipe, this_machine
from turnout.deploy.agentcore.package.value import MAX_UNZIPPED, MAX_ZIPPED, Package
from turnout.testing.bedrock import BedrockDouble

pytestmark = pytest.mark.once

START_S = 60
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NATIVE = Recipe.for_app("v4", own_knowledge=False, python=HERE, machine=this_machine())


def packed(
    out: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    *,
    app: str = "v4",
    source: Path = packing.ROOT,
    container: bool = False,
) -> Package:
    """A package from what the set-up fetched; what is missing there is fetched as the set-up fetches."""
    for name, value in packing.settings().items():
        monkeypatch.setenv(name, value)
    return build(app, source, recipe, out, uv=packing.uv(), container=container)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Package]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield packed(tmp_path_factory.mktemp("native") / "agent.zip", NATIVE, monkeypatch)


@pytest.fixture(scope="module")
def service(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, BedrockDouble]]:
    """The unpacked zip, run by a Python that has no other packages, as AgentCore runs it; Bedrock is a double."""
    folder = tmp_path_factory.mktemp("service")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder / "package")
    entry = folder / "package" / "agentcore_main.py"
    # The port of AgentCore may be taken on this machine: any free one, at loopback only.
    text = entry.read_text().replace("'0.0.0.0'", "'127.0.0.1'").replace("'8080'", "'0'")
    entry.write_text(text)
    with BedrockDouble() as double:
        environ = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_EC2_METADATA_DISABLED": "true",
            "KNOWLEDGE_BASE_ID": "ABCDEFGHIJ",  # no weights are packed then; no question here needs it
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": double.url,
            "TURNOUT_LEDGER": str(folder / "ledger.sqlite3"),
            "PYTHONUNBUFFERED": "1",
        }
        # -I -S would also hide the package's own folder; the base interpreter has no packages of ours.
        python = Path(sys.base_prefix) / "bin" / f"python{HERE}"
        process = subprocess.Popen(
            [str(python), "-S", str(entry)],
            env=environ,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield _address(process), double
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said: list[str] = []
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        said.append(line)
        if match := re.search(r"GET (http://\S+)/ping", line):
            return match[1]
        if not line:
            break
    raise AssertionError("the service did not start:\n" + "".join(said))


def test_it_is_alive(service: tuple[str, BedrockDouble]) -> None:
    answer = httpx.get(f"{service[0]}/ping", timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (200, "Healthy")


def test_it_answers_and_says_which_model_did(service: tuple[str, BedrockDouble]) -> None:
    url, double = service
    prompt = {"prompt": "What are your store hours?"}
    answer = httpx.post(f"{url}/invocations", json=prompt, timeout=60)
    assert answer.status_code == 200
    data = answer.json()
    assert data["response"]
    assert data["model_used"].startswith("bedrock/global.anthropic.claude-")
    assert data["decision"]["reason"]
    assert double.calls[-1].model in data["model_used"]


def test_boto3s_data_client_asks_it(service: tuple[str, BedrockDouble]) -> None:
    import boto3

    client = data_client(boto3.Session(), local=service[0])
    [answer] = invoke(client, LOCAL_ARN, "Tell me about your smartphone options", new_session_id())
    client.close()
    assert answer.data["cost_usd"]
    assert not answer.streamed


def test_it_holds_no_wrapper_and_no_path_of_this_machine(package: Package) -> None:
    folder = package.path.with_suffix("")
    assert not (folder / "bin").exists()
    assert not list(folder.rglob("direct_url.json"))
    with zipfile.ZipFile(package.path) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert not [name for name in names if name.endswith(".pyc") or "/.env" in name]
    assert {"agentcore_main.py", "examples/customer_support/v4_routing.py", "turnout/py.typed"} <= set(names)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "shop.py").write_text("agent = None\n")
    few = Recipe(python=HERE, machine=this_machine(), extras="otel")
    one, other = (
        packed(tmp_path / name / "agent.zip", few, monkeypatch, app="shop:agent", source=project)
        for name in ("one", "other")
    )
    assert (one.sha256, one.size, one.files) == (other.sha256, other.size, other.files)
    assert sha256_of(one.path) == one.sha256
    (project / "shop.py").write_text("agent = 1\n")
    changed = packed(tmp_path / "other" / "agent.zip", few, monkeypatch, app="shop:agent", source=project)
    assert changed.sha256 != one.sha256


def test_it_is_refused_for_another_machine(package: Package) -> None:
    other = "x86_64" if NATIVE.machine == "aarch64" else "aarch64"
    with pytest.raises(PackageError, match=f"the package is for {other} and Python {HERE}, but"):
        check_folder(package.path.with_suffix(""), other, HERE)


@pytest.mark.skipif(not os.environ.get("ARM64_PACKAGE"), reason="fetches the arm64 wheels: run with ARM64_PACKAGE=1")
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_package_that_agentcore_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    recipe = Recipe.for_app("v4", python=python)
    container = python == "3.13"
    arm64 = packed(tmp_path / "agent.zip", recipe, monkeypatch, container=container)
    folder = arm64.path.with_suffix("")
    checked = check_folder(folder, "aarch64", python)
    assert checked == (arm64.wheels, arm64.binaries)
    assert arm64.binaries > 10
    assert arm64.size < MAX_ZIPPED
    assert arm64.unpacked < MAX_UNZIPPED
    if container:
        assert (folder / "Dockerfile").read_text() == dockerfile(python)
    print(json.dumps({"python": python, "zip": arm64.size, "unpacked": arm64.unpacked, "wheels": arm64.wheels}))
