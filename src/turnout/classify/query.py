"""What classifiers see of a conversation: the query, a few turns before it, and both cut to a bounded length."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from turnout.messages.conversation import Conversation

Turn = tuple[Literal["user", "assistant"], str]
"""Who said it, and what."""

CUT = " [...] "
"""Stands where text was left out."""


_WORD = re.compile(r"\w+")
_PLAIN_LETTER = re.compile("[A-Za-z]")
_OTHER_LETTER = re.compile("[\u0370-\u04ff]")
_LATIN = str.maketrans("асеіјорхуАВСЕНІЈКМОРТХаорνΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "aceijopxyABCEHIJKMOPTXaopvABEZHIKMNOPTYXo")


def legible(text: str) -> str:
    """The text as people read it, so that no spelling hides a word from a classifier.

    Letters of other widths and styles become plain ones (NFKC), letters that are not seen are left out, and in words
    that mix scripts the Cyrillic and Greek letters that look like Latin ones become those. Plain text stays as it is.

    Known limitation: look-alikes of other scripts, and words of nothing but look-alikes.
    """
    if text.isascii():
        return text
    seen = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
    return _WORD.sub(_in_one_script, seen) if _OTHER_LETTER.search(seen) else seen


def _in_one_script(word: re.Match[str]) -> str:
    text = word[0]
    mixed = _OTHER_LETTER.search(text) and _PLAIN_LETTER.search(text)
    return text.translate(_LATIN) if mixed else text


def readable(text: str, most_chars: int) -> str:
    """The legible text, or its head and tail where it is longer: what a classifier reads.

    Raises:
        ValueError: As of `bounded`.
    """
    cut = bounded(text, most_chars)
    return cut if cut.isascii() else bounded(legible(cut), most_chars)


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
