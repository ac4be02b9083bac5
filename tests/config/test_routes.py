"""Policies under names of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.config import ConfigError, Settings, load_settings
from turnout.config.pairs import DEFAULT_PAIR
from turnout.config.presets import PRESETS
from turnout.config.routes import route_names, routes_of

Configured = Callable[[str], Settings]


@pytest.fixture
def configured(write: Callable[[str], Path]) -> Configured:
    return lambda text: load_settings(write(text))


def test_what_a_route_does_not_say_is_as_in_the_policy(configured: Configured) -> None:
    settings = configured(
        "[policy]\nsimple_bar = 0.4\nadapt = true\n"
        "[routes.support]\n"
        "[routes.careful]\npreset = 'quality'\nquality_bar = 0.99\n"
        f"[routes.\"gpt-4o\"]\ncandidates = ['{DEFAULT_PAIR.capable}']\n"
    )
    routes = settings.routes
    assert routes["support"] == settings.rules
    assert routes["careful"].simple_bar == PRESETS["quality"]["simple_bar"]
    assert (routes["careful"].quality_bar, routes["careful"].adapt) == (0.99, True)
    assert [one.model for one in routes["gpt-4o"].candidates] == [DEFAULT_PAIR.capable]
    assert list(routes_of(settings.rules, routes)) == [
        "turnout",
        *(f"turnout/{name}" for name in PRESETS),
        "support",
        "careful",
        "gpt-4o",
    ]
    assert route_names(routes) == [*PRESETS, *routes]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[routes.turnout]", "routes.turnout: is a name of Turnout's own"),
        ("[routes.'turnout/x']", "is a name of Turnout's own"),
        ("[routes.economy]", "is a name of Turnout's own"),
        ("[routes.a]\npresett = 'economy'", "the nearest known one is 'preset'"),
        ("[routes.a]\nsimple_bar = 2", "routes.a.simple_bar"),
        ("[routes.a]\ncandidates = []", "routes.a.candidates"),
        ("[routes.a]\ncandidates = ['openai/gpt-5']", r"routes.a.candidates\[0\]"),
        ("[routes.a]\ncandidates = ['global.sonet-4.6']", r"routes.a.candidates\[0\]: unknown model"),
    ],
)
def test_what_is_wrong_is_named(configured: Configured, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configured(text)
