"""Why an answer ended: every word has one on every side, and those that all know come back as they were."""

from __future__ import annotations

import pytest

from turnout.messages.translation import reasons

ANTHROPIC = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal", "model_context_window_exceeded"}
OPENAI = {"stop", "length", "tool_calls", "content_filter"}


@pytest.mark.parametrize("reason", sorted(reasons.CONVERSE))
def test_every_reason_has_a_word_everywhere(reason: str) -> None:
    assert reasons.to_openai(reason) in OPENAI
    assert reasons.to_anthropic(reason) in ANTHROPIC


def test_words_come_back() -> None:
    assert {reasons.to_openai(reasons.from_openai(one)) for one in OPENAI} == OPENAI
    assert {reasons.to_anthropic(reasons.from_anthropic(one)) for one in ANTHROPIC} == ANTHROPIC


def test_a_word_that_is_not_known_ends_an_answer_all_the_same() -> None:
    found = {reasons.from_openai("new"), reasons.from_anthropic("new"), reasons.from_converse("")}
    assert found == {"end_turn"}
