"""What a model may be called."""

from __future__ import annotations

import pytest

from turnout.config import load_catalog, load_settings
from turnout.config.presets import PRESETS
from turnout.core.catalog import UnknownModelError
from turnout.core.policy import Candidate, Policy
from turnout.doors.gateway.models import Models
from turnout.messages.wire.asked import WireProtocol

ANTHROPIC, BEDROCK = "anthropic/claude-sonnet-4-6", "bedrock/global.anthropic.claude-sonnet-4-6"
EU = "bedrock/eu.anthropic.claude-sonnet-4-6"


def models(*ids: str) -> Models:
    policy = Policy(candidates=tuple(Candidate(one, rank) for rank, one in enumerate(ids)))
    protocols = {
        "anthropic": WireProtocol.ANTHROPIC,
        "bedrock": WireProtocol.CONVERSE,
        "openai": WireProtocol.OPENAI_CHAT,
    }
    speaks = {one: frozenset({protocols[one.partition("/")[0]]}) for one in ids}
    return Models(policy, load_catalog(), load_settings().resolve, speaks)


def test_turnout_itself() -> None:
    known = models("openai/gpt-5-mini", "openai/gpt-5")
    assert known.choose("turnout", WireProtocol.OPENAI_CHAT).pin is None
    for name, bars in PRESETS.items():
        choice = known.choose(f"turnout/{name}", WireProtocol.OPENAI_CHAT)
        assert (choice.pin, choice.policy.simple_bar) == (None, bars["simple_bar"])
    assert known.names[-2:] == ["openai/gpt-5", "openai/gpt-5-mini"]


def test_routes_of_the_settings() -> None:
    ids = ("openai/gpt-5-mini", "openai/gpt-5")
    policy = Policy(candidates=tuple(Candidate(one, rank) for rank, one in enumerate(ids)))
    careful = Policy(candidates=policy.candidates, simple_bar=0.99)
    speaks = {one: frozenset({WireProtocol.OPENAI_CHAT}) for one in ids}
    known = Models(policy, load_catalog(), load_settings().resolve, speaks, {"support": careful, "gpt-5": careful})
    for name in ("support", "turnout/support", "gpt-5"):
        assert known.choose(name, WireProtocol.OPENAI_CHAT) == (careful, None)
    assert known.choose("openai/gpt-5", WireProtocol.OPENAI_CHAT).pin == "openai/gpt-5"
    assert known.names == ["turnout", *(f"turnout/{one}" for one in PRESETS), "support", "gpt-5", *reversed(ids)]
    with pytest.raises(UnknownModelError, match="'support'"):
        known.choose("suport", WireProtocol.OPENAI_CHAT)


def test_candidates_by_every_name() -> None:
    known = models(ANTHROPIC, BEDROCK)
    for name, protocol, found in (
        (ANTHROPIC, WireProtocol.CONVERSE, ANTHROPIC),
        ("claude-sonnet-4-6", WireProtocol.ANTHROPIC, ANTHROPIC),
        ("global.anthropic.claude-sonnet-4-6", WireProtocol.CONVERSE, BEDROCK),
        ("anthropic.claude-sonnet-4-6", WireProtocol.CONVERSE, BEDROCK),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/global.anthropic.claude-sonnet-4-6",
            WireProtocol.CONVERSE,
            BEDROCK,
        ),
    ):
        assert known.pin(name, protocol) == found
        assert known.pin(name, protocol) == found  # remembered


def test_a_name_without_profile_that_is_two_candidates() -> None:
    with pytest.raises(UnknownModelError, match="name one of them"):
        models(BEDROCK, EU).choose("anthropic.claude-sonnet-4-6", WireProtocol.CONVERSE)


@pytest.mark.parametrize("name", ["gpt-4.1", "turnot", "", "x" * 5_000, "turnout/cheap"])
def test_what_is_not_served(name: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        models("openai/gpt-5-mini", "openai/gpt-5").choose(name, WireProtocol.OPENAI_CHAT)
    assert len(str(caught.value)) < 400


def test_turnout_is_no_pin() -> None:
    with pytest.raises(UnknownModelError, match="is no model to pin"):
        models("openai/gpt-5").pin("turnout", WireProtocol.OPENAI_CHAT)
