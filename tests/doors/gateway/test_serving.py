"""A gateway put together from settings, and the endpoints of its candidates."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from turnout.config import load_catalog, load_settings
from turnout.config.errors import ConfigError
from turnout.doors.gateway.app import Gateway
from turnout.doors.gateway.serving import gateway_of
from turnout.messages.wire.asked import WireProtocol


def made(folder: Path, text: str, **environment: str) -> Gateway:
    file = folder / "turnout.toml"
    file.write_text(text)
    return gateway_of(load_settings(file), load_catalog(), environment=environment)


PAIR = '[policy]\ncheap = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"\ncapable = "openai/gpt-5"\n'


def test_a_provider_may_be_called_in_two_protocols(tmp_path: Path) -> None:
    text = PAIR + (
        '[upstreams.bedrock]\nauth = "bearer"\nregion = "eu-west-1"\n'
        '[upstreams.messages]\nprovider = "bedrock"\nprotocol = "anthropic"\nbase_url = "http://localhost:1/anthropic"\n'
    )
    gateway = made(tmp_path, text, AWS_BEARER_TOKEN_BEDROCK="b", OPENAI_API_KEY="o")
    haiku = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert {(model, protocol): one.name for (model, protocol), one in gateway.routing.ways.items()} == {
        (haiku, WireProtocol.CONVERSE): "bedrock",
        (haiku, WireProtocol.INVOKE): "bedrock:invoke",
        (haiku, WireProtocol.ANTHROPIC): "messages",
        ("openai/gpt-5", WireProtocol.OPENAI_CHAT): "openai",
        ("openai/gpt-5", WireProtocol.OPENAI_RESPONSES): "openai:responses",
    }
    assert gateway.routing.router.scope_of(haiku).region == "eu-west-1"


def test_a_missing_key_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        made(tmp_path, PAIR + '[upstreams.bedrock]\nauth = "bearer"\nregion = "x"', AWS_BEARER_TOKEN_BEDROCK="b")


def test_cache_points_stay_the_clients(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = PAIR.replace("[policy]\n", '[policy]\nmarkers = "manage"\nhorizon = "session"\n')
    with caplog.at_level(logging.WARNING):
        gateway = made(
            tmp_path,
            text + '[upstreams.bedrock]\nauth="bearer"\nregion="x"',
            AWS_BEARER_TOKEN_BEDROCK="b",
            OPENAI_API_KEY="o",
        )
    assert gateway.routing.router.policy.markers == "user"
    assert "leaves cache points as clients place them" in caplog.text
