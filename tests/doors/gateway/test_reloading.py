"""Settings that change while requests are served: what was learned goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doors.gateway.support import KEYS, OPENAI, Served, Upstreams, served, settings_text, wait_for
from turnout.classify.configured import configured_classifier
from turnout.classify.keyword import KeywordClassifier
from turnout.config import load_catalog, load_settings
from turnout.config.settings import Settings
from turnout.core.catalog import Catalog
from turnout.doors.gateway.app import Gateway
from turnout.doors.gateway.reloading import Loaded, Loader, classifier_parts, reloading

CHAT = {"model": "turnout", "messages": [{"role": "user", "content": "hi"}], "metadata": {"turnout_session": "s"}}
NONE = '[classifier]\nkind = "none"\n'
KEYWORD = '[classifier]\nkind = "keyword"\n'
NO_KEY = '[upstreams.other]\nprotocol = "openai"\nbase_url = "http://localhost:1"\nkey_env = "NOT_THERE"\n'
BOUND = "[policy.bound]\nepsilon = 0.1\nkappa_usd = 1\n"


class Follower:
    """A gateway that follows its file, and what it has used."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "turnout.toml"
        self.used: list[Settings] = []

    def read(self) -> tuple[Settings, Catalog]:
        return load_settings(self.file), load_catalog()

    def prepare(self, gateway: Gateway) -> None:
        settings, catalog = self.read()
        first = Loaded(settings, catalog, None, classifier_parts(settings, catalog), gateway.routing)
        loader = Loader(self.read, configured_classifier, first, KEYS)
        watching = reloading(gateway, loader, on_use=[self.used.append], interval_s=0.02, sighup=False)
        gateway.alongside.append(watching)

    def write(self, text: str) -> None:
        partial = self.file.with_name("new.toml")
        partial.write_text(text)
        partial.rename(self.file)


@pytest.fixture
def followed(doubles: Upstreams, tmp_path: Path) -> Iterator[tuple[Served, Follower, str]]:
    doubles.clear()
    follower = Follower(tmp_path)
    text = BOUND + settings_text(doubles, *OPENAI) + NONE
    with served(tmp_path, text, prepare=follower.prepare) as gateway:
        yield gateway, follower, text


def chat(gateway: Served) -> Any:
    with gateway.http() as client:
        return client.post("/v1/chat/completions", json=CHAT)


def test_what_was_learned_goes_on(followed: tuple[Served, Follower, str]) -> None:
    gateway, follower, text = followed
    assert chat(gateway).headers["x-turnout-model"] == OPENAI[1]
    before = gateway.gateway.routing
    spent = before.router.memory.session("s").spent_pico
    assert spent > 0
    follower.write(text.replace(NONE, KEYWORD))
    wait_for(lambda: gateway.gateway.routing is not before)
    after = gateway.gateway.routing
    assert isinstance(after.router.classifier, KeywordClassifier)
    assert chat(gateway).headers["x-turnout-model"] == OPENAI[0]
    assert after.router.memory.session("s").spent_pico > spent
    assert after.router.breakers is before.router.breakers
    assert after.router.spend is before.router.spend is not None
    assert after.turns.writer("s") == OPENAI[0]
    # The same classifier is not built twice.
    follower.write(text.replace(NONE, KEYWORD).replace("consecutive_failures = 1000", "consecutive_failures = 7"))
    wait_for(lambda: gateway.gateway.routing is not after)
    assert gateway.gateway.routing.router.classifier is after.router.classifier
    assert gateway.gateway.routing.router.breakers.rules.consecutive_failures == 7
    assert len(follower.used) == 2


def test_another_bound_begins_anew(followed: tuple[Served, Follower, str]) -> None:
    gateway, follower, text = followed
    before = gateway.gateway.routing
    follower.write(text.replace("epsilon = 0.1", "epsilon = 0.2"))
    wait_for(lambda: gateway.gateway.routing is not before)
    found = gateway.gateway.routing.router.spend
    assert found is not None
    assert found is not before.router.spend
    assert found.bound.epsilon == 0.2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("[gateway]\nprt = 1\n", "unknown key 'prt'"),
        (NO_KEY, "NOT_THERE"),
    ],
)
def test_what_is_wrong_is_refused_and_named(
    followed: tuple[Served, Follower, str], caplog: pytest.LogCaptureFixture, change: str, said: str
) -> None:
    gateway, follower, text = followed
    before = gateway.gateway.routing
    follower.write(text + change)
    wait_for(lambda: "new settings were refused" in caplog.text)
    assert said in caplog.text
    assert gateway.gateway.routing is before
    assert chat(gateway).status_code == 200


def test_limits_follow_and_what_needs_a_restart_is_told(
    followed: tuple[Served, Follower, str], caplog: pytest.LogCaptureFixture
) -> None:
    gateway, follower, text = followed
    before = gateway.gateway.routing
    with caplog.at_level(logging.WARNING):
        follower.write(text + "[gateway]\nmax_body_bytes = 1024\nport = 5\n")
        wait_for(lambda: gateway.gateway.routing is not before)
    assert "keys=<gateway.port> | these settings hold after a restart only" in caplog.text
    with gateway.http() as client:
        assert client.post("/v1/chat/completions", content=b"x" * 2_000).status_code == 413
