"""``[gateway]`` and ``[upstreams.<name>]``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.config import ConfigError, load_settings
from turnout.config.settings import GatewaySettings, UpstreamSettings

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


def test_what_an_upstream_may_say(write: Write) -> None:
    file = write(
        """
        [upstreams.azure]
        provider = "openai"
        protocol = "openai"
        base_url = "https://mine.openai.azure.com"
        api_version = "2026-01-01"
        auth = "api_key"
        key_env = "AZURE_KEY"
        speaks = ["responses", "chat", "responses"]
        ca_file = "ca.pem"
        connect_seconds = 2
        stall_seconds = 90
        max_connections = 7
        proxy = "http://proxy.example.com:3128"
        [upstreams.azure.models]
        gpt-5 = "mine"
        [upstreams.azure.headers]
        HTTP-Referer = "https://example.com"
        [upstreams.azure.headers_env]
        X-Secret = "MY_SECRET"
        """
    )
    assert load_settings(file).upstreams == {
        "azure": UpstreamSettings(
            protocol="openai",
            provider="openai",
            base_url="https://mine.openai.azure.com",
            auth="api_key",
            key_env="AZURE_KEY",
            speaks=("responses", "chat"),
            api_version="2026-01-01",
            models={"gpt-5": "mine"},
            headers={"HTTP-Referer": "https://example.com"},
            headers_env={"X-Secret": "MY_SECRET"},
            ca_file=file.parent / "ca.pem",
            connect_seconds=2,
            stall_seconds=90,
            max_connections=7,
            proxy="http://proxy.example.com:3128",
        )
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
        ('[gateway]\ntls_key = "k.pem"', "gateway.tls_key: has no use without tls_cert"),
        ("[gateway]\nmax_bodies_bytes = 2000", "gateway.max_bodies_bytes: must be at least max_body_bytes"),
        ('[upstreams.openai]\nproxy = "socks5://p"', "upstreams.openai.proxy: must begin with http://, or be none"),
        ('[upstreams.openai]\nproxy = "http://a:b@p"', "upstreams.openai.proxy: has no place for a password"),
        ('[upstreams.openai]\nproxy = "none"\nproxy_env = "P"', "upstreams.openai.proxy_env: has no use beside proxy"),
        (
            '[upstreams.openai]\nproxy_env = "http://p"',
            "upstreams.openai.proxy_env: must be the name of an",
        ),
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
        ('[upstreams.anthropic]\nspeaks = ["chat"]', "upstreams.anthropic.speaks: has no use with protocol = 'anth"),
        ("[upstreams.openai]\nspeaks = []", "upstreams.openai.speaks: "),
        ('[upstreams.openai]\nspeaks = ["chta"]', "upstreams.openai.speaks[0]: must be 'chat' or 'responses'"),
        ('[upstreams.openai]\napi_version = "v"', "upstreams.openai.api_version: needs a base_url"),
        ("[upstreams.openai]\nmax_connections = 0", "upstreams.openai.max_connections: must be at least 1"),
        ("[upstreams.openai]\nstall_seconds = 0", "upstreams.openai.stall_seconds: must be above 0"),
        ('[upstreams.openai.headers]\n"a b" = "x"', "upstreams.openai.headers.a b: is no header that can be set"),
        ('[upstreams.openai.headers]\nHost = "x"', "upstreams.openai.headers.Host: is no header that can be set"),
        ('[upstreams.openai.headers]\nx = "a\\nb"', "upstreams.openai.headers.x: holds what a header may not hold"),
        ('[upstreams.openai.headers]\nApi-Key = "sk-12"', "headers.Api-Key: holds a key: name its variable in headers"),
        ('[upstreams.openai.headers_env]\nx = "sk-12"', "headers_env.x: must be the name of an environment variable"),
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
