from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.plan.world import CAPABLE, CATALOG, CHEAP, side
from turnout.config import ConfigError, load_settings
from turnout.config.policy_lock_text import lock_text
from turnout.core.catalog import UnknownModelError
from turnout.evaluate.plan.sides import side_of_file, side_of_settings


def test_a_lock_and_settings_of_the_same_are_the_same_side(tmp_path: Path) -> None:
    text = '[policy]\nmarkers = "fill"\nadapt = true\n[routes.support]\npreset = "quality"\n'
    (tmp_path / "turnout.toml").write_text(text)
    of_settings = side_of_file(tmp_path / "turnout.toml")
    (tmp_path / "policy.toml").write_text(lock_text(of_settings.lock))
    of_lock = side_of_file(tmp_path / "policy.toml")
    assert of_lock.lock == of_settings.lock
    assert (of_lock.name, of_settings.name) == ("policy.toml", "turnout.toml")
    assert [model.id for model in of_lock.catalog.models] == sorted([CHEAP, CAPABLE])
    assert of_lock.policy_named("support").simple_bar == 0.75
    assert of_lock.policy_named("economy").simple_bar == 0.35
    assert of_lock.policy_named("") == of_lock.policy_named("gone") == of_lock.policy


def test_settings_propose_their_policy_whatever_lock_holds(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(lock_text(side().lock))
    file = tmp_path / "turnout.toml"
    file.write_text('policy_file = "policy.toml"\n[policy]\npreset = "economy"\n')
    held = load_settings(file)
    assert held.rules.simple_bar == 0.5
    assert side_of_settings(held, CATALOG, "held").policy.simple_bar == 0.35
    assert side_of_file(file).policy.simple_bar == 0.35


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        side_of_file(tmp_path / "policy.toml")
    file = tmp_path / "turnout.toml"
    file.write_text("")
    with pytest.raises(UnknownModelError):
        side_of_settings(load_settings(file), CATALOG.only([CHEAP]), "few")
