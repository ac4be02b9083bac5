from typing import Any

import pytest

from tests.messages.portability.support import (
    GPT_5,
    GPT_41,
    HAIKU_45,
    NOVA,
    SONNET_46,
    SONNET_46_A,
    assistant,
    redacted,
    result,
    signed,
    talk,
    unsigned,
    use,
    user,
)
from turnout.core.catalog import Model
from turnout.messages.conversation import Conversation
from turnout.messages.portability import SwitchReason, SwitchSafety, safe_to_switch
from turnout.messages.portability.safety import bound_reasoning

PLAIN = talk(user("a"), assistant("b"), user("c"))
LOOP = talk(user("a"), assistant(use("1")), user(result("1")))
THOUGHT = talk(user("a"), assistant(signed(), "b"), user("c"))
THOUGHT_LOOP = talk(user("a"), assistant(signed(), use("1")), user(result("1")))
ENCRYPTED: Any = {"reasoningContent": {"reasoningText": {"text": "", "signature": '{"encrypted_content": "x"}'}}}


@pytest.mark.parametrize(
    ("history", "source", "target", "reason", "detail"),
    [
        (THOUGHT_LOOP, SONNET_46, SONNET_46, "same_model", ""),
        (PLAIN, SONNET_46, HAIKU_45, "nothing_bound", ""),
        (PLAIN, SONNET_46, NOVA, "nothing_bound", ""),
        (LOOP, GPT_5, HAIKU_45, "tool_loop", "messages.2"),
        (LOOP, NOVA, HAIKU_45, "tool_loop", "messages.2"),
        (THOUGHT, HAIKU_45, SONNET_46, "nothing_lost", ""),
        (THOUGHT, SONNET_46, SONNET_46_A, "nothing_lost", ""),
        (THOUGHT, SONNET_46, HAIKU_45, "thinking_lost", "messages.1.content.0"),
        (THOUGHT, SONNET_46, GPT_5, "thinking_lost", "messages.1.content.0"),
        (THOUGHT, SONNET_46, NOVA, "thinking_lost", "messages.1.content.0"),
        (THOUGHT_LOOP, SONNET_46, HAIKU_45, "tool_loop_thinking", "messages.1.content.0"),
        (THOUGHT_LOOP, SONNET_46, NOVA, "tool_loop_thinking", "messages.1.content.0"),
        (THOUGHT_LOOP, SONNET_46, SONNET_46_A, "tool_loop", "messages.2"),
        (
            talk(user("a"), assistant(redacted(), "b"), user("c")),
            GPT_5,
            SONNET_46,
            "encrypted_reasoning",
            "messages.1.content.0",
        ),
        (
            talk(user("a"), assistant(ENCRYPTED, "b"), user("c")),
            GPT_5,
            GPT_41,
            "encrypted_reasoning",
            "messages.1.content.0",
        ),
        (talk(user("a"), assistant(unsigned(), "b"), user("c")), GPT_5, SONNET_46, "nothing_bound", ""),
        (
            talk(user("a"), assistant(use("1", type="server_tool_use"))),
            SONNET_46_A,
            SONNET_46,
            "server_state",
            "messages.1.content.0",
        ),
        (talk(user("a", {"video": {}})), SONNET_46, GPT_5, "untranslatable", "untranslatable:messages.0.content.1"),
    ],
)
def test_every_switch_has_its_reason(
    history: Conversation, source: Model, target: Model, reason: str, detail: str
) -> None:
    assert safe_to_switch(history, source, target) == SwitchSafety(SwitchReason(reason), detail)


def test_thinking_of_finished_turns_may_be_left_behind_where_the_caller_allows_it() -> None:
    assert safe_to_switch(THOUGHT, SONNET_46, HAIKU_45, leave_thinking=True).reason is SwitchReason.THINKING_LEFT
    assert safe_to_switch(THOUGHT, SONNET_46, GPT_5, leave_thinking=True).safe
    inside = safe_to_switch(THOUGHT_LOOP, SONNET_46, HAIKU_45, leave_thinking=True)
    assert inside.reason is SwitchReason.TOOL_LOOP_THINKING
    encrypted = talk(user("a"), assistant(ENCRYPTED, "b"), user("c"))
    assert safe_to_switch(encrypted, GPT_5, SONNET_46, leave_thinking=True).safe
    loop = talk(user("a"), assistant(ENCRYPTED, use("1")), user(result("1")))
    assert safe_to_switch(loop, GPT_5, SONNET_46, leave_thinking=True).reason is SwitchReason.ENCRYPTED_REASONING


def test_what_a_provider_keeps_is_named_by_the_caller() -> None:
    safety = safe_to_switch(PLAIN, GPT_5, SONNET_46, server_state=["previous_response_id"])
    assert safety == SwitchSafety(SwitchReason.SERVER_STATE, "previous_response_id")


@pytest.mark.parametrize("reason", list(SwitchReason))
def test_what_follows_from_a_reason(reason: SwitchReason) -> None:
    safety = SwitchSafety(reason)
    safe = reason in ("same_model", "nothing_bound", "nothing_lost", "thinking_left")
    assert safety.safe is safe
    assert safety.survives is (safe or reason == "tool_loop")
    loop, target_alone = reason == "tool_loop", reason == "untranslatable"
    assert safety.cause == (None if safe or target_alone else "tool_loop" if loop else "bound_state")


def test_bound_reasoning_is_found_with_its_place() -> None:
    history = talk(user("a"), assistant(unsigned(), signed(), redacted()))
    assert bound_reasoning(history) == [("messages.1.content.1", 1, False), ("messages.1.content.2", 1, False)]
    assert [foreign for _, _, foreign in bound_reasoning(history, GPT_5)] == [False, True]
