"""Words and phrases in a text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.phrases import Phrases

WORDS = ["charged twice", "charged", "what's", "what", "a-b", "a", "aa"]


def whole(words: list[str]) -> str:
    found = "|".join([r"\s+".join(map(re.escape, word.split())) for word in words])
    return rf"(?<!\w)(?:{found})(?!\w)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("nothing here", []),
        ("charged  twice, charged", ["charged  twice", "charged"]),
        ("what's a-b?", ["what's", "a-b"]),
        ("whats aaa a_b", []),
        ("aa a", ["aa", "a"]),
    ],
)
def test_phrases_are_found_as_whole_words(text: str, found: list[str]) -> None:
    assert Phrases(WORDS, whole).find(text) == found


@given(st.text(alphabet="acdeghrtwi's-_ \n2", max_size=40))
def test_it_finds_what_the_pattern_of_all_finds(text: str) -> None:
    assert Phrases(WORDS, whole).find(text) == [match[0] for match in re.finditer(whole(WORDS), text)]


def test_it_says_where_it_cannot_find_all() -> None:
    assert Phrases(WORDS, whole).all_found
    assert not Phrases(["naïve"], whole).all_found
    assert not Phrases(["'quoted"], whole).all_found
