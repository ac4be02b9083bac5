from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.collect.support import CAPABLE, CATALOG, CHEAP
from turnout.config import Settings, load_settings
from turnout.config.errors import ConfigError
from turnout.evaluate.collect.ways import ways_of
from turnout.messages.wire.asked import WireProtocol


def test_the_upstreams_of_the_settings(settings: Settings) -> None:
    found = ways_of(settings, [CHEAP, CAPABLE])
    assert set(found) == {CHEAP.id, CAPABLE.id}
    assert all(way.protocol is WireProtocol.OPENAI_CHAT and way.name == "openai" for way in found.values())


def test_what_an_upstream_lacks_that_is_not_called_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "turnout.toml"
    path.write_text('[upstreams.anthropic]\nprotocol = "anthropic"\n')
    settings = load_settings(path)
    assert set(ways_of(settings, [CHEAP], {"OPENAI_API_KEY": "x"})) == {CHEAP.id}
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY is not set"):
        ways_of(settings, [CATALOG["anthropic/claude-sonnet-4-6"]], {})


def test_a_protocol_that_is_not_spoken_here(tmp_path: Path) -> None:
    path = tmp_path / "turnout.toml"
    path.write_text('[upstreams.openai]\nprotocol = "openai"\nspeaks = ["responses"]\n')
    with pytest.raises(ConfigError, match=r"nothing serves openai/gpt-4\.1 by a protocol that is spoken here"):
        ways_of(load_settings(path), [CAPABLE], {"OPENAI_API_KEY": "x"})


def test_bedrock_by_converse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    model = CATALOG["bedrock/global.anthropic.claude-sonnet-4-6"]
    path = tmp_path / "turnout.toml"
    path.write_text('region = "eu-west-1"\n')
    assert ways_of(load_settings(path), [model])[model.id].protocol is WireProtocol.CONVERSE
