import pytest

from tests.messages.portability.support import GPT_5, HAIKU_45, HAIKU_45_A, NOVA, model
from turnout.core.catalog import Model
from turnout.messages.portability.protocols import RULES, Protocol, protocol_of


@pytest.mark.parametrize(
    ("entry", "protocol"),
    [
        (HAIKU_45, Protocol.BEDROCK_CLAUDE),
        (HAIKU_45_A, Protocol.ANTHROPIC_CLAUDE),
        (GPT_5, Protocol.OPENAI),
        (NOVA, Protocol.OTHER),
        (model("local", "smollm2"), Protocol.OTHER),
    ],
)
def test_how_a_model_is_asked(entry: Model, protocol: Protocol) -> None:
    assert protocol_of(entry) is protocol
    assert protocol.claude == (protocol in (Protocol.BEDROCK_CLAUDE, Protocol.ANTHROPIC_CLAUDE))


def test_every_protocol_but_the_unknown_one_has_rules() -> None:
    assert set(RULES) == set(Protocol) - {Protocol.OTHER}


def test_ids_that_every_protocol_takes() -> None:
    for rules in RULES.values():
        assert rules.tool_id.fullmatch("toolu_01D7FLrfh4GYq7yT1ULFeyMV")
        assert not rules.tool_id.fullmatch("")
