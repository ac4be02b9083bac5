from __future__ import annotations

import msgspec

from tests.trace.decided import POLICY
from turnout.config.presets import PRESETS
from turnout.core.policy import Policy
from turnout.evaluate.plan.naming import Naming, naming_of

ECONOMY = msgspec.structs.replace(POLICY, **PRESETS["economy"])
QUALITY = msgspec.structs.replace(POLICY, **PRESETS["quality"])
OWN = msgspec.structs.replace(POLICY, simple_bar=0.61)
ALONE = msgspec.structs.replace(POLICY, candidates=POLICY.candidates[1:])


def test_presets_and_routes_are_known_by_bars_and_candidates() -> None:
    naming = Naming(POLICY, {"mine": OWN, "one": ALONE})
    found = [naming.of(one) for one in (POLICY, ECONOMY, QUALITY, OWN, ALONE)]
    assert found == ["", "economy", "quality", "mine", "one"]
    assert naming.of(msgspec.structs.replace(POLICY, simple_bar=0.99)) == ""
    assert naming.of(msgspec.structs.replace(OWN, adapt=True, candidates=OWN.candidates[::-1])) == "mine"


def base(*recorded: Policy, old: Policy = POLICY, **routes: Policy) -> Policy:
    return naming_of(recorded, (old,), routes).base


def test_the_base_is_the_lock_that_decided_else_the_most_frequent_that_is_no_route() -> None:
    assert base(ECONOMY, POLICY) == POLICY
    assert base(OWN, ECONOMY) == OWN
    assert base(OWN, ECONOMY, mine=OWN) == ECONOMY
    assert base(OWN, mine=OWN) == OWN
