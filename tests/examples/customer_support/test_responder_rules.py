from __future__ import annotations

from typing import Any

import pytest

from examples.customer_support.queries import TEST_PROMPTS
from examples.customer_support.responder_rules import rules, support_responder
from turnout.classify.examples import load_queries

RULES = rules()


def calls(query: str) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for rule in RULES:
        tool_input = rule.tool_input(query)
        if tool_input is not None and (rule.tool, tool_input) not in found:
            found.append((rule.tool, tool_input))
    return found


def test_the_test_prompts_get_the_tools_that_they_need() -> None:
    assert [[name for name, _ in calls(asked.prompt)] for asked in TEST_PROMPTS] == [
        ["get_return_policy"],
        ["get_product_info"],
        ["get_technical_support"],
        ["get_product_info", "get_return_policy"],
        [],
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Refund for a tablet?", [("get_return_policy", {"product_category": "tablets"})]),
        ("Can I get my money back?", [("get_return_policy", {"product_category": "Can I get my money back?"})]),
        ("Is the Lumo 12 heavy?", [("get_product_info", {"product_type": "Is the Lumo 12 heavy?"})]),
        (
            "my printer is stuck\nand hot",
            [("get_technical_support", {"issue_description": "my printer is stuck and hot"})],
        ),
        ("Any reviews of it?", [("web_search", {"keywords": "Any reviews of it?", "max_results": 3})]),
        ("My order with the parcel is stuck", []),
        ("Thanks, bye", []),
    ],
)
def test_tools_follow_the_topic(query: str, expected: list[tuple[str, dict[str, Any]]]) -> None:
    assert calls(query) == expected


def test_a_fault_and_a_return_in_one_query_call_both_tools() -> None:
    names = [name for name, _ in calls("My headphones are broken, can I return them?")]
    assert names == ["get_return_policy", "get_technical_support"]


def test_no_query_of_the_packaged_set_is_called_many_tools() -> None:
    counts = [len(calls(query.text)) for query in load_queries()]
    assert max(counts) <= 4
    assert sum(count > 0 for count in counts) > len(counts) / 3


def test_cheap_and_capable_model_follow_the_same_rules() -> None:
    responder = support_responder()
    spec = {"name": "get_return_policy", "description": "d", "inputSchema": {"json": {"type": "object"}}}
    request = {
        "messages": [{"role": "user", "content": [{"text": "Return a camera?"}]}],
        "toolConfig": {"tools": [{"toolSpec": spec}]},
    }
    assert responder("cheap", request) == responder("capable", request)
