from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.messages.conversation import Conversation
from turnout.messages.prefix import PrefixHasher

KEY = b"key of the test"
texts = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6)


def conversation(*queries: str, system: str = "be kind", marker: bool = False) -> Conversation:
    blocks: list[dict[str, Any]] = [{"text": system}]
    if marker:
        blocks.append({"cachePoint": {"type": "default"}})
    messages: list[dict[str, Any]] = []
    for query in queries:
        messages += [{"role": "user", "content": [{"text": query}]}, {"role": "assistant", "content": [{"text": "ok"}]}]
    return Conversation(messages=messages[:-1], system=blocks, tools=[{"toolSpec": {"name": "look"}}])


def test_segments_stand_in_the_order_of_caches_and_carry_markers() -> None:
    segments = PrefixHasher(KEY).segments(conversation("hi", marker=True))
    assert [segment.kind for segment in segments] == ["tools", "system", "message"]
    assert [segment.marker for segment in segments] == [None, "5m", None]


def test_the_ttl_of_a_cache_point_is_read() -> None:
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    made = Conversation(messages=[{"role": "user", "content": [{"text": "hi"}]}], system=[{"text": "s"}, point])
    assert PrefixHasher(KEY).segments(made)[0].marker == "1h"


def test_a_cache_point_changes_no_hash() -> None:
    hasher = PrefixHasher(KEY)
    plain, marked = (hasher.segments(conversation("hi", marker=marker)) for marker in (False, True))
    assert [segment.prefix_hash for segment in plain] == [segment.prefix_hash for segment in marked]


@given(texts, st.text(min_size=1))
def test_equal_prefixes_have_equal_hashes_and_what_follows_does_not_matter(queries: list[str], more: str) -> None:
    hasher = PrefixHasher(KEY)
    short, long = hasher.segments(conversation(*queries)), hasher.segments(conversation(*queries, more))
    assert [segment.prefix_hash for segment in short] == [segment.prefix_hash for segment in long[: len(short)]]


@given(texts, texts)
def test_different_prompts_have_different_hashes(a: list[str], b: list[str]) -> None:
    hasher = PrefixHasher(KEY)
    same = hasher.segments(conversation(*a))[-1].prefix_hash == hasher.segments(conversation(*b))[-1].prefix_hash
    assert same == (a == b)


def test_hashes_are_keyed() -> None:
    made = conversation("hi")
    assert PrefixHasher(b"one").segments(made) != PrefixHasher(b"two").segments(made)
    assert PrefixHasher().segments(made) != PrefixHasher().segments(made)


@pytest.mark.parametrize("key", [b"", b"x" * 65])
def test_a_key_of_the_wrong_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        PrefixHasher(key)


def test_a_session_keeps_its_id_and_turns_differ() -> None:
    hasher = PrefixHasher(KEY)
    first, second = conversation("a"), conversation("a", "b")
    assert hasher.opening(first) == hasher.opening(second)
    assert hasher.turn(first) != hasher.turn(second)


def test_tool_results_do_not_open_a_turn() -> None:
    hasher = PrefixHasher(KEY)
    before = conversation("a")
    loop = [
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "look", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": []}}]},
    ]
    after = Conversation(messages=[*before.messages, *loop], system=before.system, tools=before.tools)
    assert hasher.turn(before) == hasher.turn(after)
