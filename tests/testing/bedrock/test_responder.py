from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.testing.bedrock import Rule, RuleResponder

MODEL = "global.anthropic.claude-sonnet-4-6"
RULES = (
    Rule(r"\breturns?\b(.* for (?P<category>laptops?|phones?))?", "get_return_policy", {"category": "{category}"}),
    Rule(r"\b(?P<kind>laptop|phone)\b", "get_product_info", {"kind": "{kind}", "limit": 3, "for": "{query}"}),
    Rule(r"broken (\w+)", "get_support", lambda match: {"issue": match[1].upper()}),
)


def spec(name: str, description: str = "Does it.", schema: dict[str, Any] | None = None) -> dict[str, Any]:
    inner = {"name": name, "description": description, "inputSchema": {"json": schema or {"type": "object"}}}
    return {"toolSpec": inner}


TOOLS = {
    "tools": [
        spec("get_return_policy", "How goods are returned. Args: category."),
        {"cachePoint": {"type": "default"}},
        spec("get_product_info", "What a product is\n\nand more."),
        spec("get_support"),
    ]
}


def asked(text: str, **parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}], "toolConfig": TOOLS, **parts}


def calls(responder: RuleResponder, text: str, **parts: Any) -> list[tuple[str, dict[str, Any]]]:
    blocks = responder(MODEL, asked(text, **parts))
    return [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks]


def test_a_rule_calls_its_tool_with_input_from_the_query() -> None:
    assert calls(RuleResponder(RULES), "What about returns for LAPTOPS?") == [
        ("get_return_policy", {"category": "LAPTOPS"})
    ]
    assert calls(RuleResponder(RULES), "My phone rings") == [
        ("get_product_info", {"kind": "phone", "limit": 3, "for": "My phone rings"})
    ]
    assert calls(RuleResponder(RULES), "A broken screen") == [("get_support", {"issue": "SCREEN"})]


def test_a_group_without_a_part_in_the_match_is_left_out() -> None:
    assert calls(RuleResponder(RULES), "How do returns work?") == [("get_return_policy", {})]


def test_every_rule_that_matches_calls_its_tool_in_one_message() -> None:
    text = "Returns for phones, and what is the phone like?"
    names = [name for name, _ in calls(RuleResponder(RULES), text)]
    assert names == ["get_return_policy", "get_product_info"]


def test_equal_calls_are_made_once() -> None:
    again = Rule("phone", "get_support", {"issue": "screen"})
    assert calls(RuleResponder([again, again]), "My phone") == [("get_support", {"issue": "screen"})]


def test_a_tool_that_is_not_offered_is_not_called() -> None:
    (block,) = RuleResponder(RULES)(MODEL, asked("A broken screen", toolConfig={"tools": [spec("other")]}))
    assert "other" in block["text"]


def test_tool_use_ids_are_those_of_the_conversation() -> None:
    first, again = (RuleResponder(RULES)(MODEL, asked("My phone"))[0]["toolUse"]["toolUseId"] for _ in range(2))
    other = RuleResponder(RULES)(MODEL, asked("My phone!"))[0]["toolUse"]["toolUseId"]
    assert first == again != other


def test_no_rule_no_tool_a_greeting_that_names_the_tools() -> None:
    (block,) = RuleResponder(RULES)(MODEL, asked("Hello there"))
    assert block["text"].splitlines() == [
        "Hello! Here is what I can help you with:",
        "- get_return_policy: How goods are returned.",
        "- get_product_info: What a product is",
        "- get_support: Does it.",
        "What would you like to know?",
    ]
    assert "no tools" in RuleResponder(RULES)(MODEL, {"messages": asked("My phone")["messages"]})[0]["text"]


def answered(query: str, *results: dict[str, Any]) -> dict[str, Any]:
    uses = [
        {"toolUse": {"toolUseId": f"t{index}", "name": f"tool_{index}", "input": {}}} for index in range(len(results))
    ]
    found = [{"toolResult": {"toolUseId": f"t{index}", **result}} for index, result in enumerate(results)]
    return {
        "messages": [
            {"role": "user", "content": [{"text": query}]},
            {"role": "assistant", "content": uses},
            {"role": "user", "content": found},
        ]
    }


def test_an_answer_is_made_of_what_the_tool_returned() -> None:
    policy = (
        "We were founded in 1999. Laptops may be returned within 30 days. Our shop is in Bern. "
        "Phones may be returned within 14 days.\nOpened laptops cost a restocking fee."
    )
    responder = RuleResponder(sentences=2)
    (block,) = responder(MODEL, answered("Can a laptop be returned?", {"content": [{"text": policy}]}))
    # "laptop" and "returned": two sentences share a word with the query more often than the others.
    assert block["text"] == (
        "Here is what I found.\n\nLaptops may be returned within 30 days. Phones may be returned within 14 days."
    )


def test_several_results_json_errors_and_silence() -> None:
    request = answered(
        "What is in stock?",
        {"content": [{"json": {"in_stock": [{"name": "Aero 14", "price": 999}], "currency": "CHF"}}]},
        {"content": [{"text": "no network"}], "status": "error"},
        {"content": []},
    )
    (block,) = RuleResponder()(MODEL, request)
    assert block["text"].split("\n\n") == [
        "Here is what I found.",
        "name: Aero 14 price: 999 currency: CHF",
        "tool_1 could not help: no network",
        "tool_2 returned nothing.",
    ]


def test_long_results_are_trimmed_at_a_word() -> None:
    (block,) = RuleResponder(characters=20)(MODEL, answered("stock", {"content": [{"text": "stock " * 50}]}))
    assert block["text"] == "Here is what I found.\n\nstock stock stock..."


def test_longer_results_make_longer_answers() -> None:
    def length(count: int) -> int:
        facts = " ".join(f"Fact {index} about laptops." for index in range(count))
        return len(RuleResponder(sentences=100)(MODEL, answered("laptops", {"content": [{"text": facts}]}))[0]["text"])

    assert length(2) < length(5) < length(20)


SCHEMA = {
    "type": "object",
    "properties": {"issue": {"type": "string"}, "level": {"type": "integer", "minimum": 2}},
    "required": ["issue", "level"],
}


@pytest.mark.parametrize("choice", [{"any": {}}, {"tool": {"name": "get_support"}}])
def test_a_forced_tool_is_called_with_a_minimal_input(choice: dict[str, Any]) -> None:
    tools = {"tools": [spec("other"), spec("get_support", schema=SCHEMA)], "toolChoice": choice}
    assert calls(RuleResponder(), "Hello", toolConfig=tools) == [("get_support", {"issue": "simulated", "level": 2})]


def test_a_rule_completes_the_input_of_a_forced_tool() -> None:
    tools = {"tools": [spec("get_support", schema=SCHEMA), spec("other")], "toolChoice": {"any": {}}}
    assert calls(RuleResponder(RULES), "A broken screen", toolConfig=tools) == [
        ("get_support", {"issue": "SCREEN", "level": 2})
    ]


def test_a_format_for_the_answer() -> None:
    text_format = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "S"}}}
    (block,) = RuleResponder(RULES)(MODEL, asked("My phone", outputConfig={"textFormat": text_format}))
    assert json.loads(block["text"]) == {"issue": "simulated", "level": 2}


def test_the_model_makes_no_difference() -> None:
    request = asked("Hello")
    assert RuleResponder(RULES)("a", request) == RuleResponder(RULES)("b", request)


def test_a_bad_pattern_is_said_at_once() -> None:
    with pytest.raises(ValueError, match=r"the rule for lookup has a bad pattern '\('"):
        Rule("(", "lookup", {})


def test_it_goes_on_from_the_beginning_of_its_own_answer() -> None:
    responder = RuleResponder()
    request = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    (whole,) = responder(MODEL, request)
    for length in (1, 9, len(whole["text"]) - 1):
        said = {"role": "assistant", "content": [{"text": whole["text"][:length]}]}
        assert responder(MODEL, {"messages": [*request["messages"], said]}) == [{"text": whole["text"][length:]}]
    said = {"role": "assistant", "content": [whole]}
    assert responder(MODEL, {"messages": [*request["messages"], said]}) == []
    said = {"role": "assistant", "content": [{"text": "Of another kind"}]}
    assert responder(MODEL, {"messages": [*request["messages"], said]}) == [whole]
