from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from turnout.config import ConfigError, load_catalog, load_settings
from turnout.config.calibration import (
    CalibrationFile,
    Data,
    Range,
    Target,
    changed_prices,
    model_facts,
    problem,
    write_calibration,
)
from turnout.config.watching import files_of
from turnout.core.catalog import Catalog
from turnout.core.policy import NOTHING_CLEARS, Candidate, Policy

Write = Callable[[str], Path]
CHEAP, CAPABLE = "bedrock/us.anthropic.claude-haiku-5-5", "bedrock/us.anthropic.claude-sonnet-5-5"
CATALOG = load_catalog()
POLICY = Policy(candidates=(Candidate(CHEAP, 0), Candidate(CAPABLE, 1)))
SETTINGS = '[policy]\ncheap = "us.haiku-5.5"\ncapable = "us.sonnet-5.5"\ncalibration = "bar.json"\n'


def file(**changes: Any) -> CalibrationFile:
    """A calibration of a pair with a bar of 0.83."""
    target = Target(kind="quality", value=0.98, delta=0.05, bar=0.83, statement="It is so.")
    found = CalibrationFile(
        format=1,
        turnout="0",
        created="2026-11-23T12:00:00+00:00",
        basis="outcome",
        bar=0.83,
        target=0,
        targets=(target,),
        served="cheapest",
        candidates=(CHEAP, CAPABLE),
        table_names=("small", "large"),
        verdict_names=("small", "large"),
        models={name: model_facts(CATALOG[name]) for name in (CHEAP, CAPABLE)},
        classifier={"kind": "learned", "artefact": "abc"},
        scorer="exact match",
        parameters="temperature 0",
        data=Data(files=("t.csv",), sha256="", prompts=500, units=400, set_aside=100),
        shares=(Range(0.5, 0.4, 0.6), Range(0.5, 0.4, 0.6)),
        usd=None,
        capable_usd=None,
        kept=None,
        probabilities={CHEAP: (0.1, 0.9)},
        references=None,
    )
    return msgspec.structs.replace(found, **changes)


def test_its_bar_takes_the_place_of_the_presets(write: Write, tmp_path: Path) -> None:
    write_calibration(file(), tmp_path / "bar.json")
    assert [path.name for path in tmp_path.iterdir()] == ["bar.json"]
    settings = load_settings(write(SETTINGS + 'preset = "economy"\n'))
    policy = settings.policy(CATALOG)
    assert (policy.quality_bar, policy.simple_bar) == (0.83, 0.35)
    assert settings.calibration == file()
    assert tmp_path / "bar.json" in files_of(settings)
    assert load_settings(settings.file, calibrated=False).rules.quality_bar == 0.75


def test_a_calibration_on_labels_sets_the_bar_on_labels(write: Write, tmp_path: Path) -> None:
    write_calibration(file(basis="label", bar=None), tmp_path / "bar.json")
    policy = load_settings(write(SETTINGS)).rules
    assert (policy.simple_bar, policy.quality_bar) == (NOTHING_CLEARS, 0.9)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("quality_bar = 0.9\n", "policy.quality_bar: either it or policy.calibration sets the bar, not both"),
        (
            'budget = { usd = 5, when_spent = "cheapest" }\n',
            "policy.budget.when_spent: 'cheapest' goes past the bar that policy.calibration guarantees quality by",
        ),
    ],
)
def test_nothing_else_sets_its_bar_or_goes_past_it(write: Write, tmp_path: Path, more: str, message: str) -> None:
    write_calibration(file(), tmp_path / "bar.json")
    with pytest.raises(ConfigError, match=message):
        load_settings(write(SETTINGS + more))


def test_without_a_guarantee_a_spent_budget_may_take_the_cheapest(write: Write, tmp_path: Path) -> None:
    share = Target(kind="capable_share", value=0.3, bar=0.83)
    write_calibration(file(targets=(share,)), tmp_path / "bar.json")
    settings = load_settings(write(SETTINGS + 'simple_bar = 0.1\nbudget = { usd = 5, when_spent = "cheapest" }\n'))
    assert settings.rules.quality_bar == 0.83


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "bar.json: cannot be read: no such file or directory"),
        (b"", "bar.json: is no calibration"),
        (b"{}", "bar.json: is no calibration of format 1"),
        (b'{"format": 2}', "is no calibration of format 1: run turnout calibrate again"),
        (b'{"format": 1}', "is no calibration: Object missing required field"),
        (b"\xff\xfe", "is no calibration"),
        (b'{"format": 1, "hidden": 1}', "is no calibration: Object"),
    ],
)
def test_files_that_are_none(write: Write, tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "bar.json").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_settings(write(SETTINGS))


def test_it_holds_for_the_candidates_and_models_that_it_was_found_for(write: Write, tmp_path: Path) -> None:
    assert problem(file(), POLICY, CATALOG) is None
    turned = Policy(candidates=(Candidate(CHEAP, 1), Candidate(CAPABLE, 0)))
    assert "was found for" in (problem(file(), turned, CATALOG) or "")
    assert "--as says which models" in (problem(file(candidates=("small", "large")), POLICY, CATALOG) or "")
    scores = file(basis="score", classifier={"kind": "router", "router": "mine:score"})
    assert problem(scores, POLICY, CATALOG) == "was found for mine:score, which is no classifier of settings"
    write_calibration(file(candidates=("small", "large")), tmp_path / "bar.json")
    settings = load_settings(write(SETTINGS))
    with pytest.raises(ConfigError, match=r"bar\.json: was found for small -> large, .*: run turnout calibrate again"):
        settings.policy(CATALOG)


def test_another_model_of_the_same_name_is_told_and_so_are_other_prices() -> None:
    other = msgspec.structs.replace(CATALOG[CHEAP], model_id="other-model")
    renamed = Catalog.of([other, CATALOG[CAPABLE]])
    assert problem(file(), POLICY, renamed) == f"was found for another model than {CHEAP} is now"
    assert changed_prices(file(), CATALOG) == []
    dearer = msgspec.structs.replace(CATALOG[CHEAP], price=CATALOG[CAPABLE].price)
    changed = Catalog.of([dearer, CATALOG[CAPABLE]])
    assert changed_prices(file(), changed) == [CHEAP]
    assert problem(file(), POLICY, changed) is None
