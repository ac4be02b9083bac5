from __future__ import annotations

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


def test_it_names_itself_where_it_is_not_running() -> None:
    with pytest.raises(RuntimeError, match="the Bedrock double is not running"):
        _ = BedrockDouble().url


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
