from typing import Any

from tests.messages.portability.support import (
    GPT_5,
    HAIKU_45,
    NOVA,
    SONNET_46,
    SONNET_46_A,
    assistant,
    result,
    signed,
    talk,
    use,
    user,
)
from turnout.core.request import HardStay
from turnout.messages.conversation import Conversation, conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import hard_stay, has_bound_state, in_tool_loop, request_of

HASHER = PrefixHasher(b"key of the test")


def of(*blocks: dict[str, Any], role: str = "user") -> Conversation:
    return Conversation(messages=[{"role": role, "content": list(blocks)}])


def test_needs_are_read_from_the_conversation() -> None:
    needs = request_of(of({"text": "see"}, {"image": {}}, {"document": {}}), HASHER, streaming=False).needs
    assert (needs.vision, needs.documents, needs.tools, needs.streaming) == (True, True, False, False)
    assert request_of(of({"toolResult": {"content": []}}), HASHER).needs.tools
    found = request_of(of({"toolResult": {"content": [{"image": {}}, {"document": {}}]}}), HASHER).needs
    assert (found.vision, found.documents) == (True, True)
    with_tools = Conversation(messages=conversation_of("hi").messages, tools=[{"toolSpec": {"name": "look"}}])
    assert request_of(with_tools, HASHER).needs.tools


def test_what_the_caller_set_is_passed_on() -> None:
    stay = HardStay("m", "tool_loop")
    request = request_of(
        conversation_of("hi"),
        HASHER,
        session_id="s",
        max_output_tokens=7,
        parameters=["temperature"],
        forced_tool_choice=True,
        structured_output=True,
        pin="p",
        allowed_models=["p"],
        hard_stay=stay,
    )
    assert (request.session_id, request.max_output_tokens, request.parameters) == ("s", 7, ("temperature",))
    assert (request.pin, request.allowed_models, request.hard_stay) == ("p", ("p",), stay)
    assert request.needs.forced_tool_choice
    assert request.needs.structured_output


def test_without_an_id_the_session_is_the_opening() -> None:
    assert request_of(conversation_of("hi"), HASHER).session_id == HASHER.opening(conversation_of("hi"))


def test_a_request_holds_no_text() -> None:
    assert "secret word" not in repr(request_of(conversation_of("secret word"), HASHER))


def test_signed_and_encrypted_thinking_binds_the_history() -> None:
    signed = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}
    assert has_bound_state(of(signed, role="assistant"))
    assert has_bound_state(of({"reasoningContent": {"redactedContent": b"x"}}, role="assistant"))
    assert not has_bound_state(of({"reasoningContent": {"reasoningText": {"text": "hm"}}}, role="assistant"))
    assert not has_bound_state(conversation_of("hi"))


def test_a_tool_loop_is_seen_from_the_newest_message() -> None:
    assert in_tool_loop(of({"toolResult": {"content": []}}))
    assert not in_tool_loop(conversation_of("hi"))
    assert not in_tool_loop(Conversation(messages=[]))


def test_a_stay_is_what_unsafe_switches_make() -> None:
    plain = talk(user("a"), assistant("b"), user("c"))
    assert hard_stay(plain, SONNET_46, [HAIKU_45, GPT_5]) is None
    assert hard_stay(plain, SONNET_46, [HAIKU_45], turn_goes_on=True) == HardStay(SONNET_46.id, "tool_loop")
    loop = talk(user("a"), assistant(use("1")), user(result("1")))
    assert hard_stay(loop, SONNET_46, [HAIKU_45, GPT_5]) == HardStay(SONNET_46.id, "tool_loop")
    assert hard_stay(loop, SONNET_46, []) == HardStay(SONNET_46.id, "tool_loop")


def test_thinking_binds_where_it_would_be_lost() -> None:
    thought = talk(user("a"), assistant(signed(), "b"), user("c"))
    assert hard_stay(thought, SONNET_46, [HAIKU_45]) == HardStay(SONNET_46.id, "bound_state")
    assert hard_stay(thought, SONNET_46, [SONNET_46_A]) is None
    # One of them could take it: the other is kept from it by itself.
    assert hard_stay(thought, SONNET_46, [SONNET_46_A, NOVA]) is None
    assert hard_stay(thought, HAIKU_45, [SONNET_46]) is None
    assert hard_stay(thought, SONNET_46, [HAIKU_45], leave_thinking=True) is None
    loop = talk(user("a"), assistant(signed(), use("1")), user(result("1")))
    assert hard_stay(loop, SONNET_46, [HAIKU_45], leave_thinking=True) == HardStay(SONNET_46.id, "bound_state")


def test_what_one_candidate_cannot_be_sent_binds_nobody() -> None:
    seen = talk(user("see", {"video": {}}), assistant("b"), user("c"))
    assert hard_stay(seen, NOVA, [GPT_5]) is None
