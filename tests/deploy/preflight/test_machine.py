from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.deploy.preflight.conftest import Configured
from tests.doors.gateway.access.conftest import certificate
from turnout.config import load_catalog, load_settings
from turnout.deploy.preflight.finding import Finding
from turnout.deploy.preflight.machine import (
    build_classifier,
    gateway_finding,
    ledger_finding,
    limit_findings,
    policy_finding,
)
from turnout.doors.gateway.access.key_file import KeyFile
from turnout.doors.gateway.access.keys import KeyRules, new_key
from turnout.trace.store.ledger import Ledger

__all__ = ["certificate"]

CATALOG = load_catalog()


def test_the_policy_is_named_by_its_preset(configured: Configured) -> None:
    assert policy_finding(load_settings(), CATALOG).detail.startswith("balanced (simple_bar 0.5")
    own = configured("[policy]\nsimple_bar = 0.6\n")
    assert policy_finding(own, CATALOG).detail.startswith("bars of its own (simple_bar 0.6")


@pytest.mark.parametrize("kind", ["keyword", "embedding"])
def test_a_classifier_is_built(configured: Configured, kind: str) -> None:
    classifier, finding = build_classifier(configured(f'[classifier]\nkind = "{kind}"\n'), CATALOG)
    assert classifier is not None
    assert (finding.state, finding.detail) == ("ok", kind)


def test_a_classifier_that_asks_a_model_says_which(configured: Configured) -> None:
    _, finding = build_classifier(configured('[classifier]\nkind = "llm"\n'), CATALOG)
    assert finding.state == "ok"
    assert "claude-haiku-4-5" in finding.detail


def test_no_classifier_is_worth_a_note(configured: Configured) -> None:
    classifier, finding = build_classifier(configured('[classifier]\nkind = "none"\n'), CATALOG)
    assert classifier is None
    assert finding.state == "note"


def test_rules_that_are_not_there_are_named(configured: Configured) -> None:
    _, finding = build_classifier(configured('[classifier]\nrules = "no_such.toml"\n'), CATALOG)
    assert finding.state == "wrong"
    assert "no_such.toml" in finding.detail


def test_an_extra_that_is_not_installed_comes_with_its_command(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "strands.models", None)
    _, finding = build_classifier(configured('[classifier]\nkind = "llm"\n'), CATALOG)
    assert finding.state == "missing"
    assert "pip install 'turnout[strands]'" in finding.detail


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "ledger.sqlite3"
    finding = ledger_finding(path)
    assert (finding.state, finding.detail) == ("ok", f"{path}, will be made")
    assert not path.parent.exists()


def test_a_ledger_that_is_there_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    Ledger(path).close()
    assert ledger_finding(path).detail == f"{path}, 0 runs"


def test_a_file_that_is_no_ledger_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_text("not a database " * 100)
    finding = ledger_finding(path)
    assert finding.state == "wrong"
    assert "is not a ledger" in finding.detail


def test_a_place_where_nothing_can_be_written_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert ledger_finding(tmp_path / "file" / "ledger.sqlite3").state == "wrong"


def test_the_defaults_need_no_note() -> None:
    assert limit_findings(load_settings()) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[calls]\ndeadline_seconds = 10", "classifier.timeout_seconds"),
        ("[calls]\nbase_backoff_seconds = 6", "calls.base_backoff_seconds"),
        ("[calls]\nmax_backoff_seconds = 120", "calls.max_backoff_seconds"),
        ("[calls]\nfailover_after_seconds = 120", "calls.failover_after_seconds"),
        ("[calls.breaker]\nprobes = 6", "calls.breaker.probes"),
        (
            '[[policy.candidates]]\nmodel = "bedrock/global.anthropic.claude-sonnet-4-6"\nrank = 0',
            "policy.candidates",
        ),
    ],
)
def test_limits_that_work_against_each_other_are_noted(configured: Configured, text: str, key: str) -> None:
    [finding] = limit_findings(configured(text))
    assert (finding.what, finding.state) == (key, "note")


class TestGateway:
    def test_without_keys_it_is_for_programs_of_this_machine(self, configured: Configured, data: Path) -> None:
        finding = gateway_finding(configured("[gateway]\nport = 5000\n"), CATALOG)
        assert finding == Finding("gateway", "ok", "127.0.0.1:5000, without keys: programs of this machine alone")
        assert not data.exists()

    def test_elsewhere_it_takes_keys(self, configured: Configured, data: Path) -> None:
        settings = configured('[gateway]\nhost = "0.0.0.0"\n')
        finding = gateway_finding(settings, CATALOG)
        assert finding.state == "wrong"
        assert "0.0.0.0:4141: 0.0.0.0: others than this machine could reach the gateway there" in finding.detail
        made = new_key("ci", datetime.now(UTC), KeyRules())
        KeyFile(data / "turnout" / "keys.json").change(lambda ring: (made.stored,))
        finding = gateway_finding(settings, CATALOG)
        assert finding.state == "note"
        assert "keys that work: 1 in" in finding.detail
        assert "no TLS" in finding.detail
        assert gateway_finding(configured("[gateway]\nbehind_tls_proxy = true\n"), CATALOG).state == "ok"

    def test_keys_that_cannot_be_read_are_named(self, configured: Configured, tmp_path: Path) -> None:
        file = tmp_path / "keys.json"
        file.write_text("{")
        file.chmod(0o600)
        finding = gateway_finding(configured(f'[gateway]\nkeys = "{file}"\n'), CATALOG)
        assert finding.state == "wrong"
        assert str(file) in finding.detail

    def test_a_certificate_that_cannot_be_used_is_named(self, configured: Configured, tmp_path: Path) -> None:
        (tmp_path / "cert.pem").write_text("no certificate")
        for name in ("cert.pem", "none.pem"):
            settings = configured(f'[gateway]\ntls_cert = "{tmp_path / name}"\n')
            finding = gateway_finding(settings, CATALOG)
            assert finding.state == "wrong"
            assert f"{tmp_path / name}: cannot be used for TLS" in finding.detail

    def test_one_that_can_be_used(self, configured: Configured, certificate: tuple[Path, Path]) -> None:
        settings = configured(f'[gateway]\ntls_cert = "{certificate[0]}"\ntls_key = "{certificate[1]}"\n')
        assert gateway_finding(settings, CATALOG).state == "ok"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data directory."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"
