from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from turnout.config import DEFAULT_PAIR
from turnout.deploy.preflight.routes import SAMPLES
from turnout.testing.bedrock import BedrockDouble


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "AKIASECRET")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Iterator[BedrockDouble]:
    with BedrockDouble() as double:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
        yield double


def states(out: str) -> dict[str, str]:
    return {finding["what"]: finding["state"] for finding in json.loads(out)["findings"]}


@pytest.mark.usefixtures("credentials")
def test_all_is_there(turnout: Run, tmp_path: Path, bedrock: BedrockDouble) -> None:
    turnout("init")
    code, out, err = turnout("check", "--json")
    assert (code, err) == (0, "")
    assert states(out) == dict.fromkeys(
        ("settings", "policy", "upstream bedrock", "classifier", "ledger", "gateway"), "ok"
    )
    assert not (tmp_path / "ledger.sqlite3").exists()
    assert not bedrock.calls
    assert "AKIASECRET" not in out


def test_what_requests_would_fail_for_is_exit_code_1(turnout: Run) -> None:
    code, out, _ = turnout("check", "--json")
    assert code == 1
    assert states(out)["upstream bedrock"] == "missing"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[policy]\nsimple_barr = 1", "simple_bar"),
        ('[policy]\ncheap = "gpt-9"\ncapable = "gpt-10"', "unknown model"),
        ("[policy", "not valid TOML"),
    ],
)
def test_settings_that_cannot_be_read_are_exit_code_2(turnout: Run, tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    code, out, err = turnout("check", "bad.toml")
    assert (code, out) == (2, "")
    assert "bad.toml" in err
    assert named in err
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_exit_code_2(turnout: Run) -> None:
    code, _, err = turnout("check", "no_such.toml")
    assert (code, err) == (2, "turnout: no_such.toml: there is no such file\n")


@pytest.mark.usefixtures("credentials")
def test_each_route_is_shown_with_prices(turnout: Run) -> None:
    code, out, _ = turnout("check")
    assert code == 0
    for sample in SAMPLES:
        assert f"{sample}: " in out
    for route in ("turnout", "turnout/quality", "turnout/economy"):
        assert f"│ {route} " in out
    assert DEFAULT_PAIR.cheap in out
    assert "0.001507" in out


@pytest.mark.usefixtures("credentials")
def test_online_says_what_is_called_and_calls_it_once(turnout: Run, bedrock: BedrockDouble) -> None:
    code, out, err = turnout("check", "--online", "--json")
    assert code == 0
    assert states(out)["call to bedrock"] == "ok"
    assert err == "calling bedrock: CountTokens of anthropic.claude-haiku-4-5-20251001-v1:0 in us-east-1\n"
    assert [call.operation for call in bedrock.calls] == ["CountTokens"]


def test_a_call_that_cannot_be_made_is_exit_code_1(
    turnout: Run, bedrock: BedrockDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("TURNOUT_REGION", "us-east-1")
    code, out, _ = turnout("check", "--online", "--json")
    assert (code, states(out)["call to bedrock"]) == (1, "wrong")
    assert not bedrock.calls


def test_nobody_is_called_without_a_key(turnout: Run, tmp_path: Path) -> None:
    models = json.loads(turnout("models", "--provider", "openai", "--json")[1])
    (tmp_path / "turnout.toml").write_text(f'[[policy.candidates]]\nmodel = "{models[0]["id"]}"\nrank = 0\n')
    code, out, err = turnout("check", "--online", "--json")
    assert (code, err) == (1, "")
    assert states(out)["upstream openai"] == "missing"
    assert "call to openai" not in states(out)


@pytest.mark.usefixtures("credentials")
def test_a_classifier_that_calls_a_model_is_not_asked(
    turnout: Run, bedrock: BedrockDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_CLASSIFIER__KIND", "llm")
    code, out, _ = turnout("check", "--json")
    assert code == 0
    assert {row["given"] for row in json.loads(out)["routes"]} == {"if simple", "if complex"}
    assert not bedrock.calls
