"""Endpoints from settings: where and how providers are called, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.config import load_catalog, load_settings
from turnout.config.errors import ConfigError
from turnout.messages.wire.asked import WireProtocol
from turnout.upstream.http.auth import KeyAuth, NoAuth, SigV4Auth
from turnout.upstream.http.endpoint import Endpoint, endpoints_of

HAIKU = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"


def endpoints(folder: Path, text: str, *providers: str, **environment: str) -> dict[str, Endpoint]:
    file = folder / "turnout.toml"
    file.write_text(text)
    return endpoints_of(load_settings(file), providers, environment)


def test_providers_that_need_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = endpoints(
        tmp_path,
        "",
        "openai",
        "anthropic",
        "bedrock",
        OPENAI_API_KEY="o",
        ANTHROPIC_API_KEY="a",
        AWS_REGION="eu-west-1",
    )
    assert repr(found["openai"]) == "Endpoint('openai', 'openai_chat', 'https://api.openai.com/v1')"
    assert repr(found["anthropic"]) == "Endpoint('anthropic', 'anthropic', 'https://api.anthropic.com')"
    assert repr(found["bedrock"]) == (
        "Endpoint('bedrock', 'converse', 'https://bedrock-runtime.eu-west-1.amazonaws.com')"
    )
    assert isinstance(found["bedrock"].auth, SigV4Auth)
    assert repr(found["anthropic"].auth) == "KeyAuth('x-api-key')"
    assert repr(found["openai"].auth) == "KeyAuth('authorization')"


def test_targets(tmp_path: Path) -> None:
    catalog = load_catalog()
    text = """
    [upstreams.bedrock]
    auth = "bearer"
    region = "eu-west-1"
    [upstreams.claude_on_bedrock]
    provider = "bedrock"
    protocol = "anthropic"
    auth = "bearer"
    key_env = "AWS_BEARER_TOKEN_BEDROCK"
    base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com/anthropic/"
    [upstreams.openai]
    base_url = "http://localhost:8000/v1/"
    """
    found = endpoints(tmp_path, text, AWS_BEARER_TOKEN_BEDROCK="b")
    model = catalog[HAIKU]
    quoted = "/model/global.anthropic.claude-haiku-4-5-20251001-v1%3A0/"
    assert found["bedrock"].target(model, "answer") == quoted + "converse"
    assert found["bedrock"].target(model, "stream") == quoted + "converse-stream"
    assert found["claude_on_bedrock"].target(model, "stream") == "/anthropic/v1/messages"
    assert found["claude_on_bedrock"].target(model, "count") == "/anthropic/v1/messages/count_tokens"
    assert found["claude_on_bedrock"].protocol is WireProtocol.ANTHROPIC
    assert isinstance(found["claude_on_bedrock"].auth, KeyAuth)
    assert found["openai"].target(catalog["openai/gpt-5"], "answer") == "/v1/chat/completions"
    assert isinstance(found["openai"].auth, NoAuth)
    with pytest.raises(ValueError, match="openai_chat has no operation 'count'"):
        found["openai"].target(catalog["openai/gpt-5"], "count")


@pytest.mark.parametrize(
    ("text", "provider", "said"),
    [
        ("", "openai", "upstreams.openai: the environment variable OPENAI_API_KEY is not set: it holds the key"),
        ("", "bedrock", "upstreams.bedrock.region: is needed (or AWS_REGION)"),
        ("", "mine", "upstreams: nothing serves the models of 'mine': add [upstreams.mine] with protocol and base_url"),
        ('[upstreams.openai]\nbase_url="http://"', "openai", "upstreams.openai.base_url: must be a URL such as"),
        ('[upstreams.openai]\nkey_env="BAD"', "openai", "environment variable BAD: the key holds characters"),
        ('region = "eu-west-1"', "bedrock", "upstreams.bedrock: no AWS credentials were found"),
    ],
)
def test_what_is_missing(tmp_path: Path, text: str, provider: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        endpoints(tmp_path, text, provider, BAD="se cret")
    assert said in str(caught.value)
    assert "se cret" not in str(caught.value)


def test_bedrock_takes_a_bearer_token_of_the_environment_as_boto3_does(tmp_path: Path) -> None:
    text = '[upstreams.bedrock]\nregion = "eu-west-1"\n'
    found = endpoints(tmp_path, text, AWS_BEARER_TOKEN_BEDROCK="b")
    assert isinstance(found["bedrock"].auth, KeyAuth)
