"""Numbers that say how a query is built: its length, numbers, code, math, questions, and how far the talk has come.

All come from counts of bytes and words that `ngrams` makes anyway, so they cost a few microseconds. Which words stand
in a query is left to the n-grams. Counts are taken as log(1 + count): the second number in a query says more than the
40th.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnout.classify.learned.ngrams import Grams
from turnout.config.extras import require

_SHARES: dict[str, str] = {
    "digits": "0123456789",
    "capitals": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "punctuation": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
}
_COUNTS: dict[str, str] = {
    "lines": "\n",
    "questions": "?",
    "sentences": ".!?",
    "commas": ",;",
    "colons": ":",
    "math": "=+*/^<>\\$",
    "code": "{}()[]`_",
    "quotes": "\"'",
}

NAMES: tuple[str, ...] = (
    "characters",
    "words",
    "word_length",
    "longest_word",
    "numbers",
    "number_share",
    "beyond_ascii",
    *(f"{name}_share" for name in _SHARES),
    *_COUNTS,
    "turns",
)
"""What the columns are."""

_SETS = [
    *([ord(character) for character in characters] for characters in (*_SHARES.values(), *_COUNTS.values())),
    list(range(128, 256)),
    list(range(256)),
]
_table: list[Any] = []


def structure(grams: Grams, turns: Sequence[int]) -> Any:
    """For each text its numbers: shape (texts, len(NAMES)), float64.

    Args:
        grams: What was counted in the texts.
        turns: How many turns of the user each conversation has.
    """
    np = require("numpy", extra="embedding")
    if not _table:
        members = np.zeros((256, len(_SETS)))
        for column, values in enumerate(_SETS):
            members[values, column] = 1.0
        _table.append(members)
    sums = grams.bytes_ @ _table[0]
    characters = sums[:, -1]
    some = characters + 1.0
    shares = len(_SHARES)
    out = np.empty((len(characters), len(NAMES)))
    out[:, 0] = characters
    out[:, 1] = grams.words
    out[:, 2] = characters / (grams.words + 1.0)
    out[:, 3] = grams.longest
    out[:, 4] = grams.numbers
    out[:, 5] = grams.numbers / (grams.words + 1.0)
    out[:, 6] = sums[:, -2] / some
    out[:, 7 : 7 + shares] = sums[:, :shares] / some[:, None]
    out[:, 7 + shares : -1] = sums[:, shares:-2]
    out[:, -1] = turns
    counts = _count_columns(np)
    out[:, counts] = np.log1p(out[:, counts])
    return out


def _count_columns(np: Any) -> Any:
    if len(_table) < 2:
        _table.append(
            np.array([index for index, name in enumerate(NAMES) if "share" not in name and "beyond" not in name])
        )
    return _table[1]
