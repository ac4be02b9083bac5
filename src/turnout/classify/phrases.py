"""Finds words and phrases in a text: what one pattern of them all would find, without trying it at each letter.

The text is cut into its words, which a set of all words that a phrase begins with is held against. Only where one of
them stands are the phrases compared that begin with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_WORD = re.compile(r"\w+", re.ASCII)
_BLANKS = bytes(code if code < 128 and _WORD.match(chr(code)) else 32 for code in range(256))
"""Makes a blank of each byte that stands in no word."""


class Phrases:
    """Words and phrases, to be found as whole words.

    Args:
        phrases: In small ASCII letters; of two that begin alike the one to be preferred comes first.
        pattern: Makes of some of them the pattern that finds them, in their order.

    Attributes:
        all_found: Whether `find` finds all of them: those that do not begin with a letter or digit, or hold a letter
            beyond ASCII, it does not.
    """

    def __init__(self, phrases: Iterable[str], pattern: Callable[[list[str]], str]) -> None:
        by_first: dict[str, list[str]] = {}
        self.all_found = True
        for phrase in phrases:
            first = _WORD.match(phrase)
            if first is None or not phrase.isascii():
                self.all_found = False
            else:
                by_first.setdefault(first[0], []).append(phrase)
        self._from = {first: re.compile(pattern(same)) for first, same in by_first.items()}
        self._firsts = frozenset(by_first)

    def find(self, text: str) -> list[str]:
        """What is found, from left to right, none within another; of a text in small ASCII letters."""
        firsts = self._firsts.intersection(text.encode("ascii").translate(_BLANKS).decode("ascii").split())
        if not firsts:
            return []
        places: list[tuple[int, str]] = []
        for first in firsts:
            place = text.find(first)
            while place >= 0:
                places.append((place, first))
                place = text.find(first, place + len(first))
        places.sort()
        found, end = list[str](), 0
        for place, first in places:
            if place >= end and (match := self._from[first].match(text, place)) is not None:
                found.append(match[0])
                end = match.end()
        return found
