"""Policies ready to use: how sure a verdict has to be before the cheaper model serves.

A preset sets the two bars and nothing else. What it costs to be wrong is the one thing that is a matter of taste;
where cache points pay and over what to price follows from the traffic, and a budget or candidates are no attitude.

A bar on labels is a trade in odds. With p the chance that the label is simple, the cheap model is the better choice
where p is at least h / (h + 1), h being how many times as bad it is to give a complex query to the cheap model as to
give a simple one to the capable model:

- ``quality``: three times as bad.
- ``balanced``: both are as bad. It is what holds where nothing is set.
- ``economy``: about half as bad: a needless call of the capable model is the greater harm.

A verdict on outcomes says more, the chance that an answer is good enough, so its bars are what they say: of the least
sure answers that are let through, 97, 90 or 75 in a hundred are expected to suffice, if the verdict is calibrated.

The bars on labels were chosen on the calibration queries that come with Turnout, so that each preset makes a
difference: with 0.9 for ``quality`` hardly any query would reach the cheap model, with 0.25 for ``economy`` nearly all
would. The odds are choices, not measurements. What a preset does to answers only graded answers can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypedDict

from turnout.core.catalog import unknown
from turnout.core.policy import Policy

PresetName = Literal["quality", "balanced", "economy"]
"""The names of the presets."""


class Bars(TypedDict):
    """The values of a preset; keywords of `turnout.core.policy.Policy`."""

    simple_bar: float
    quality_bar: float


PRESETS: Mapping[PresetName, Bars] = MappingProxyType(
    {
        "quality": Bars(simple_bar=0.75, quality_bar=0.97),
        "balanced": Bars(simple_bar=0.5, quality_bar=0.9),
        "economy": Bars(simple_bar=0.35, quality_bar=0.75),
    }
)
"""Every preset by name: ``Policy(candidates=..., **PRESETS["economy"])``."""

DEFAULT_PRESET: PresetName = "balanced"
"""What holds where no preset is named; its values are the defaults of `Policy`."""


def preset_of(policy: Policy) -> PresetName | None:
    """The preset whose bars a policy has; none where it has bars of its own."""
    for name, bars in PRESETS.items():
        if all(getattr(policy, key) == value for key, value in bars.items()):
            return name
    return None


def bars_of(name: str) -> Bars:
    """The values of a preset.

    Raises:
        ValueError: There is none of that name; the message names the nearest.
    """
    for known, bars in PRESETS.items():
        if known == name:
            return bars
    raise ValueError(unknown("preset", name, PRESETS))
