from __future__ import annotations

from tests.evaluate.collect.support import CAPABLE, CHEAP, JUDGE
from turnout.core.cost import cost_of
from turnout.core.usage import Usage
from turnout.evaluate.collect.calling import highest_pico
from turnout.evaluate.collect.planning import USUAL_OUTPUT, bills_of, pending, prompt_of, tools_of
from turnout.evaluate.collect.requests import Request


def test_expected_and_highest_by_hand() -> None:
    request = Request(id="1", prompt="x" * 400, model=CHEAP.id, answer="y", output_tokens=50)
    [bill] = bills_of([request], None, cheap=CHEAP, capable=CAPABLE, judge=None, max_output=1_000)
    assert (bill.what, bill.model, bill.calls) == ("capable", CAPABLE.id, 1)
    tokens = 100 + 8  # four characters a token, and what stands around a message
    usage = Usage(input_tokens=round(tokens * CAPABLE.tokenizer_ratio), output_tokens=50)
    assert bill.expected_pico == cost_of(usage, CAPABLE.price).total_pico
    assert bill.highest_pico == highest_pico(CAPABLE, tokens, 1_000)


def test_answers_that_nobody_knows_are_taken_as_usual() -> None:
    request = Request(id="1", prompt="x")
    bills = bills_of([request], None, cheap=CHEAP, capable=CAPABLE, judge=JUDGE, max_output=4_000)
    assert [(bill.what, bill.calls) for bill in bills] == [("cheap", 1), ("capable", 1), ("judge", 2)]
    usage = Usage(input_tokens=round(9 * CHEAP.tokenizer_ratio), output_tokens=USUAL_OUTPUT)
    assert bills[0].expected_pico == cost_of(usage, CHEAP.price).total_pico
    assert all(bill.expected_pico < bill.highest_pico for bill in bills)


def test_without_requests_nothing_is_bought() -> None:
    assert bills_of([], None, cheap=CHEAP, capable=CAPABLE, judge=JUDGE, max_output=10) == []


def test_without_a_state_all_is_pending() -> None:
    requests = [Request(id="1", prompt="x")]
    assert pending(requests, None) == requests


def test_tools_of_a_request() -> None:
    assert tools_of(Request(id="1", prompt="x")) == []
    assert tools_of(Request(id="1", prompt="x", tools='{"name":"a"}')) == [{"name": "a"}]
    within = Request(id="1", prompt="x", tools='[{"name":"a"}]', conversation='{"messages":[],"tools":[{"name":"b"}]}')
    assert prompt_of(within, 5, tools_of(within)).tools == [{"name": "b"}]
