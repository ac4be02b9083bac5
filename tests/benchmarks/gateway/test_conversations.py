import json

import pytest

from benchmarks.gateway.conversations import KINDS, Kind, measured


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_conversation_of_each_kind_is_served(kind: Kind) -> None:
    cost = measured(kind, 2, requests=10, rounds=1)
    assert cost.serving > 0
    assert cost.ledger > 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_turn_is_four_messages(kind: Kind) -> None:
    one, three = (json.loads(kind.body(0, turns)) for turns in (1, 3))
    assert len(three["messages"]) - len(one["messages"]) == 8
    assert kind.body(0, 1) != kind.body(1, 1)
