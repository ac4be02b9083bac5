from __future__ import annotations

import ast
import socket
from pathlib import Path

import pytest

import turnout.testing.bedrock as bedrock
from turnout.testing.bedrock import BedrockDouble

SONNET = "global.anthropic.claude-sonnet-4-6"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


def test_it_says_that_it_is_simulated() -> None:
    assert BedrockDouble.simulated is True
    with BedrockDouble() as double:
        client = double.client()
        headers = client.converse(modelId=SONNET, messages=HELLO)["ResponseMetadata"]["HTTPHeaders"]
        client.close()
    assert headers[bedrock.SIMULATED_HEADER] == "true"
    assert "simulated" in (bedrock.__doc__ or "")


def test_it_imports_nothing_else_of_turnout() -> None:
    for file in Path(bedrock.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "" if node.level == 0 else "relative"] if isinstance(node, ast.ImportFrom) else []
            foreign = [name for name in names if name.startswith(("turnout", "relative"))]
            assert all(name.startswith("turnout.testing.") for name in foreign), (file.name, foreign)


def test_start_and_stop() -> None:
    double = BedrockDouble()
    with pytest.raises(RuntimeError, match=r"is not running: use it in a with statement, or call start\(\)"):
        _ = double.url
    double.stop()
    first = double.start().url
    with pytest.raises(RuntimeError, match=r"already running at http://127\.0\.0\.1:"):
        double.start()
    double.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(first.rpartition(":")[2]))) != 0
    with double:
        assert double.url.startswith("http://127.0.0.1:")


def test_a_chosen_port_and_a_taken_one() -> None:
    with BedrockDouble() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            BedrockDouble(port=port).start()
    with BedrockDouble(port=port) as second:
        assert second.url.endswith(f":{port}")


def test_its_client_minds_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-token")  # boto3 refuses to send it over http
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with BedrockDouble(region="eu-central-1") as double:
        client = double.client()
        assert client.meta.region_name == "eu-central-1"
        assert client.converse(modelId=SONNET, messages=HELLO)["stopReason"] == "end_turn"
        client.close()


def test_the_environment_can_lead_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with BedrockDouble() as double:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
        client = double.session().client("bedrock-runtime")
        assert client.converse(modelId=SONNET, messages=HELLO)["stopReason"] == "end_turn"
        client.close()
    assert len(double.calls) == 1


def test_two_doubles_are_strangers() -> None:
    with BedrockDouble() as one, BedrockDouble() as other:
        client = one.client()
        client.converse(modelId=SONNET, messages=HELLO)
        client.close()
        assert (len(one.calls), len(other.calls)) == (1, 0)
