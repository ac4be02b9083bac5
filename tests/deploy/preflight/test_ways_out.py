from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.preflight.conftest import Configured, with_upstreams
from turnout.config import Settings, load_catalog, load_settings
from turnout.deploy.preflight.finding import Finding
from turnout.deploy.preflight.ways_out import WayOut, aws_credential_sources, models_in_use, way_findings, ways_out

CATALOG = load_catalog()
HAIKU = "anthropic/claude-haiku-4-5"
GPT = "openai/gpt-5"


def mixed(configured: Configured) -> Settings:
    cheap = next(model.id for model in CATALOG.models if model.provider == "anthropic")
    capable = next(model.id for model in CATALOG.models if model.provider == "openai")
    return configured(f'[policy]\ncheap = "{cheap}"\ncapable = "{capable}"\n')


def finding(settings: Settings, environment: dict[str, str]) -> list[Finding]:
    return way_findings(ways_out(settings, CATALOG, environment), environment)


def test_the_default_pair_needs_bedrock_alone() -> None:
    [way] = ways_out(load_settings(), CATALOG, {"AWS_REGION": "eu-central-1"})
    assert (way.name, way.protocol, way.auth, way.region) == ("bedrock", "bedrock", "sigv4", "eu-central-1")
    assert way.models == (
        "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "global.anthropic.claude-sonnet-4-6",
    )


def test_each_provider_is_called_at_its_own_address_with_its_own_variable(configured: Configured) -> None:
    first, second = ways_out(mixed(configured), CATALOG, {})
    assert (first.base_url, first.key_env) == ("https://api.anthropic.com", "ANTHROPIC_API_KEY")
    assert (second.base_url, second.key_env) == ("https://api.openai.com/v1", "OPENAI_API_KEY")


def test_the_classifiers_model_is_in_use_too(configured: Configured) -> None:
    local = next(model.id for model in CATALOG.models if model.provider == "local")
    settings = configured(f'[classifier]\nkind = "llm"\nmodel = "{local}"\n')
    assert models_in_use(settings)[-1] == local
    assert [way.provider for way in ways_out(settings, CATALOG, {})] == ["bedrock"], "a model here is no way out"


def test_upstreams_of_the_settings_win(configured: Configured) -> None:
    settings = with_upstreams(
        mixed(configured),
        openai={"base_url": "http://127.0.0.1:8000/v1"},
        claude={"provider": "anthropic", "protocol": "anthropic", "auth": "bearer", "key_env": "CLAUDE_KEY"},
    )
    claude, own = ways_out(settings, CATALOG, {})
    assert (claude.name, claude.auth, claude.key_env) == ("claude", "key", "CLAUDE_KEY")
    assert (own.base_url, own.auth, own.key_env) == ("http://127.0.0.1:8000/v1", "none", "")


def test_a_region_of_the_upstream_wins() -> None:
    settings = with_upstreams(load_settings(), bedrock={"region": "us-east-1"})
    assert ways_out(settings, CATALOG, {"AWS_REGION": "eu-central-1"})[0].region == "us-east-1"


def test_a_key_that_is_not_there_is_missing_and_one_that_is_is_not_shown(configured: Configured) -> None:
    first, second = finding(mixed(configured), {"OPENAI_API_KEY": "sk-secret", "ANTHROPIC_API_KEY": " "})
    assert (first.state, second.state) == ("missing", "ok")
    assert "ANTHROPIC_API_KEY is not set" in first.detail
    assert "OPENAI_API_KEY" in second.detail
    assert "sk-secret" not in second.detail


@pytest.mark.parametrize(
    ("environment", "state", "named"),
    [
        ({}, "missing", "AWS_REGION"),
        ({"AWS_REGION": "eu-central-1"}, "missing", "no AWS credentials"),
        ({"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIA"}, "ok", "eu-central-1"),
        ({"AWS_PROFILE": "work"}, "ok", "AWS_PROFILE"),
    ],
)
def test_bedrock_needs_a_region_and_credentials(environment: dict[str, str], state: str, named: str) -> None:
    [found] = finding(load_settings(), environment)
    assert found.state == state
    assert named in found.detail


def test_a_provider_that_nobody_serves_is_missing() -> None:
    way = WayOut(name="vllm", provider="vllm", protocol="", auth="key")
    [found] = way_findings([way], {})
    assert (found.state, "[upstreams.vllm]" in found.detail) == ("missing", True)


def test_a_server_of_ones_own_needs_no_key() -> None:
    way = WayOut(name="vllm", provider="vllm", protocol="openai", base_url="http://127.0.0.1:1/v1", auth="none")
    finding = way_findings([way], {})[0]
    assert finding.state == "ok"
    assert "without credentials (key_env would name the variable of a key)" in finding.detail


def test_credentials_in_a_file_are_found_and_not_read(tmp_path: Path) -> None:
    shared = tmp_path / "credentials"
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(shared)}
    assert aws_credential_sources(environment) == []
    shared.write_bytes(b"\xff not even text")
    assert aws_credential_sources(environment) == [str(shared)]


def test_a_proxy_is_told(configured: Configured) -> None:
    settings = with_upstreams(
        mixed(configured),
        openai={"base_url": "http://gpu.lan/v1", "proxy": "http://proxy.lan:3128"},
        claude={"provider": "anthropic", "protocol": "anthropic", "proxy_env": "MY_PROXY"},
    )
    keys = {"ANTHROPIC_API_KEY": "k", "MY_PROXY": "http://me:secret@p"}
    claude, own = finding(settings, keys)
    assert claude.detail.startswith("https://api.anthropic.com through the proxy in MY_PROXY, key in")
    assert own.detail.startswith("http://gpu.lan/v1 through the proxy http://proxy.lan:3128, without")
    without, _ = finding(settings, {"ANTHROPIC_API_KEY": "k"})
    assert (without.state, "MY_PROXY is not set" in without.detail) == ("missing", True)
