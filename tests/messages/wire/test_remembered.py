from __future__ import annotations

import json

from turnout.messages.prefix import PrefixHasher
from turnout.messages.wire import anthropic, openai_chat
from turnout.messages.wire.asked import Asked, without_raw
from turnout.messages.wire.fields import Notes
from turnout.messages.wire.remembered import _MOST, RememberedTools


def chat(description: str, **more: object) -> Asked:
    tool = {"type": "function", "function": {"name": "look", "description": description, **more}}
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "tools": [tool]}
    return openai_chat.decode(json.dumps(body).encode())


def claude(description: str) -> Asked:
    tool = {"name": "look", "description": description, "input_schema": {"type": "object"}}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}], "tools": [tool]}
    return anthropic.decode(json.dumps(body).encode())


def test_the_same_bytes_are_the_same_tools() -> None:
    for read in (chat, claude):
        first, again, other = (read(text).conversation.tools for text in ("looks", "looks", "searches"))
        assert first is again
        assert first is not other
        assert other[0]["toolSpec"]["description"] == "searches"


def test_what_cannot_be_translated_is_named_each_time() -> None:
    for _ in range(2):
        assert chat("looks", odd=1).untranslatable == ("tools.0.function.odd",)


def test_it_is_bounded() -> None:
    remembered, read = RememberedTools(), list[bytes]()

    def ask(raw: bytes) -> None:
        def reads(notes: Notes) -> list[dict[str, object]]:
            read.append(raw)
            return []

        remembered.read(raw, reads, Notes())

    for number in range(_MOST + 1):
        ask(b"%d" % number)
    read.clear()
    ask(b"%d" % _MOST)
    assert read == []
    ask(b"0")
    assert read == [b"0"]


def test_hashes_are_those_of_tools_that_nobody_remembers() -> None:
    hasher = PrefixHasher(b"key")
    for text in ("looks", "looks", "searches"):
        conversation = chat(text).conversation
        fresh = without_raw(conversation)
        assert isinstance(fresh.tools, list)
        assert hasher.segments(conversation) == hasher.segments(conversation)
        assert hasher.segments(conversation) == PrefixHasher(b"key").segments(conversation)
        assert [one.kind for one in hasher.segments(conversation)] == ["tools", "message"]
