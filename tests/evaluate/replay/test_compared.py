import pytest

from tests.evaluate.replay.traces import small
from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.evaluate.replay.compared import (
    FORESIGHT_POLICIES,
    POLICIES,
    SIMPLE_POLICIES,
    TURNOUT_POLICIES,
    policies_for,
    policy_named,
)
from turnout.evaluate.replay.conditions import conditions
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.verdicts import Verdicts

NONE = Verdicts(shown=(), simple=(), name="none")


def test_every_policy_has_a_name_and_a_place() -> None:
    assert {*SIMPLE_POLICIES, *TURNOUT_POLICIES, *FORESIGHT_POLICIES} == set(POLICIES)
    for name in POLICIES:
        assert policy_named(name, (), NONE, small()).name == name


def test_mistakes() -> None:
    with pytest.raises(TraceError, match="unknown policy 'naïve'; the nearest known one is 'naive'"):
        policy_named("naïve", (), NONE, small())
    entries = conditions(load_catalog(), PAIR_4, "entries")
    with pytest.raises(TraceError, match="'foresight' knows the future of a cache of blocks"):
        policy_named("foresight", (), NONE, entries)
    assert policies_for("blocks") == tuple(POLICIES)
    assert set(policies_for("entries")) == set(POLICIES) - set(FORESIGHT_POLICIES)
