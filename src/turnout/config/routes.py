"""Routes: policies under names that clients write where a model's name goes.

``turnout`` is the policy of the settings, ``turnout/economy`` that policy with the bars of a preset, and
``[routes.NAME]`` one that the settings name themselves, so that an application keeps the model name in its code.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from turnout.config.presets import PRESETS
from turnout.core.policy import Policy

ROUTED = "turnout"
"""The model name by which Turnout chooses."""


def routes_of(policy: Policy, configured: Mapping[str, Policy]) -> dict[str, Policy]:
    """Every route by its name: Turnout's own, the presets, then those of the settings.

    Args:
        policy: The policy of the settings.
        configured: Those that the settings name (`turnout.config.settings.Settings.routes`).
    """
    presets = {f"{ROUTED}/{name}": msgspec.structs.replace(policy, **bars) for name, bars in PRESETS.items()}
    return {ROUTED: policy, **presets, **configured}


def route_names(configured: Mapping[str, Policy]) -> list[str]:
    """What may stand after ``turnout/``, and be what ``turnout`` means for a key: presets and routes."""
    return [*PRESETS, *configured]
