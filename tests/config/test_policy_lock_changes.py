from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.config.locks import CATALOG, KEYWORD, LOCK, POLICY, dearer, written
from turnout.config import load_settings
from turnout.config.pairs import PAIR_4, PAIR_5_5
from turnout.config.policy_lock import lock_of
from turnout.config.policy_lock_changes import differences, moved, proposed
from turnout.core.catalog import UnknownModelError
from turnout.core.policy import Budget, Policy
from turnout.core.spend_bound import SpendBound


def test_what_differs_is_told_by_key() -> None:
    raised = msgspec.structs.replace(POLICY, simple_bar=0.75, budget=Budget(limit_pico=5 * 10**12))
    new = lock_of(raised, SpendBound(), dearer(), KEYWORD)
    found = {one.key: (one.old, one.new) for one in differences(LOCK, new)}
    cheap = f"models.{PAIR_4.cheap}"
    assert found["policy.simple_bar"] == ("0.5", "0.75")
    assert found["policy.preset"] == ("balanced", "none")
    assert found["policy.budget.usd"] == (None, "5")
    assert found["policy.bound.epsilon"] == (None, "0.05")
    assert found[f"{cheap}.price.input"] == ("1", "2")
    assert found[f"{cheap}.price.cache_read"] == ("0.1", "0.2")
    assert not any(PAIR_4.capable in key for key in found)
    assert {one.key: (one.new, one.old) for one in differences(new, LOCK)} == found


def test_a_model_that_another_takes_the_place_of_is_told() -> None:
    new = lock_of(Policy(candidates=PAIR_5_5.candidates), None, CATALOG, KEYWORD)
    found = {one.key: (one.old, one.new) for one in differences(LOCK, new)}
    assert found[f"models.{PAIR_4.cheap}.rank"] == ("0", None)
    assert found[f"models.{PAIR_5_5.cheap}.rank"] == (None, "0")
    assert any(key.endswith("price.input (prompts above 100,000 tokens)") for key in found)


def test_where_the_catalog_moved_and_what_the_settings_propose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    (tmp_path / "turnout.toml").write_text('policy_file = "policy.toml"\n[policy]\npreset = "economy"\n')
    settings = load_settings()
    assert settings.lock is not None
    assert not moved(settings.lock, settings, CATALOG)
    assert {one.key for one in moved(settings.lock, settings, dearer())} >= {f"models.{PAIR_4.cheap}.price.output"}
    assert [one.key for one in proposed(settings.lock, settings)] == [
        "policy.preset",
        "policy.simple_bar",
        "policy.quality_bar",
    ]
    with pytest.raises(UnknownModelError, match="haiku-4-5"):
        moved(settings.lock, settings, CATALOG.only([PAIR_4.capable]))


def test_a_proposed_model_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    (tmp_path / "turnout.toml").write_text(
        f'policy_file = "policy.toml"\n[policy]\ncheap = "{PAIR_5_5.cheap}"\ncapable = "{PAIR_4.capable}"\n'
    )
    settings = load_settings()
    assert settings.lock is not None
    assert [tuple(one) for one in proposed(settings.lock, settings)] == [
        (f"models.{PAIR_4.cheap}.rank", "0", None),
        (f"models.{PAIR_5_5.cheap}", None, "rank 0"),
    ]
