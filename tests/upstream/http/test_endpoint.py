"""Endpoints from settings: where and how providers are called, and what is missing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest

from tests.upstream.http.scripted import request, server
from tests.upstream.http.support import self_signed
from turnout.config import load_catalog, load_settings
from turnout.config.errors import ConfigError
from turnout.config.facts import load_facts
from turnout.messages.wire.asked import WireProtocol
from turnout.upstream.http.auth import KeyAuth, NoAuth, SigV4Auth
from turnout.upstream.http.client import ConnectionRules, HttpClient, Origin
from turnout.upstream.http.endpoint import Endpoint, connection_rules, endpoints_of
from turnout.upstream.http.proxies import ProxyServer

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


AZURE = """
[upstreams.azure]
provider = "openai"
protocol = "openai"
base_url = "https://mine.openai.azure.com/openai/v1/"
auth = "api_key"
key_env = "AZURE_KEY"
[upstreams.azure.models]
gpt-5 = "my deployment"
"""
OLDER = AZURE.replace("/openai/v1/", "/").replace("auth =", 'api_version = "2026-01-01"\nauth =')


def test_azure(tmp_path: Path) -> None:
    gpt = load_catalog()["openai/gpt-5"]
    found = endpoints(tmp_path, AZURE, AZURE_KEY="k")
    assert list(found) == ["azure", "azure:responses"]
    assert found["azure"].target(gpt, "stream") == "/openai/v1/chat/completions"
    assert found["azure:responses"].target(gpt, "answer") == "/openai/v1/responses"
    assert found["azure:responses"].target(gpt, "count") == "/openai/v1/responses/input_tokens"
    assert repr(found["azure"].auth) == "KeyAuth('api-key')"
    assert (found["azure"].called(gpt), found["azure"].provider) == ("my deployment", "openai")
    assert found["azure"].called(load_catalog()["openai/gpt-5-mini"]) == "gpt-5-mini"


def test_azure_with_deployments_in_its_paths(tmp_path: Path) -> None:
    gpt = load_catalog()["openai/gpt-5"]
    (one,) = endpoints(tmp_path, OLDER, AZURE_KEY="k").values()
    assert one.target(gpt, "answer") == "/openai/deployments/my%20deployment/chat/completions?api-version=2026-01-01"
    both = OLDER.replace("auth =", 'speaks = ["responses", "chat"]\nauth =')
    found = endpoints(tmp_path, both, AZURE_KEY="k")
    assert {name: endpoint.protocol.value for name, endpoint in found.items()} == {
        "azure": "openai_responses",
        "azure:chat": "openai_chat",
    }
    assert found["azure"].target(gpt, "answer") == "/openai/responses?api-version=2026-01-01"


def test_who_speaks_what(tmp_path: Path) -> None:
    text = """
    [upstreams.vllm]
    protocol = "openai"
    base_url = "http://localhost:8000/v1"
    [upstreams.openai]
    base_url = "http://localhost:8001/v1"
    [upstreams.llama]
    protocol = "openai"
    base_url = "http://localhost:8002/v1"
    speaks = ["responses"]
    [upstreams.bedrock]
    auth = "none"
    region = "eu-west-1"
    """
    found = endpoints(tmp_path, text)
    assert {name: endpoint.protocol.value for name, endpoint in found.items()} == {
        "vllm": "openai_chat",
        "openai": "openai_chat",
        "openai:responses": "openai_responses",
        "llama": "openai_responses",
        "bedrock": "converse",
        "bedrock:invoke": "invoke",
    }
    catalog = load_catalog()
    haiku = catalog[HAIKU]
    other = msgspec.structs.replace(haiku, model_id="us.amazon.nova-pro-v1:0")
    assert [found["bedrock"].serves(model) for model in (haiku, other)] == [True, True]
    assert [found["bedrock:invoke"].serves(model) for model in (haiku, other)] == [True, False]
    assert not found["openai"].serves(haiku)
    quoted = "/model/global.anthropic.claude-haiku-4-5-20251001-v1%3A0/"
    assert found["bedrock:invoke"].target(haiku, "answer") == quoted + "invoke"
    assert found["bedrock:invoke"].target(haiku, "stream") == quoted + "invoke-with-response-stream"
    bare = quoted.replace("global.", "")
    assert found["bedrock"].target(haiku, "count") == bare + "count-tokens"


def test_every_inference_profile_is_left_out_where_tokens_are_counted(tmp_path: Path) -> None:
    found = endpoints(tmp_path, '[upstreams.bedrock]\nauth = "none"\nregion = "eu-west-1"')
    models = [model for model in load_catalog().models if model.provider == "bedrock"]
    bare = {f"{placed.provider}/{placed.model_id}" for placed in load_facts().placed_models()}
    assert {model.model_id.partition(".")[0] for model in models} >= set(load_facts().profiles)
    for model in models:
        counted = unquote(found["bedrock"].target(model, "count")).split("/")[2]
        assert f"bedrock/{counted}" in bare


async def test_headers_and_queries_that_are_sent(tmp_path: Path) -> None:
    received: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            received.append(await request(reader))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    text = """
    [upstreams.openai]
    base_url = "http://URL"
    api_version = "v"
    [upstreams.openai.headers]
    HTTP-Referer = "https://example.com"
    X-Title = "Turnout"
    [upstreams.openai.headers_env]
    X-Secret = "MY_SECRET"
    """
    headers = [(b"x-title", b"the client's"), (b"x-own", b"kept")]
    model = load_catalog()["openai/gpt-5"]
    client = HttpClient()
    async with server(script) as origin:
        found = endpoints(tmp_path, text.replace("URL", origin.authority), MY_SECRET="hidden")["openai"]
        until = asyncio.get_running_loop().time() + 5
        answer = await found.call(client, model, "answer", headers, b"", until, query=b"a=b")
        await answer.read(until)
        answer = await found.request(client, "DELETE", "/responses/resp_1", headers, until, query=b"c=d")
        await answer.read(until)
        await client.aclose()
    for head, line in zip(
        received,
        (
            b"POST /openai/deployments/gpt-5/chat/completions?api-version=v&a=b HTTP/1.1",
            b"DELETE /openai/responses/resp_1?api-version=v&c=d HTTP/1.1",
        ),
        strict=True,
    ):
        lines = head.split(b"\r\n")
        assert lines[0] == line
        assert {b"http-referer: https://example.com", b"x-title: Turnout", b"x-secret: hidden"} < set(lines)
        assert b"x-own: kept" in lines
        assert b"client's" not in head
    assert "hidden" not in repr(found)


@pytest.mark.parametrize("value", ["", "two\nlines", "h\u00e9"])
def test_a_header_whose_variable_cannot_be_used(tmp_path: Path, value: str) -> None:
    text = '[upstreams.openai]\nbase_url = "http://x"\n[upstreams.openai.headers_env]\nX-Secret = "MY_SECRET"\n'
    with pytest.raises(ConfigError) as caught:
        endpoints(tmp_path, text, MY_SECRET=value)
    assert "upstreams.openai.headers_env.X-Secret: the environment variable MY_SECRET is not set" in str(caught.value)
    assert not value or value not in str(caught.value)


class TestConnectionRules:
    def rules(self, folder: Path, text: str, **variables: str) -> dict[Origin, ConnectionRules]:
        file = folder / "turnout.toml"
        file.write_text(text)
        return connection_rules(load_settings(file), {"AWS_REGION": "eu-west-1", **variables})

    def test_by_server(self, tmp_path: Path) -> None:
        text = """
        [upstreams.openai]
        max_connections = 3
        connect_seconds = 2
        [upstreams.bedrock]
        max_connections = 9
        [upstreams.anthropic]
        stall_seconds = 5
        """
        assert self.rules(tmp_path, text) == {
            Origin(True, "api.openai.com", 443): ConnectionRules(None, 2, 3),
            Origin(True, "bedrock-runtime.eu-west-1.amazonaws.com", 443): ConnectionRules(None, None, 9),
        }

    def test_certificates(self, tmp_path: Path) -> None:
        self_signed(tmp_path)
        (rules,) = self.rules(tmp_path, '[upstreams.openai]\nca_file = "ca.pem"').values()
        assert rules.tls is not None
        assert len(rules.tls.get_ca_certs()) == 1

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_certificates_that_cannot_be_read(self, tmp_path: Path, content: str | None) -> None:
        if content is not None:
            (tmp_path / "ca.pem").write_text(content)
        with pytest.raises(ConfigError, match="cannot be used"):
            self.rules(tmp_path, '[upstreams.openai]\nca_file = "ca.pem"')

    def test_proxies(self, tmp_path: Path) -> None:
        text = """
        [upstreams.openai]
        proxy = "http://proxy.example.com"
        [upstreams.anthropic]
        proxy = "none"
        [upstreams.bedrock]
        proxy_env = "MY_PROXY"
        """
        found = self.rules(tmp_path, text, MY_PROXY="http://me:secret@p:8")
        assert {origin.host: (rules.direct, rules.proxy) for origin, rules in found.items()} == {
            "api.openai.com": (False, ProxyServer("proxy.example.com", 3128)),
            "api.anthropic.com": (True, None),
            "bedrock-runtime.eu-west-1.amazonaws.com": (False, ProxyServer.of("http://me:secret@p:8")),
        }

    @pytest.mark.parametrize(
        ("text", "variables", "said"),
        [
            ('proxy = "http://proxy.example.com/x"', {}, "upstreams.openai.proxy: must be a URL such as"),
            ('proxy_env = "MY_PROXY"', {}, "upstreams.openai.proxy_env: the environment has no MY_PROXY"),
            ('proxy_env = "MY_PROXY"', {"MY_PROXY": "socks5://me:secret@p"}, "proxy_env: must be a URL"),
            ("", {"HTTPS_PROXY": "https://me:secret@p"}, "environment variable HTTPS_PROXY must be a URL"),
        ],
    )
    def test_what_is_no_proxy(self, tmp_path: Path, text: str, variables: dict[str, str], said: str) -> None:
        with pytest.raises(ConfigError, match=said) as caught:
            self.rules(tmp_path, f"[upstreams.openai]\n{text}", **variables)
        assert "secret" not in str(caught.value)

    def test_two_rules_for_one_server(self, tmp_path: Path) -> None:
        text = """
        [upstreams.openai]
        max_connections = 3
        [upstreams.second]
        provider = "openai"
        max_connections = 4
        """
        with pytest.raises(ConfigError, match="has other rules for its connections"):
            self.rules(tmp_path, text)


def test_bedrock_takes_a_bearer_token_of_the_environment_as_boto3_does(tmp_path: Path) -> None:
    text = '[upstreams.bedrock]\nregion = "eu-west-1"\n'
    found = endpoints(tmp_path, text, AWS_BEARER_TOKEN_BEDROCK="b")
    assert isinstance(found["bedrock"].auth, KeyAuth)
