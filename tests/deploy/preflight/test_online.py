from __future__ import annotations

import dataclasses
import http.server
import threading
from collections.abc import Iterator

import msgspec
import pytest

from turnout.deploy.preflight.online import ask, called
from turnout.deploy.preflight.ways_out import WayOut
from turnout.testing.bedrock import BedrockDouble, access_denied

KEY = "sk-of-the-test"


class Provider(http.server.ThreadingHTTPServer):
    """Lists models to whoever has the key, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: Provider

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, headers))
        known = KEY in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer "))
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("location", f"{self.server.url}/v1/models")
        else:
            self.send_response(200 if known else 401)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def openai(url: str) -> WayOut:
    return WayOut(name="openai", provider="openai", protocol="openai", base_url=url, auth="key", key_env="K")


def test_an_openai_server_lists_its_models(provider: Provider) -> None:
    finding = ask(openai(f"{provider.url}/v1/"), {"K": KEY})
    assert (finding.state, finding.detail) == ("ok", f"GET {provider.url}/v1/models: answered with status 200")
    [(path, headers)] = provider.asked
    assert (path, headers["authorization"]) == ("/v1/models", f"Bearer {KEY}")


def test_anthropic_lists_its_models(provider: Provider) -> None:
    way = WayOut(name="a", provider="anthropic", protocol="anthropic", base_url=provider.url, auth="key", key_env="K")
    assert ask(way, {"K": KEY}).state == "ok"
    [(path, headers)] = provider.asked
    assert (path, headers["x-api-key"], headers["anthropic-version"]) == ("/v1/models", KEY, "2023-06-01")


def test_a_key_that_is_not_known_is_told_and_not_shown(provider: Provider) -> None:
    finding = ask(openai(f"{provider.url}/v1"), {"K": "sk-wrong"})
    assert finding.state == "wrong"
    assert finding.detail.endswith("answered with status 401: the key is not known")
    assert "sk-wrong" not in finding.detail


def test_a_key_follows_no_redirection(provider: Provider) -> None:
    finding = ask(openai(f"{provider.url}/moved"), {"K": KEY})
    assert finding.state == "wrong"
    assert [path for path, _ in provider.asked] == ["/moved/models"]


def test_nobody_there_is_told(provider: Provider) -> None:
    provider.server_close()
    finding = ask(openai("http://127.0.0.1:9/v1"), {"K": KEY})
    assert finding.state == "wrong"
    assert "cannot be reached" in finding.detail


@pytest.mark.parametrize("key", ["two\nlines", "sk-\u2013"])
def test_a_key_that_no_header_can_hold_is_told_and_not_shown(provider: Provider, key: str) -> None:
    finding = ask(openai(f"{provider.url}/v1"), {"K": key})
    assert finding.state == "wrong"
    assert key not in finding.detail


def test_only_http_is_called() -> None:
    assert "must begin with http" in ask(openai("file:///etc"), {"K": KEY}).detail


def bedrock(double: BedrockDouble) -> WayOut:
    return WayOut(
        name="bedrock",
        provider="bedrock",
        protocol="bedrock",
        base_url=double.url,
        auth="sigv4",
        region=double.region,
        models=("global.anthropic.claude-haiku-4-5-20251001-v1:0",),
    )


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.usefixtures("credentials")
def test_bedrock_counts_the_tokens_of_one_word() -> None:
    with BedrockDouble() as double:
        way = bedrock(double)
        finding = ask(way)
        assert [call.operation for call in double.calls] == ["CountTokens"]
    assert finding.state == "ok"
    assert finding.detail == (
        f"CountTokens of anthropic.claude-haiku-4-5-20251001-v1:0 in us-east-1: {finding.detail.split()[-2]} tokens"
    )
    assert called(way) == "CountTokens of anthropic.claude-haiku-4-5-20251001-v1:0 in us-east-1"


@pytest.mark.usefixtures("credentials")
def test_who_may_not_call_bedrock_is_told() -> None:
    with BedrockDouble() as double:
        double.faults.add(dataclasses.replace(access_denied(), operation="CountTokens"))
        finding = ask(bedrock(double))
    assert (finding.state, finding.detail.rpartition(": ")[2]) == ("wrong", "refused (AccessDeniedException)")


def test_without_credentials_bedrock_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with BedrockDouble() as double:
        finding = ask(bedrock(double))
        assert not double.calls
    assert (finding.state, finding.detail.rpartition(": ")[2]) == ("wrong", "not possible (NoCredentialsError)")


def test_the_proxy_of_the_settings_is_asked(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("no_proxy", "")
    far = openai("http://models.example.com/v1")
    assert ask(far, {"K": KEY}).state == "wrong"
    assert ask(msgspec.structs.replace(far, proxy=provider.url), {"K": KEY}).state == "ok"
    assert ask(msgspec.structs.replace(far, proxy_env="P"), {"K": KEY, "P": provider.url}).state == "ok"
    assert [path for path, _ in provider.asked] == ["http://models.example.com/v1/models"] * 2
    near = msgspec.structs.replace(openai(f"{provider.url}/v1"), proxy="none")
    assert ask(near, {"K": KEY}).state == "ok"
    assert provider.asked[-1][0] == "/v1/models"
