from tests.messages.portability.support import user
from turnout.messages.portability.adapter import carry_case, conversation_of_case, model_of_case
from turnout.messages.portability.protocols import Protocol, protocol_of

MODEL = {
    "protocol": "bedrock",
    "model_id": "global.anthropic.claude-sonnet-4-6",
    "tool_id": "[a-z]+",
    "caching": "explicit",
    "floor_tokens": 1024,
    "ttls": ["5m", "1h"],
    "max_markers": 4,
    "prefill": False,
}


def history(*blocks: object) -> dict[str, object]:
    return {"system": [], "tools": [], "messages": [user(*blocks)]}


def test_a_model_of_the_suite_is_a_catalog_entry() -> None:
    model = model_of_case(MODEL)
    assert protocol_of(model) is Protocol.BEDROCK_CLAUDE
    assert (model.cache.floor_tokens, model.cache.ttls, model.capabilities.prefill) == (1024, ("5m", "1h"), False)


def test_a_case_is_carried_or_refused() -> None:
    answer = carry_case(history("a", ""), MODEL, MODEL, "user")
    assert answer == {"history": history("a"), "edits": ["drop_blank_text:messages.0.content.1"]}
    assert carry_case(history({"video": {}}), MODEL, MODEL, "user") == {
        "refusal": "untranslatable:messages.0.content.0"
    }
    assert conversation_of_case(history("a")).query == "a"
