"""Codes in words."""

from __future__ import annotations

import pytest

from turnout.core.ineligible import in_words
from turnout.core.request import Needs


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("history:untranslatable:protocol", "its provider does not speak the protocol of the request"),
        ("history:untranslatable:seed", "its provider's protocol has no place for seed"),
        ("history:bound:server_state", "the conversation holds what only another model can read (server_state)"),
        ("parameter_rejected:thinking.adaptive", "it rejects the parameter thinking.adaptive"),
        ("parameter_unknown:effort", "nobody knows whether it takes the parameter effort"),
        ("output_limit:9>5", "9 output tokens are asked for, and it gives at most 5"),
        ("context_window:9>5", "prompt and answer may come to 9 tokens, and its context window has 5"),
        ("breaker_open", "it failed too often and rests for a while"),
        ("history_bound:bedrock/x:0", "the conversation goes on with bedrock/x:0 only"),
    ],
)
def test_the_words_stand_before_the_code(code: str, words: str) -> None:
    assert in_words(code).startswith(words)
    assert in_words(code).endswith(f" ({code})")


def test_every_need_has_words() -> None:
    for need in Needs.__struct_fields__:
        assert in_words(f"lacks:{need}") != f"lacks:{need}"


def test_what_has_no_words_stays() -> None:
    assert in_words("something:else") == "something:else"
