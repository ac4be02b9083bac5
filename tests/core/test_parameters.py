"""Parameters that only some models take: what is known is held to, what is not known counts as refused."""

from __future__ import annotations

import msgspec
import pytest

from tests.core.price_table import SONNET_4_6
from turnout.core.eligible import ineligible_reasons
from turnout.core.parameters import may_be_dropped, stance
from turnout.core.policy import Candidate, Policy
from turnout.core.request import Request

KNOWN = msgspec.structs.replace(
    SONNET_4_6, rejected_parameters=("top_k",), accepted_parameters=("thinking.adaptive", "effort")
)
UNKNOWN = msgspec.structs.replace(KNOWN, accepted_parameters=None)
POLICY = Policy(candidates=(Candidate(SONNET_4_6.id, 0),))


@pytest.mark.parametrize(
    ("parameter", "known", "unknown"),
    [
        ("temperature", "takes", "takes"),
        ("top_k", "rejects", "rejects"),
        ("reasoning_effort", "takes", "takes"),
        ("thinking.adaptive", "takes", "unknown"),
        ("thinking.enabled", "rejects", "unknown"),
        ("effort", "takes", "unknown"),
        ("effort.max", "rejects", "unknown"),
        ("context_management", "rejects", "unknown"),
    ],
)
def test_what_a_model_makes_of_a_parameter(parameter: str, known: str, unknown: str) -> None:
    assert (stance(KNOWN, parameter), stance(UNKNOWN, parameter)) == (known, unknown)


def test_what_is_not_known_counts_as_refused_unless_that_model_is_insisted_on() -> None:
    asked = Request(session_id="s", segments=(), parameters=("thinking.enabled", "context_management"))
    pinned = msgspec.structs.replace(asked, pin=SONNET_4_6.id)
    rejected = ("parameter_rejected:thinking.enabled", "parameter_rejected:context_management")
    assert ineligible_reasons(asked, KNOWN, POLICY, 1) == (rejected, ())
    assert ineligible_reasons(pinned, KNOWN, POLICY, 1) == (rejected, ())
    unknown = ("parameter_unknown:thinking.enabled", "parameter_unknown:context_management")
    assert ineligible_reasons(asked, UNKNOWN, POLICY, 1) == (unknown, ())
    assert ineligible_reasons(pinned, UNKNOWN, POLICY, 1) == ((), ())


def test_only_what_leaves_the_way_to_the_model_is_dropped() -> None:
    adapting = msgspec.structs.replace(POLICY, adapt=True)
    asked = Request(session_id="s", segments=(), parameters=("thinking.enabled", "context_management"))
    assert ineligible_reasons(asked, KNOWN, adapting, 1) == (
        ("parameter_rejected:thinking.enabled",),
        ("drop_parameter:context_management",),
    )
    names = ("temperature", "thinking.adaptive", "effort", "effort.max", "context_management", "reasoning_effort")
    assert all(may_be_dropped(name) for name in names)
    binding = ("thinking.enabled", "thinking.disabled", "thinking.disabled_above_high", "thinking.between_tools")
    assert not any(may_be_dropped(name) for name in (*binding, "thinking.unknown"))
