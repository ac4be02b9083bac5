from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.agentcore.account import IMAGE, account, project, small_uv
from tests.cli.conftest import Run, turnout

__all__ = ["account", "turnout"]

VALUE = "a-value-that-must-not-show"
DRY = ("agentcore", "deploy", "--dry-run", "--account", "111122223333", "--region", "us-west-2")
IMAGE_ONLY = ("--container", "--image", IMAGE)


def own(folder: Path, machine: int = 183) -> tuple[str, ...]:
    uv = small_uv(folder, machine)
    return ("--agent", "shop:agent", "--source", str(project(folder)), "--uv", str(uv), "--model", "global.sonnet-4.6")


def test_a_dry_run_prints_every_call_and_needs_no_account(turnout: Run, tmp_path: Path) -> None:
    code, out, err = turnout(*DRY, *own(tmp_path))
    assert code == 0
    for operation in ("iam CreateRole", "s3 PutObject", "bedrock-agentcore-control CreateAgentRuntime"):
        assert f". {operation}  (" in out
    assert "arn:aws:iam::111122223333:role/turnout-run-us-west-2-customer-support-" in out
    assert out.endswith("8 calls to account 111122223333 in us-west-2; none was made\n")
    assert "1 wheels and 1 binaries, all for arm64" in err


def test_a_dry_run_masks_values_and_shows_references(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", VALUE)
    arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:x-AbCdEf"
    given = ("--env", "LANGFUSE_PUBLIC_KEY", "--env", f"OTHER={VALUE}", "--secret", f"LANGFUSE_SECRET_KEY={arn}#key")
    code, out, err = turnout(*DRY, *IMAGE_ONLY, *given, "--json")
    assert (code, VALUE in out + err) == (0, False)
    *_, create = json.loads(out)
    variables = create["parameters"]["environmentVariables"]
    assert (variables["LANGFUSE_PUBLIC_KEY"], variables["OTHER"]) == ("***", "***")
    assert json.loads(variables["AGENTCORE_SECRETS"]) == {"LANGFUSE_SECRET_KEY": f"{arn}#key"}
    assert create["then_wait_for"] == "runtime"


def test_without_credentials_a_dry_run_says_what_it_assumes(turnout: Run) -> None:
    code, out, err = turnout("agentcore", "deploy", "--dry-run", "--region", "us-west-2", *IMAGE_ONLY)
    assert (code, "account 000000000000" in out) == (0, True)
    assert "no account is asked (no AWS credentials were found" in err


def test_the_role_is_for_the_models_that_route(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text(
        '[policy]\ncheap = "us.haiku-4.5"\ncapable = "us.sonnet-4.6"\n'
        '[classifier]\nkind = "llm"\nmodel = "us.haiku-5.5"\n'
    )
    out = turnout(*DRY, *IMAGE_ONLY)[1]
    for model in ("claude-haiku-4-5-20251001-v1:0", "claude-sonnet-4-6", "claude-haiku-5-5"):
        assert f":inference-profile/us.anthropic.{model}" in out
    out = turnout(*DRY, *IMAGE_ONLY, "--pair", "5.5")[1]
    assert "global.anthropic.claude-sonnet-5-5" in out
    assert "claude-haiku-4-5" not in out


@pytest.mark.usefixtures("account")
def test_from_nothing_to_ready_and_back(turnout: Run, tmp_path: Path) -> None:
    arguments = ("agentcore", "deploy", "--name", "shop", *own(tmp_path), "--env", f"KEY={VALUE}")
    code, out, err = turnout(*arguments, "--yes")
    assert code == 0, err
    assert out.splitlines()[0].endswith("is READY, version 1")
    assert "turnout agentcore invoke --name shop" in out
    # The role is printed in full before it is made.
    assert err.index('"Action": "sts:AssumeRole"') < err.index("1/8 make the execution role")
    state = (tmp_path / ".turnout" / "agentcore.json").read_text()
    assert VALUE not in out + err + state

    again = turnout(*arguments, "--yes")
    assert (again[0], re.findall(r"^\s*\d+/\d+ ", again[2], re.M)) == (0, []), again[2]

    code, out, err = turnout("agentcore", "status", "--json")
    assert (code, json.loads(out)["status"], json.loads(out)["made_by_turnout"]) == (0, "READY", True)
    assert VALUE not in out
    table = turnout("agentcore", "status", "--name", "shop")[1]
    assert "PYTHON_3_12" in table

    code, out, err = turnout("agentcore", "destroy", "--dry-run")
    assert (code, "remove: remove the runtime" in out, "keep:   log group /aws/bedrock-agentcore" in out) == (
        0,
        True,
        True,
    )
    assert (
        turnout("agentcore", "destroy")[2] == "turnout: 5 removals and nobody can be asked: say --yes, or --dry-run\n"
    )
    code, out, err = turnout("agentcore", "destroy", "--yes")
    assert (code, "shop is gone from us-west-2; kept: log group" in out) == (0, True)
    assert turnout("agentcore", "status", "--name", "shop")[0] == 2
    assert "nothing that Turnout made for shop is in us-west-2" in turnout("agentcore", "destroy", "--name", "shop")[1]


@pytest.mark.usefixtures("account")
def test_nothing_is_made_without_a_yes(turnout: Run) -> None:
    code, out, err = turnout("agentcore", "deploy", *IMAGE_ONLY)
    assert (code, out) == (2, "")
    assert err.endswith("3 calls would change the account and nobody can be asked: say --yes, or --dry-run\n")
    assert turnout("agentcore", "status", "--name", "customer_support")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "my-agent", *IMAGE_ONLY], "such as 'my_agent'"),
        (["--region", "us-wst-2", *IMAGE_ONLY], "the nearest known one is 'us-west-2'"),
        (["--profile", "nobody", *IMAGE_ONLY], "The config profile (nobody) could not be found"),
        (["--agent", "shop:agent", "--version", "v3"], "--agent brings its own models"),
        (["--env", "NOT_HERE", *IMAGE_ONLY], "there is no such variable here"),
        (["--secret", "NAME", *IMAGE_ONLY], "--secret must be NAME=ARN"),
        (["--secret", "NAME=the-secret", *IMAGE_ONLY], "must be the ARN of a secret"),
        (["--account", "12", *IMAGE_ONLY], "--account must be twelve digits"),
        (["--pair", "9", *IMAGE_ONLY], "there is no pair '9'"),
        (["--model", "global.sonnet-9", *IMAGE_ONLY], "unknown model"),
        (["--source", "nothing", "--uv", "/bin/sh"], "nothing: there is no such folder"),
        (["--uv", "nothing"], "--uv nothing: there is no such file"),
        (["--image", IMAGE], "--image goes with --container"),
    ],
)
def test_mistakes_are_one_line(turnout: Run, arguments: list[str], message: str) -> None:
    code, out, err = turnout(*DRY, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_package_for_another_machine_is_refused(turnout: Run, tmp_path: Path) -> None:
    code, _, err = turnout(*DRY, *own(tmp_path, machine=62))
    assert code == 2
    assert "the package is for aarch64 and Python 3.12, but pkg/native.so is for x86_64" in err
    assert not list((tmp_path / ".turnout" / "packages").iterdir())


def test_an_account_is_for_dry_runs(turnout: Run) -> None:
    assert "goes with --dry-run" in turnout("agentcore", "deploy", "--account", "111122223333")[2]


def test_without_credentials_nothing_is_deployed(turnout: Run) -> None:
    code, _, err = turnout("agentcore", "deploy", "--region", "us-west-2", *IMAGE_ONLY)
    assert (code, "no AWS credentials were found: run `aws configure`" in err) == (2, True)


def test_a_package_can_be_built_alone(turnout: Run, tmp_path: Path) -> None:
    code, out, _ = turnout(
        "agentcore", "deploy", "--build-only", "--container", "--region", "us-west-2", *own(tmp_path)
    )
    assert (code, out) == (0, "")
    folder = tmp_path / ".turnout" / "packages" / "customer_support-container"
    assert {"Dockerfile", "buildspec.yml", "agentcore_main.py", "shop.py"} <= {path.name for path in folder.iterdir()}
