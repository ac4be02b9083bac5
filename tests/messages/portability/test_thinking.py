from typing import Any

import pytest

from tests.messages.portability.support import GPT_5, HAIKU_45, NOVA, SONNET_46, SONNET_46_A, model
from turnout.config.catalog import load_catalog
from turnout.messages.portability.thinking import (
    ClaudeName,
    claude_name,
    is_foreign,
    keeps_earlier_thinking,
    kind_of_reasoning,
    reads_thinking,
)


def bedrock(name: str) -> Any:
    return model("bedrock", f"global.anthropic.claude-{name}")


def anthropic(name: str) -> Any:
    return model("anthropic", f"claude-{name}")


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", ("haiku", (4, 5))),
        ("claude-sonnet-4-20250514", ("sonnet", (4, 0))),
        ("us.anthropic.claude-opus-4-6-v1", ("opus", (4, 6))),
        ("claude-sonnet-5", ("sonnet", (5, 0))),
        ("anthropic.claude-fable-5-1", ("fable", (5, 1))),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", ("sonnet", (3, 7))),
        ("anthropic.claude-3-haiku-20240307-v1:0", ("haiku", (3, 0))),
        ("gpt-5", None),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", None),
    ],
)
def test_family_and_version_are_read_from_the_id(model_id: str, name: Any) -> None:
    assert claude_name(model("bedrock", model_id)) == (None if name is None else ClaudeName(*name))


def test_every_claude_of_the_catalog_is_known() -> None:
    claudes = [entry for entry in load_catalog().models if "claude" in entry.model_id]
    assert len(claudes) > 10
    assert all(claude_name(entry) for entry in claudes)


@pytest.mark.parametrize(
    ("reader", "author", "reads"),
    [
        (bedrock("sonnet-4-6"), bedrock("sonnet-4-6"), True),
        (anthropic("sonnet-4-6"), bedrock("sonnet-4-6"), True),
        (anthropic("sonnet-5-5"), bedrock("sonnet-5-5"), False),  # another account
        (bedrock("sonnet-4-6"), bedrock("haiku-4-5"), False),  # no page says so
        (bedrock("sonnet-5-5"), bedrock("sonnet-5"), True),
        (bedrock("sonnet-5-5"), bedrock("opus-4-8"), True),
        (bedrock("sonnet-5-5"), bedrock("haiku-4-5"), True),
        (bedrock("sonnet-5-5"), bedrock("opus-5"), False),
        (bedrock("sonnet-5-5"), bedrock("fable-5-1"), False),
        (bedrock("opus-5-5"), bedrock("opus-5"), True),
        (bedrock("opus-5-5"), bedrock("sonnet-5-5"), False),  # on the Claude API alone
        (anthropic("opus-5-5"), anthropic("sonnet-5-5"), True),
        (anthropic("opus-5-5"), anthropic("fable-5-1"), False),
        (anthropic("fable-5-1"), anthropic("opus-5-5"), True),
        (bedrock("fable-5-1"), bedrock("opus-5-5"), False),
        (bedrock("fable-5-1"), bedrock("mythos-5-1"), True),
        (bedrock("fable-5-1"), bedrock("haiku-4-5"), True),
        (bedrock("haiku-5-5"), bedrock("sonnet-5-5"), False),
        (bedrock("sonnet-4-6"), GPT_5, False),
        (GPT_5, bedrock("sonnet-4-6"), False),
    ],
)
def test_who_reads_whom(reader: Any, author: Any, reads: bool) -> None:
    assert reads_thinking(reader, author) is reads


@pytest.mark.parametrize(
    ("name", "keeps"),
    [
        ("haiku-4-5", False),
        ("haiku-5-5", True),
        ("sonnet-4-5", False),
        ("sonnet-4-6", True),
        ("opus-4-1", False),
        ("opus-4-5", True),
        ("fable-5", True),
    ],
)
def test_who_reads_its_own_earlier_turns(name: str, keeps: bool) -> None:
    assert keeps_earlier_thinking(bedrock(name)) is keeps


def test_of_an_id_that_does_not_tell_the_worse_is_taken() -> None:
    assert keeps_earlier_thinking(model("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"))


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ({"text": "hm"}, ""),
        ({"reasoningContent": {"reasoningText": {"text": "hm"}}}, "unsigned"),
        ({"reasoningContent": {"reasoningText": {"text": "", "signature": None}}}, "unsigned"),
        ({"reasoningContent": {"reasoningText": {"text": "", "signature": "EqMB"}}}, "signed"),
        ({"reasoningContent": {"reasoningText": {"text": "", "signature": "{not json"}}}, "signed"),
        ({"reasoningContent": {"reasoningText": {"text": "", "signature": '{"encrypted_content": "x"}'}}}, "encrypted"),
        ({"reasoningContent": {"redactedContent": b"x"}}, "redacted"),
        ({"toolUse": {"toolUseId": "t", "name": "n", "input": {}, "reasoningSignature": "x"}}, "encrypted"),
        ({"toolUse": {"toolUseId": "t", "name": "n", "input": {}}}, ""),
    ],
)
def test_kinds_of_reasoning(block: dict[str, Any], kind: str) -> None:
    assert kind_of_reasoning(block) == kind


def test_a_redacted_block_is_its_authors() -> None:
    assert not is_foreign("redacted", SONNET_46)
    assert not is_foreign("redacted", SONNET_46_A)
    assert not is_foreign("redacted", None)
    assert is_foreign("redacted", GPT_5)
    assert is_foreign("redacted", NOVA)
    assert is_foreign("encrypted", HAIKU_45)
    assert not is_foreign("signed", GPT_5)
