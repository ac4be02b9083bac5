from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.deploy.preflight.conftest import Configured
from turnout.config import load_catalog, load_settings
from turnout.deploy.preflight.machine import build_classifier, ledger_finding, limit_findings, policy_finding
from turnout.trace.store.ledger import Ledger

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
