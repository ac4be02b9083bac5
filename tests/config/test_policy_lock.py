from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from tests.config.locks import CATALOG, KEYWORD, LOCK, POLICY
from turnout.config import ConfigError, load_settings
from turnout.config.pairs import PAIR_4
from turnout.config.policy_lock import capabilities_of, classifier_of, in_order, lock_of
from turnout.core.catalog import UnknownModelError


def test_a_lock_holds_the_models_that_it_needs_and_knows_when_they_are_others() -> None:
    assert {model.id for model in LOCK.models} == set(PAIR_4)
    assert LOCK.catalog.content_hash == LOCK.catalog_sha256
    assert not LOCK.edited
    assert msgspec.structs.replace(LOCK, models=LOCK.models[:1]).edited
    asking = lock_of(POLICY, None, CATALOG, msgspec.structs.replace(KEYWORD, model="openai/gpt-4.1"))
    assert {model.id for model in asking.models} == {*PAIR_4, "openai/gpt-4.1"}
    with pytest.raises(UnknownModelError, match="haiku"):
        lock_of(POLICY, None, CATALOG.only([PAIR_4.capable]), KEYWORD)


def test_the_order_of_candidates_is_that_of_their_ranks() -> None:
    turned = msgspec.structs.replace(POLICY, candidates=POLICY.candidates[::-1])
    assert in_order(turned) == in_order(POLICY)
    assert capabilities_of(CATALOG[PAIR_4.cheap])[:2] == ("tools", "forced_tool_choice")


def test_a_lock_says_which_files_the_classifier_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "turnout.toml"
    settings.write_text('[classifier]\nkind = "cascade"\nrules = "rules.toml"\n')
    with pytest.raises(ConfigError, match=r"rules\.toml: cannot be read: No such file"):
        classifier_of(load_settings())
    (tmp_path / "rules.toml").write_text("a")
    found = classifier_of(load_settings())
    assert (found.kind, found.model, list(found.sha256)) == ("cascade", PAIR_4.cheap, ["rules"])
    (tmp_path / "rules.toml").write_text("b")
    assert classifier_of(load_settings()).sha256 != found.sha256
    settings.write_text('[classifier]\nkind = "keyword"\nexamples = "not_there.jsonl"\n')
    assert classifier_of(load_settings()) == KEYWORD  # that file is another classifier's
    artefact = tmp_path / "artefact"
    artefact.mkdir()
    (artefact / "model.json").write_text("{}")
    settings.write_text('[classifier]\nkind = "learned"\nartefact = "artefact"\n')
    learned = load_settings()
    assert list(classifier_of(learned).sha256) == ["artefact"]
    calibrated = dataclasses.replace(learned, calibration_file=tmp_path / "rules.toml")
    assert list(classifier_of(calibrated).sha256) == ["artefact", "calibration"]
