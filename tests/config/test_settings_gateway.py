"""``[gateway]`` and ``[upstreams.<name>]``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.config import ConfigError, load_settings
from turnout.config.settings import GatewaySettings, UpstreamSettings, is_loopback

Write = Callable[[str], Path]


def test_defaults() -> None:
    settings = load_settings()
    assert settings.gateway == GatewaySettings()
    assert settings.upstreams == {}


def test_a_whole_file(write: Write) -> None:
    settings = load_settings(
        write(
            """
            [gateway]
            host = "::1"
            port = 0
            max_body_bytes = 2048
            max_depth = 20
            max_requests = 5
            body_seconds = 1.5
            drain_seconds = 0
            translate = false
            [upstreams.anthropic]
            key_env = "MY_KEY"
            [upstreams.vllm]
            protocol = "openai"
            base_url = "http://localhost:8000/v1"
            [upstreams.claude]
            provider = "bedrock"
            protocol = "anthropic"
            base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com/anthropic"
            auth = "sigv4"
            region = "eu-west-1"
            """
        )
    )
    assert settings.gateway == GatewaySettings(
        host="::1",
        port=0,
        max_body_bytes=2048,
        max_depth=20,
        max_requests=5,
        body_seconds=1.5,
        drain_seconds=0,
        translate=False,
    )
    assert settings.upstreams == {
        "anthropic": UpstreamSettings(protocol="anthropic", key_env="MY_KEY"),
        "vllm": UpstreamSettings(protocol="openai", base_url="http://localhost:8000/v1"),
        "claude": UpstreamSettings(
            protocol="anthropic",
            provider="bedrock",
            base_url="https://bedrock-runtime.eu-west-1.amazonaws.com/anthropic",
            auth="sigv4",
            region="eu-west-1",
        ),
    }


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_GATEWAY__PORT", "5000")
    monkeypatch.setenv("TURNOUT_UPSTREAMS__OPENAI__BASE_URL", "http://localhost:1/v1")
    settings = load_settings()
    assert settings.gateway.port == 5000
    assert settings.upstreams["openai"].base_url == "http://localhost:1/v1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[gateway]\nhost = "0.0.0.0"', "gateway.host: must be an address of this machine, such as 127.0.0.1"),
        ('[gateway]\nhost = "example.com"', "gateway.host: must be an address of this machine"),
        ("[gateway]\nprt = 1", "gateway: unknown key 'prt'; the nearest known one is 'port'"),
        ("[gateway]\nport = 70000", "gateway.port: must be at most 65535"),
        ("[gateway]\nmax_depth = true", "gateway.max_depth: must be a number, not true or false"),
        (
            '[upstreams.a]\nprotcol = "openai"',
            "upstreams.a: unknown key 'protcol'; the nearest known one is 'protocol'",
        ),
        ('[upstreams.a]\nprotocol = "opnai"', "upstreams.a.protocol: must be 'openai', 'anthropic' or 'bedrock'"),
        ('[upstreams.a]\nbase_url = "http://x"', "upstreams.a.protocol: is needed: openai, anthropic, bedrock"),
        ('[upstreams.a]\nprotocol = "openai"', "upstreams.a.base_url: is needed"),
        ('[upstreams.openai]\nbase_url = "x"', "upstreams.openai.base_url: must begin with http:// or https://"),
        ('[upstreams.openai]\nkey_env = "sk-12 3"', "upstreams.openai.key_env: must be the name of an environment"),
        ('[upstreams.bedrock]\nauth = "sigv4"\nkey_env = "A"', "upstreams.bedrock.key_env: has no use with auth"),
        ("[upstream.openai]", "unknown key 'upstream'; the nearest known one is 'upstreams'"),
    ],
)
def test_what_cannot_be_used(write: Write, text: str, said: str) -> None:
    file = write(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)
    assert "sk-12" not in str(caught.value)


def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_GATEWAY__PRT", "1")
    with pytest.raises(ConfigError, match="TURNOUT_GATEWAY__PORT"):
        load_settings()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_addresses_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "", "localhost.example.com"])
def test_addresses_of_others(host: str) -> None:
    assert not is_loopback(host)
