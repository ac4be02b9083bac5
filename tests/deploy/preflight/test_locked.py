from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from tests.deploy.preflight.conftest import Configured
from turnout.config import Settings, load_catalog
from turnout.config.pairs import PAIR_4
from turnout.config.policy_lock import LockedClassifier, lock_of
from turnout.config.policy_lock_text import lock_text
from turnout.core.catalog import Catalog
from turnout.core.policy import Policy
from turnout.deploy.preflight.locked import lock_findings

CATALOG = load_catalog()
LOCK = lock_of(Policy(candidates=PAIR_4.candidates), None, CATALOG, LockedClassifier(kind="keyword"))


def settings(configured: Configured, folder: Path, more: str = "") -> Settings:
    (folder / "policy.toml").write_text(lock_text(LOCK))
    return configured(f'policy_file = "policy.toml"\n{more}')


def told(found: Settings, catalog: Catalog = CATALOG) -> list[tuple[str, str]]:
    return [(one.state, one.detail) for one in lock_findings(found, catalog)]


def test_without_a_lock_nothing_is_said(configured: Configured) -> None:
    assert told(configured("")) == []


def test_a_lock_that_fits_holds(configured: Configured, tmp_path: Path) -> None:
    [(state, detail)] = told(settings(configured, tmp_path))
    assert state == "ok"
    assert detail.endswith("policy.toml holds: models, prices and classifier are as they were locked")


def test_prices_that_moved_are_named_and_the_rest_counted(configured: Configured, tmp_path: Path) -> None:
    dearer = Catalog.of(
        msgspec.structs.replace(one, price=one.price.scaled(Decimal(2))) if one.id == PAIR_4.cheap else one
        for one in CATALOG.models
    )
    [(state, detail)] = told(settings(configured, tmp_path), dearer)
    assert state == "note"
    assert f"models.{PAIR_4.cheap}.price.input 1 → 2" in detail
    assert "; and 2 more: bills go by the catalog" in detail


def test_a_model_that_is_gone_is_wrong(configured: Configured, tmp_path: Path) -> None:
    [(state, detail)] = told(settings(configured, tmp_path), CATALOG.only([PAIR_4.capable]))
    assert state == "wrong"
    assert PAIR_4.cheap in detail


def test_another_classifier_and_a_proposal_are_notes(configured: Configured, tmp_path: Path) -> None:
    more = '[policy]\nsimple_bar = 0.6\n[routes.support]\npreset = "quality"\n[classifier]\nkind = "none"\n'
    moved, proposed = told(settings(configured, tmp_path, more))
    assert moved[0] == proposed[0] == "note"
    assert "classifier.kind keyword → none" in moved[1]
    assert "policy.simple_bar 0.5 → 0.6" in proposed[1]
    assert "routes.support.simple_bar none → 0.75" in proposed[1]
