"""What classifiers see of a conversation: the query, a few turns before it, and both cut to a bounded length."""

from __future__ import annotations

from typing import Literal

from turnout.messages.conversation import Conversation

Turn = tuple[Literal["user", "assistant"], str]
"""Who said it, and what."""

CUT = " [...] "
"""Stands where text was left out."""


def bounded(text: str, most_chars: int) -> str:
    """The text, or its head and tail where it is longer than ``most_chars`` characters.

    What is asked stands mostly at the beginning or at the end of a long query, so two thirds of the room go to the
    head and one third to the tail.

    Raises:
        ValueError: ``most_chars`` leaves no room for head, mark and tail.
    """
    if most_chars < len(CUT) + 3:
        raise ValueError(f"most_chars must be at least {len(CUT) + 3}, got {most_chars}")
    if len(text) <= most_chars:
        return text
    room = most_chars - len(CUT)
    tail = room // 3
    return text[: room - tail] + CUT + text[len(text) - tail :]


def turns_before_query(conversation: Conversation, most_turns: int) -> list[Turn]:
    """The messages with text of the last ``most_turns`` turns before the query, oldest first.

    A turn begins with a message of the user and ends before the next one.
    """
    said = list(conversation.turns())
    users = [index for index, (role, _) in enumerate(said) if role == "user"]
    if len(users) < 2 or most_turns < 1:
        return []
    before_query = users[:-1]
    return said[before_query[-most_turns:][0] : users[-1]]
