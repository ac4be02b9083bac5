from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.classify.assess import judge
from turnout.classify.examples import load_queries, of_split
from turnout.classify.keyword import KeywordClassifier
from turnout.config import PAIR_4, ConfigError, load_catalog, load_settings
from turnout.config.presets import DEFAULT_PRESET, PRESETS, PresetName, bars_of, preset_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Policy
from turnout.core.request import Request, Segment
from turnout.core.verdict import Verdict

Write = Callable[[str], Path]


def served(preset: PresetName, verdict: Verdict) -> str | None:
    message = Segment(kind="message", tokens=100, prefix_hash="all")
    given = DecisionInput(
        request=Request(session_id="s", segments=(message,)),
        policy=Policy(candidates=PAIR_4.candidates, **PRESETS[preset]),
        catalog=load_catalog().only(PAIR_4),
        now_ms=0,
        verdict=verdict,
    )
    return decide(given).model


def test_the_default_is_what_a_policy_is_without_one() -> None:
    assert Policy(candidates=PAIR_4.candidates, **PRESETS[DEFAULT_PRESET]) == Policy(candidates=PAIR_4.candidates)


def test_the_more_is_spared_the_lower_both_bars() -> None:
    order: list[PresetName] = ["quality", "balanced", "economy"]
    assert list(PRESETS) == order
    for values in (
        [bars["simple_bar"] for bars in PRESETS.values()],
        [bars["quality_bar"] for bars in PRESETS.values()],
    ):
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("p_simple", "cheap_serves"), [(0.95, (True, True, True)), (0.6, (False, True, True)), (0.4, (False, False, True))]
)
def test_a_label_is_sure_enough_for_some(p_simple: float, cheap_serves: tuple[bool, ...]) -> None:
    verdict = Verdict(classifier="c", label="simple", p_simple=p_simple)
    assert tuple(served(preset, verdict) == PAIR_4.cheap for preset in PRESETS) == cheap_serves


@pytest.mark.parametrize(
    ("p", "cheap_serves"), [(0.98, (True, True, True)), (0.92, (False, True, True)), (0.8, (False, False, True))]
)
def test_an_outcome_is_likely_enough_for_some(p: float, cheap_serves: tuple[bool, ...]) -> None:
    verdict = Verdict(classifier="c", label="simple", basis="outcome", p_suffices={PAIR_4.cheap: p})
    assert tuple(served(preset, verdict) == PAIR_4.cheap for preset in PRESETS) == cheap_serves


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_named_in_settings(write: Write, name: PresetName) -> None:
    rules = load_settings(write(f'[policy]\npreset = "{name}"')).rules
    assert rules == Policy(candidates=PAIR_4.candidates, **PRESETS[name])
    assert preset_of(rules) == name


def test_a_bar_of_its_own_wins_over_the_preset_wherever_it_stands(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('[policy]\npreset = "economy"\nsimple_bar = 0.5')
    rules = load_settings(path).rules
    assert (rules.simple_bar, rules.quality_bar) == (0.5, 0.75)
    assert preset_of(rules) is None
    monkeypatch.setenv("TURNOUT_POLICY__PRESET", "quality")
    rules = load_settings(path).rules
    assert (rules.simple_bar, rules.quality_bar) == (0.5, 0.97)


def test_another_name_is_refused(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"policy\.preset: must be 'quality', 'balanced' or 'economy'"):
        load_settings(write('[policy]\npreset = "econ"'))
    with pytest.raises(ValueError, match="unknown preset 'econ'; the nearest known one is 'economy'"):
        bars_of("econ")
    assert bars_of("economy") == PRESETS["economy"]


def test_each_preset_makes_a_difference_on_the_packaged_queries() -> None:
    """The figures of the keyword classifier in docs/how-to/calibrate.md."""
    judged = asyncio.run(judge(KeywordClassifier(), of_split(load_queries(), "held_out")))
    found = {
        name: tuple(
            sum(one.p_simple(0.65) >= bars["simple_bar"] for one in judged if one.query.label == label)
            for label in ("simple", "complex")
        )
        for name, bars in PRESETS.items()
    }
    assert found == {"quality": (2, 0), "balanced": (34, 22), "economy": (43, 39)}
